"""quorum-disk.rng, .rnc and .xsd give one verdict, but for what docs/grammars.md lists."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from tests.check.grammars.disk_texts import (
    LIBVIRT,
    MEMBER,
    NEWER,
    QUORUM,
    SCHEMAS,
    STOCK,
    TARGET,
    corpus,
    has_quorum,
    mutants,
    shuffled,
    uses_newer,
)
from tests.check.grammars.verdicts import in_domain, jing, libxml2, missing, problems
from tests.strategies import disks, trees
from virtquorum.check.xsd import ASSERTIONS
from virtquorum.xml.format import format_disk

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not here: {', '.join(missing())}")

RNG = SCHEMAS / "quorum-disk.rng"
RNC = SCHEMAS / "quorum-disk.rnc"
XSD = SCHEMAS / "quorum-disk.xsd"
#: All that the XSD says and the other two do not: the number of members.
ONLY_XSD = {ASSERTIONS["threshold-above-members"][1]}


@lru_cache(maxsize=1)
def texts() -> tuple[str, ...]:
    known = (*STOCK, *QUORUM, *NEWER)
    return (
        *known,
        *corpus(),
        *mutants((*known, *QUORUM), 900, seed=1),
        *mutants(corpus(), 300, seed=2),
    )


@lru_cache(maxsize=1)
def rng() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(str(RNG)))


def by_xsd(text: str) -> bool:
    """The XSD's verdict, but for what only it can say."""
    return all(one.message in ONLY_XSD for one in problems(text))


@pytest.fixture(scope="module")
def by_jing(tmp_path_factory: pytest.TempPathFactory) -> list[bool]:
    return jing(RNG, texts(), tmp_path_factory.mktemp("rng"))


def differing(one: list[bool], other: list[bool]) -> list[str]:
    return [text for text, *both in zip(texts(), one, other, strict=True) if both[0] != both[1]]


def test_the_corpus_is_of_both_kinds(by_jing: list[bool]) -> None:
    assert 400 < sum(by_jing) < len(by_jing) - 400


def test_what_is_valid_is(by_jing: list[bool]) -> None:
    for text, valid in zip((*STOCK, *QUORUM, *NEWER), by_jing, strict=False):
        assert valid, text
        assert not problems(text), text


def test_rng_and_rnc_agree(by_jing: list[bool], tmp_path: Path) -> None:
    assert differing(by_jing, jing(RNC, texts(), tmp_path)) == []


def test_the_rng_is_the_rnc_converted(tmp_path: Path) -> None:
    converted = tmp_path / "quorum-disk.rng"
    subprocess.run(["trang", str(RNC), str(converted)], check=True, timeout=60)
    assert converted.read_bytes() == RNG.read_bytes()


def test_rng_and_xsd_agree(by_jing: list[bool]) -> None:
    assert differing(by_jing, [by_xsd(text) for text in texts()]) == []


def test_jing_and_libxml2_agree(by_jing: list[bool]) -> None:
    assert differing(by_jing, libxml2(rng(), texts())) == []


@given(disks())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_they_agree_on_any_model(disk: Disk) -> None:
    text = format_disk(disk)
    assert rng().validate(etree.fromstring(text)) == by_xsd(text)


@given(trees(name="disk"))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_they_agree_on_any_tree(text: str) -> None:
    assert rng().validate(etree.fromstring(text.encode())) == by_xsd(text)


#: What a value may look like to one validator and not to another.
VALUES = (
    "0", "1", "+1", "-0", "-1", "007", "1_0", "\uff11", "1\u00a0", "\u20031", "1.0", "", "9" * 30,
    "0x1f", "0X1F", "0x", "1f", "65535", "65536", "255", "256", "254", "31", "32", "7", "8",
    "4294967295", "4294967296", "2147483648", "18446744073709551615", "18446744073709551616",
    "on", " on ", "on\u00a0", "ON", "..", " .. ", ". .", "a/b", "a\nb", "\n", "/", "/a\n", "C:\\x",
    "[a] b", "[a] ", "::1", "1::", "::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
    "1::3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4", ":1.2.3.4", "1:2::1.2.3.4",
    "256.1.1.1::", "fe80::1%eth0", "\u00e9", "\U0001f9ea", "'", '"x"', "a\tb", "\u0085", "\u2028",
)  # fmt: skip
#: A place for a value of each kind: attributes first, then text.
PLACES = (
    "<target dev='vda' rotation_rate={}/>",
    "<target dev='vda'/><geometry cyls={} heads='1' secs='1'/>",
    "<target dev='vda'/><driver iothread={}/>",
    "<target dev='vda'/><driver name={}/>",
    "<target dev='vda'/><driver event_idx={}/>",
    "<target dev='vda'/><source file={}/>",
    "<target dev='vda'/><address type='pci' domain={}/>",
    "<target dev='vda'/><address type='pci' bus={}/>",
    "<target dev='vda'/><address type='pci' slot={} function='0'/>",
    "<target dev='vda'/><address type='pci' function={}/>",
    "<target dev='vda'/><address type='ccw' cssid={} ssid='0' devno='1'/>",
    "<target dev='vda'/><boot order='1' loadparm={}/>",
    "<target dev='vda'/><backenddomain name={}/>",
)
TEXT_PLACES = (
    "<target dev='vda'/><serial>{}</serial>",
    "<target dev='vda'/><iotune><size_iops_sec>{}</size_iops_sec></iotune>",
    "<target dev='vda'/><readonly>{}</readonly>",
    "<target dev='vda'/><shareable>{}</shareable>",
    "<target dev='vda'/><vendor>{}</vendor>",
)
SOURCES = ("volume' pool='p' volume={}", "volume' volume='v' pool={}", "block' dev={}")


