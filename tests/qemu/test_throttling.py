"""``<iotune>``: what QEMU takes as limits is translated, and what it does not is refused."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.programs import missing, qemu
from virtquorum.errors import TranslationError
from virtquorum.qemu import throttling
from virtquorum.qemu.objects import object_options
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

    from virtquorum.model.disk import Disk
    from virtquorum.qemu.objects import ThrottleGroup

UNITS = ("bytes", "iops")
KINDS = ("total", "read", "write")


def limits(chance: random.Random) -> dict[str, int]:
    """Limits at random, with those at the edges of what QEMU takes."""
    found: dict[str, int] = {}
    for name in (f"{kind}_{unit}_sec" for unit in UNITS for kind in KINDS):
        if chance.random() < 0.3:
            found[name] = chance.choice((0, 1, 5, 100, 10**15, 10**15 + 1))
        if chance.random() < 0.2:
            found[f"{name}_max"] = chance.choice((0, 1, 7, 200, 10**14, 10**15))
        if chance.random() < 0.12:
            found[f"{name}_max_length"] = chance.choice((0, 1, 2, 9, 10))
    if chance.random() < 0.2:
        found["size_iops_sec"] = chance.choice((0, 1, 4096))
    return found


def tuned(said: dict[str, int]) -> Disk:
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    (disk,) = Domain.from_text(
        "<disk type='file'><driver type='raw'/><source file='/i'/><target dev='vda'/>"
        f"<iotune>{inside}</iotune></disk>"
    ).disks
    return disk


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
def test_qemu_takes_what_is_translated_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(20261121)  # noqa: S311 - the same limits each time
    verdicts = set()
    with qemu([], tmp_path) as running:

        def takes(group: ThrottleGroup) -> bool:
            try:
                running.command("object-add", **object_options(group))
            except Exception as error:
                assert type(error).__name__ == "ExecuteError"  # noqa: PT017
                return False
            running.command("object-del", id=group.id)
            return True

        for _ in range(200):
            disk = tuned(limits(chance))
            with monkeypatch.context() as unchecked:
                unchecked.setattr(throttling, "_check", lambda *_: None)
                group = throttling.throttling(disk, "vq-vda")
            try:
                ours = throttling.throttling(disk, "vq-vda") == group
            except TranslationError:
                ours = False
            assert ours == (group is None or takes(group)), disk.iotune
            verdicts.add(ours)
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"total_bytes_sec": 1, "read_bytes_sec": 1},
            "total_bytes_sec and read_bytes_sec cannot go together; keep one of them",
        ),
        (
            {"total_iops_sec_max": 5},
            "total_iops_sec_max needs a total_iops_sec that is not larger; add total_iops_sec",
        ),
        (
            {"read_bytes_sec": 5, "read_bytes_sec_max_length": 2},
            "read_bytes_sec_max_length needs read_bytes_sec_max; add read_bytes_sec_max",
        ),
        (
            {"total_iops_sec": 10**15 + 1},
            "total_iops_sec and its burst are 1000000000000001; at most 1000000000000000 is "
            "possible",
        ),
        ({"size_iops_sec": 4096}, "size_iops_sec needs a limit of operations; add total_iops_sec"),
    ],
)
def test_what_is_refused_says_why(said: dict[str, int], message: str) -> None:
    with pytest.raises(TranslationError) as caught:
        throttling.throttling(tuned(said), "vq-vda")
    assert str(caught.value) == f"<text>:1:77: disk 'vda': {message}"
