"""What README.md and docs/ show is what happens.

In a ```console block each line after ``$ `` is run from the top of the
checkout, and what follows is what it prints, both streams in one;
--update-goldens writes it.  A ```python block is run.  Links lead to files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
DOCUMENTS = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def identify(path: Path) -> str:
    return str(path.relative_to(TOP))


def run(command: str) -> str:
    """What a command prints, as it would in a shell at the top of the checkout."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=TOP,
        env={**os.environ, "PATH": programs, "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def replayed(block: str) -> str:
    """A console block with what its commands print now."""
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"$ {command}\n{run(command)}" for command in commands)


@pytest.mark.parametrize("path", DOCUMENTS, ids=identify)
def test_console_blocks_show_what_is_printed(path: Path, request: pytest.FixtureRequest) -> None:
    text = path.read_text()

    def update(found: re.Match[str]) -> str:
        kind, block = found.groups()
        return f"```{kind}\n{replayed(block)}```" if kind == "console" else found[0]

    now = BLOCK.sub(update, text)
    if request.config.getoption("--update-goldens") and now != text:
        path.write_text(now)
    assert now == path.read_text()


@pytest.mark.parametrize("path", DOCUMENTS, ids=identify)
def test_python_blocks_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOP)
    for kind, block in BLOCK.findall(path.read_text()):
        if kind == "python":
            exec(compile(block, identify(path), "exec"), {"__name__": "document"})  # noqa: S102


@pytest.mark.parametrize("path", [*DOCUMENTS, TOP / "samples/README.md"], ids=identify)
def test_links_lead_to_files(path: Path) -> None:
    for target in LINK.findall(path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_sample_has_its_line() -> None:
    listed = (TOP / "samples/README.md").read_text()
    samples = TOP / "samples"
    files = [str(one.relative_to(samples)) for one in samples.rglob("*.xml")]
    missing = [name for name in files if f"`{name}`" not in listed]
    assert not missing


def test_there_are_console_and_python_blocks() -> None:
    kinds = [kind for path in DOCUMENTS for kind, _ in BLOCK.findall(path.read_text())]
    assert kinds.count("console") >= 4
    assert "python" in kinds


def test_the_samples_that_args_refuses_are_named() -> None:
    text = (TOP / "samples/README.md").read_text()
    (named,) = re.findall(r"translates all of them but (.*?)\n\n", text, re.DOTALL)
    refused = {
        one.name
        for one in (TOP / "samples").glob("*.xml")
        if "virtquorum: samples" in run(f"virtquorum args samples/{one.name}")
    }
    assert refused == set(re.findall(r"`([\w-]+\.xml)`", named))