def test_they_agree_on_any_value(tmp_path: Path) -> None:
    disks = [f"<disk>{place.format(quoteattr(one))}</disk>" for place in PLACES for one in VALUES]
    disks += [
        f"<disk>{place.format(escape(one))}</disk>" for place in TEXT_PLACES for one in VALUES
    ]
    for one in VALUES:
        type, _, rest = "network' protocol='nbd'".partition(" ")
        host = f"<host name={quoteattr(one)}/>"
        disks.append(f"<disk type='{type}><source {rest}>{host}</source>{TARGET}</disk>")
        for place in SOURCES:
            type, _, rest = place.format(quoteattr(one)).partition(" ")
            disks.append(f"<disk type='{type}><source {rest}/>{TARGET}</disk>")
    by_jing = jing(RNG, disks, tmp_path)
    assert 300 < sum(by_jing) < len(by_jing) - 300
    compared = zip(disks, by_jing, map(by_xsd, disks), libxml2(rng(), disks), strict=True)
    assert [text for text, *all_three in compared if len(set(all_three)) > 1] == []


def test_space_around_a_number_is_what_libxml2_refuses(tmp_path: Path) -> None:
    # By the standard it is taken away before the pattern is looked at; libxml2 does not.
    text = "<disk><target dev='vda' rotation_rate=' 1 '/></disk>"
    assert jing(RNG, [text], tmp_path) == [True]
    assert by_xsd(text)
    assert libxml2(rng(), [text]) == [False]


def test_split_pairs_are_what_libxml2_refuses(tmp_path: Path) -> None:
    # With libvirt's grammar too: it loses the second of two that an inner interleave holds.
    limits = ("read_bytes_sec", "write_iops_sec", "write_bytes_sec", "read_iops_sec")
    inside = "".join(f"<{one}>1</{one}>" for one in limits)
    text = f"<disk><iotune>{inside}</iotune>{TARGET}</disk>"
    assert jing(RNG, [text], tmp_path) == [True]
    assert by_xsd(text)
    by_libvirt = etree.RelaxNG(etree.parse(str(LIBVIRT / "domain.rng")))
    assert libxml2(rng(), [text]) == libxml2(by_libvirt, [in_domain(text)]) == [False]


def test_order_does_not_matter(tmp_path: Path) -> None:
    disks = list(shuffled((*STOCK, *NEWER, *QUORUM, *QUORUM), 300, seed=7))
    assert all(jing(RNG, disks, tmp_path))
    assert [text for text, good in zip(disks, libxml2(rng(), disks), strict=True) if not good] == []
    assert [text for text in disks if not by_xsd(text)] == []


def test_the_number_of_members_is_what_only_the_xsd_says(tmp_path: Path) -> None:
    text = f"<disk type='quorum' threshold='3'>{MEMBER}{MEMBER}{TARGET}</disk>"
    assert jing(RNG, [text], tmp_path / "rng") == [True]
    assert {one.message for one in problems(text)} == ONLY_XSD


def test_instructions_to_a_validator_are_what_only_the_rng_refuses(tmp_path: Path) -> None:
    # Every XSD allows them everywhere; xsd_problems refuses them as the RNG does.
    from xmlschema import XMLSchema11

    text = (
        "<disk xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
        f" xsi:schemaLocation='urn:x x.xsd'>{TARGET}</disk>"
    )
    assert jing(RNG, [text], tmp_path / "rng") == [False]
    assert XMLSchema11(str(XSD)).is_valid(text)
    assert [one.attribute for one in problems(text)] == ["xsi:schemaLocation"]


def test_stock_disks_are_judged_as_libvirt_does(by_jing: list[bool], tmp_path: Path) -> None:
    start = tmp_path / "disk.rng"
    start.write_text(
        "<grammar xmlns='http://relaxng.org/ns/structure/1.0'>"
        "<include href='file:///usr/share/libvirt/schemas/domain.rng'>"
        "<start><ref name='disk'/></start></include></grammar>"
    )
    by_libvirt = jing(start, texts(), tmp_path / "libvirt")
    found = [
        text
        for text in differing(by_jing, by_libvirt)
        if not has_quorum(text) and not uses_newer(text)
    ]
    assert found == []


def test_what_is_newer_is_what_only_ours_take(by_jing: list[bool]) -> None:
    assert all(uses_newer(text) for text in NEWER)
    assert not any(uses_newer(text) for text in (*STOCK, *QUORUM))
