"""The forms of the input: a shell's line, JSON, NUL, libvirt's log, a monitor's commands."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.errors import ArgumentError
from virtquorum.qemu.back.reading import Read, read
from virtquorum.qemu.back.shell import Lines, shell_words
from virtquorum.qemu.back.words import Arguments, Commands, given_text, given_words
from virtquorum.qemu.drive import shell_lines

FILE = {"driver": "file", "node-name": "f", "filename": "/a"}
DEVICE = {"driver": "virtio-blk-pci", "drive": "f", "id": "virtio-disk3"}
WORDS = ["-blockdev", json.dumps(FILE), "-device", json.dumps(DEVICE)]
COMMANDS = [
    {"execute": "blockdev-add", "arguments": FILE},
    {"execute": "device_add", "arguments": DEVICE},
]


def names(found: Read) -> list[str | None]:
    return [disk.name for disk in found.disks]


def words(text: str) -> list[str]:
    given = given_text(text)
    assert isinstance(given, Arguments)
    return [word.text for word in given.words]


@pytest.mark.parametrize(
    "text",
    [
        shlex.join(WORDS),
        shell_lines(WORDS),
        shell_lines(WORDS).replace("\n", "\r\n"),
        "\n".join(map(shlex.quote, WORDS)),
        f"LC_ALL=C /usr/bin/qemu-system-x86_64 {shlex.join(WORDS)} &",
        f"sudo nice qemu-kvm {shlex.join(WORDS)} # what runs",
        json.dumps(WORDS),
        json.dumps(["qemu-system-x86_64", *WORDS], indent=2),
        "\0".join(WORDS) + "\0",
        json.dumps(COMMANDS),
        "\n".join(map(json.dumps, COMMANDS)),
        "\n".join(f'{json.dumps(one)}\n{{"return": {{}}}}' for one in COMMANDS),
        '{"QMP": {"version": {}, "capabilities": []}}\n{"execute": "qmp_capabilities"}\n'
        '{"return": {}}\n'
        + "\n".join(json.dumps(one | {"id": at}) for at, one in enumerate(COMMANDS))
        + '\n{"event": "X", "timestamp": {"seconds": 1}}\n{"return": {}, "id": 1}',
        "".join(
            f"2023-01-01 10:00:00.000+0000: 12: info : qemuMonitor{what}: mon=0x7f {key}="
            f"{json.dumps(one | {'id': f'libvirt-{at}'})} x\n"
            for at, one in enumerate(COMMANDS)
            for what, key in (("Send:1", "msg"), ("IOWrite:2", "buf"))
        ),
    ],
)
def test_every_form_is_the_same_disk(text: str) -> None:
    assert names(read(given_text(text))) == ["vdd"]
    assert names(read(given_words([text]))) == ["vdd"]


def test_words_are_words() -> None:
    assert names(read(given_words(WORDS))) == ["vdd"]


def test_libvirts_log_is_read_from_its_last_start() -> None:
    start = "2023-01-01 10:00:00.000+0000: starting up libvirt version: 9.0.0, qemu version: 7.2"
    other = [*WORDS[:-1], json.dumps(DEVICE | {"id": "virtio-disk9"})]
    text = "".join(
        f"{start}\nLC_ALL=C \\\n/usr/bin/qemu-system-x86_64 \\\n{shell_lines(one)}"
        "char device redirected to /dev/pts/1 (label charserial0)\n"
        "2023-01-01 11:00:00.000+0000: shutting down, reason=shutdown\n"
        for one in (other, WORDS)
    )
    found = read(given_text(text))
    assert names(found) == ["vdd"]
    assert found.notes.remarks[0] == "the log tells of 2 starts; the last one is read"


def test_a_command_that_qemu_refused_is_passed_over() -> None:
    text = "\n".join(
        map(
            json.dumps,
            [
                COMMANDS[0] | {"id": 1}, {"return": {}, "id": 1},
                {"execute": "blockdev-add", "arguments": FILE | {"filename": "/b"}, "id": 2},
                {"id": 2, "error": {"class": "GenericError", "desc": "Duplicate nodes"}},
                COMMANDS[1],
            ],
        )
    )  # fmt: skip
    found = read(given_text(text))
    assert names(found) == ["vdd"]
    assert found.notes.remarks == [
        "<argument>:3:1: command 2 (blockdev-add) is passed over, QEMU refused it: Duplicate nodes"
    ]


def test_what_was_taken_away_again_is_gone() -> None:
    gone = [
        {"execute": "device_del", "arguments": {"id": "virtio-disk3"}},
        {"execute": "blockdev-del", "arguments": {"node-name": "f"}},
    ]
    assert read(given_text(json.dumps([*COMMANDS, *gone]))).disks == ()
    again = read(given_text(json.dumps([*COMMANDS, *gone, *COMMANDS])))
    assert names(again) == ["vdd"]


def test_a_node_in_use_cannot_be_taken_away() -> None:
    gone = {"execute": "blockdev-del", "arguments": {"node-name": "f"}}
    with pytest.raises(ArgumentError, match=r"the node 'f' is in use by command 2 \(device_add\)"):
        read(given_text(json.dumps([*COMMANDS, gone])))


def test_a_command_whose_effect_is_not_followed_is_told() -> None:
    commit = {"execute": "block-commit", "arguments": {"device": "f"}}
    found = read(given_text(json.dumps([*COMMANDS, commit, {"execute": "query-block"}])))
    assert found.notes.remarks == [
        "command 3 (block-commit): what this command changes is not followed"
    ]


def test_commands_have_places() -> None:
    given = given_text("\n".join(map(json.dumps, COMMANDS)), "x.log")
    assert isinstance(given, Commands)
    assert [str(one.place) for one in given.commands] == [
        "x.log:1:1: command 1 (blockdev-add)", "x.log:2:1: command 2 (device_add)",
    ]  # fmt: skip


# The shell

SIGNS = st.text("ab \t\n'\"\\$`;|&<>()#*~é,=", max_size=12)


@given(st.lists(SIGNS, max_size=5))
def test_what_shlex_quotes_comes_back(drawn: list[str]) -> None:
    text = shlex.join(drawn)
    assert [word.text for word in shell_words(text, Lines(text, "x"))] == drawn


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    "text",
    [
        "a b", "'a b'", '"a b"', "a\\ b", "a'b'\"c\"d", '"\\$x \\` \\" \\\\ \\a"', "''", '""',
        "a\\\nb", "a \\\n b", '"a\\\nb"', "'a\\\nb'", "a#b", "a #b c", "$'a\\n\\x41\\'\\u00e9'",
        "a$", '"a$"', '"$ a"', "\\'", "a=b,c='d e'", "x;", "x &", "a\\;b", "'é'",
    ],
)  # fmt: skip
def test_a_line_is_split_as_bash_does(text: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {text}\nwait"], capture_output=True, check=True, timeout=60,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    theirs = done.stdout.decode().removesuffix("\0").split("\0")
    assert [word.text for word in shell_words(text, Lines(text, "x"))] == theirs


@pytest.mark.parametrize(
    "text", ["$HOME", "${x}", '"$HOME"', "$(ls)", "`ls`", '"`ls`"', "a | b", "a > b", "a; b",
             "'a", '"a', "$'a", "a && b", "$1", "$'\\xff'", "(a)"]
)  # fmt: skip
def test_what_only_a_shell_knows_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError):
        given_text(text)
