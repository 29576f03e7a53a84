"""From a document to findings: places, what is said once, and the call from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import virtquorum
from virtquorum.check.engine import MOST, Checker
from virtquorum.check.finding import Finding, Severity
from virtquorum.check.grammar import find_libvirt_schemas
from virtquorum.check.libxml2 import Verdicts
from virtquorum.check.options import Item, Options
from virtquorum.check.workers import check_items
from virtquorum.errors import UsageError
from virtquorum.xml.domain import Domain

ROOT = Path(__file__).parents[2]
GOOD = (ROOT / "samples" / "three-qcow2.xml").read_text()
OPTIONS = Options(libvirt_schemas=find_libvirt_schemas())
CHECKER = Checker(OPTIONS)


def shown(text: str, finding: Finding) -> str:
    """The text of a finding's place."""
    lines = text.splitlines()
    if finding.line == finding.end_line:
        return lines[finding.line - 1][finding.column - 1 : finding.end_column - 1]
    return lines[finding.line - 1][finding.column - 1 :]


@pytest.mark.parametrize(
    ("old", "new", "rules", "place"),
    [
        ("threshold='2'", "threshold='7'", ["VQ105"], "threshold='7'"),
        ("threshold='2'", "threshold='0'", ["VQ103"], "threshold='0'"),
        ("threshold='2' ", "", ["VQ101"], "<disk type='quorum' device='disk'>"),
        ("<memory", "<memroy", ["VQ010"], "<memroy unit='KiB'>"),
        ("<devices>", "<devices><xyzzy/>", ["VQ010"], "<xyzzy/>"),
        ("<vcpu>2", "<vcpu>zwei", ["VQ010"], "zwei"),
        ("</devices>", "<!-- é 東京 --><bogus a='b'/></devices>", ["VQ010"], "<bogus a='b'/>"),
        ("dev='vdb'", "dev='vda'", ["VQ303"], "dev='vda'"),
        ("<target dev='vda' bus='virtio'/>", "", ["VQ302"], None),
        # Of something misspelled the grammar says what was meant, and no rule that it is missing.
        ("<target dev='vda'", "<target dv='vda'", ["VQ010"], "dv='vda'"),
        ("<target dev='vda' bus", "<traget dev='vda' bus", ["VQ010"], None),
        ("<source file", "<sorce file", ["VQ010"], None),
        ("<source file", "<source dev", ["VQ010"], None),
        ("<format type", "<formt type", ["VQ010"], None),
        ("<format type", "<driver type", ["VQ010"], None),
        ("<backingStore type", "<backingStore typ", ["VQ010"], "typ='file'"),
        ("<disk type='quorum'", "<disk type='quorm'", ["VQ010"], "type='quorm'"),
        ("<disk type='quorum'", "<disk type='file'", ["VQ112"], "threshold='2'"),
        ("<devices>", "<cpus>2</cpus><devices>", ["VQ010"], "<cpus>"),
        ("<devices>", "<source file='/x'/><devices>", ["VQ010"], "<source file='/x'/>"),
        ("<domain ", "<domain xmlns='urn:x' ", ["VQ010"], "xmlns='urn:x'"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_once_and_in_its_place(
    old: str, new: str, rules: list[str], place: str | None
) -> None:
    assert old in GOOD or old == "<vcpu>2"
    text = GOOD.replace(old, new, 1)
    if old == "<memory":
        text = text.replace("</memory", "</memroy", 1)
    if old == "<vcpu>2":
        text = GOOD[: GOOD.index("<vcpu")] + "<vcpu>zwei</vcpu>" + GOOD[GOOD.index("</vcpu>") + 7 :]
    found = virtquorum.validate(text)
    assert [one.rule for one in found] == rules, found
    if place is not None:
        assert shown(text, found[0]) == place


def test_lines_and_columns_do_not_depend_on_line_ends_or_encoding() -> None:
    text = GOOD.replace("threshold='2'", "threshold='7'").replace(
        "<devices>", "<devices><!-- é -->"
    )
    (one,) = virtquorum.validate(text)
    for raw in (
        text.encode("utf-16"),
        text.replace("\n", "\r\n").encode(),
        text.replace("\n", "\r").encode("utf-8-sig"),
        b"<?xml version='1.0' encoding='latin-1'?>" + text.encode("latin-1"),
    ):
        (other,) = virtquorum.validate(raw)
        assert (other.line, other.end_column) == (one.line, one.end_column)
        assert other.excerpt is not None
        assert "threshold='7'" in other.excerpt.text


def test_the_call_takes_text_bytes_and_domains() -> None:
    text = GOOD.replace("threshold='2'", "threshold='7'")
    for document in (text, text.encode(), Domain.from_text(text, "d.xml")):
        (found,) = virtquorum.validate(document)
        assert (found.rule, found.severity) == ("VQ105", Severity.ERROR)
        assert found.path == "devices.disk[0]"
    assert virtquorum.validate(text, name="x.xml")[0].file == "x.xml"
    assert virtquorum.validate(text, ignore=("VQ105",)) == []
    assert virtquorum.validate(text, select=("VQ2",)) == []
    assert virtquorum.validate(GOOD) == []
    with pytest.raises(UsageError):
        virtquorum.validate(text, select=("VQ9",))


@pytest.mark.parametrize(
    ("document", "rule"),
    [("", "VQ002"), (b"\0", "VQ002"), ("<a>", "VQ002"), ("<a/>", "VQ004"), ("\ud800", "VQ002")],
)
def test_what_cannot_be_read_is_a_finding(document: str | bytes, rule: str) -> None:
    (found,) = virtquorum.validate(document)
    assert (found.rule, found.severity) == (rule, Severity.ERROR)


def test_the_call_starts_no_process_and_imports_no_lxml() -> None:
    code = (
        "import sys, os, virtquorum\n"
        "os.fork = None\n"
        f"assert virtquorum.validate({GOOD!r}) == []\n"
        "heavy = {'lxml', 'xmlschema', 'typer', 'subprocess', 'threading'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_more_findings_than_anybody_reads_are_cut_and_that_is_said() -> None:
    text = "<domain type='kvm'><devices>" + "<disk/>" * 5000 + "</devices></domain>"
    found = virtquorum.validate(text)
    assert MOST < len(found) <= MOST + 1
    (cut,) = (one for one in found if one.rule == "VQ022")
    assert cut.severity is Severity.ERROR
    assert cut.column == max(one.column for one in found)
    assert "2,000" in cut.message
    assert len(virtquorum.validate(text, select=("VQ3",))) == MOST + 1


def test_a_threshold_on_the_driver_is_misplaced_and_not_missing() -> None:
    text = GOOD.replace(" threshold='2'", "").replace(
        "type='quorum'/>", "type='quorum' threshold='2'/>", 1
    )
    assert [one.rule for one in virtquorum.validate(text)] == ["VQ112"]


def test_a_domains_interface_is_not_taken_for_a_hosts() -> None:
    text = "<interface type='network'><source network='default'/></interface>"
    assert [one.rule for one in virtquorum.validate(text)] == ["VQ004"]
    host = "<interface type='ethernet' name='eth0'/>"
    assert virtquorum.validate(host) == []


def test_a_path_is_not_a_text() -> None:
    with pytest.raises(TypeError, match="read_bytes"):
        virtquorum.validate(ROOT)  # type: ignore[arg-type]


def test_a_rule_in_the_place_of_the_grammar_says_it_alone() -> None:
    """A threshold of zero is wrong by the grammar, too."""
    text = GOOD.replace("threshold='2'", "threshold='0'")
    (found,) = virtquorum.validate(text)
    assert found.rule == "VQ103"
    (found,) = virtquorum.validate(text, ignore=("VQ103",))
    assert found.rule == "VQ010"


_CORPUS = [
    path.read_bytes()
    for path in [*(ROOT / "tests/corpus").rglob("*.xml"), *(ROOT / "samples").glob("*.xml")]
]


_MUTATIONS = st.tuples(
    st.sampled_from([raw for raw in _CORPUS if len(raw) < 6000]),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([b"x", b"'", b">", b"<!--", b"-->", b"<a/>", b" a='b'", b"\xff", b"7", b""]),
    st.integers(0, 30),
)


@settings(deadline=None, max_examples=300)
@given(_MUTATIONS)
def test_any_bytes_give_findings(mutation: tuple[bytes, float, bytes, int]) -> None:
    raw, where, inserted, removed = mutation
    at = int(where * len(raw))
    raw = raw[:at] + inserted + raw[at + removed :]
    found = CHECKER.check_bytes(raw, "x")
    assert found.findings == sorted(found.findings)
    for one in found.findings:
        assert (1, 1) <= (one.line, one.column) <= (one.end_line, one.end_column)


def test_a_warning_or_a_note_does_not_take_the_place_of_an_error() -> None:
    """A document that the grammar refuses never passes for a rule's milder words."""
    stray = GOOD.replace(
        "<source file='/srv/local/ledger-db/swap.raw'/>",
        "<source protocol='nbd' name='a'><host name='h'>text</host></source>",
    ).replace("<disk type='file'", "<disk type='network'")
    assert {one.rule for one in virtquorum.validate(stray)} == {"VQ010", "VQ401"}
    legacy = (ROOT / "samples" / "legacy-threshold.xml").read_text()
    legacy = legacy.replace("<threshold value='2'/>", "<threshold value='2'>two</threshold>")
    assert {one.rule for one in virtquorum.validate(legacy)} == {"VQ010", "VQ110"}


def test_stray_text_is_found_where_it_stands() -> None:
    text = GOOD.replace("</disk>", "<!-- a < b -->stray <!-- x --></disk>", 1)
    text = text.replace("</domain>", "  oops\n</domain>")
    places = [shown(text, one) for one in virtquorum.validate(text)]
    assert places == ["stray", "oops"]


@pytest.mark.parametrize("processes", [1, 2])
def test_many_files_are_judged_as_one_is(processes: int) -> None:
    """libxml2 refuses white space around this number, which the specification allows."""
    text = GOOD.replace("bus='virtio'/>", "bus='virtio' rotation_rate=' 7200 '/>", 1)
    items = [Item(str(number), text.encode()) for number in range(100)]
    for one in check_items(items, OPTIONS, processes=processes):
        assert one.findings == []
    verdicts = Verdicts(items[:1], OPTIONS)
    (one,) = check_items(items[:1], OPTIONS, verdicts=verdicts)
    verdicts.close()
    assert one.findings == []
