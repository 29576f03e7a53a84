"""Imports run one way: down the list of rooms."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "virtquorum"
ROOMS = {
    "model": set(),
    "xml": {"model"},
    "check": {"model", "xml"},
    "qemu": {"model", "xml"},
    "report": {"model", "xml", "check"},
    "images": {"model", "xml"},
    "stock": {"model", "xml", "qemu"},
    "host": {"model", "xml", "check", "qemu", "report", "images", "stock"},
    "cli": {"model", "xml", "check", "qemu", "report", "images", "stock", "host"},
}
#: Modules beside the rooms, open to all; they import no room.
COMMON = {"errors", "json_text", "printable", "schema_files"}
#: Ways in: the command, and the call; they import what they need when they are called.
ENTRIES = {"__init__", "__main__"}
#: What may be imported where it is used, and nowhere at the top of a module.
HEAVY = {"lxml", "xmlschema", "libvirt", "libvirt_qemu", "rich", "qemu", "difflib", "asyncio"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path, *, whole: bool) -> set[str]:
    """The modules that a file imports when it is imported, or with ``whole`` at any time.

    What only a type checker reads is left out.
    """
    found: set[str] = set()
    rest: list[ast.AST] = [ast.parse(path.read_text())]
    while rest:
        one = rest.pop()
        match one:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names):
                found.add(module)
                found |= {f"{module}.{name.name}" for name in names}
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                rest += one.orelse
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not whole:
                pass
            case _:
                rest += ast.iter_child_nodes(one)
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_down_the_list(path: Path) -> None:
    own = room(path)
    for module in imported(path, whole=True):
        parts = module.split(".")
        if parts[0] != "virtquorum" or len(parts) == 1:
            continue
        if parts[1] in ROOMS and own not in ENTRIES:
            assert own not in COMMON, f"{own} is open to all and imports no room"
            assert parts[1] == own or parts[1] in ROOMS[own], f"{own} must not import {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_heavy_is_imported_at_the_top(path: Path) -> None:
    heavy = {module.split(".")[0] for module in imported(path, whole=False)} & HEAVY
    assert not heavy


def test_every_room_is_in_the_table_and_in_the_document() -> None:
    rooms = {one.name for one in PACKAGE.iterdir() if (one / "__init__.py").exists()}
    assert rooms == set(ROOMS)
    document = (PACKAGE.parent / "docs/architecture.md").read_text()
    listed = dict(re.findall(r"^\| `virtquorum/(\w+)/` \|.*\| ([^|]*) \|$", document, re.MULTILINE))
    assert set(listed) == set(ROOMS)
    for name, imports in listed.items():
        expected = ROOMS[name]
        said = (
            set()
            if imports == "nothing"
            else set(ROOMS) - {"cli"}
            if imports == "all"
            else set(imports.split(", "))
        )
        assert said == expected, name
