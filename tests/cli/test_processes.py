"""What only a process of its own shows: pipes, signals, terminals, imports, completion."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from itertools import islice, product
from pathlib import Path

import pytest

from tests.programs import environment
from virtquorum.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
FIFO = SAMPLES / "fifo.xml"
COMMAND = [sys.executable, "-m", "virtquorum"]
#: What a start must not pay for.
HEAVY = {
    "asyncio", "jsonschema", "libvirt", "lxml", "pydantic", "qemu", "rich", "tempfile", "xmlschema",
}  # fmt: skip


def execute(*argv: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *argv],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        env=environment(**more),
    )  # fmt: skip


def imported(*argv: str | Path) -> set[str]:
    """The modules that a command line imports."""
    code = (
        "import sys; from virtquorum.__main__ import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return set(done.stderr.split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_the_module_runs_as_the_command_does() -> None:
    done = execute("show", FIFO)
    assert (done.returncode, done.stderr) == (0, "")
    assert "quorum 1 of 2" in done.stdout
    command = shutil.which("virtquorum", path=str(Path(sys.executable).parent))
    if command is not None:
        same = subprocess.run(
            [command, "show", FIFO], capture_output=True, text=True, timeout=60, check=True
        )
        assert same.stdout == done.stdout


def test_version() -> None:
    from virtquorum import __version__

    for argv in (["--version"], ["--version", "show"]):
        done = execute(*argv)
        assert (done.returncode, done.stdout) == (0, f"virtquorum {__version__}\n")


def test_version_imports_next_to_nothing() -> None:
    modules = imported("--version")
    assert {name for name in modules if name.startswith("virtquorum")} == {
        "virtquorum", "virtquorum.__main__",
    }  # fmt: skip
    assert not packages(modules) & (HEAVY | {"typer", "dataclasses", "subprocess", "inspect"})


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_show_imports_nothing_heavy(options: list[str]) -> None:
    modules = imported("show", *options, FIFO)
    assert not packages(modules) & HEAVY
    ours = {name for name in modules if name.startswith("virtquorum.")}
    assert not {name for name in ours if name.startswith("virtquorum.qemu")}
    assert {name for name in ours if name.startswith("virtquorum.cli.")} == {
        f"virtquorum.cli.{name}" for name in ("app", "files", "inputs", "main", "show", "streams")
    }
    # Whatever typer itself brings along, and no more than that.
    alone = subprocess.run(
        [sys.executable, "-c", "import typer, sys; typer.Typer(); print(*sys.modules)"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    more = packages(modules) - packages(set(alone.stdout.split())) - {"virtquorum"}
    assert {name for name in more if not name.startswith("_")} <= {
        "bisect", "decimal", "dataclasses", "hashlib", "json", "pyexpat", "xml",
    }  # fmt: skip


def test_validate_of_a_valid_file_imports_neither_typer_nor_the_explainer(tmp_path: Path) -> None:
    modules = imported("validate", FIFO)
    assert not packages(modules) & (HEAVY | {"typer", "subprocess"})
    assert not {name for name in modules if name.startswith("virtquorum.check.relaxng")}
    assert not {name for name in modules if name.startswith("virtquorum.qemu")}
    wrong = tmp_path / "wrong.xml"
    wrong.write_text("<domain type='kvmm'/>\n")
    assert "virtquorum.check.relaxng" in imported("validate", str(wrong))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, unbuffered: str) -> None:
    many = tmp_path / "many.xml"
    disk = "<disk type='file'><source file='/x'/><target dev='vd{}'/></disk>"
    names = ("".join(letters) for letters in product("abcdefghijklmnopqrstuvwxyz", repeat=3))
    disks = "".join(disk.format(name) for name in islice(names, 5000))
    many.write_text(f"<domain><devices>{disks}</devices></domain>")
    for command in ("show", "format", "args"):
        words = " ".join(f"'{one}'" for one in (*COMMAND, command, many))
        done = subprocess.run(
            ["bash", "-c", f"{words} 2>{tmp_path}/err | head -n 1; echo ${{PIPESTATUS[0]}}"],
            capture_output=True, text=True, timeout=60, check=True,
            env=environment(PYTHONUNBUFFERED=unbuffered),
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "0"
        assert (tmp_path / "err").read_text() == ""


UNHEARD = (
    "virtquorum: standard output is closed, and what is to be said there would be lost, so nothing "
    "was done; send it to a file, or to /dev/null\n"
)


def closed(streams: str, *argv: str | Path, folder: Path) -> tuple[int, str, str]:
    """Exit code, output and error of a command line with some of its streams closed."""
    out, err = folder / "out", folder / "err"
    ends = {"0": "<&-", "1": ">&-", "2": "2>&-"}
    words = " ".join([
        *(shlex.quote(str(one)) for one in (*COMMAND, *argv)),
        f"</dev/null >{out} 2>{err}", *(ends[one] for one in streams),
    ])  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", words], capture_output=True, timeout=60, check=False, env=environment()
    )
    assert done.stdout + done.stderr == b""
    return done.returncode, out.read_text(), err.read_text()


@pytest.mark.parametrize(
    "argv",
    [
        ("show", FIFO), ("validate", FIFO), ("format", FIFO), ("args", FIFO), ("lower", FIFO),
        ("explain", "VQ106"), ("schema",), ("--version",), ("--help",),
        ("list", "--all", "-c", "test:///default"), ("dumpxml", "-c", "test:///default", "test"),
        ("diff", "-c", "test:///default", "test", FIFO), ("show", "/no/such/file"),
        ("doctor", "-c", "test:///none"), ("no-such-command",),
    ],
    ids=lambda argv: argv[0].strip("-"),
)  # fmt: skip
def test_streams_that_are_closed(argv: tuple[str | Path, ...], tmp_path: Path) -> None:
    """As some daemons leave them to what they start."""
    whole = closed("", *argv, folder=tmp_path)
    assert closed("0", *argv, folder=tmp_path) == whole
    assert closed("2", *argv, folder=tmp_path) == (whole[0], whole[1], "")
    assert closed("1", *argv, folder=tmp_path) == (3, "", UNHEARD)
    assert closed("012", *argv, folder=tmp_path) == (3, "", "")


def test_without_an_output_nothing_is_done(tmp_path: Path) -> None:
    file = tmp_path / "domain.xml"
    file.write_text("<domain   type='kvm'/>\n")
    assert closed("1", "format", "--write", file, folder=tmp_path) == (3, "", UNHEARD)
    assert file.read_text() == "<domain   type='kvm'/>\n"
    assert closed("02", "format", "--write", file, folder=tmp_path)[0] == 0
    assert file.read_text() == "<domain type='kvm'/>\n"


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    """It would get what a program that is run says."""
    code = (
        "import os, subprocess, sys\n"
        "from virtquorum.cli.streams import Streams\n"
        "Streams.standard()\n"
        "with open(sys.argv[1], 'wb') as file:\n"
        "    subprocess.run(['sh', '-c', 'echo said; echo said >&2; cat'])\n"
        "    sys.exit(file.fileno())"
    )
    words = f"{sys.executable} -c {shlex.quote(code)} {tmp_path}/image <&- >&- 2>&-"
    done = subprocess.run(["bash", "-c", words], timeout=60, check=False)
    assert done.returncode >= 3
    assert (tmp_path / "image").read_bytes() == b""


def test_an_interrupt_ends_with_130() -> None:
    process = subprocess.Popen(
        [*COMMAND, "show", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    try:
        waits = Path(f"/proc/{process.pid}/wchan")
        deadline = time.monotonic() + 20
        while "pipe" not in waits.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (130, "", "virtquorum: interrupted\n")


def on_terminal(*argv: str | Path, columns: int = 80, **more: str) -> tuple[int, str]:
    """Run with a terminal as input and output; exit code and what was shown."""
    pid, handle = pty.fork()
    if pid == 0:  # pragma: no cover - another process
        os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **more})
        os.environ.pop("NO_COLOR", None) if "NO_COLOR" not in more else None
        import fcntl
        import struct
        import termios

        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv(sys.executable, [*COMMAND, *map(str, argv)])  # noqa: S606
    shown = b""
    while True:
        try:
            some = os.read(handle, 65536)
        except OSError:  # the other side is closed
            break
        if not some:
            break
        shown += some
    os.close(handle)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


@pytest.mark.filterwarnings("ignore:.*use of forkpty:DeprecationWarning")
def test_on_a_terminal() -> None:
    code, shown = on_terminal("show", SAMPLES / "nested.xml")
    assert code == 0
    assert "\x1b[1mvda\x1b[0m" in shown
    assert "\x1b[36m\x1b[1mquorum 2 of 3\x1b[0m" in shown
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown)
    assert plain == execute("show", SAMPLES / "nested.xml").stdout
    code, shown = on_terminal("show", SAMPLES / "nested.xml", NO_COLOR="1")
    assert (code, shown) == (0, plain)


@pytest.mark.filterwarnings("ignore:.*use of forkpty:DeprecationWarning")
def test_the_width_is_the_terminals() -> None:
    wide = on_terminal("show", SAMPLES / "two-disks.xml", columns=200, NO_COLOR="1")[1]
    narrow = on_terminal("show", SAMPLES / "two-disks.xml", columns=60, NO_COLOR="1")[1]
    assert wide.count("\n") < narrow.count("\n")
    assert wide.split() != []
    assert re.sub(r"[\s│]+", "", wide) == re.sub(r"[\s│]+", "", narrow)


@pytest.mark.filterwarnings("ignore:.*use of forkpty:DeprecationWarning")
@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["show"], "a file or a directory"),
        (["format"], "a file or a directory"),
        (["args"], "a FILE"),
        (["diff", "web"], "a FILE"),
    ],
)
def test_a_terminal_is_not_read_by_mistake(words: list[str], what: str) -> None:
    code, shown = on_terminal(*words)
    assert code == 2
    assert shown == (
        f"virtquorum: name {what}, or - for standard input; see 'virtquorum {words[0]} --help'\n"
    )


@pytest.mark.filterwarnings("ignore:.*use of forkpty:DeprecationWarning")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--all"], "no domain with quorum disks"),
        (["--inactive"], "no domain with quorum disks that does not run"),
        ([], "no domain with quorum disks runs; --all lists those that do not as well"),
    ],
)
def test_a_list_of_nothing(words: list[str], said: str) -> None:
    pytest.importorskip("libvirt")
    code, shown = on_terminal("list", "--connect", "test:///default", *words)
    assert (code, shown) == (0, f"virtquorum: note: {said}\n")


def test_an_output_without_box_characters() -> None:
    done = execute("show", FIFO, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "`-- [1] raw" in done.stdout


def test_names_that_the_output_cannot_encode(tmp_path: Path) -> None:
    file = tmp_path / "d.xml"
    file.write_text(
        "<domain><name>日本</name><devices><disk type='file'><driver type='raw'/>"
        "<source file='/日本'/><target dev='vda'/></disk></devices></domain>"
    )
    for argv in (["show"], ["show", "--json"], ["args"], ["args", "--json"], ["format"]):
        done = execute(*argv, file, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        if "--json" in argv:
            assert "/日本" in json.dumps(json.loads(done.stdout), ensure_ascii=False)


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.xml"
    Path(os.fsdecode(raw)).write_text("<domain/>\n<!-- -->")
    for argv in (["show"], ["show", "--json"], ["format"], ["format", "--diff", "--check"]):
        done = subprocess.run([*COMMAND, *argv, raw], capture_output=True, timeout=60, check=False)
        assert done.returncode in (0, 1)
        assert b"Traceback" not in done.stderr
        assert b"\xff" not in done.stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("virtquorum ", set(COMMANDS)),
        ("virtquorum sh", {"show", "shutdown"}),
        ("virtquorum patch web de", {"detach"}),
        ("virtquorum show --m", {"--max-depth", "--max-size"}),
        ("virtquorum args --style ", {"drive", "blockdev", "qmp"}),
    ],
)
def test_completion_in_a_real_bash(line: str, words: set[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = execute("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert script.returncode == 0, script.stderr
    assert "complete" in script.stdout
    binary = tmp_path / "virtquorum"
    binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m virtquorum "$@"\n')
    binary.chmod(0o755)
    (tmp_path / "completion").write_text(script.stdout)
    cursor = f"COMP_LINE={line!r}; COMP_POINT={len(line)}; COMP_WORDS=({line} "
    cursor += '"")' if line.endswith(" ") else ")"
    run = f"""
