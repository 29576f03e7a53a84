"""The sample run of README.md: what it claims happens, with the real programs."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.nightly import nightly
from tests.programs import environment
from tests.servers.process import lacks

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[2]
SAMPLE = TOP / "samples/first_boot.py"
NEEDED = pytest.mark.skipif(
    bool(lacks("qemu-system-x86_64", "qemu-io", "qemu-img")) or find_spec("libvirt") is None,
    reason="QEMU or libvirt-python is not installed",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place for it, with a short name: sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as name:
        yield Path(name)


def guests_in(folder: Path) -> list[str]:
    """The processes that were told of a directory."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = one.read_bytes()
        except OSError:  # gone by now
            continue
        if b"qemu-system" in words and bytes(folder) in words:
            found.append(words.decode())
    return found


@NEEDED
def test_the_first_boot_runs_and_leaves_nothing(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, SAMPLE],
        env=environment(TMPDIR=str(folder)),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "quorum 2 of 3" in done.stdout
    first, second = done.stdout.split("Now the storage lies")
    for part, number in ((first, 1), (second, 2)):
        assert "guest: sector 1 says: two of three say so\n" in part
        assert f"guest: this is boot number {number}, which I write to sector 2\n" in part
        # In the three members, and not in the placeholder.
        assert part.count(f"\n00000400:  0{number} 00") == 3
        assert part.count("\n00000400:  00 00") == 1
    assert "QUORUM_REPORT_BAD" not in first
    report, _, named = second.partition("QUORUM_REPORT_BAD")[2].partition("which is ")
    assert '"sector-num":2,' in report
    assert named.splitlines()[0].endswith("/rack-b.raw")
    # The liar is replaced, and those that are left agree.
    before, _, after = second.partition("$ virtquorum patch first-boot member replace vda rack-b")
    assert "/rack-d.raw" not in before
    assert after.count("Images are identical.\n") == 2
    listed = [line.split()[-1] for line in after.splitlines() if ".raw" in line and "raw /" in line]
    assert [one.rpartition("/")[2] for one in listed] == ["rack-d.raw", "rack-c.raw"]
    assert list(folder.iterdir()) == []
    assert guests_in(folder) == []


@NEEDED
@nightly
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_boot_can_be_ended(folder: Path, number: int) -> None:
    """While its guest is there."""
    with subprocess.Popen(
        [sys.executable, SAMPLE],
        env=environment(TMPDIR=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        for line in running.stdout:
            if "started, and paused" in line:
                break
        assert guests_in(folder)
        running.send_signal(number)
        running.stdout.read()
        assert running.stderr.read() == "interrupted\n"
    assert running.returncode == 1
    assert list(folder.iterdir()) == []
    assert guests_in(folder) == []


@pytest.mark.skipif(bool(lacks("as", "ld")), reason="no assembler is installed")
def test_the_guest_is_what_its_source_says(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    source, kept = TOP / "samples/guest.s", TOP / "samples/guest.hex"
    lines = [line[1:].split() for line in source.read_text().splitlines()]
    commands = [words for words in lines if words[:1] in (["as"], ["ld"])]
    assert len(commands) == 2
    shutil.copy(source, tmp_path)
    for one in commands:
        subprocess.run(one, check=True, cwd=tmp_path, timeout=60)
    made = (tmp_path / "guest").read_bytes()
    assert made[-2:] == b"\x55\xaa"
    text = "".join(f"{made[at : at + 32].hex()}\n" for at in range(0, 512, 32))
    if request.config.getoption("--update-goldens"):
        kept.write_text(text)
    assert kept.read_text() == text


def test_scripts_and_ci_do_what_the_readme_says() -> None:
    readme = (TOP / "README.md").read_text()
    for command in ("bash dev/try", "bash dev/test"):
        assert command in readme
    assert "samples/first_boot.py" in (TOP / "dev/try").read_text()
    lines = (TOP / ".ci/run").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'exec bash "$(dirname "$0")/../dev/test"'
    ]
