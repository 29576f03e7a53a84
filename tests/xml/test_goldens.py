"""Formatted documents and messages, each beside its input; ``--update-goldens`` rewrites them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from virtquorum.errors import InputError
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable

    Golden = Callable[[Path, str], None]

_HERE = Path(__file__).parent
_FORMATTED = sorted((_HERE / "golden").glob("*.xml"))
_ERRORS = sorted((_HERE / "errors").glob("*.xml"))


@pytest.mark.parametrize("path", _FORMATTED, ids=lambda path: path.stem)
def test_formatted_output_is_the_golden_and_final(path: Path, golden: Golden) -> None:
    domain = Domain.from_bytes(path.read_bytes(), path.name)
    formatted = domain.formatted()
    golden(path.with_suffix(".out"), formatted.to_bytes().decode("utf-8"))
    assert formatted.disks == domain.disks
    assert formatted.formatted() is formatted


@pytest.mark.parametrize("path", _ERRORS, ids=lambda path: path.stem)
def test_a_mistake_gets_exactly_this_message(path: Path, golden: Golden) -> None:
    with pytest.raises(InputError) as caught:
        Domain.from_bytes(path.read_bytes(), path.name)
    golden(path.with_suffix(".err"), f"{type(caught.value).__name__}\n{caught.value}\n")


def test_goldens_lie_beside_an_input() -> None:
    for folder, suffix, inputs in (("golden", ".out", _FORMATTED), ("errors", ".err", _ERRORS)):
        outputs = {path.stem for path in (_HERE / folder).glob(f"*{suffix}")}
        assert outputs == {path.stem for path in inputs}
        assert outputs
