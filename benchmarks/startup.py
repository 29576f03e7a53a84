"""Whole processes: virtquorum's start against ``python -c "import lxml.etree"``.

    python -m benchmarks.startup

The commands take turns with the peer; printed are the medians and the median
of the ratios pair by pair.
"""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from time import perf_counter

from benchmarks.documents import SAMPLE

PAIRS = 40
# An installed package has its bytecode; where this is set, Python would compile it at every start.
_ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
PEER = [sys.executable, "-c", "import lxml.etree"]
COMMANDS = {
    "--version": [sys.executable, "-m", "virtquorum", "--version"],
    "show FILE": [sys.executable, "-m", "virtquorum", "show", str(SAMPLE)],
    "show --json FILE": [sys.executable, "-m", "virtquorum", "show", "--json", str(SAMPLE)],
    "format FILE": [sys.executable, "-m", "virtquorum", "format", str(SAMPLE)],
    "args --help": [sys.executable, "-m", "virtquorum", "args", "--help"],
    "args FILE": [sys.executable, "-m", "virtquorum", "args", str(SAMPLE)],
    "from-args": [
        sys.executable, "-m", "virtquorum", "from-args", "-drive", "file=/a,format=raw,if=virtio",
    ],
    "create --help": [sys.executable, "-m", "virtquorum", "create", "--help"],
}  # fmt: skip


def main() -> int:
    print(f"{'command':20} {'ours':>9} {'peer':>9} {'ratio':>7}")
    for name, command in COMMANDS.items():
        _wall(command), _wall(PEER)
        pairs = [(_wall(command), _wall(PEER)) for _ in range(PAIRS)]
        ours, peer = (median(times) * 1e3 for times in zip(*pairs, strict=True))
        ratio = median(one / two for one, two in pairs)
        print(f"{name:20} {ours:6.1f} ms {peer:6.1f} ms {ratio:6.2f}x")
    return 0


def _wall(command: list[str]) -> float:
    start = perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=_ENVIRONMENT)
    return perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
