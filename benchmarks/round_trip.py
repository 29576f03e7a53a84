"""How much of real documents formatting changes: nothing, where libvirt wrote them.

    python -m benchmarks.round_trip [DIR…]

Each line: a directory, how many documents of libvirt's it holds, and what
formatting changes of them; then the documents that are changed.  Without a
directory it is the corpus and the samples.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from virtquorum.errors import InputError, WrongRootError
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "corpus"
USUAL = (
    *(CORPUS / name for name in ("stock", "snapshot", "status", "config")), ROOT / "samples",
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    print(f"{'directory':32} {'files':>6} {'bytes':>11} {'changed':>8} {'bytes':>9}")
    total = [0, 0, 0, 0]
    changed: list[tuple[Path, int]] = []
    for folder in map(Path, arguments or USUAL):
        sums = [0, 0, 0, 0]
        for path in sorted(folder.glob("*.xml")):
            difference = _difference(path)
            if difference is None:
                continue
            size = path.stat().st_size
            sums = [
                old + new
                for old, new in zip(sums, (1, size, difference > 0, difference), strict=True)
            ]
            if difference:
                changed.append((path, difference))
        print(_line(_short(folder), sums))
        total = [old + new for old, new in zip(total, sums, strict=True)]
    print(_line("in all", total))
    for path, difference in changed:
        print(f"changed: {_short(path)}, {difference:,} bytes")
    return 0


def _difference(path: Path) -> int | None:
    """How many bytes formatting takes out and puts in; None for what is no domain XML."""
    raw = path.read_bytes()
    try:
        domain = Domain.from_bytes(raw, str(path))
    except WrongRootError:
        return None
    except InputError as error:
        print(f"passed over: {error}", file=sys.stderr)
        return None
    formatted = domain.formatted().to_bytes()
    if formatted == raw:
        return 0
    before, after = Counter(raw.splitlines(True)), Counter(formatted.splitlines(True))
    lines = ((before - after) + (after - before)).elements()
    # Lines that are only in another order are in neither: all of them count then.
    return sum(map(len, lines)) or len(raw)


def _line(name: str, sums: list[int]) -> str:
    files, size, changed, difference = sums
    return f"{name:32} {files:6,} {size:11,} {changed:8,} {difference:9,}"


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
