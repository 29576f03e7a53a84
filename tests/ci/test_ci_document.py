"""docs/ci.md: what it shows is run, and its tables are whole."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import run
from virtquorum import __version__
from virtquorum.cli.config import KEYS, Config

TOP = Path(__file__).parents[2]
TEXT = (TOP / "docs/ci.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
YAML: list[dict[str, Any]] = [yaml.safe_load(text) for kind, text in BLOCKS if kind == "yaml"]
GOOD = (TOP / "samples" / "three-qcow2.xml").read_text()
BAD = GOOD.replace(" threshold='2'", "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a good and a bad domain, as the current directory."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "good.xml").write_text(GOOD)
    (tmp_path / "domains" / "bad.xml").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_configuration_shown_is_read(folder: Path) -> None:
    (text,) = [text for kind, text in BLOCKS if kind == "toml"]
    (folder / ".virtquorum.toml").write_text(text)
    found = Config.find()
    assert {key for key in KEYS if f"\n{key} =" in text or f".{key}]" in text} == set(KEYS)
    assert found.select == ("all",)
    assert found.baseline == str(folder / "virtquorum-baseline.json")
    assert len(found.per_file_ignores) == 2


def test_the_table_of_keys_is_whole() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| .* \| .* \| (?:`(--[\w-]+)` )?\|$", TEXT, re.MULTILINE)
    assert [key for key, _ in rows] == [*KEYS]
    options = run("validate", "--help").out
    for key, option in rows:
        assert option == ("" if key == "per-file-ignores" else f"--{key}")
        assert option in options


def test_the_table_of_inputs_is_whole() -> None:
    inputs = yaml.safe_load((TOP / "action.yml").read_text())["inputs"]
    for name, one in inputs.items():
        (default,) = re.findall(rf"^\| `{name}` \| .* \| (.*) \|$", TEXT, re.MULTILINE)
        assert default == (f"`{one['default']}`" if one["default"] else "none")
    (step,) = [
        step for one in YAML if "jobs" in one for step in one["jobs"]["domains"]["steps"]
        if "virtquorum" in step.get("uses", "")
    ]  # fmt: skip
    assert set(step["with"]) <= set(inputs)


def test_the_revision_is_this_version() -> None:
    assert set(re.findall(r"\bv\d+\.\d+\.\d+\b", TEXT)) == {f"v{__version__}"}


def test_the_job_of_gitlab(folder: Path) -> None:
    (job,) = [one["domains"] for one in YAML if "domains" in one]
    (line,) = [line for line in job["script"] if line.startswith("virtquorum ")]
    done = run(*shlex.split(line)[1:])
    assert done.code == 1, done.err
    assert "VQ101" in done.out
    reports = job["artifacts"]["reports"]
    quality = json.loads((folder / reports["codequality"]).read_text())
    assert {one["location"]["path"] for one in quality} == {"domains/bad.xml"}
    assert all(one["fingerprint"] and one["severity"] and one["description"] for one in quality)
    assert "<testsuite" in (folder / reports["junit"]).read_text()
    assert job["artifacts"]["when"] == "always"


def test_the_baseline_commands(folder: Path) -> None:
    (script,) = [text for kind, text in BLOCKS if kind == "sh"]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", script], cwd=folder, env={**os.environ, "PATH": programs},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    known = json.loads((folder / "virtquorum-baseline.json").read_text())["findings"]
    assert {one["path"] for one in known} == {"domains/bad.xml"}
    assert "VQ101" in {one["rule"] for one in known}
    (folder / "domains" / "new.xml").write_text(BAD)
    again = run(*shlex.split(script.splitlines()[-1])[1:])
    assert again.code == 1
    assert "new.xml" in again.out
    assert "bad.xml" not in again.out


def test_the_comment_shown_works(folder: Path) -> None:
    (shown,) = [text for kind, text in BLOCKS if kind == "xml"]
    comment = shown.splitlines()[0]
    one = "<disk type='quorum' threshold='1'>\n  <driver name='qemu' type='quorum'/>\n"
    members = "".join(
        f"<backingStore type='file'><format type='raw'/><source file='{path}'/></backingStore>\n"
        for path in ("a.raw", "/b.raw")
    )
    disk = f"{one}{members}<target dev='vda' bus='virtio'/>\n</disk>\n"
    assert shown.splitlines()[1] == one.splitlines()[0]
    plain = run("validate", input=disk.encode())
    assert plain.code == 1
    assert {"VQ107", "VQ304"} == set(re.findall(r"VQ\d+", plain.out))
    kept = run("validate", input=f"{comment}\n{disk}".encode())
    assert kept.code == 0
    assert not re.findall(r"VQ\d+", kept.out)
    inside = disk.replace("</disk>", f"{comment}\n</disk>")
    assert run("validate", input=inside.encode()).code == 0
    elsewhere = disk.replace("<target", f"{comment}\n<target")
    assert {"VQ107", "VQ304", "VQ021"} == set(
        re.findall(r"VQ\d+", run("validate", input=elsewhere.encode()).out)
    )
