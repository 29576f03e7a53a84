"""The examples of the help of commands that work on a libvirt, each run on one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_completeness import command_of, examples
from tests.host.quorum_domains import members, quorum_disk, virtquorum, web
from tests.libvirts import missing_for_embed

if TYPE_CHECKING:
    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

#: What the domain must do for a command; others take it as it is, which is off.
RUNNING = {"destroy", "shutdown"}
COMMANDS = {
    "define", "destroy", "diff", "dumpxml", "edit", "list", "shutdown", "start", "undefine",
}  # fmt: skip


@pytest.mark.parametrize("line", [one for one in examples() if command_of(one) in COMMANDS])
def test_the_examples_of_the_help_run(line: str, bench: Embed) -> None:
    """With domains 'web' and 'db', the definition in web.xml and the file that it comes from."""
    command = command_of(line)
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    file.rename(bench.folder / "domain.xml")
    if command != "define":
        other = web(bench, "db", quorum_disk("vda", members(bench, "db")))
        for one in (bench.folder / "domain.xml", other):
            assert virtquorum(bench, "define", one).code == 0
        (bench.folder / "web.xml").write_text(virtquorum(bench, "dumpxml", "web").out)
    if command in RUNNING:
        assert virtquorum(bench, "start", "web").code == 0
    line = line.replace("qemu:///session", f"'{bench.uri}'")
    code, said = run(bench, line, bench.pid("web") if command == "shutdown" else None)
    assert code == 0, said
    assert said.strip() or command == "diff" or ">" in line
    assert "Traceback" not in said


def run(bench: Embed, line: str, guest: int | None) -> tuple[int, str]:
    """The code of a line for a shell, on a terminal, and what it said.

    A ``guest`` (its process) ends when it is being waited for.
    """
    bench.leave()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **bench.environment(EDITOR="true", VISUAL="", PATH=path)}
    ours, terminal = os.openpty()
    with subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", line], cwd=bench.folder, env=environment,
        stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
    ) as process:  # fmt: skip
        os.close(terminal)
        said = b""
        while part := _read(ours):
            said += part
            if guest is not None and re.search(b"waiting for the guest", said):
                os.kill(guest, signal.SIGKILL)
                guest = None
    os.close(ours)
    return process.returncode, said.decode()


def _read(terminal: int) -> bytes:
    """What a terminal's other side has written, nothing when it is closed."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
