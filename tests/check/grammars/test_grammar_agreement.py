"""quorum-disk.rng, .rnc and .xsd give one verdict, but for what docs/grammars.md lists."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from tests.check.grammars.disk_texts import (
    MEMBER,
    NEWER,
    QUORUM,
    SCHEMAS,
    STOCK,
    TARGET,
    corpus,
    has_quorum,
    mutants,
    uses_newer,
)
from tests.check.grammars.verdicts import jing, libxml2, missing, problems
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
