"""What the rules say of a change is said once, though two documents are changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web
from tests.libvirts import embed, missing_for_embed
from tests.libvirts.domains import root_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

BOTH = ("--live", "--config", "--dry-run")


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    """With a quorum domain that runs, and is defined."""
    with embed() as bench:
        path = web(bench, "web", devices=root_ports(2))
        assert virtquorum(bench, "define", "--no-checks", path).code == 0
        assert virtquorum(bench, "start", "--paused", "web").code == 0
        yield bench


@pytest.mark.parametrize(
    ("words", "rule", "code"),
    [
        (("--threshold", "1"), "warning[VQ107]", 0),
        (("--threshold", "4"), "error[VQ105]", 1),
        (("--read-pattern", "fifo", "--rewrite-corrupted", "on"), "warning[VQ114]", 0),
    ],
)
def test_of_a_policy(words: tuple[str, ...], rule: str, code: int, bench: Embed) -> None:
    done = virtquorum(bench, "patch", "web", "set", "vda", *words, *BOTH)
    assert (done.code, done.err.count(rule)) == (code, 1)


def test_of_a_disk_that_is_attached(bench: Embed) -> None:
    file = bench.folder / "disk.xml"
    file.write_text(quorum_disk("vdb", members(bench, "more"), threshold=1, boot=None))
    done = virtquorum(bench, "patch", "web", "attach", file, *BOTH, "--json")
    assert (done.code, done.err.count("[VQ107]")) == (0, 1)
    found = json.loads(done.out)["plan"]["findings"]
    assert [one["rule"] for one in found] == ["VQ107"]
