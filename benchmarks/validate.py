"""``virtquorum validate`` against xmllint, virt-xml-validate and jing, in the same run.

    python -m benchmarks.validate [--files 5000] [--pairs 20]

Every figure is a whole process's wall time; the two sides take turns, and
printed are the medians and the median of the ratios pair by pair.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from benchmarks.documents import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
OVERLAY = ROOT / "schemas" / "domain-quorum.rng"
STOCK = ROOT / "tests" / "corpus" / "stock"
SAMPLES = ROOT / "samples"
#: Not valid by libvirt's own grammar, or (the last) libxml2 takes 17 s for it.
LEFT_OUT = {
    "disk-http.xml", "disk-http.secure.xml", "disk-nfs.xml", "disk-ssh.xml",
    "unsupported-disks.xml", "disk-driver-options.xml",
}  # fmt: skip
_NAME = re.compile(rb"<name>[^<]*</name>")
# An installed package has its bytecode; where this is set, Python would compile it at every start.
_ENVIRONMENT = {
    key: value
    for key, value in os.environ.items()
    if key not in ("PYTHONDONTWRITEBYTECODE", "GITHUB_ACTIONS")
}
VALIDATE = [sys.executable, "-m", "virtquorum", "validate"]


def documents(clean: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """So many files, made of the documents in turn, each with a name of its own."""
    texts = [path.read_bytes() for path in clean]
    paths = []
    for number in range(count):
        text = _NAME.sub(b"<name>measured-%d</name>" % number, texts[number % len(texts)], count=1)
        path = folder / f"{number:05}.xml"
        path.write_bytes(text)
        paths.append(path)
    return paths


def clean_documents() -> list[Path]:
    """Stock domains as libvirt writes them and the samples, in turn, without findings."""
    stock = [path for path in sorted(STOCK.glob("*.xml")) if path.name not in LEFT_OUT]
    quorum = sorted(SAMPLES.glob("*.xml"))
    found = [path for path in [*stock, *quorum] if _run([*VALIDATE, "--no-config", str(path)]) == 0]
    stock = [path for path in found if path.parent == STOCK]
    quorum = [path for path in found if path.parent == SAMPLES]
    mixed: list[Path] = []
    for number, path in enumerate(stock):
        mixed += [path, quorum[number % len(quorum)]]
    return mixed


def broken(paths: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """So many files with one mistake each: a letter more in a name or a value."""
    chance = random.Random(20261121)  # noqa: S311 - the same files every time
    made = []
    for number in range(count):
        text = paths[number % len(paths)].read_bytes()
        places = [found.end(1) for found in re.finditer(rb"<([a-z]+)(?=[\s/][^>]*/>|/>)", text)]
        at = chance.choice(places)
        path = folder / f"broken-{number:05}.xml"
        path.write_bytes(text[:at] + b"x" + text[at:])
        made.append(path)
    return made


def _run(command: Sequence[str], cores: set[int] | None = None) -> int:
    def only() -> None:
        if cores is not None:
            os.sched_setaffinity(0, cores)

    return subprocess.run(
        command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL, env=_ENVIRONMENT, preexec_fn=only, timeout=600, cwd="/",
    ).returncode  # fmt: skip


def _wall(command: Sequence[str], cores: set[int] | None, codes: set[int]) -> float:
    start = perf_counter()
    code = _run(command, cores)
    spent = perf_counter() - start
    assert code in codes, f"{command[:4]}… ended with {code}"
    return spent


def compare(
    what: str,
    ours: Sequence[str],
    peer: Sequence[str],
    pairs: int,
    *,
    cores: set[int] | None = None,
    peer_cores: set[int] | None = None,
    codes: Sequence[int] = (0,),
    times: int = 1,
) -> None:
    """Time two commands in turn and print a line; the peer's time counts ``times``."""
    allowed = set(codes)
    _wall(ours, cores, allowed), _wall(peer, peer_cores or cores, allowed)
    spent = [
        (_wall(ours, cores, allowed), times * _wall(peer, peer_cores or cores, allowed))
        for _ in range(pairs)
    ]
    one, two = (median(side) * 1e3 for side in zip(*spent, strict=True))
    ratio = median(mine / other for mine, other in spent)
    print(f"{what:58} {one:8.1f} ms {two:9.1f} ms {ratio:6.2f}x", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--pairs", type=int, default=20)
    arguments = parser.parse_args()
    first = {min(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clean = clean_documents()
        paths = documents(clean, arguments.files, folder)
        size = sum(path.stat().st_size for path in paths) / len(paths)
        print(f"{len(paths)} valid files made of {len(set(clean))}, {size:.0f} bytes on average")
        files = [str(path) for path in paths]
        rng = ["xmllint", "--noout", "--relaxng", str(OVERLAY)]
        many = max(3, arguments.pairs // 4)
        compare("valid files, one core: xmllint", [*VALIDATE, *files], [*rng, *files], many,
                cores=first)  # fmt: skip
        compare("valid files, all cores: xmllint (one process)", [*VALIDATE, *files],
                [*rng, *files], many)  # fmt: skip
        stock = next(path for path in sorted(STOCK.glob("realistic-linux.xml")))
        compare(f"{len(files)} valid files: virt-xml-validate, file by file", [*VALIDATE, *files],
                ["virt-xml-validate", str(stock), "domain"], many, times=len(files))  # fmt: skip
        one = str(SAMPLE)
        pairs = arguments.pairs
        compare("one file: python -c 'import lxml.etree'", [*VALIDATE, one],
                [sys.executable, "-c", "import lxml.etree"], 2 * pairs)  # fmt: skip
        compare("one stock file: python -c 'import lxml.etree'", [*VALIDATE, str(stock)],
                [sys.executable, "-c", "import lxml.etree"], 2 * pairs)  # fmt: skip
        compare("one stock file: virt-xml-validate", [*VALIDATE, str(stock)],
                ["virt-xml-validate", str(stock), "domain"], pairs)  # fmt: skip
        compare("one file: jing", [*VALIDATE, one], ["jing", str(OVERLAY), one], pairs)
        wrong = [str(path) for path in broken(paths, 1000, folder)]
        compare("one invalid file: jing", [*VALIDATE, wrong[0]], ["jing", str(OVERLAY), wrong[0]],
                pairs, codes=(1,))  # fmt: skip
        compare("1,000 invalid files, one core: jing (one process)", [*VALIDATE, *wrong],
                ["jing", str(OVERLAY), *wrong], 3, cores=first, codes=(1,))  # fmt: skip
        compare("1,000 invalid files, all cores: jing (one process)", [*VALIDATE, *wrong],
                ["jing", str(OVERLAY), *wrong], 3, codes=(1,))  # fmt: skip
        _further(wrong, first)
    return 0


def _further(wrong: Sequence[str], cores: set[int]) -> None:
    """What each further invalid file costs in one process."""
    spent = []
    for _ in range(3):
        few, many = (_wall([*VALIDATE, *wrong[:count]], cores, {1}) for count in (20, len(wrong)))
        spent.append((many - few) / (len(wrong) - 20))
    print(f"each further invalid file, one core: {median(spent) * 1e3:.2f} ms")


if __name__ == "__main__":
    sys.exit(main())
