"""Broken arguments: an error that names the argument, and never a traceback."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.programs import missing, refusal, run
from virtquorum.errors import ArgumentError, VirtquorumError
from virtquorum.qemu.back.reading import read
from virtquorum.qemu.back.words import given_text, given_words
from virtquorum.xml.format import format_disk

FILE = '{"driver":"file","node-name":"f","filename":"/a"}'
FORMS = sorted((Path(__file__).parent / "forms").glob("*.args"))

#: A command line, and what is said of it.  QEMU refuses each as well.
MISTAKES = {
    "-drive": "argument 1 (-drive): the option has no value",
    "-drive file=/a,format=foo": "argument 2 (-drive): the driver 'foo' is unknown; drivers are: ",
    "-drive file=/a,driver=qcow2,format=raw": "argument 2 (-drive): 'format' and 'driver' say",
    "-drive file=foo:bar,format=raw": "argument 2 (-drive): the protocol 'foo' is unknown; ",
    "-drive file=nbd:foo,format=raw": "argument 2 (-drive): 'foo' is no host and port; it is nbd:",
    "-drive file=/a,format=raw,if=foo": "argument 2 (-drive): 'if' is 'foo'; it is one of: none, ",
    "-drive file=/a,format=raw,index=x": "argument 2 (-drive): 'index' is 'x', which is no number",
    "-drive file=/a,format=raw,cache=x": "argument 2 (-drive): 'cache' is 'x'; it is one of: none",
    "-drive file=/a,format=raw,iops=-,if=none": "'throttling.iops-total' is no",
    "-drive file=/a,format=raw,readonly=maybe": "argument 2 (-drive): 'read-only' is no switch: ",
    '-drive \'file=json:{"driver":"raw","file":3}\'': "ends before ',' or '}' (character 16); a "
    "comma in a value of -drive is doubled: ',,'",
    "-drive id=a,file=/a,if=none,format=raw -drive id=a,file=/b,if=none,format=raw": "argument 4 "
    "(-drive): the drive 'a' is there already: argument 2 (-drive)",
    "-drive driver=quorum,vote-threshold=two,children.0.file.filename=/a,children.0.driver=raw": (
        "argument 2 (-drive): 'vote-threshold' is no whole number: 'two'"
    ),
    "-drive driver=quorum,vote-threshold=1,children.0.driver=foo": "argument 2 (-drive): ",
    "-drive driver=quorum,children.0.file.filename=/a,children.2.file.filename=/b": (
        "argument 2 (-drive): 'children.1' is missing; a list is numbered 0, 1, 2, … without a gap"
    ),
    "-blockdev driver=raw,x": "argument 2 (-blockdev): expected is '=' after 'x'; a comma inside",
    "-blockdev driver=file,filename=/a": "argument 2 (-blockdev): the node has no 'node-name'",
    "-blockdev driver=file,filename=/a,node-name=1": "'node-name' is '1', which QEMU takes for no",
    '-blockdev \'{"driver":"file","node-name":"f"}\'': "(-blockdev): 'filename' is missing",
    '-blockdev \'{"driver":"file","node-name":"f","filename":1}\'': "'filename' is no text",
    '-blockdev \'{"driver":"file","driver":"raw"}\'': "the key 'driver' comes twice",
    f"-blockdev '{FILE[:-1]}'": "argument 2 (-blockdev): this is no JSON: ends before ',' or '}' "
    "(character 49)",
    '-blockdev \'{"driver":"raw","node-name":"a","file":"b"}\'': "argument 2 (-blockdev): 'file' "
    "names the node 'b', which is unknown; nodes so far are: none",
    '-blockdev \'{"driver":"raw","node-name":"a","file":"b"}\' '
    '-blockdev \'{"driver":"raw","node-name":"b","file":"a"}\'': (
        "argument 2 (-blockdev): the nodes name each other in a circle: 'file' names 'b', which"
    ),
    '-blockdev \'{"driver":"raw","node-name":"a","file":"a"}\'': "name each other in a circle",
    f'-blockdev \'{{"driver":"raw","node-name":"a","file":"f"}}\' -blockdev \'{FILE}\'': (
        "argument 2 (-blockdev): 'file' names the node 'f', which comes only later; QEMU takes "
        "arguments in order; move argument 4 (-blockdev) up"
    ),
    f"-blockdev '{FILE}' -blockdev '{FILE}'": (
        "argument 4 (-blockdev): 'node-name' is 'f', which is the name of a node already: "
        "argument 2 (-blockdev)"
    ),
    "-device virtio-blk-pci,drive=nope": "(-device): 'drive' names the node 'nope', which",
    "-object throttle-group,id=a -object throttle-group,id=a": "(-object): the object 'a' is there",
    "-blockdev driver=throttle,node-name=t,throttle-group=x,file.driver=file,file.filename=/a": (
        "argument 2 (-blockdev): there is no throttle-group 'x'"
    ),
}
#: What QEMU takes, or cannot know, and no disk of libvirt's can be.
OURS = {
    f"-blockdev '{FILE}' -blockdev driver=raw,file=f,node-name=a -blockdev driver=raw,file=f,"
    "node-name=b": "argument 6 (-blockdev): the node 'f' serves 'file' of argument 4 (-blockdev)",
    f"-blockdev '{FILE}' -device virtio-blk-pci,drive=f -device virtio-blk-pci,drive=f": (
        "argument 6 (-device): the node 'f' serves 'drive' of argument 4 (-device) already"
    ),
    "-drive file=quorum:2/3:a:b": "should have 3 images, but 1 are separated by ',' and 2",
    "-drive file=quorum:x/3:a:b:c": "'x/3' is no threshold and total",
    "-drive file=a.qcow2 | less": "argument 3: '|' ends or redirects the command for a shell",
    "-drive file=$HOME/a": "1:13: argument 2: the shell would put something else for '$HOME'",
    '-drive "file=$(ls)"': "argument 2: the shell would put something else for '$('",
    "-drive 'file=/a": "1:8: argument 2: the quote ' is not closed",
    '["-drive", 3]': "argument 2: a word is a text in JSON",
    '["-drive", "file=a"] x': "argument 3: something follows the JSON array",
    '[{"execute":"blockdev-add","arguments":3}]': "command 1: 'execute' is a text and 'arguments'",
    '[{"what":1}]': "command 1: the object is no command of QMP",
    '{"execute":"blockdev-add","arguments":{"driver":"file"': "1:55: command 1: this is no JSON",
    '{"execute":"blockdev-del","arguments":{"node-name":"x"}}': "there is no node 'x'",
    '{"execute":"object-del","arguments":{"id":"x"}}': "(object-del): there is no object 'x'",
    '{"execute":"device_add","arguments":{"driver":"ide-hd","drive":3}}': "'drive' is no text",
}


@pytest.mark.parametrize("line", [*MISTAKES, *OURS])
def test_a_mistake_is_named_with_its_place(line: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read(given_text(line))
    assert (MISTAKES | OURS)[line] in str(caught.value)
    found = run("from-args", "-", input=line.encode())
    assert found.code == 3
    assert found.out == ""
    assert found.err.startswith("virtquorum: <stdin>:1:") or line.startswith("[")
    assert len(found.err.splitlines()) == 1


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
@pytest.mark.parametrize("line", MISTAKES)
def test_qemu_refuses_it_too(line: str, tmp_path: Path) -> None:
    assert "qemu-system" in refusal(shlex.split(line), tmp_path)


def test_the_place_is_the_words_number_where_there_are_words() -> None:
    with pytest.raises(ArgumentError, match=r"^argument 4 \(-drive\): the driver 'x' is unknown"):
        read(given_words(["-drive", "file=/a,format=raw", "-drive", "file=/b,format=x"]))


def test_what_has_another_place_in_a_driver_is_named_by_its_path() -> None:
    line = '-blockdev \'{"driver":"raw","node-name":"r","file":{"driver":"quorum","children":[' \
        '{"driver":"file","filename":"/a"},{"driver":"x"}],"vote-threshold":1}}\''  # fmt: skip
    with pytest.raises(ArgumentError, match=r"'file\.children\.1': the driver 'x' is unknown"):
        read(given_text(line))


# Bombs


def test_json_deeper_than_qemu_reads_is_refused() -> None:
    deep = '{"driver":"raw","file":' * 100_000 + "}" * 100_000
    with pytest.raises(ArgumentError, match="nested deeper than 1024 levels"):
        read(given_text(f"-blockdev '{deep}'"))
    with pytest.raises(ArgumentError, match="nested deeper than 1024 levels"):
        read(given_text("[" * 100_000))


def test_keys_deeper_than_qemu_reads_are_refused() -> None:
    with pytest.raises(ArgumentError, match="keys nest deeper than 1024 levels"):
        read(given_text(f"-drive {'file.' * 100_000}driver=file"))


def test_a_chain_of_nodes_costs_no_recursion() -> None:
    nodes = ["-blockdev driver=file,filename=/0,node-name=n0"]
    nodes += [
        f"-blockdev driver=file,filename=/{at},node-name=f{at} "
        f"-blockdev driver=qcow2,file=f{at},backing=n{at - 1},node-name=n{at}"
        for at in range(1, 3000)
    ]
    found = read(given_text(" ".join(nodes)))
    assert found.disks == ()
    (error,) = found.refused
    assert "more than 240 images lie one below the other" in str(error)


def test_a_chain_as_deep_as_a_document_comes_back() -> None:
    nodes = ["-blockdev driver=file,filename=/0,node-name=n0"]
    nodes += [
        f"-blockdev driver=file,filename=/{at},node-name=f{at} "
        f"-blockdev driver=qcow2,file=f{at},backing=n{at - 1},node-name=n{at}"
        for at in range(1, 240)
    ]
    (disk,) = read(given_text(" ".join(nodes))).disks
    assert len(list(disk.image.walk())) == 240


def test_an_input_that_is_too_large_is_refused() -> None:
    found = run("from-args", "-", input=b"x" * (16 * 1024 * 1024 + 1))
    assert (found.code, found.out) == (3, "")
    assert "larger than 16777216 bytes" in found.err


# Anything at all

_SEEDS = [one.read_text() for one in FORMS]
_PIECES = re.compile(r"[A-Za-z0-9_.-]+|[^A-Za-z0-9]", re.DOTALL)
_TOKENS = sorted({piece for seed in _SEEDS for piece in _PIECES.findall(seed)})
_ODD = ("null", "true", "-1", "[]", "{}", '""', "9" * 20, "\0", "é", ",,,", "json:", '"a":1,', "0x")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.sampled_from(_SEEDS),
    changes=st.lists(
        st.tuples(
            st.integers(0, 10**6), st.integers(0, 1), st.sampled_from([*_TOKENS, *_ODD, ""])
        ),
        min_size=1, max_size=4,
    ),
)  # fmt: skip
def test_whatever_is_given_is_read_or_refused(
    seed: str, changes: list[tuple[int, int, str]]
) -> None:
    pieces = _PIECES.findall(seed)
    for number, removed, new in changes:
        at = number % (len(pieces) or 1)
        pieces[at : at + removed] = [new]
    said = "".join(pieces)
    with suppress(VirtquorumError):
        for disk in read(given_text(said)).disks:
            format_disk(disk)
