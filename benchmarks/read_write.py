"""Reading, modelling and formatting, against lxml's parse and tostring of the same bytes.

    python -m benchmarks.read_write

Each line: a document, and the ratio of ours to lxml's, both measured in turn
in this process; the best of the rounds, since noise only ever adds.
"""

from __future__ import annotations

import gc
import sys
from time import perf_counter
from typing import TYPE_CHECKING

from lxml import etree

from benchmarks.documents import SAMPLE, domain_of
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15
#: Each measurement lasts at least so many seconds.
SPAN = 0.02


def main() -> int:
    print(f"{'document':24} {'bytes':>9} {'lxml':>10} {'read':>6} {'+model':>7} {'+format':>8}")
    per_disk = {}
    documents = {"samples/three-qcow2.xml": SAMPLE.read_bytes()}
    documents |= {f"{count} disks": domain_of(count) for count in (10, 100, 1000, 4000)}
    # What people write: all of it is changed.
    documents["1000, other quotes"] = documents["1000 disks"].replace(b"'", b'"')
    for name, data in documents.items():
        peer, read, model, formatted = _best(
            lambda: etree.tostring(etree.fromstring(data)),  # noqa: B023 - called at once
            lambda: Domain.from_bytes(data),  # noqa: B023
            lambda: Domain.from_bytes(data).disks,  # noqa: B023
            lambda: Domain.from_bytes(data).format(),  # noqa: B023
        )
        assert Domain.from_bytes(data).format() == data.replace(b'"', b"'")
        ratios = (read / peer, model / peer, formatted / peer)
        print(
            f"{name:24} {len(data):9,} {peer * 1e3:7.3f} ms"
            f" {ratios[0]:5.2f}x {ratios[1]:6.2f}x {ratios[2]:7.2f}x"
        )
        count = name.partition(" disks")[0]
        if count.isdigit():
            per_disk[int(count)] = formatted / int(count) * 1e6
    print("a disk of N takes, in µs: " + ", ".join(f"{n}: {us:.1f}" for n, us in per_disk.items()))
    return 0


def _best(*functions: Callable[[], object]) -> list[float]:
    """For each function the seconds of its best round, the functions taking turns."""
    repeats = []
    for function in functions:
        start = perf_counter()
        function()
        repeats.append(max(1, int(SPAN / (perf_counter() - start + 1e-9))))
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for number, function in enumerate(functions):
            gc.collect()
            start = perf_counter()
            for _ in range(repeats[number]):
                function()
            best[number] = min(best[number], (perf_counter() - start) / repeats[number])
    return best


if __name__ == "__main__":
    sys.exit(main())
