"""What people are told, word for word, and the exit codes that scripts go by."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.programs import as_nobody, reachable, run
from virtquorum.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "fifo.xml"
READING = ("show", "format", "args")
BROKEN = b"<domain>\n  <a></domain>"


def test_no_arguments_give_the_help() -> None:
    done = run()
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("Usage: virtquorum [OPTIONS] COMMAND [ARGS]...")
    assert done.err.rstrip() == run("--help").out.rstrip()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["sho"], "no such command 'sho'; did you mean 'show'? see 'virtquorum --help'"),
        (
            ["frobnicate"],
            f"no such command 'frobnicate'; commands are: {', '.join(COMMANDS)}; "
            "see 'virtquorum --help'",
        ),
        (["--nope"], "no such option: --nope; see 'virtquorum --help'"),
        (
            ["show", "--jso"],
            "no such option: --jso (Possible options: --json); see 'virtquorum show --help'",
        ),
        (
            ["show", "--max-depth", "0", "x"],
            "invalid value for '--max-depth': 0 is not in the range x>=1; "
            "see 'virtquorum show --help'",
        ),
        (
            ["format", "--max-size", "many", "x"],
            "invalid value for '--max-size': 'many' is not a valid int range; "
            "see 'virtquorum format --help'",
        ),
        (
            ["args", "--style", "poem", "x"],
            "invalid value for '--style': 'poem' is not one of 'drive', 'blockdev', 'qmp'; "
            "see 'virtquorum args --help'",
        ),
        (
            ["args", "--json", "--oneline", "x"],
            "--json, --oneline and --nul exclude each other; see 'virtquorum args --help'",
        ),
        (
            ["args", "--disk", "vdx", str(SAMPLE)],
            f"{SAMPLE} has no disk 'vdx'; its disks are: 'vda'; see 'virtquorum args --help'",
        ),
        (
            ["args", str(ROOT / "samples")],
            "the arguments are those of one domain; name one file; see 'virtquorum args --help'",
        ),
        (
            ["format", "--write", "--check", "x"],
            "--write changes the files; --check and --diff only look; "
            "see 'virtquorum format --help'",
        ),
        (
            ["format", "--write", "--diff", "x"],
            "--write changes the files; --check and --diff only look; "
            "see 'virtquorum format --help'",
        ),
        (
            ["format", "--write", "-"],
            "--write needs files; standard input has none to write to; "
            "see 'virtquorum format --help'",
        ),
        (
            ["schema", "--print", "nope"],
            "there is no schema 'nope'; there are: {schemas}; see 'virtquorum schema --help'",
        ),
        (
            ["schema", "--list", "--path", "x"],
            "--list, --print and --path exclude each other; see 'virtquorum schema --help'",
        ),
    ],
    ids=lambda value: " ".join(value).replace(str(ROOT), "") if isinstance(value, list) else "",
)
def test_usage(argv: list[str], message: str) -> None:
    done = run(*argv)
    schemas = ", ".join(run("schema").out.split())
    assert done.err == f"virtquorum: {message.replace('{schemas}', schemas)}\n"
    assert (done.code, done.out) == (2, "")


def test_a_name_that_steers_the_terminal_is_shown_harmless(tmp_path: Path) -> None:
    for command in ("show", "format", "args"):
        done = run(command, "no\x1b[31m\nsuch")
        assert done.err == (
            "virtquorum: no\\x1b[31m\\nsuch: cannot be read: no such file or directory; "
            "look at the name, or pipe the XML in and name -\n"
        )
    assert run("\x1b[31m").err.startswith("virtquorum: no such command '\\x1b[31m'; commands")
    file = tmp_path / "a\x1b[31m.xml"
    file.write_text("<domain ></domain>")
    assert "\x1b" not in run("show", file).out + run("format", "--check", file).out
    assert "\x1b" not in run("format", "--diff", file).out


@pytest.mark.parametrize("command", READING)
def test_missing_file(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path / "x.xml")
    assert done.err == (
        f"virtquorum: {tmp_path}/x.xml: cannot be read: no such file or directory; "
        "look at the name, or pipe the XML in and name -\n"
    )
    assert (done.code, done.out) == (3, "")


@pytest.mark.parametrize("command", ["create", "show", "lower", "lift", "args"])
def test_a_name_instead_of_a_file(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A domain of libvirt's is pointed to where it may be meant, and nowhere else."""
    monkeypatch.chdir(tmp_path)
    for one in ("LIBVIRT_DEFAULT_URI", "VIRSH_DEFAULT_CONNECT_URI"):
        monkeypatch.delenv(one, raising=False)
    hint = "; the XML of a domain of libvirt's is printed by: virtquorum dumpxml web\n"
    done = run(command, "web")
    assert (done.code, done.out) == (3, "")
    assert done.err.endswith(f"or pipe the XML in and name -{hint}")
    done = run(command, "we'b.example.org")
    assert done.err.endswith(""": virtquorum dumpxml 'we'"'"'b.example.org'\n""")
    for word in ("web.xml", "./web", tmp_path / "web"):
        assert "dumpxml" not in run(command, word).err
    (tmp_path / "web").write_text("<domain")
    assert "dumpxml" not in run(command, "web").err


