"""domain-quorum.rng says what libvirt's domain.rng says, quorums aside."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

import pytest
from lxml import etree

from tests.check.grammars.disk_texts import (
    LIBVIRT,
    MEMBER,
    QUORUM,
    ROOT,
    SCHEMAS,
    STOCK,
    TARGET,
    corpus,
    has_quorum,
    mutants,
    shuffled,
    uses_newer,
)
from tests.check.grammars.verdicts import compiled, in_domain, jing, libxml2, missing, problems
from virtquorum.check.grammar import GrammarText, grammar_for
from virtquorum.check.xsd import ASSERTIONS

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not here: {', '.join(missing())}")

OVERLAY = SCHEMAS / "domain-quorum.rng"
SAMPLES = sorted((ROOT / "samples").glob("*.xml"))


def grammar(root: str) -> GrammarText:
    found = grammar_for(root, str(LIBVIRT))
    assert found is not None
    return found


@lru_cache(maxsize=1)
def disks() -> tuple[str, ...]:
    return (
        *STOCK,
        *QUORUM,
        *mutants(STOCK, 300, seed=3),
        *mutants(QUORUM, 400, seed=4),
        *mutants(corpus(), 200, seed=5),
    )


@lru_cache(maxsize=1)
def documents() -> tuple[str, ...]:
    """Whole domains: those of the corpus, some of them damaged anywhere, and one for each disk."""
    files = sorted((ROOT / "tests/corpus").rglob("*.xml"))
    whole = [path.read_text("utf-8") for path in files]
    domains = [text for text in whole if "<domain " in text and len(text) < 6000]
    return (*map(in_domain, disks()), *whole, *mutants([in_domain(STOCK[1]), *domains], 200, 6))


@pytest.fixture(scope="module")
def by_overlay(tmp_path_factory: pytest.TempPathFactory) -> list[bool]:
    return jing(OVERLAY, documents(), tmp_path_factory.mktemp("overlay"))


def test_without_a_quorum_it_is_libvirts_grammar(by_overlay: list[bool], tmp_path: Path) -> None:
    by_libvirt = jing(LIBVIRT / "domain.rng", documents(), tmp_path)
    compared = zip(documents(), by_overlay, by_libvirt, strict=True)
    stock = [(text, ours, theirs) for text, ours, theirs in compared if not has_quorum(text)]
    assert 200 < sum(theirs for _, _, theirs in stock) < len(stock) - 200
    assert [text for text, ours, theirs in stock if ours != theirs] == []


def test_what_libvirt_accepts_it_accepts(by_overlay: list[bool], tmp_path: Path) -> None:
    by_libvirt = jing(LIBVIRT / "domain.rng", documents(), tmp_path)
    assert all(ours >= theirs for ours, theirs in zip(by_overlay, by_libvirt, strict=True))


def test_libxml2_and_jing_agree(by_overlay: list[bool]) -> None:
    some = documents()[: len(disks())]
    found = libxml2(compiled(grammar("domain")), some)
    differing = [t for t, a, b in zip(some, found, by_overlay, strict=False) if a != b]
    assert differing == []


def test_of_disks_it_says_what_the_self_contained_grammar_says(
    by_overlay: list[bool], tmp_path: Path
) -> None:
    """But for the members that blkverify takes, and what libvirt 9.0 does not know."""
    ours = jing(SCHEMAS / "quorum-disk.rng", disks(), tmp_path)
    compared = zip(disks(), by_overlay, ours, strict=False)
    differing = [text for text, *both in compared if both[0] != both[1] and not uses_newer(text)]
    blkverify = ASSERTIONS["blkverify-members"][1]
    assert differing
    for text in differing:
        assert blkverify in {one.message for one in problems(text)}, text


def test_order_does_not_matter() -> None:
    found = compiled(grammar("disk"))
    texts = list(shuffled(QUORUM, 200, seed=8))
    assert [text for text, good in zip(texts, libxml2(found, texts), strict=True) if not good] == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: str(path.name))
def test_samples_are_valid(path: Path) -> None:
    found = compiled(grammar("domain"))
    assert found.validate(etree.parse(str(path))), found.error_log


def test_jing_finds_the_samples_valid(tmp_path: Path) -> None:
    assert all(jing(OVERLAY, [path.read_text() for path in SAMPLES], tmp_path))


WRONG = [
    f"<disk type='file'><driver rewrite_corrupted='on'/>{TARGET}</disk>",
    f"<disk type='file'><driver type='quorum'/>{TARGET}</disk>",
    f"<disk type='file' threshold='1'>{TARGET}</disk>",
    f"<disk type='file'><threshold value='1'/>{TARGET}</disk>",
    f"<disk type='file'>{MEMBER}{MEMBER}{TARGET}</disk>",
    f"<disk type='file'><backingStore nodename='a'><format type='raw'/></backingStore>{TARGET}"
    "</disk>",
    f"<disk type='quorum' threshold='1'>{TARGET}</disk>",
    f"<disk type='quorum'>{MEMBER}{TARGET}</disk>",
    f"<disk type='quorum' threshold='0'>{MEMBER}{TARGET}</disk>",
    f"<disk type='quorum' threshold='4294967297'>{MEMBER}{TARGET}</disk>",
    f"<disk type='quorum' threshold='1'><backingStore/>{TARGET}</disk>",
    f"<disk type='quorum' threshold='1'>{MEMBER}<source file='/a'/>{TARGET}</disk>",
    f"<disk type='quorum' threshold='1' device='lun'>{MEMBER}{TARGET}</disk>",
    f"<disk type='quorum' threshold='1'>{MEMBER}</disk>",
    f"<disk type='quorum' threshold='1'><driver blkverify='yes'/>{MEMBER}{TARGET}</disk>",
]


def test_a_wrong_quorum_is_refused_by_all_grammars(tmp_path: Path) -> None:
    refused = [False] * len(WRONG)
    assert jing(OVERLAY, [in_domain(disk) for disk in WRONG], tmp_path / "a") == refused
    assert jing(SCHEMAS / "quorum-disk.rng", WRONG, tmp_path / "b") == refused
    assert libxml2(compiled(grammar("disk")), WRONG) == refused
    assert all(problems(disk) for disk in WRONG)


def test_a_bare_disk_is_judged_as_in_a_domain(by_overlay: list[bool]) -> None:
    found = libxml2(compiled(grammar("disk")), disks())
    differing = [t for t, a, b in zip(disks(), found, by_overlay, strict=False) if a != b]
    assert differing == []


@pytest.mark.parametrize("name", ["domainsnapshot", "domaincheckpoint"])
def test_domains_in_snapshots_may_have_quorums(name: str) -> None:
    found = compiled(grammar(name))
    good = in_domain(QUORUM[0])
    wrong = good.replace("threshold='2'", "threshold='two'")
    # What libvirt lets stand in <inactiveDomain> is a domain with another name.
    texts = [f"<{name}>{one}</{name}>" for one in (in_domain(STOCK[0]), good, wrong)]
    assert libxml2(found, texts) == [True, True, False]
    if name == "domainsnapshot":
        for one, valid in ((good, True), (wrong, False)):
            inactive = one.replace("<domain", "<inactiveDomain").replace(
                "</domain", "</inactiveDomain"
            )
            text = f"<{name}>{in_domain(STOCK[0])}{inactive}</{name}>"
            assert libxml2(found, [text]) == [valid]


def test_snapshots_of_the_corpus_are_judged_as_libvirt_does(tmp_path: Path) -> None:
    paths = sorted((ROOT / "tests/corpus/snapshot").glob("*.xml"))
    paths += sorted((ROOT / "tests/corpus/inputs/snapshot").glob("*.xml"))
    texts = [path.read_text() for path in paths]
    theirs = jing(LIBVIRT / "domainsnapshot.rng", texts, tmp_path)
    assert any(theirs)
    assert libxml2(compiled(grammar("domainsnapshot")), texts) == theirs


def test_it_can_be_used_from_anywhere(tmp_path: Path) -> None:
    copy = tmp_path / "a b.rng"
    shutil.copy(OVERLAY, copy)
    assert jing(copy, [in_domain(QUORUM[0])], tmp_path / "c") == [True]


def test_what_qemu_takes_and_does_nothing_with_is_for_the_self_contained_grammars(
    tmp_path: Path,
) -> None:
    """QEMU opens a fifo with the other policies; a rule warns of it."""
    disk = (
        f"<disk type='quorum' threshold='1'><driver read_pattern='fifo' blkverify='on'/>{MEMBER}"
        f"{TARGET}</disk>"
    )
    assert jing(OVERLAY, [in_domain(disk)], tmp_path / "a") == [True]
    assert libxml2(compiled(grammar("disk")), [disk]) == [True]
    assert jing(SCHEMAS / "quorum-disk.rng", [disk], tmp_path / "b") == [False]
    assert problems(disk)
