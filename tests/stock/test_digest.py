"""The digest of a recorded disk: one of what XML says, however a program spells it."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stock.lowerable import documents
from tests.stock.test_hand_edits import (
    DUMPED,
    LOWERED,
    by_elementtree,
    by_hand,
    by_lxml,
    by_xmllint,
)
from virtquorum.host.patch.record import changed_record, written_record
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lowerings
from virtquorum.xml.document import Document, Element
from virtquorum.xml.domain import Domain
from virtquorum.xml.lowered import disk_digest
from virtquorum.xml.record import Record
from virtquorum.xml.troubles import troubles

if TYPE_CHECKING:
    from collections.abc import Callable

DISK = """\
<disk type='quorum' threshold='2'>
  <driver name='qemu' type='quorum'/>
  <x:note xmlns:x='urn:x' x:by='me'>of &lt;three&gt;</x:note>
  <target dev='vda' bus='virtio'/>
</disk>
"""


def digests(text: str) -> list[str]:
    record = Record.of(Domain.from_text(text).document.root)
    assert record is not None
    assert [one.element.attributes["disk"] for one in record.disks]
    return [disk_digest(one.disk_element) for one in record.disks]


@pytest.mark.parametrize("rewrite", [by_xmllint, by_elementtree, by_lxml, by_hand])
def test_no_spelling_changes_it(rewrite: Callable[[str], str]) -> None:
    assert digests(rewrite(LOWERED)) == digests(rewrite(DUMPED)) == digests(LOWERED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  <driver", "\n\t<!-- of three --><driver"),
        ("type='quorum' threshold='2'", 'threshold = "2"  type="quorum"'),
        ("x:", "y:"),
        ("xmlns:x='urn:x' x:by='me'", "xmlns:x='urn:x' xmlns:z='urn:z' x:by='me'"),
        ("of &lt;three&gt;", "<![CDATA[of <three>]]>"),
        ("of &lt;three&gt;", "of<!-- all --> &#60;three>"),
    ],
)
def test_what_says_the_same_has_the_same(old: str, new: str) -> None:
    assert old in DISK
    text = DISK.replace(old, new).replace("xmlns:x=", "xmlns:y=" if old == "x:" else "xmlns:x=")
    assert disk_digest(text) == disk_digest(DISK)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'2'", "'3'"),
        ("'2'", "'2 '"),
        ("of ", "of"),
        ("urn:x", "urn:y"),
        ("x:by", "by"),
        ("<x:note xmlns:x='urn:x' x:by='me'>", "<note xmlns:x='urn:x' x:by='me'>"),
        ("<target dev='vda' bus='virtio'/>", "<target dev='vda' bus='virtio'/><readonly/>"),
        ("<target dev='vda' bus='virtio'/>", "<target dev='vda'/><target bus='virtio'/>"),
    ],
)
def test_what_says_something_else_has_another(old: str, new: str) -> None:
    text = DISK.replace(old, new).replace("</x:note>", "</note>" if "<note" in new else "</x:note>")
    assert text != DISK
    assert disk_digest(text) != disk_digest(DISK)


def test_the_order_of_elements_counts_and_what_it_is_stays() -> None:
    """A later version has to come to the same, or every domain would seem to be changed."""
    assert disk_digest(DISK) == "c81ea385fb4acb5c"
    turned = DISK.splitlines()
    turned[1], turned[3] = turned[3], turned[1]
    assert disk_digest("\n".join(turned)) != disk_digest(DISK)


def shuffled(element: Element, chance: random.Random) -> str:
    """An element in another layout, with comments and its attributes in another order."""
    words = list(element.attributes.items())
    chance.shuffle(words)
    escaped = [(name, value.replace("&", "&amp;").replace("<", "&lt;")) for name, value in words]
    said = "".join(
        f"\n {name}=\"{value.replace(chr(34), '&quot;').replace(chr(10), '&#10;')}\""
        .replace("\t", "&#9;").replace("\r", "&#13;")
        for name, value in escaped
    )  # fmt: skip
    below = "".join(f"<!-- -->\n{shuffled(one, chance)}" for one in element.elements())
    inner = below or element.inner.decode()
    return f"<{element.name}{said}>{inner}</{element.name}>"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.randoms(use_true_random=False))
def test_layout_is_no_part_of_it(raw: bytes, chance: random.Random) -> None:
    for disk in Domain.from_bytes(raw).disks:
        element = disk.location
        assert isinstance(element, Element)
        text = f"<domain xmlns:f='urn:f'>{shuffled(element, chance)}</domain>"
        (again,) = Document.from_text(text, "again").root.elements()
        assert disk_digest(again) == disk_digest(element)


def test_a_record_without_it_is_believed() -> None:
    text = re.sub(' disk="[0-9a-f]{16}"', "", DUMPED).replace('threshold="2"', 'threshold="3"')
    assert 'threshold="3"' in text
    assert list(troubles(Domain.from_text(text).document.root)) == []


# The record of a running domain, which a patch writes


def written(text: str) -> str:
    """A live domain with the record that a patch of something else would write."""
    live = Domain.from_text(text.replace("<domain type='kvm'", "<domain type='kvm' id='3'"))
    record = written_record(live)
    assert record is not None
    element = Record.of(live.document.root).element  # type: ignore[union-attr]
    data = live.document.data
    return (data[: element.start] + record.encode() + data[element.stop :]).decode()


@pytest.mark.parametrize("rewrite", [str, by_hand])
def test_a_patch_takes_it_along(rewrite: Callable[[str], str]) -> None:
    text = written(rewrite(LOWERED))
    assert text.count(" disk='") == 2
    assert list(troubles(Domain.from_text(text).document.root)) == []


@pytest.mark.parametrize("rewrite", [str, by_hand])
def test_what_was_changed_by_hand_does_not_pass_for_what_was_written(
    rewrite: Callable[[str], str],
) -> None:
    changed = rewrite(LOWERED).replace("threshold='2'", "threshold='3'")
    (found,) = troubles(Domain.from_text(written(changed)).document.root)
    assert (found.kind, found.rule) == ("disk", "VQ601")


def test_a_patched_disk_has_its_own() -> None:
    before = Domain.from_text(LOWERED)
    quorum = lift(before)
    patched = quorum.set_threshold(quorum.disk("vda"), 3)
    (one, _) = lowerings(patched, directory="/p")
    record = changed_record(before, "vda", one)
    assert record is not None
    text = f"<domain id='1'><metadata>{record}</metadata></domain>"
    kinds = {found.kind for found in troubles(Domain.from_text(text).document.root)}
    assert not kinds & {"disk", "record"}
    assert 'threshold="3"' in record or "threshold='3'" in record