def test_a_name_that_is_to_be_validated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hint = "note: a domain of libvirt's is checked by: virtquorum dumpxml web | virtquorum validate"
    done = run("validate", "web")
    assert (done.code, hint in done.out + done.err) == (3, True)
    done = run("validate", "web.xml")
    assert (done.code, "dumpxml" in done.out + done.err) == (3, False)


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "<stdin>: the input is empty; a <domain> or a <disk> is expected"),
        (
            BROKEN,
            "<stdin>:2:6: </domain> closes nothing here: <a> is open since line 2; "
            "write </a> first, or <a …/> at line 2",
        ),
        (
            b"<network/>",
            "<stdin>:1:1: the root element is <network>; expected is <domain>, <disk>, "
            "<domainsnapshot>, <domaincheckpoint> or <domstatus>",
        ),
    ],
)
@pytest.mark.parametrize("dash", [[], ["-"]])
def test_bad_standard_input(command: str, text: bytes, message: str, dash: list[str]) -> None:
    done = run(command, *dash, input=text)
    assert done.err == f"virtquorum: {message}\n"
    assert (done.code, done.out) == (3, "")


@pytest.mark.parametrize("command", READING)
def test_bounds(command: str) -> None:
    done = run(command, "--max-depth", "2", SAMPLE)
    assert done.code == 3
    assert "more than 2 levels of elements" in done.err or "bound of 2" in done.err
    assert "--max-depth" in done.err
    done = run(command, "--max-size", "10", SAMPLE)
    assert done.code == 3
    assert "larger than the bound of 10 bytes; " in done.err
    assert "(--max-size)" in done.err


def test_directory_without_xml(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("<domain/>")
    done = run("show", tmp_path)
    message = (
        f"{tmp_path}: no domain XML in this directory; only names that end in .xml are looked at"
    )
    assert done.err == f"virtquorum: {message}\n"
    assert (done.code, done.out) == (3, "")


def test_directory_with_other_xml(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "default.xml").write_text("<network/>")
    (tmp_path / "web.xml").write_text("<domain/>")
    done = run("show", tmp_path)
    assert done.err == (
        f"virtquorum: note: {tmp_path}/net/default.xml: passed over, "
        "its root element is <network>\n"
    )
    assert (done.code, done.out) == (0, f"{tmp_path}/web.xml: <domain>, no disks\n")
    (tmp_path / "web.xml").unlink()
    done = run("show", tmp_path)
    assert done.code == 3
    assert done.err.endswith(
        f"{tmp_path}: no domain XML in this directory; only names that end in .xml are looked at\n"
    )


@pytest.mark.parametrize("command", ["show", "format"])
def test_one_bad_input_among_several(command: str, tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_bytes(BROKEN)
    good = tmp_path / "good.xml"
    good.write_text("<domain/>\n")
    done = run(command, good, tmp_path / "bad.xml", tmp_path / "none.xml", good)
    assert done.code == 3
    assert [line.partition(": ")[2].partition(":")[0] for line in done.err.splitlines()] == [
        str(tmp_path / "bad.xml"), str(tmp_path / "none.xml"),
    ]  # fmt: skip
    assert done.out.count("<domain") == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_unreadable_file(tmp_path: Path) -> None:
    reachable(tmp_path)
    file = tmp_path / "secret.xml"
    file.write_text("<domain/>")
    file.chmod(0o600)
    done = as_nobody("show", file)
    assert done.stderr == (
        f"virtquorum: {file}: cannot be read: permission denied; "
        "run it as a user who may read the file\n"
    )
    assert (done.returncode, done.stdout) == (3, "")


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_has_examples_and_exit_codes(command: str | None) -> None:
    done = run(*([command] if command else []), "--help")
    assert (done.code, done.err) == (0, "")
    assert "\n    virtquorum " in done.out
    assert re.search(r"Exit codes: 0 \w", done.out)
    assert all(len(line) <= 80 for line in done.out.splitlines())
