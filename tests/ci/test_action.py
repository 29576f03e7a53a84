"""The GitHub action: its scripts run as GitHub runs them, and no input gets into one."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

TOP = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((TOP / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
GOOD = (TOP / "samples" / "three-qcow2.xml").read_text()
BAD = GOOD.replace(" threshold='2'", "")
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


class Done(NamedTuple):
    """What a script came to."""

    code: int
    out: str
    err: str


def run(step: str, folder: Path, runner: Path, inputs: dict[str, str]) -> Done:
    """A step's script, by the shell and with the environment that GitHub gives it."""
    values = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()} | inputs

    def value(found: re.Match[str]) -> str:
        return values[found[1].removeprefix("inputs.")]

    given = {name: EXPRESSION.sub(value, text) for name, text in STEPS[step].get("env", {}).items()}
    script = runner / "script.sh"
    script.write_text(STEPS[step]["run"])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=folder,
        env={
            **os.environ,
            **given,
            "RUNNER_TEMP": str(runner),
            "GITHUB_ACTION_PATH": str(TOP),
            "GITHUB_ACTIONS": "true",
        },
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runner's temporary directory, after the action's step that installs."""
    folder = tmp_path_factory.mktemp("runner temp")
    done = run("Install virtquorum", folder, folder, {})
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with a good and a bad domain."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a b.xml").write_text(GOOD)
    (tmp_path / "bad.xml").write_text(BAD)
    return tmp_path


def check(folder: Path, runner: Path, paths: str, args: str = "") -> Done:
    return run("Validate", folder, runner, {"paths": paths, "args": args})


def test_no_input_is_written_into_a_script() -> None:
    for name, step in STEPS.items():
        assert "${{" not in step.get("run", ""), name
        assert ("run" in step) == (step.get("shell") == "bash"), name
    used = {one for step in STEPS.values() for one in EXPRESSION.findall(str(step))}
    assert used == {f"inputs.{name}" for name in ACTION["inputs"]}
    assert all(one["description"] for one in ACTION["inputs"].values())


def test_what_is_installed_comes_from_the_actions_own_checkout(runner: Path) -> None:
    python = runner / "virtquorum" / "bin" / "python"
    done = subprocess.run(
        [python, "-c", "import virtquorum; print(virtquorum.__file__)"],
        cwd=runner, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert Path(done.stdout.strip()).is_relative_to(runner / "virtquorum")


def test_a_good_domain(folder: Path, runner: Path) -> None:
    done = check(folder, runner, "good")
    assert done.code == 0, done.out + done.err
    assert "::error" not in done.out


def test_findings_are_annotations(folder: Path, runner: Path) -> None:
    done = check(folder, runner, "good\nbad.xml\n")
    assert done.code == 1, done.err
    (line,) = [one for one in done.out.splitlines() if one.startswith("::error") and "VQ101" in one]
    assert "file=bad.xml" in line


def test_without_inputs_the_whole_checkout_is_checked(folder: Path, runner: Path) -> None:
    done = run("Validate", folder, runner, {})
    assert done.code == 1
    assert "VQ101" in done.out


@pytest.mark.parametrize(
    ("paths", "args", "code"),
    [
        ("  good/a b.xml  \n\n", "", 0),
        ("good/a b.xml\r\n", "", 0),
        (".", "--exclude bad.xml", 0),
        (".", "--exclude 'b*.xml' --severity error", 0),
        (".", "--exclude\n  bad.xml   # as agreed\n", 0),
        ("bad.xml", "--ignore VQ101,grammar", 0),
        ("bad.xml", "--ignore 'VQ101' --ignore grammar", 0),
        (".", "--select VQ015", 2),
        (".", "--nonsense", 2),
        ("", "", 2),
        (" \n ", "", 2),
        ("missing.xml", "", 3),
    ],
)
def test_paths_and_options(folder: Path, runner: Path, paths: str, args: str, code: int) -> None:
    done = check(folder, runner, paths, args)
    assert done.code == code, done.out + done.err


def test_a_quote_without_its_end_stops_the_step(folder: Path, runner: Path) -> None:
    done = check(folder, runner, "good", "--exclude 'old")
    assert done.code != 0
    assert "No closing quotation" in done.err


@pytest.mark.parametrize(
    "text",
    [
        "$(touch seen)",
        "`touch seen`",
        "; touch seen",
        "good; touch seen #",
        '" ; touch seen ; "',
        "'; touch seen; '",
        "good\n$(touch seen)",
        "*",
        "${IFS}",
        "-c 'touch seen'",
    ],
)
@pytest.mark.parametrize("name", ["paths", "args"])
def test_inputs_are_never_run(folder: Path, runner: Path, name: str, text: str) -> None:
    done = run("Validate", folder, runner, {"paths": "good", name: text})
    assert not (folder / "seen").exists()
    assert done.code != 0, "each of these is a path or an option that is not there"


def test_a_path_is_no_option(folder: Path, runner: Path) -> None:
    (folder / "--help").write_text(GOOD)
    done = check(folder, runner, "--help")
    assert done.code == 0, done.err
    assert "Usage" not in done.out
    assert check(folder, runner, "--version").code == 3


def test_the_python_that_is_set_up_is_the_one_that_is_used(tmp_path: Path) -> None:
    """setup-python puts its python3 first in PATH."""
    setup = STEPS["Set up Python"]
    assert setup["if"] == "inputs.python-version != ''"
    assert setup["with"] == {"python-version": "${{ inputs.python-version }}"}
    (tmp_path / "python3").write_text('#!/bin/sh\necho "first: $*"\nexit 7\n')
    (tmp_path / "python3").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)
        done = run("Install virtquorum", tmp_path, tmp_path, {})
    assert (done.code, done.out) == (7, f"first: -m venv {tmp_path}/virtquorum\n")
