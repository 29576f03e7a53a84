"""What libvirt wrote comes back byte for byte, and nothing is lost of what was mangled."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk

_ROOT = Path(__file__).resolve().parents[2]
_FILES = [
    path
    for folder in ("stock", "snapshot", "status", "config")
    for path in sorted((_ROOT / "tests/corpus" / folder).glob("*.xml"))
] + sorted((_ROOT / "samples").glob("*.xml"))
_INPUTS = sorted((_ROOT / "tests/corpus/inputs").glob("*/*.xml"))
#: libvirt writes a tab in a value raw; XML reads it as a space.
_RAW_TABS = {"corpus/stock/text-escapes.xml", "corpus/config/text-escapes.xml"}
_VALUE = re.compile(rb"='([^']*)'")


def name(path: Path) -> str:
    return str(path.relative_to(path.parents[2]))


def test_the_corpus_is_there() -> None:
    assert len(_FILES) > 100
    assert {name(path) for path in _FILES} >= _RAW_TABS


@pytest.mark.parametrize("path", _FILES, ids=name)
def test_formatting_changes_not_one_byte(path: Path) -> None:
    raw = path.read_bytes()
    expected = raw
    if name(path) in _RAW_TABS:
        expected = _VALUE.sub(lambda value: value[0].replace(b"\t", b" "), raw)
        assert expected != raw
    domain = Domain.from_bytes(raw, path.name)
    assert domain.to_bytes() == raw
    assert domain.formatted().to_bytes() == expected
    assert domain.formatted(disks_only=True).to_bytes() == expected


@pytest.mark.parametrize("path", _FILES + _INPUTS, ids=name)
def test_every_disk_comes_back_equal(path: Path) -> None:
    domain = Domain.from_bytes(path.read_bytes(), path.name)
    for disk in domain.disks:
        text = format_disk(disk)
        assert Domain.from_text(text).disks == (disk,)
    formatted = domain.formatted()
    assert formatted.disks == domain.disks
    assert formatted.formatted().to_bytes() == formatted.to_bytes()


# lxml as the peer: what it sees in a mangled copy, it sees in the formatted one


def infoset(raw: bytes) -> list[Any]:
    """Elements, attributes, texts and comments as lxml reads them.

    The children of a disk and of what is in it are in no order, since
    formatting sorts them; libvirt reads them by name.  A text with no more
    than white space is layout, and so is white space around one in a disk.
    """
    root = etree.fromstring(raw)
    done: dict[Any, Any] = {}
    for one in reversed(list(root.iter())):
        in_disk = any(up.tag == "disk" for up in (one, *one.iterancestors()))
        texts = [one.text or "", *(child.tail or "" for child in one)]
        texts = [text.strip() if in_disk else text for text in texts if text.strip()]
        below = [done[child] for child in one]
        done[one] = (
            one.tag if isinstance(one.tag, str) else type(one).__name__,
            sorted(one.attrib.items()) if isinstance(one.tag, str) else [],
            texts,
            sorted(below, key=repr) if in_disk else below,
        )
    return [done[root]]


def mangled(raw: bytes, chance: random.Random) -> bytes:
    """The same document with other layout, and with disks whose attributes and children moved."""
    root = etree.fromstring(raw)
    for one in root.iter():
        texts = [one.text, *(child.tail for child in one)]
        if not isinstance(one.tag, str) or any(text and text.strip() for text in texts):
            continue
        if any(up.tag == "metadata" for up in (one, *one.iterancestors())):
            continue
        if len(one):
            one.text = chance.choice(("", "\n", "\n\t\t", "\r\n  ", "   "))
            for child in one:
                child.tail = chance.choice(("", "\n", "\n\t", "\n      ", " "))
        if any(up.tag == "disk" for up in (one, *one.iterancestors())):
            pairs = list(one.attrib.items())
            chance.shuffle(pairs)
            one.attrib.clear()
            one.attrib.update(pairs)
            _shuffle(one, chance)
    text: bytes = etree.tostring(root, encoding="UTF-8")
    return text


def _shuffle(element: Any, chance: random.Random) -> None:
    """Move children past those of other names; among their own kind they keep their order."""
    kinds: dict[Any, list[Any]] = {}
    for child in element:
        kinds.setdefault(child.tag, []).append(child)
    order = [tag for tag, alike in kinds.items() for _ in alike]
    chance.shuffle(order)
    for tag in order:
        element.append(kinds[tag].pop(0))


@pytest.mark.parametrize("path", _FILES, ids=name)
def test_a_mangled_copy_is_put_back_and_loses_nothing(path: Path) -> None:
    raw = path.read_bytes()
    chance = random.Random(path.name)  # noqa: S311
    original = Domain.from_bytes(raw, path.name)
    for _ in range(3):
        copy = mangled(raw, chance)
        domain = Domain.from_bytes(copy, path.name)
        if not any(disk.unmodelled for disk in original.disks):  # its place is its own
            assert domain.disks == original.disks
        assert infoset(domain.formatted().to_bytes()) == infoset(copy) == infoset(raw)
        assert infoset(domain.formatted(disks_only=True).to_bytes()) == infoset(copy)


@pytest.mark.parametrize("loss", [b" nodename='near'", b" threshold='2'", b"<backingStore/>"])
def test_the_peer_sees_a_loss(loss: bytes) -> None:
    raw = (
        b"<disk type='quorum' threshold='2'><backingStore type='file' nodename='near'>"
        b"<backingStore/></backingStore></disk>"
    )
    assert loss in raw
    assert infoset(raw.replace(loss, b"")) != infoset(raw)


def test_the_peer_sees_disorder_outside_of_disks() -> None:
    assert infoset(b"<a><b/><c/></a>") != infoset(b"<a><c/><b/></a>")
    assert infoset(b"<disk><b/><c/></disk>") == infoset(b"<disk><c/><b/></disk>")
