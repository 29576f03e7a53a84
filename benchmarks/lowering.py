"""Lowering and lifting, against reading and formatting the same domain.

    python -m benchmarks.lowering

For domains of 1, 100 and 1,000 quorum disks of three members: ``lower`` of the
quorum domain and ``lift`` of the lowered one, each with the reading of the XML;
the peer reads the same bytes and formats them.  They take turns, and each ratio
is the median of those of the rounds.  Peak memory is not measured here.
"""

from __future__ import annotations

import gc
import sys
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from benchmarks.args import _quorum, domain_of
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lower
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable

#: Rounds of each count of disks.
ROUNDS: Final = {1: 200, 100: 20, 1000: 3}


def main() -> int:
    print(f"{'disks':>6} {'':6} {'ours':>10} {'a disk':>9}  to parse + format")
    for count, rounds in ROUNDS.items():
        written = domain_of(count, _quorum).encode()
        lowered = lower(Domain.from_bytes(written)).to_bytes()
        dumped = Domain.from_bytes(lowered).format()
        assert lift(Domain.from_bytes(lowered)).to_bytes() == written
        _report(count, rounds, "lower", written, lower)
        _report(count, rounds, "lift", lowered, lift)
        _report(count, rounds, "lift, as libvirt dumps it", dumped, lift)
    return 0


def _report(
    count: int, rounds: int, what: str, data: bytes, change: Callable[[Domain], Domain]
) -> None:
    ours, ratios = [], []
    for _ in range(rounds):
        gc.collect()
        seconds = _timed(lambda: change(Domain.from_bytes(data)).to_bytes())
        ours.append(seconds)
        ratios.append(seconds / _timed(lambda: _formatted(data)))
    one = median(ours)
    print(
        f"{count:6,} {one * 1e3:7.2f} ms {one / count * 1e6:6.0f} µs "
        f"{median(ratios):10.1f}x  {what}",
        flush=True,
    )


def _formatted(data: bytes) -> bytes:
    """Read, as a model, and written again."""
    domain = Domain.from_bytes(data)
    assert domain.disks
    return domain.format()


def _timed(function: Callable[[], object]) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
