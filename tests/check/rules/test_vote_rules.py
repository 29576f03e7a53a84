"""The rules about thresholds, members and policies: their bounds, their places, and QEMU's word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.applied_rules import codes_found, fixed, found, underlined
from tests.programs import Qemu, qemu, refusal
from virtquorum.check.finding import Severity
from virtquorum.check.rules import RULES, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

VOTES = [code for code in RULES if code.startswith("VQ1")]
MEMBER = "<backingStore type='file'{}><format type='raw'/><source file='/m/{}'/></backingStore>"


def members(number: int) -> str:
    return "".join(MEMBER.format("", one) for one in range(number))


def disk(
    threshold: object = 2, number: int = 3, policy: str = "", *, more: str = "", device: str = ""
) -> str:
    """A quorum; ``threshold`` None writes none."""
    written = "" if threshold is None else f" threshold='{threshold}'"
    return (
        f"<disk type='quorum'{written}{device}><driver name='qemu' type='quorum'{policy}/>"
        f"{members(number)}{more}<target dev='vda'/></disk>"
    )


FIFO = " read_pattern='fifo'"
REWRITE = " rewrite_corrupted='on'"
COMPARE = " blkverify='on'"
FAR = "9" * 30


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (disk(), []),
        (disk(3, 3), []),
        (disk(3, 5), []),
        (disk(2, 3, REWRITE), []),
        # Numbers and what is none.
        (disk("two"), ["VQ102"]),
        (disk(""), ["VQ102"]),
        (disk(" 2"), ["VQ102"]),
        (disk("+2"), ["VQ102"]),
        (disk("2.0"), ["VQ102"]),
        (disk("0x2"), ["VQ102"]),
        (disk("2K"), ["VQ102"]),
        (disk("\uff12"), ["VQ102"]),
        (disk("02"), []),
        (disk("0" * 30 + "2"), ["VQ102"]),
        (disk("0" * 30 + "1"), ["VQ102"]),
        (disk("0" * 30 + "2147483647"), ["VQ102"]),
        (disk("0" * 30 + "2147483648"), ["VQ104"]),
        (disk("--1"), ["VQ102"]),
        (disk(0), ["VQ103"]),
        (disk("-0"), ["VQ103"]),
        (disk(-1), ["VQ103"]),
        (disk(f"-{FAR}"), ["VQ103"]),
        (disk("-" + "0" * 30), ["VQ103"]),
        (disk(4), ["VQ105"]),
        (disk(2**31 - 1), ["VQ105"]),
        (disk(2**31), ["VQ104"]),
        (disk(2**32 + 1), ["VQ104"]),
        (disk(FAR), ["VQ104"]),
        (disk("1" + "0" * 6000), ["VQ104"]),
        (disk(None), ["VQ101"]),
        (disk(None, 1), ["VQ101", "VQ109"]),
        # Half and less.
        (disk(2, 4), ["VQ106"]),
        (disk(3, 4), []),
        (disk(2, 5), ["VQ106"]),
        (disk(3, 6), ["VQ106"]),
        (disk(4, 6), []),
        (disk(4, 7), []),
        (disk(1, 3), ["VQ107"]),
        (disk(1, 2), ["VQ107"]),
        (disk(1, 9), ["VQ107"]),
        # Few members.
        (disk(2, 2), ["VQ108"]),
        (disk(2, 2, " read_pattern='quorum'"), ["VQ108"]),
        (disk(3, 2), ["VQ105"]),
        (disk(1, 1), ["VQ109"]),
        (disk(2, 1), ["VQ105"]),
        (disk(0, 1), ["VQ109", "VQ103"]),
        (disk(1, 0), []),  # the grammar's
        (disk(2, 0), []),
        # An empty member is a matter of its own, and is no vote.
        (disk(2, 1, more="<backingStore/>"), []),
        (disk(1, 0, more="<backingStore/>"), []),
        # No vote, with fifo.
        (disk(1, 2, FIFO), []),
        (disk(2, 4, FIFO), []),
        (disk(2, 2, FIFO), []),
        (disk(1, 1, FIFO), ["VQ109"]),
        (disk(4, 3, FIFO), ["VQ105"]),
        (disk(2, 3, FIFO + REWRITE), ["VQ114"]),
        (disk(2, 3, FIFO + COMPARE), ["VQ114"]),
        (disk(2, 2, FIFO + REWRITE + COMPARE), ["VQ114", "VQ114"]),
        (disk(2, 2, FIFO + " rewrite_corrupted='off' blkverify='off'"), []),
        (disk(2, 3, FIFO + REWRITE, more="<readonly/>"), ["VQ114"]),
        # A comparison.
        (disk(2, 2, COMPARE), []),
        (disk(2, 2, " blkverify='off'"), ["VQ108"]),
        (disk(1, 2, COMPARE), ["VQ115"]),
        (disk(2, 3, COMPARE), ["VQ115"]),
        (disk(2, 4, COMPARE), ["VQ115"]),
        (disk(1, 1, COMPARE), ["VQ115"]),
        (disk(2, 1, COMPARE), ["VQ105"]),
        (disk("two", 2, COMPARE), ["VQ102"]),
        (disk(None, 2, COMPARE), ["VQ101"]),
        (disk(3, 2, COMPARE), ["VQ105"]),
        (disk(2, 2, COMPARE + REWRITE), ["VQ116"]),
        (disk(2, 2, COMPARE + REWRITE, more="<readonly/>"), ["VQ116"]),
        (disk(2, 2, COMPARE + " rewrite_corrupted='yes'"), []),
        # Written to, or not.
        (disk(2, 3, REWRITE, more="<readonly/>"), ["VQ117"]),
        (disk(2, 3, REWRITE, device=" device='cdrom'"), ["VQ117"]),
        (disk(2, 3, REWRITE, device=" device='floppy'"), []),
        (disk(2, 3, " rewrite_corrupted='off'", more="<readonly/>"), []),
        # Two thresholds.
        (disk(2, more="<threshold value='3'/>"), ["VQ111"]),
        (disk(2, more="<threshold value='two'/>"), ["VQ111"]),
        (disk(2, more="<threshold value='02'/>"), ["VQ110"]),
        (disk("two", more="<threshold value='2'/>"), ["VQ102"]),
        (disk(4, more="<threshold value='4'/>"), ["VQ105", "VQ110"]),
        (disk(None, more="<threshold value='2'/>"), ["VQ110"]),
        (disk(None, more="<threshold value='0'/>"), ["VQ110", "VQ103"]),
        (disk(None, more="<threshold/>"), ["VQ101"]),
    ],
)  # fmt: skip
def test_each_cause_is_reported_once(text: str, codes: list[str]) -> None:
    assert codes_found(text, VOTES) == codes


class Case(NamedTuple):
    """A disk and its one finding: what it points at, what it says, what it expects."""

    disk: str
    at: str
    message: str
    expected: str
    severity: Severity = Severity.ERROR


CASES = {
    "VQ102": Case(
        disk("two"),
        "threshold='two'",
        "the threshold 'two' is not an integer",
        "an integer from 1 to 3, the number of members",
    ),
    "VQ102 of no members": Case(
        disk("two", 0),
        "threshold='two'",
        "the threshold 'two' is not an integer",
        "an integer from 1 to the number of members",
    ),
    "VQ103": Case(
        disk(-2),
        "threshold='-2'",
        "the threshold '-2' is below 1",
        "an integer from 1 to 3, the number of members",
    ),
    "VQ104": Case(
        disk(2**32 + 1),
        "threshold='4294967297'",
        "the threshold '4294967297' is above 2147483647: QEMU cuts it off to 1",
        "an integer from 1 to 3, the number of members",
    ),
    "VQ104 that would be negative": Case(
        disk(2**31),
        "threshold='2147483648'",
        "the threshold '2147483648' is above 2147483647",
        "an integer from 1 to 3, the number of members",
    ),
    "VQ104 that is no 64-bit integer": Case(
        disk(2**63 + 1),
        "threshold='9223372036854775809'",
        "the threshold '9223372036854775809' is above 2147483647",
        "an integer from 1 to 3, the number of members",
    ),
    "VQ104 that all bits remain of": Case(
        disk(2**32 + 2**31 - 1),
        "threshold='6442450943'",
        "the threshold '6442450943' is above 2147483647: QEMU cuts it off to 2147483647",
        "an integer from 1 to 3, the number of members",
    ),
    "VQ105": Case(
        disk(2, 1),
        "threshold='2'",
        "the threshold is 2, but there is 1 member",
        "a threshold of at most 1, or more members",
    ),
    "VQ106": Case(
        disk(2, 5),
        "threshold='2'",
        "2 of 5 members are no majority: in a tie the later ones win",
        "a threshold of at least 3",
        Severity.WARNING,
    ),
    "VQ106 that does not overwrite": Case(
        disk(2, 4, " rewrite_corrupted='off'"),
        "threshold='2'",
        "2 of 4 members are no majority: in a tie the later ones win",
        "a threshold of at least 3",
        Severity.WARNING,
    ),
    "VQ106 that overwrites": Case(
        disk(2, 4, REWRITE),
        "threshold='2'",
        "2 of 4 members are no majority: in a tie the later ones win, and overwrite the others",
        "a threshold of at least 3",
        Severity.WARNING,
    ),
    "VQ107": Case(
        disk(1, 2),
        "threshold='1'",
        "a threshold of 1: where all 2 members differ, the last one wins",
        "threshold='2', or read_pattern='fifo' if no vote is meant",
        Severity.WARNING,
    ),
    "VQ107 that does not overwrite": Case(
        disk(1, 2, " rewrite_corrupted='off'"),
        "threshold='1'",
        "a threshold of 1: where all 2 members differ, the last one wins",
        "threshold='2', or read_pattern='fifo' if no vote is meant",
        Severity.WARNING,
    ),
    "VQ107 that overwrites": Case(
        disk(1, 5, REWRITE),
        "threshold='1'",
        "a threshold of 1: where all 5 members differ, the last one wins and overwrites the others",
        "threshold='3', or read_pattern='fifo' if no vote is meant",
        Severity.WARNING,
    ),
    "VQ108": Case(
        disk(2, 2, REWRITE),
        "<disk type='quorum' threshold='2'>",
        "two members cannot outvote each other: where they differ, reads fail, "
        "and rewrite_corrupted repairs nothing",
        "a third member, or read_pattern='fifo' or blkverify='on' if no vote is meant",
        Severity.WARNING,
    ),
    "VQ110": Case(
        disk(None, more="<threshold value='two'/>").replace("two", "5000000000"),
        "<threshold value='5000000000'/>",
        "the threshold is an element, as in the proposal of 2014",
        "threshold='N' on the <disk>, and no <threshold>",
        Severity.WARNING,
    ),
    "VQ111": Case(
        disk(2, more="<threshold value='3'/>"),
        "value='3'",
        "the threshold is '2' by the attribute and '3' by the element",
        "one threshold, written as the attribute",
    ),
    "VQ114": Case(
        disk(2, 3, FIFO + COMPARE),
        "blkverify='on'",
        "blkverify does nothing with read_pattern='fifo', which votes on nothing",
        "no blkverify, or no read_pattern",
        Severity.WARNING,
    ),
    "VQ115": Case(
        disk(1, 2, COMPARE),
        "blkverify='on'",
        "blkverify compares two members, and both must agree, but the threshold is 1",
        "two members and threshold='2', or no blkverify",
    ),
    "VQ115 of one": Case(
        disk(1, 1, COMPARE),
        "blkverify='on'",
        "blkverify compares two members, and both must agree, but there is 1 member",
        "two members and threshold='2', or no blkverify",
    ),
    "VQ116": Case(
        disk(2, 2, COMPARE + REWRITE),
        "rewrite_corrupted='on'",
        "rewrite_corrupted cannot go with blkverify, which stops at a difference",
        "one of the two",
    ),
    "VQ116 the other way round": Case(
        disk(2, 2, REWRITE + COMPARE),
        "blkverify='on'",
        "rewrite_corrupted cannot go with blkverify, which stops at a difference",
        "one of the two",
    ),
    "VQ117": Case(
        disk(2, 3, REWRITE, device=" device='cdrom'"),
        "rewrite_corrupted='on'",
        "rewrite_corrupted on a quorum that is never written to: the disk is a CD-ROM",
        "no rewrite_corrupted, or a quorum that is written to",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_finding_says_where_what_and_what_was_expected(name: str) -> None:
    case = CASES[name]
    (one,) = (one for one in found(case.disk, VOTES) if one.rule == name[:5])
    assert underlined(case.disk, one) == case.at
    assert (one.message, one.expected, one.severity) == case[2:]


def nested(inner: str, format: str, *, threshold: str = " threshold='2'") -> str:
    """A quorum whose second member is a quorum of three."""
    return (
        f"<backingStore type='quorum'{threshold}><format type='quorum'{format}/>"
        f"{inner}</backingStore>"
    )


def test_a_quorum_below_is_judged_by_its_own_elements() -> None:
    text = disk(2, 2, more=nested(members(3), FIFO + REWRITE, threshold=" threshold='4'"))
    one, two = found(text, VOTES)
    assert (one.rule, underlined(text, one)) == ("VQ105", "threshold='4'")
    assert one.path == two.path.rpartition(".")[0] == "disk.backingStore[2]"
    assert (two.rule, underlined(text, two)) == ("VQ114", "rewrite_corrupted='on'")
    assert two.path == "disk.backingStore[2].format"


def overlay(below: str, more: str = "") -> str:
    return (
        "<disk type='file'><driver name='qemu' type='qcow2'/><source file='/o'/>"
        f"{below}<target dev='vda'/>{more}</disk>"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (overlay(nested(members(3), REWRITE)), "it is a backing image"),
        (
            overlay(nested(members(2) + nested(members(3), REWRITE), "")),
            "it is below a backing image",
        ),
        (
            disk(2, 2, more=nested(members(3), REWRITE) + "<readonly/>"),
            "the disk is <readonly/>",
        ),
        (disk(2, 2, more=nested(members(3), REWRITE)), None),
        # A format above the quorum is the image itself, and is written to.
        (disk(2, 3, REWRITE).replace("type='quorum' rewrite", "type='qcow2' rewrite"), None),
    ],
)
def test_a_quorum_is_read_only_where_its_disk_is_or_as_a_backing_image(
    text: str, why: str | None
) -> None:
    messages = [one.message for one in found(text, ["VQ117"])]
    expected = f"rewrite_corrupted on a quorum that is never written to: {why}"
    assert messages == ([expected] if why else [])


# Fixes


def test_the_element_of_2014_becomes_the_attribute() -> None:
    text = (
        '<disk type="quorum"\n      device="disk">\r\n  <driver type="quorum"/>\r\n'
        "  \t<threshold value='02'/> \r\n" + members(3) + "<target dev='vda'/></disk>"
    )
    (one,) = found(text, VOTES)
    assert one.fix is not None
    assert one.fix.description == "write the threshold as an attribute"
    new = fixed(text, [one])
    assert new == text.replace('"quorum"\n', '"quorum" threshold="2"\n').replace(
        "  \t<threshold value='02'/> \r\n", ""
    )
    assert codes_found(new, VOTES) == []


def test_the_element_of_2014_goes_where_it_repeats_the_attribute() -> None:
    text = disk(2, more="<!-- a --> <threshold value='2'></threshold> <!-- b -->")
    new = fixed(text, found(text, VOTES))
    assert new == disk(2, more="<!-- a -->  <!-- b -->")
    for before, behind in (("\n  ", "<!-- b -->\n"), ("<!-- a -->", "\n")):
        text = disk(2, more=f"{before}<threshold value='2'/>{behind}")
        assert fixed(text, found(text, VOTES)) == disk(2, more=before + behind)
    below = disk(2, 2, more=nested("<threshold value='2'/>" + members(3), "", threshold=""))
    assert fixed(below, found(below, VOTES)) == disk(2, 2, more=nested(members(3), ""))


def test_the_bounds_of_what_becomes_an_attribute() -> None:
    for value in (1, 2**31 - 1):
        (one, *_) = found(disk(None, more=f"<threshold value='{value}'/>"), ["VQ110"])
        assert one.fix is not None
        assert one.expected == f"threshold='{value}' on the <disk>, and no <threshold>"


@pytest.mark.parametrize(
    "element",
    [
        "<threshold value='0'/>",
        "<threshold value='two'/>",
        "<threshold value='2147483648'/>",
        "<threshold value='2' unit='members'/>",
        "<threshold value='2'><!-- why --></threshold>",
        "<threshold value='2'>2</threshold>",
    ],
)
def test_what_would_be_lost_or_stay_wrong_is_left_alone(element: str) -> None:
    (one,) = (one for one in found(disk(None, more=element), VOTES) if one.rule == "VQ110")
    assert one.fix is None


def test_policies_without_effect_are_taken_out_together() -> None:
    text = disk(2, 2, FIFO + "\n   rewrite_corrupted='on'" + '\tblkverify = "on" cache="none"')
    findings = found(text, VOTES)
    assert [one.fix and one.fix.description for one in findings] == [
        "remove rewrite_corrupted, which has no effect",
        "remove blkverify, which has no effect",
    ]
    assert fixed(text, findings) == disk(2, 2, FIFO + ' cache="none"')


# Misplaced and misspelled


STOCK = (
    "<disk type='file'{}><driver name='qemu' type='raw'{}/><source file='/a'{}/>"
    "<target dev='vda'/>{}</disk>"
)


def stock(disk: str = "", driver: str = "", source: str = "", more: str = "") -> str:
    return STOCK.format(disk, driver, source, more)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (stock(" threshold='2'"), ["threshold='2'"]),
        (stock("", REWRITE), ["rewrite_corrupted='on'"]),
        (stock("", "", FIFO), ["read_pattern='fifo'"]),
        (stock(" nodename='a'"), ["nodename='a'"]),
        (stock(more="<threshold value='2'/>"), ["<threshold value='2'/>"]),
        (stock().replace("type='raw'", "type='quorum'"), ["type='quorum'"]),
        (
            stock("", COMPARE).replace("type='raw'", "type='quorum'"),
            ["type='quorum'", "blkverify='on'"],
        ),
        (stock().replace("name='qemu' type='raw'", "threshold='2'"), ["threshold='2'"]),
        (overlay(MEMBER.format(" threshold='2'", "b")), ["threshold='2'"]),
        (overlay(MEMBER.format("", "b").replace("'raw'", "'quorum'")), ["type='quorum'"]),
        (overlay(MEMBER.format("", "b").replace("'raw'", f"'raw'{COMPARE}")), ["blkverify='on'"]),
        (disk(2, 3, " threshold='2'"), ["threshold='2'"]),
        (disk(2, 3, device=REWRITE), ["rewrite_corrupted='on'"]),
        (disk(2, 3, " nodename='a'"), ["nodename='a'"]),
        (disk(2, 2, more=MEMBER.format(" threshold='2'", "c")), ["threshold='2'"]),
        (
            disk(2, 2, more=MEMBER.format("", "c").replace("'raw'", f"'raw'{FIFO}")),
            ["read_pattern='fifo'"],
        ),
        (disk(2, 2, more=MEMBER.format("", "c' nodename='c")), ["nodename='c'"]),
        (disk(2, 2, more=MEMBER.format(" nodename='c'", "c")), []),
        (overlay(MEMBER.format(" nodename='b'", "b")), []),  # read, for the rule about it
        (stock(" note='threshold'", "", "", "<!-- threshold='2' -->"), []),
    ],
)
def test_a_misplaced_attribute_is_pointed_at(text: str, at: list[str]) -> None:
    findings = found(text, VOTES)
    assert [one.rule for one in findings] == ["VQ112"] * len(at)
    assert [underlined(text, one) for one in findings] == at


def test_what_is_said_of_a_misplaced_attribute() -> None:
    (one,) = found(stock(" threshold='2'"), VOTES)
    assert one.message == "'threshold' on <disk> has no effect there"
    assert one.expected == "threshold='…' on the <disk> or <backingStore> with type='quorum'"
    (one,) = found(stock().replace("type='raw'", "type='quorum'"), VOTES)
    assert one.message == "<driver> has type='quorum', but the <disk> is of type 'file'"
    assert one.expected == "type='quorum' and a threshold on the <disk>, or another format"
    (one,) = found(stock(more="<threshold value='2'/>"), VOTES)
    assert one.message == "the <threshold> is in a <disk> that is no quorum"


@pytest.mark.parametrize(
    ("text", "at", "fix"),
    [
        (disk(2, 3, " rewrite-corrupted='on'"), "rewrite-corrupted='on'", "rewrite_corrupted='on'"),
        (disk(2, 3, " readPattern='fifo'"), "readPattern='fifo'", "read_pattern='fifo'"),
        (disk(2, 3, " READ-PATTERN='fifo'"), "READ-PATTERN='fifo'", "read_pattern='fifo'"),
        (
            disk(2, 3, ' rewrite_corupted = "on"'),
            'rewrite_corupted = "on"',
            'rewrite_corrupted = "on"',
        ),
        (disk(2, 2, " blk-verify='on'"), "blk-verify='on'", "blkverify='on'"),
        (disk(None, 3, device=" vote-threshold='2'"), "vote-threshold='2'", "threshold='2'"),
        (disk(None, 3, device=" treshold='2'"), "treshold='2'", "threshold='2'"),
        (disk(2, 2, more=MEMBER.format(" node-name='c'", "c")), "node-name='c'", "nodename='c'"),
        (
            disk(2, 2, more=nested(members(3), " read-pattern='fifo'")),
            "read-pattern='fifo'",
            "read_pattern='fifo'",
        ),
        (
            disk(2, 3).replace(" name='qemu' type='quorum'", " rewrite-corrupted='on'"),
            "rewrite-corrupted='on'",
            "rewrite_corrupted='on'",
        ),
        # On the wrong element as well, or for a word that is there already, or twice.
        (disk(2, 3, " vote-threshold='2'"), "vote-threshold='2'", None),
        (disk(2, 3, device=" vote-threshold='2'"), "vote-threshold='2'", None),
        (disk(2, 3, device=" read-pattern='fifo'"), "read-pattern='fifo'", None),
        (disk(2, 3, REWRITE + " rewrite-corrupted='off'"), "rewrite-corrupted='off'", None),
        (disk(2, 3, device=" node-name='a'"), "node-name='a'", None),
        (stock("", " rewrite-corrupted='on'"), "rewrite-corrupted='on'", None),
        (stock(" vote-threshold='2'"), "vote-threshold='2'", None),
    ],
)
def test_a_misspelled_attribute_is_renamed_where_it_is_in_its_place(
    text: str, at: str, fix: str | None
) -> None:
    (one,) = (one for one in found(text, VOTES) if one.rule == "VQ113")
    assert underlined(text, one) == at
    assert (one.fix is None) == (fix is None)
    if fix is not None:
        new = fixed(text, [one])
        assert new == text.replace(at, fix)
        assert not {"VQ101", "VQ112", "VQ113"} & set(codes_found(new, VOTES))


@pytest.mark.parametrize(
    "text",
    [
        stock("", " rewrite_corupted='on'"),  # only near, and in no quorum
        disk(2, 3, " x:threshold='2'", device=" xmlns:x='urn:x'"),
        disk(2, 3, " held='2' pattern='fifo' node='a' corrupted='on' verify='on'"),
    ],
)
def test_a_name_that_may_be_anything_is_let_pass(text: str) -> None:
    assert found(text, VOTES) == []


def test_two_misspellings_of_one_word_are_both_reported_and_left_alone() -> None:
    text = disk(2, 3, " read-pattern='fifo' readPattern='quorum'")
    assert [(one.rule, one.fix) for one in found(text, VOTES)] == [("VQ113", None)] * 2


def test_a_misspelled_attribute_on_a_stock_disk_says_where_it_belongs() -> None:
    (one,) = found(stock("", " rewrite-corrupted='on'"), VOTES)
    assert one.message == "'rewrite-corrupted' on <driver> is not understood"
    assert one.expected == "rewrite_corrupted='…' on the <driver> or <format> of a quorum"


# QEMU


def quorum(threshold: object = 2, number: int = 3, **more: Any) -> list[str]:
    """A quorum of empty members as an argument of QEMU."""
    children = [{"driver": "null-co", "read-zeroes": True} for _ in range(number)]
    return _blockdev({"vote-threshold": threshold, "children": children, **more})


def _blockdev(options: dict[str, Any]) -> list[str]:
    return ["-blockdev", json.dumps({"driver": "quorum", "node-name": "q", **options})]


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("VQ102", quorum("two")),
        ("VQ102", quorum(2.0)),
        ("VQ103", quorum(0)),
        ("VQ104", quorum(2**64)),
        ("VQ105", quorum(4)),
        ("VQ115", quorum(2, 3, blkverify=True)),
        ("VQ115", quorum(1, 2, blkverify=True)),
        ("VQ116", quorum(2, 2, **{"blkverify": True, "rewrite-corrupted": True})),
        ("VQ117", quorum(2, 3, **{"read-only": True, "rewrite-corrupted": True})),
    ],
)
def test_qemu_refuses_in_the_words_that_the_page_quotes(
    code: str, arguments: list[str], tmp_path: Path
) -> None:
    said = refusal(arguments, tmp_path).rstrip().rpartition("}: ")[2]
    assert f'"{said}"' in " ".join(rule(code).documentation.split())


def test_qemu_takes_what_is_warned_of(tmp_path: Path) -> None:
    nodes = [
        quorum(2**32 + 1),
        quorum(1, 1),
        quorum(2, 3, **{"read-pattern": "fifo", "blkverify": True, "rewrite-corrupted": True}),
        quorum(2, 3, **{"read-pattern": "fifo", "rewrite-corrupted": True, "read-only": True}),
    ]
    arguments = [
        part.replace('"q"', f'"q{number}"') for number, node in enumerate(nodes) for part in node
    ]
    with qemu(arguments, tmp_path) as running:
        assert {"q0", "q1", "q2", "q3"} <= running.nodes().keys()


class Votes:
    """Quorums over images that are one byte over and over, in one QEMU."""

    def __init__(self, running: Qemu, folder: Path) -> None:
        self.running = running
        self.folder = folder
        self.number = 0

    def __call__(self, held: str, threshold: int, **more: Any) -> tuple[str, str]:
        """What is read of members that hold these letters, and what they hold then."""
        self.number += 1
        paths = [self.folder / f"{self.number}.{one}" for one in range(len(held))]
        for path, letter in zip(paths, held, strict=True):
            path.write_bytes(letter.encode() * 4096)
        name = f"v{self.number}"
        children = [
            {"driver": "raw", "file": {"driver": "file", "filename": str(path)}} for path in paths
        ]
        self.running.command(
            "blockdev-add",
            **{"driver": "quorum", "node-name": name, "vote-threshold": threshold,
               "children": children, **more},
        )  # fmt: skip
        said = self.running.io(name, "read -v 0 512")
        now = "".join(path.read_bytes()[:1].decode() for path in paths)
        return (chr(int(said.split()[1], 16)) if said.startswith("0000") else said.strip()), now


@pytest.fixture(scope="module")
def votes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Votes]:
    folder = tmp_path_factory.mktemp("votes")
    with qemu([], folder) as running:
        yield Votes(running, folder)


REPAIR = {"rewrite-corrupted": True}
FAILED = "read failed: Input/output error"


def test_in_a_tie_the_later_members_win_and_overwrite(votes: Votes) -> None:
    assert votes("aabb", 2) == ("b", "aabb")
    assert votes("aabb", 2, **REPAIR) == ("b", "bbbb")
    assert votes("aabbc", 2, **REPAIR) == ("b", "bbbbb")
    assert votes("aabb", 3, **REPAIR) == (FAILED, "aabb")
    assert votes("aaab", 3, **REPAIR) == ("a", "aaaa")


def test_with_a_threshold_of_one_the_last_member_wins_and_overwrites(votes: Votes) -> None:
    assert votes("abc", 1) == ("c", "abc")
    assert votes("abc", 1, **REPAIR) == ("c", "ccc")
    assert votes("abc", 1, **{"read-pattern": "fifo"}) == ("a", "abc")


def test_two_that_differ_are_not_read_and_not_repaired(votes: Votes) -> None:
    assert votes("ab", 2, **REPAIR) == (FAILED, "ab")
    assert votes("aab", 2, **REPAIR) == ("a", "aaa")


def test_fifo_looks_at_neither_policy(votes: Votes) -> None:
    both = {"read-pattern": "fifo", "blkverify": True, **REPAIR}
    assert votes("abb", 2, **both) == ("a", "abb")


@pytest.mark.parametrize("lost", [0, 1])
def test_two_fail_when_either_does(lost: int, tmp_path: Path) -> None:
    children: list[dict[str, Any]] = [{"driver": "null-co", "read-zeroes": True} for _ in range(2)]
    children[lost] = {
        "driver": "blkdebug",
        "image": children[lost],
        "inject-error": [{"event": "none"}],
    }
    options = {"vote-threshold": 2, "children": children}
    with qemu(_blockdev(options), tmp_path) as running:
        assert "Input/output error" in running.io("q", "read 0 512")
        assert "Input/output error" in running.io("q", "write 0 512")