source {tmp_path}/completion
{cursor}
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
$(complete -p virtquorum | sed 's/.*-F \\([^ ]*\\).*/\\1/') virtquorum
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        [bash, "--norc", "-c", run],
        capture_output=True, text=True, timeout=60, check=True, cwd=ROOT,
        env=environment(PATH=f"{tmp_path}:{os.environ['PATH']}"),
    )  # fmt: skip
    assert set(done.stdout.split()) == words, done.stderr


def test_progress_is_shown_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    for number in range(120):
        (tmp_path / f"{number}.xml").write_text("<disk type='file'/>\n")
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "format", "--check", str(tmp_path)],
            stdout=subprocess.PIPE, stderr=slave, timeout=60, check=False,
        )  # fmt: skip
        shown = os.read(master, 100_000).decode()
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 0
    assert "\x1b[K50 files" in shown
    assert "\x1b[K100 files" in shown
    assert "0 of 120 files" in shown.rpartition("\x1b[K")[2]
    quiet = subprocess.run(
        [*COMMAND, "format", "--check", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert quiet.stderr == "virtquorum: 0 of 120 files would be reformatted\n"


def test_a_file_named_like_standard_input_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "<stdin>"
    path.write_text('<disk type="file"/>')
    done = subprocess.run(
        [*COMMAND, "format", "--write", "<stdin>"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert path.read_text() == "<disk type='file'/>\n"
