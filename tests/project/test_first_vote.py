"""The sample run of README.md: what it claims happens, with the real programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.programs import environment

TOP = Path(__file__).parents[2]


def test_the_first_vote_runs_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, TOP / "samples/first_vote.py"],
        env=environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "quorum 2 of 3" in done.stdout
    # The three members, the bad one by itself, and then the vote.
    assert done.stdout.count("read 1048576/1048576 bytes") == 5
    assert done.stdout.count("Pattern verification failed") == 1
    assert "QUORUM_REPORT_BAD" in done.stdout
    assert "which is" in done.stdout.rpartition("QUORUM_REPORT_BAD")[2]
    assert "member-1.raw" in done.stdout.rpartition("which is")[2]
    assert list(tmp_path.iterdir()) == []


def test_scripts_and_ci_do_what_the_readme_says() -> None:
    readme = (TOP / "README.md").read_text()
    for command in ("bash dev/try", "bash dev/test"):
        assert command in readme
    lines = (TOP / ".ci/run").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'exec bash "$(dirname "$0")/../dev/test"'
    ]
