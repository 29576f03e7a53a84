"""Which words of a script are QEMU's: nothing else in it becomes a disk."""

from __future__ import annotations

import json

import pytest

from virtquorum.errors import ArgumentError
from virtquorum.qemu.back.reading import read
from virtquorum.qemu.back.words import given_text, given_words

ASKED = "-drive file=/i/a.raw,format=raw,if=virtio"
CALL = f"qemu-system-x86_64 -m 1G {ASKED}"
PASSED = "passed over, since they are not about disks: -m"

#: A script, and what of it is passed over.
SCRIPTS = {
    CALL: None,
    f"LC_ALL=C \\\nHOME=/ /usr/bin/{CALL}": None,
    f"#!/bin/sh\nset -e\nexec {CALL}\necho done\n": "'set -e exec' before it and 'echo done' "
    "behind it",
    f"#!/bin/sh\r\n\r\n# it\r\nexec \\\r\n  {CALL} \\\r\n  -S\r\nexit 0\r\n": "'exec' before it "
    "and 'exit 0' behind it",
    f"sudo -u qemu {CALL}": "'sudo -u qemu' before it",
    f"sudo -E {CALL}": "'sudo -E' before it",
    f"nice -n 5 {CALL}": "'nice -n 5' before it",
    f"strace -f {CALL}": "'strace -f' before it",
    f"numactl -N0 taskset 3 {CALL}": "'numactl -N0 taskset 3' before it",
    f"exec env -i A=b {CALL}": "'exec env -i' before it",
    f"modprobe kvm\n{CALL}": "'modprobe kvm' before it",
    f"modprobe kvm\nkvm -m 1G {ASKED}": "'modprobe kvm' before it",
    f"apt install qemu-system-x86\n{CALL}": "'apt install qemu-system-x86' before it",
    f"qemu-img create /i/a.raw 1M\n{CALL}\npkill qemu-system": "'qemu-img create /i/a.raw 1M' "
    "before it and 'pkill qemu-system' behind it",
    f"{CALL} -name qemu-system-x86_64\n-S\n": None,
    "\n".join(["qemu-system-x86_64", *f"-m 1G {ASKED}".split()]): None,
    "\n".join(f"-m 1G {ASKED}".split()): None,
    f"-m 1G -name qemu-kvm {ASKED}": None,
}


@pytest.mark.parametrize("text", SCRIPTS)
def test_qemus_arguments_alone_are_read(text: str) -> None:
    found = read(given_text(text))
    assert [disk.name for disk in found.disks] == ["vda"]
    said = SCRIPTS[text]
    expected = [f"QEMU's command alone is read; passed over is {said}"] if said else []
    first, *rest = found.notes.remarks
    assert ([first] if rest else []) == expected
    assert [first, *rest][-1].startswith(PASSED)


def test_words_of_a_command_line_have_no_lines() -> None:
    words = ["sudo", "-E", *CALL.split(), "-name", "a\nb"]
    assert [disk.name for disk in read(given_words(words)).disks] == ["vda"]
    assert [disk.name for disk in read(given_text(json.dumps(words))).disks] == ["vda"]


def test_the_machine_is_that_of_the_program_behind_sudo() -> None:
    drive = "-drive file=/i/a.raw,format=raw"
    (disk,) = read(given_text(f"sudo -u qemu qemu-system-s390x {drive}")).disks
    assert disk.target is not None
    assert disk.target.bus == "virtio"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{CALL}\n{CALL}\n", "<argument>:2:1: argument 6: there are two commands of QEMU"),
        (f"sleep 1\n{CALL}\nsudo kvm -hda /b", "<argument>:3:6: argument 9: there are two"),
        (f"{CALL} &\n{CALL}", "'&' ends or redirects the command for a shell"),
        ("echo done", "<argument>:1:6: argument 2: 'done' is no option; QEMU would take it for an "
         "image like argument 1 (hda), and one image alone is all it takes"),
        ("a.raw -S b.raw", "'b.raw' is no option"),
        ("sudo -E -hda a.raw", "'-E' is an invalid option"),
        (f"sh -c '{CALL}'", "'-c' is an invalid option"),
        ("-drve file=a", "argument 1: '-drve' is an invalid option: QEMU has none of that name; "
         "did you mean '-drive'?"),
        ("(qemu) drive_add 0 file=/a,if=none", "commands of the monitor for people (HMP)"),
        ("device_add virtio-blk,drive=a\n", "commands of the monitor for people (HMP)"),
    ],
)  # fmt: skip
def test_what_is_no_command_line_is_refused(text: str, said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read(given_text(text))
    assert said in str(caught.value)


def test_a_word_alone_is_an_image_and_that_is_said() -> None:
    found = read(given_words(["start.sh"]))
    assert [disk.name for disk in found.disks] == ["hda"]
    assert "argument 1: the word alone is an image" in found.notes.remarks[0]
    assert "'virtquorum from-args - < FILE'" in found.notes.remarks[0]
