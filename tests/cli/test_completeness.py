"""Every option of every command is exercised, every example of the help runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from tests.programs import environment, run
from virtquorum.cli.app import command_line as app
from virtquorum.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
#: Their examples need a libvirt and a domain: tests/host/test_examples.py.
ON_LIBVIRT = {
    "convert", "define", "destroy", "diff", "doctor", "dumpxml", "edit", "list", "patch",
    "shutdown", "start", "undefine",
}  # fmt: skip
GROUP = typer.main.get_command(app(COMMANDS))
OPTIONS = [
    (name, option)
    for name, command in sorted(GROUP.commands.items())  # type: ignore[attr-defined]
    for parameter in command.params
    for option in parameter.opts
    if option.startswith("-")
]


def test_there_are_commands_and_options() -> None:
    assert {name for name, _ in OPTIONS} == set(COMMANDS)
    assert len(OPTIONS) >= 15


def test_wherever_a_libvirt_is_named_it_can_be_named_shortly() -> None:
    """As with virsh, and as docs/libvirt.md says."""
    connecting = {command for command, option in OPTIONS if option == "--connect"}
    assert {"args", "lower", "define"} <= connecting
    assert connecting == {command for command, option in OPTIONS if option == "-c"}


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=str)
def test_every_option_is_exercised(command: str, option: str) -> None:
    """Some call in these tests runs the command with the option."""
    folders = (HERE, HERE.parent / "host")
    files = [one for folder in folders for one in folder.glob("test_*.py")]
    text = "\n".join(one.read_text() for one in files if one != Path(__file__))
    # A call over several commands is a call of each.
    text = text.replace("run(command,", f'run("{command}",')
    text = text.replace("rules_of(", 'run("validate",')
    assert re.search(rf'"{command}"[^()]*"{re.escape(option)}"', text), (
        f"no test of tests/cli or tests/host runs 'virtquorum {command}' with {option}"
    )


def examples() -> list[str]:
    """Every example of the help, each once."""
    found: dict[str, None] = {}
    for command in (None, *COMMANDS):
        text = run(*([command] if command else []), "--help").out
        for line in text.splitlines():
            # What options are for is further to the right.
            if re.match(" {4}(?! ).*virtquorum ", line) and "Usage" not in line:
                found[re.split(r"\s{3,}", line.strip())[0]] = None
    return list(found)


def command_of(line: str) -> str:
    """The command that an example shows."""
    return str(re.findall(r"\bvirtquorum ([a-z-]+)", line)[0])


@pytest.mark.parametrize("line", [one for one in examples() if command_of(one) not in ON_LIBVIRT])
def test_the_examples_of_the_help_run(line: str, tmp_path: Path) -> None:
    """In a folder with what they name, a virsh that prints a domain, and libvirt's test driver."""
    if "qemu:///system" in line:
        pytest.importorskip("libvirt")
    line = line.replace("qemu:///system", "test:///default")
    sample = ROOT / "samples" / "first-vote.xml"
    text = sample.read_text().replace("/var/tmp/virtquorum", str(tmp_path))  # noqa: S108
    if command_of(line) == "create":  # a vote with one that is not of this host, and may have data
        (tmp_path / "member-1.raw").touch()
        os.truncate(tmp_path / "member-1.raw", 10 << 30)
    (tmp_path / "domain.xml").write_text(text)
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "a.xml").write_text(text)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in (
        ("virsh", f"cat '{tmp_path}/domain.xml'"),
        ("virtquorum", f'exec "{sys.executable}" -m virtquorum "$@"'),
        ("qemu-system-x86_64", "printf '%s\\n' \"$@\""),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("/etc/libvirt/qemu", "domains")],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
        env=environment(PATH=f"{programs}:/usr/bin:/bin"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if not any(one in line for one in ("--write", "--check", ".xml > ")):
        assert done.stdout


def test_the_help_has_an_example_of_each_command() -> None:
    assert {command_of(line) for line in examples()} == set(COMMANDS)
    assert shutil.which("bash")


def test_schema_lists_prints_and_locates() -> None:
    names = run("schema").out.split()
    assert "show.schema.json" in names
    assert run("schema", "--list").out.split() == names
    for name in names:
        path = Path(run("schema", "--path", name).out.strip())
        assert path.is_file()
        assert run("schema", "--print", name).out.encode() == path.read_bytes()
