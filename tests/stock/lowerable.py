"""Hypothesis strategies for domains whose quorum disks can be lowered, in any layout.

``documents`` are bytes: quorum disks beside stock disks; metadata, commandline
and override of others in every spelling; on many lines or on one, with LF or
CRLF, in several encodings.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final

from hypothesis import strategies as st

__all__ = ["QEMU", "documents", "domains", "placed_disks", "quorum_elements"]

Draw = Any
QEMU: Final = "http://libvirt.org/schemas/domain/qemu/1.0"

#: What is on a line of its own, and how far in: (depth, text).
Line = tuple[int, str]

_LETTERS = "abcdefghijklmnop"
_WORDS = st.sampled_from(
    ("root", "a b", "é", "x&amp;y", "it&apos;s", "&lt;1&gt;", "a&#9;b", "ü{0}", 'q"q', "%d$x")
)
_SERIALS = st.sampled_from(("WD-1", "a b", "&lt;x&gt;"))
_CACHES = ("default", "none", "writethrough", "writeback", "directsync", "unsafe")


@st.composite
def _members(draw: Draw, disk: str, depth: int = 1) -> list[Line]:
    lines: list[Line] = []
    for number in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("file", "file", "block", "nbd", "chain", "quorum")))
        word = draw(_WORDS).replace('"', "&quot;").replace("'", "&apos;")
        path = f"/srv/{disk}-{number}-{word}"
        name = draw(st.sampled_from(("", "", f" nodename='n-{disk}-{depth}-{number}'")))
        if kind == "quorum" and depth:
            lines += [
                (depth, f"<backingStore type='quorum' threshold='1'{name}>"),
                *draw(_members(f"{disk}-{number}", depth - 1)),
                (depth, "</backingStore>"),
            ]
            continue
        if kind == "block":
            lines += [
                (2, f"<backingStore type='block'{name}>"), (3, "<format type='raw'/>"),
                (3, f"<source dev='/dev/vg/{disk}-{number}'/>"), (2, "</backingStore>"),
            ]  # fmt: skip
        elif kind == "nbd":
            lines += [
                (2, f"<backingStore type='network'{name}>"), (3, "<format type='raw'/>"),
                (3, f"<source protocol='nbd' name='{disk}'>"),
                (4, f"<host name='rack-{number}' port='10809'/>"),
                (3, "</source>"), (2, "</backingStore>"),
            ]  # fmt: skip
        else:
            below: list[Line] = []
            if kind == "chain":
                below = [
                    (3, "<backingStore type='file'>"), (4, "<format type='raw'/>"),
                    (4, f"<source file='{path}.base'/>"), (3, "</backingStore>"),
                ]  # fmt: skip
            lines += [
                (2, f"<backingStore type='file'{name}>"),
                (3, f"<format type='{draw(st.sampled_from(('raw', 'qcow2')))}'/>"
                 if not below else "<format type='qcow2'/>"),
                (3, f"<source file='{path}'/>"), *below, (2, "</backingStore>"),
            ]  # fmt: skip
    return lines


_FRONTENDS = (
    "<serial>{serial}</serial>",
    "<boot order='{number}'/>",
    "<blockio logical_block_size='512' physical_block_size='4096'/>",
    "<iotune><total_iops_sec>{number}00</total_iops_sec></iotune>",
    "<shareable/>",
    "<!-- {serial} -->",
    "<?note {serial}?>",
    "<f:thing f:a='1'><f:b/></f:thing>",
    "<private xmlns='urn:p'>text</private>",
    "<geometry cyls='16383' heads='16' secs='63' trans='lba'/>",
)


@st.composite
def quorum_elements(draw: Draw, number: int) -> list[Line]:
    """The lines of a quorum disk that can be lowered."""
    bus = draw(st.sampled_from(("virtio", "scsi", "sata", "usb")))
    dev = ("vd" if bus == "virtio" else "sd") + _LETTERS[number]
    quote = draw(st.sampled_from("'\""))
    driver = ["name='qemu'", "type='quorum'"]
    for word, choices in (
        ("cache", _CACHES),
        ("error_policy", ("stop", "report", "enospace")),
        ("discard", ("unmap", "ignore")),
        ("detect_zeroes", ("off", "on")),
        ("copy_on_read", ("on",)),
        ("rewrite_corrupted", ("on", "off")),
    ):
        if draw(st.integers(0, 4)) == 0:
            driver.append(f"{word}='{draw(st.sampled_from(choices))}'")
    if bus == "virtio" and draw(st.booleans()):
        driver.append(draw(st.sampled_from(("iothread='1'", "queues='2'", "packed='on'"))))
    lines: list[Line] = [
        (1, f"<disk type={quote}quorum{quote}  threshold='1' device='disk'>"),
        (2, f"<driver {' '.join(driver)}/>"),
        *draw(_members(dev)),
        (2, f"<target dev='{dev}' bus='{bus}'/>"),
    ]
    chosen = draw(st.lists(st.sampled_from(_FRONTENDS), max_size=3, unique=True))
    lines += [(2, one.format(serial=draw(_SERIALS), number=number + 1)) for one in chosen]
    alias = draw(st.sampled_from(("", "", f"ua-own-{number}", f"{bus}-disk{number}")))
    if alias:
        lines.append((2, f"<alias name='{alias}'/>"))
    return [*lines, (1, "</disk>")]


def _stock(number: int) -> list[Line]:
    return [
        (1, "<disk type='file' device='disk'>"),
        (2, "<driver name='qemu' type='qcow2'/>"),
        (2, f"<source file='/stock-{number}'/>"),
        (2, f"<target dev='vd{_LETTERS[number]}' bus='virtio'/>"),
        (1, "</disk>"),
    ]


@st.composite
def placed_disks(draw: Draw, least: int = 1) -> list[Line]:
    """The lines of ``<devices>``."""
    kinds = draw(st.lists(st.booleans(), min_size=0, max_size=3))
    kinds += [True] * max(0, least - sum(kinds))
    lines: list[Line] = [(0, "<devices>"), (1, "<emulator>/usr/bin/qemu-system-x86_64</emulator>")]
    for number, quorum in enumerate(kinds):
        lines += draw(quorum_elements(number)) if quorum else _stock(number)
    lines.append((1, "<memballoon model='none'/>"))
    return [*lines, (0, "</devices>")]


_METADATA: Final[tuple[list[Line], ...]] = (
    [],
    [(0, "<metadata/>")],
    [(0, "<metadata />")],
    [(0, "<metadata></metadata>")],
    [(0, "<metadata>"), (1, "<!-- nothing yet -->"), (0, "</metadata>")],
    [(0, "<metadata>"), (1, "<app:a xmlns:app=\"urn:app\" name='1'/>"), (0, "</metadata>")],
    [(0, "<metadata><one xmlns='urn:1'> x </one><two xmlns='urn:2'/>"), (0, "</metadata>")],
)
_ARG = "{p}arg value='-no-hpet'/>"
_NODE = '{p}arg value=\'{{"driver":"null-co","node-name":"{n}"}}\'/>'
#: Of ``<commandline>`` and ``<override>``; {p} opens an element, {c} closes one, {d} declares.
_COMMANDLINES: Final[tuple[list[Line], ...]] = (
    [],
    [(0, "{p}commandline{d}/>")],
    [(0, "{p}commandline{d}>{c}commandline>")],
    [(0, "{p}commandline{d}>"), (1, _ARG), (1, "<!-- c -->"), (0, "{c}commandline>")],
    [
        (0, "{p}commandline{d}>"), (1, "{p}arg value='-blockdev'/>"), (1, _NODE),
        (1, "{p}env name='A' value='b'/>"), (0, "{c}commandline>"),
    ],
    [
        (0, "{p}commandline{d}>"), (1, _ARG), (0, "{c}commandline>"),
        (0, "{p}commandline{d}>"), (1, _ARG), (0, "{c}commandline>"),
    ],
)  # fmt: skip
_PROPERTY = "{p}property name='rotation_rate' type='unsigned' value='1'/>"
_OVERRIDES: Final[tuple[list[Line], ...]] = (
    [],
    [(0, "{p}override{d}/>")],
    [
        (0, "{p}override{d}>"), (1, "{p}device alias='ua-own-0'>"), (2, "{p}frontend>"),
        (3, _PROPERTY), (2, "{c}frontend>"), (1, "{c}device>"), (0, "{c}override>"),
    ],
    [
        (0, "{p}override{d}>"), (1, "{p}device alias='ua-vq-vda'>"), (2, "{p}frontend>"),
        (3, "{p}property name='drive' type='string' value='other'/>"), (3, "<!-- o -->"),
        (2, "{c}frontend>"), (1, "{c}device>"), (0, "{c}override>"),
    ],
)  # fmt: skip


@st.composite
def domains(draw: Draw, least: int = 1) -> list[Line]:
    """The lines of a domain."""
    root = "<domain type='qemu' xmlns:f='urn:f'"
    spelling = draw(st.sampled_from(("root", "local", "other", "default")))
    prefix = {"root": "qemu:", "local": "qemu:", "other": "q:", "default": ""}[spelling]
    declared = f" xmlns{':' if prefix else ''}{prefix.rstrip(':')}='{QEMU}'"
    if spelling == "root":
        root += declared
        declared = ""
    words = {"p": f"<{prefix}", "c": f"</{prefix}", "d": declared, "n": "theirs"}
    tail: list[Line] = []
    for choices in draw(st.permutations([_COMMANDLINES, _OVERRIDES])):
        tail += [(at, one.format(**words)) for at, one in draw(st.sampled_from(choices))]
    lines: list[Line] = [(-1, f"{root}>"), (0, "<name>web</name>")]
    metadata = draw(st.sampled_from(_METADATA))
    memory: list[Line] = [
        (0, "<memory>65536</memory>"),
        (0, "<iothreads>1</iothreads>"),
        (0, "<os><type arch='x86_64' machine='q35'>hvm</type></os>"),
    ]
    lines += draw(st.sampled_from((metadata + memory, memory + metadata)))
    lines += draw(placed_disks(least))
    return [*lines, *tail, (-1, "</domain>")]


@st.composite
def documents(draw: Draw, least: int = 1) -> bytes:
    """The bytes of a domain, with at least so many quorum disks."""
    lines = draw(domains(least))
    unit = draw(st.sampled_from(("  ", "\t", "    ", "")))
    ending = draw(st.sampled_from(("\n", "\n", "\r\n", "")))
    body = ending.join(unit * (at + 1) + one if ending else one for at, one in lines)
    encoding = draw(st.sampled_from(("", "", "utf-8", "utf-8-sig", "utf-16", "iso-8859-1")))
    head = f"<?xml version='1.0' encoding='{encoding}'?>\n" if "-" in encoding else ""
    head = head.replace("utf-8-sig", "utf-8") + draw(st.sampled_from(("", "<!-- top -->\n")))
    text: str = head + body + draw(st.sampled_from(("\n", "", "\n<!-- end -->")))
    if encoding == "utf-8-sig":
        return codecs.BOM_UTF8 + text.encode()
    return text.encode(encoding or "utf-8")


def targets(text: str) -> list[str]:
    """The targets in a document."""
    return re.findall(r"<target dev='(\w+)'", text)
