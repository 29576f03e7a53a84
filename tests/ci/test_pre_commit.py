"""The hook, installed and run by the real pre-commit as docs/ci.md says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

TOP = Path(__file__).parents[2]
#: What an installation is made from.
PARTS = ("virtquorum", "schemas", "pyproject.toml", "README.md", "LICENSE")
HOOKS = ".pre-commit-hooks.yaml"
GOOD = (TOP / "samples" / "three-qcow2.xml").read_text()
BAD = GOOD.replace(" threshold='2'", "")


def git(folder: Path, *arguments: str) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    for who in ("AUTHOR", "COMMITTER"):
        own |= {f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@example.org"}
    subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false", *arguments],
        cwd=folder, env=own, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def configuration() -> dict[str, Any]:
    """The example of docs/ci.md."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (TOP / "docs/ci.md").read_text(), re.M | re.S)
    (found,) = (yaml.safe_load(one) for one in blocks if one.startswith("repos:"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout, as it is now, as a repository with the revision of the example."""
    folder = tmp_path_factory.mktemp("source")
    for name in PARTS:
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TOP / name, folder)
    shutil.copy(TOP / HOOKS, folder)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "all")
    git(folder, "tag", configuration()["repos"][0]["rev"])
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps its environments: one for all tests of this module."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def hook(source: Path, home: Path, tmp_path: Path) -> Callable[[dict[str, str]], tuple[int, str]]:
    """Run the example's hook on a repository with some files; its exit code and what it says."""

    def run(files: dict[str, str]) -> tuple[int, str]:
        config = configuration()
        config["repos"][0]["repo"] = str(source)
        for name, text in {**files, ".pre-commit-config.yaml": yaml.safe_dump(config)}.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        git(tmp_path, "init", "-q")
        git(tmp_path, "add", "-A")
        own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        done = subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"],
            cwd=tmp_path, env={**own, "PRE_COMMIT_HOME": str(home), "NO_COLOR": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
        )  # fmt: skip
        return done.returncode, done.stdout

    return run


def test_the_hooks_file_is_valid() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(TOP / HOOKS)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (hook,) = yaml.safe_load((TOP / HOOKS).read_text())
    assert hook["entry"] == "virtquorum validate"
    assert hook["id"] in {one["id"] for one in configuration()["repos"][0]["hooks"]}


def test_a_good_domain_passes(hook: Callable[[dict[str, str]], tuple[int, str]]) -> None:
    code, said = hook({"domains/a.xml": GOOD})
    assert code == 0, said
    assert re.search(r"virtquorum validate\.+Passed", said)


def test_a_bad_domain_fails(hook: Callable[[dict[str, str]], tuple[int, str]]) -> None:
    code, said = hook({"domains/a.xml": GOOD, "domains/b.xml": BAD})
    assert code == 1, said
    assert "VQ101" in said
    assert "domains/b.xml:" in said
    assert "domains/a.xml" not in said


def test_what_the_example_narrows_away(hook: Callable[[dict[str, str]], tuple[int, str]]) -> None:
    code, said = hook({"other/a.xml": BAD, "domains/a.txt": BAD, "domains/a.svg": "<svg/>"})
    assert code == 0, said
    assert "(no files to check)Skipped" in said


def test_the_configuration_of_the_repository_counts(
    hook: Callable[[dict[str, str]], tuple[int, str]],
) -> None:
    config = "[validate]\nignore = ['threshold-missing', 'grammar']\n"
    code, said = hook({"domains/b.xml": BAD, ".virtquorum.toml": config})
    assert code == 0, said
    code, said = hook({".virtquorum.toml": "[validate]\nignroe = []\n"})
    assert code == 1, said
    assert "exit code: 2" in said
    assert "'ignroe' is unknown; did you mean 'ignore'?" in said
