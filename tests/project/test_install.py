"""A wheel, by way of the sdist, and an editable install both work, with their schemas."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from virtquorum.schema_files import schema_directory, schema_names

TOP = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, TOP, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


def test_wheel_holds_schemas_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"virtquorum/schemas/{name}" for name in schema_names()} <= names
    assert "virtquorum/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "samples/"))]


def test_installed_wheel_works_by_itself(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    run(programs / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    found = run(programs / "virtquorum", "schema", "--path", "show.schema.json", cwd=tmp_path)
    assert Path(found.strip()).is_relative_to(tmp_path / "venv")
    text = run(programs / "virtquorum", "schema", "--print", "show.schema.json", cwd=tmp_path)
    assert text == (TOP / "schemas/show.schema.json").read_text()
    shown = run(programs / "virtquorum", "show", TOP / "samples/three-qcow2.xml", cwd=tmp_path)
    assert "quorum 2 of 3" in shown


def test_editable_install_finds_the_schemas_of_the_checkout(tmp_path: Path) -> None:
    found = run(
        sys.executable, "-m", "virtquorum", "schema", "--path", "show.schema.json", cwd=tmp_path
    )
    assert Path(found.strip()) == TOP / "schemas/show.schema.json"
    assert schema_directory() == str(TOP / "schemas")
