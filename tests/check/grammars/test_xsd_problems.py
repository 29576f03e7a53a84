"""What the XSD says against a disk: the place, the words, what is expected."""

from __future__ import annotations

import re
import time

import pytest

from tests.check.grammars.disk_texts import MEMBER, QUORUM, SCHEMAS, STOCK, TARGET
from tests.check.grammars.verdicts import problems
from virtquorum.check.xsd import ASSERTIONS, xsd_problems
from virtquorum.xml.document import Document, Limits

TWO = MEMBER + MEMBER
BLK = "blkverify='on'"

#: A disk, and for each problem its path, attribute, whether it is about text, message, expected.
CASES = [
    (
        f"<disk type='quorum' threshold='3'>{TWO}{TARGET}</disk>",
        ("disk", "threshold", False, "the threshold is larger than the number of members",
         "at most the number of <backingStore> members"),
    ),
    (
        f"<disk type='quorum'><threshold value='3'/>{TWO}{TARGET}</disk>",
        ("disk.threshold", "value", False, "the threshold is larger than the number of members",
         "at most the number of <backingStore> members"),
    ),
    (
        f"<disk type='quorum'>{TWO}{TARGET}</disk>",
        ("disk", None, False, "the quorum has no threshold",
         "threshold='N', the number of members that must agree"),
    ),
    (
        f"<disk type='quorum' threshold='4294967297'>{TWO}{TARGET}</disk>",
        ("disk", "threshold", False, "value '4294967297' of attribute 'threshold' is invalid",
         "a whole number from 1 to 2147483647"),
    ),
    (
        f"<disk type='quorum' threshold='two'>{TWO}{TARGET}</disk>",
        ("disk", "threshold", False, "value 'two' of attribute 'threshold' is invalid",
         "a whole number from 1 to 2147483647"),
    ),
    (
        f"<disk type='quorum' threshold='1'>{TARGET}</disk>",
        ("disk", None, False, "the quorum has no members", "<backingStore> members"),
    ),
    (
        f"<disk type='quorum' threshold='1'>{MEMBER}<backingStore/>{TARGET}</disk>",
        ("disk.backingStore[1]", None, False, "a member of the quorum is empty",
         "a member with <format> and <source>"),
    ),
    (
        f"<disk type='quorum' threshold='1'><source file='/a'/>{TWO}{TARGET}</disk>",
        ("disk.source", None, False, "a quorum has no <source>: its data are in its members",
         "<backingStore> members"),
    ),
    (
        f"<disk type='quorum' threshold='2'><driver {BLK}/>{TWO}{MEMBER}{TARGET}</disk>",
        ("disk.driver", "blkverify", False,
         "blkverify='on' takes exactly two members and threshold='2'",
         "two members and threshold='2', or blkverify='off'"),
    ),
    (
        f"<disk type='quorum' threshold='2'><driver {BLK} rewrite_corrupted='on'/>{TWO}{TARGET}"
        "</disk>",
        ("disk.driver", "rewrite_corrupted", False,
         "rewrite_corrupted='on' cannot be used with blkverify='on'", "one of the two"),
    ),
    (
        f"<disk type='quorum' threshold='1'>{MEMBER}<backingStore type='quorum' threshold='1'>"
        f"<format type='quorum' read_pattern='fifo' rewrite_corrupted='on'/>{TWO}</backingStore>"
        f"{TARGET}</disk>",
        ("disk.backingStore[1].format", "rewrite_corrupted", False,
         "rewrite_corrupted='on' cannot be used with read_pattern='fifo', which votes on nothing",
         "no rewrite_corrupted, or no read_pattern"),
    ),
    (
        f"<disk type='quorum' threshold='2'><driver rewrite_corrupted='on' {BLK}/>{TWO}{TARGET}"
        "</disk>",
        ("disk.driver", "blkverify", False,
         "rewrite_corrupted='on' cannot be used with blkverify='on'", "one of the two"),
    ),
    (
        f"<disk type='quorum' threshold='2'><driver {BLK} read_pattern='fifo'/>{TWO}{TARGET}"
        "</disk>",
        ("disk.driver", "blkverify", False,
         "blkverify='on' cannot be used with read_pattern='fifo', which compares nothing",
         "no blkverify, or no read_pattern"),
    ),
    (
        f"<disk type='file'><driver rewrite_corrupted='on' cache='nonee'/>{TARGET}</disk>",
        ("disk.driver", "cache", False, "value 'nonee' of attribute 'cache' is invalid",
         "'default', 'none', 'writethrough', 'writeback', 'directsync', 'unsafe'"),
        ("disk.driver", "rewrite_corrupted", False,
         "attribute 'rewrite_corrupted' is not allowed here", None),
    ),
    (
        f"<disk type='file'><backingStore nodename='a'><format type='raw'/></backingStore>{TARGET}"
        "</disk>",
        ("disk.backingStore[0]", "nodename", False, "only a member of a quorum can have a nodename",
         None),
    ),
    (
        f"<disk type='file'><backingStore type='file'/>{TARGET}</disk>",
        ("disk.backingStore[0]", None, False, "the backing store has no <format>",
         "<format type='…'/>"),
    ),
    (
        f"<disk type='qourum' threshold='2'>{TWO}{TARGET}</disk>",
        ("disk", "type", False, "value 'qourum' of attribute 'type' is invalid",
         "'file', 'block', 'dir', 'volume', 'nvme', 'vhostuser', 'vhostvdpa', 'ctl', 'network',"
         " 'quorum'"),
    ),
    (
        f"<disk device='lun' sgio='filtered'>{TARGET}</disk>",
        ("disk", "device", False,
         "a disk with device='lun' must be of type 'block', 'volume' or 'network'",
         "'block', 'volume' or 'network'"),
    ),
    (
        f"<disk sgio='filtered'>{TARGET}</disk>",
        ("disk", "sgio", False, "'rawio' and 'sgio' are for device='lun' only", None),
    ),
    (
        "<disk><source file='/a'/></disk>",
        ("disk", None, False, "<target> is missing in <disk>", "<target>"),
    ),
    (
        "<disk><target bus='virtio'/></disk>",
        ("disk.target", None, False, "<target> has no attribute 'dev'",
         "dev='…'"),
    ),
    (
        f"<disk>{TARGET}<source file='a'/></disk>",
        ("disk.source", "file", False, "value 'a' of attribute 'file' is invalid",
         "an absolute path, or VMware's '[datastore] path'"),
    ),
    (
        f"<disk type='network'><source protocol='nbd'/>{TARGET}</disk>",
        ("disk.source", None, False, "<host> is missing in <source>", "<host>"),
    ),
    (
        f"<disk>{TARGET}{TARGET}<foo><bar/></foo>text</disk>",
        ("disk", None, True, "text is not allowed in <disk>", None),
        ("disk.target[1]", None, False, "a second <target> is not allowed in <disk>", None),
        ("disk.foo", None, False, "<foo> is not allowed in <disk>", None),
    ),
    (
        f"<disk>{TARGET}<serial>%</serial><readonly>x</readonly><shareable><a/></shareable></disk>",
        ("disk.serial", None, True, "value '%' of <serial> is invalid",
         "letters, digits, spaces, '_', '.', '+' and '-'"),
        ("disk.readonly", None, True, "text is not allowed in <readonly>", None),
        ("disk.shareable.a", None, False, "<a> is not allowed in <shareable>", None),
    ),
    (
        f"<disk>{TARGET}<iotune><total_bytes_sec>x</total_bytes_sec>"
        "<read_bytes_sec>1</read_bytes_sec></iotune></disk>",
        ("disk.iotune", None, False,
         "<total_bytes_sec> excludes <read_bytes_sec> and <write_bytes_sec>",
         "the total, or reads and writes apart"),
        ("disk.iotune.total_bytes_sec", None, True, "value 'x' of <total_bytes_sec> is invalid",
         "a whole number from 0"),
    ),
    (
        f"<disk xmlns:f='urn:f' f:x='1'><f:y/><target xmlns='urn:t' dev='vda'/>{TARGET}</disk>",
        ("disk", "f:x", False, "attribute 'f:x' is not allowed here", None),
        ("disk.f:y", None, False, "<f:y> of namespace 'urn:f' is not allowed here", "<target>"),
        ("disk.target[0]", None, False, "<target> of namespace 'urn:t' is not allowed here", None),
    ),
    (
        f"<disk xml:lang='en'>{TARGET}</disk>",
        ("disk", "xml:lang", False, "attribute 'xml:lang' is not allowed here", None),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[1][3])[:40])
def test_place_and_words(case: tuple[object, ...]) -> None:
    text, *expected = case
    found = [
        (one.element.path, one.attribute, one.text, one.message, one.expected)
        for one in problems(str(text))
    ]
    assert found == expected


def test_valid_disks_have_none() -> None:
    assert [text for text in (*STOCK, *QUORUM) if problems(text)] == []


def test_problems_are_in_the_order_of_the_document() -> None:
    text = f"<d>{''.join(case[0] for case in CASES)}</d>"  # type: ignore[misc]
    root = Document.from_text(text, "d.xml").root
    found = xsd_problems(root.elements("disk"))
    assert len(found) == sum(len(case) - 1 for case in CASES)
    starts = [one.element.start for one in found]
    assert starts == sorted(starts)


def test_every_assertion_has_its_words() -> None:
    text = (SCHEMAS / "quorum-disk.xsd").read_text()
    ids = re.findall(r'<xs:assert id="([\w-]+)"', text)
    assert len(ids) == text.count("<xs:assert ")
    found = {one.removesuffix("-below").removesuffix("-in-mirror") for one in ids}
    assert found == set(ASSERTIONS)


#: A disk for each assertion that CASES has none for.
BREAKING = {
    "throttled-twice": "<disk>T<iotune/><throttlefilters/></disk>",
    "fdgroup-of-nothing": "<disk>T<source fdgroup='a'/></disk>",
    "ssh-login-twice": "<disk type='network'>T<source protocol='ssh' name='n'><host name='h'/>"
    "<auth username='u'><secret type='ceph' usage='u'/></auth>"
    "<identity username='u' keyfile='/f'/></source></disk>",
    "ssh-key": "<disk type='network'>T<source protocol='ssh' name='n'><host name='h'/>"
    "<identity username='u'/></source></disk>",
    "host-socket": "<disk type='network'>T<source protocol='nbd'><host transport='unix'/></source>"
    "</disk>",
    "host-name": "<disk type='network'>T<source protocol='nbd'><host port='1'/></source></disk>",
    "secret-name": "<disk>T<auth username='u'><secret type='ceph'/></auth></disk>",
    "encryption-secret-name": "<disk>T<encryption format='luks'><secret type='passphrase'/>"
    "</encryption></disk>",
    "cipher-alone": "<disk>T<encryption format='luks'><ivgen name='i'/></encryption></disk>",
    "cipher-mode": "<disk>T<encryption format='luks'><secret type='passphrase' usage='u'/>"
    "<cipher name='c' size='1' mode='m'/><ivgen name='i'/></encryption></disk>",
    "seclabel-choice": "<disk>T<source><seclabel/></source></disk>",
    "zpci-of-pci": "<disk>T<address type='drive'><zpci/></address></disk>",
    "ccw-whole": "<disk>T<address type='ccw' ssid='0'/></disk>",
    "mirror-job": "<disk>T<mirror/></disk>",
    "mirror-file": "<disk>T<mirror file='/m' job='active-commit'/></disk>",
    "mirror-format": "<disk>T<mirror job='copy' format='raw'/></disk>",
    **{
        f"total-{one}": f"<disk>T<iotune><total_{name}>1</total_{name}>"
        f"<write_{name}>1</write_{name}></iotune></disk>"
        for one in ("iops-sec", "bytes-sec-max", "iops-sec-max", "bytes-sec-max-length",
                    "iops-sec-max-length")
        if (name := one.replace("-", "_"))
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ASSERTIONS))
def test_every_assertion_is_broken_once(name: str) -> None:
    message = ASSERTIONS[name][1]
    if name in BREAKING:
        assert [one.message for one in problems(BREAKING[name].replace("T", TARGET, 1))] == [
            message
        ]
    else:
        assert any(one[3] == message for case in CASES for one in case[1:])


def deep(levels: int, innermost: str) -> str:
    chain = "<backingStore><format type='raw'/>" * levels
    return f"<disk>{TARGET}{chain}{innermost}{'</backingStore>' * levels}</disk>"


def of(text: str) -> list[tuple[int, str]]:
    root = Document.from_text(text, "d.xml", Limits(depth=10**6)).root
    return [(one.element.path.count("backingStore"), one.message) for one in xsd_problems([root])]


@pytest.mark.parametrize("levels", [1, 11, 12, 13, 14, 24, 25, 26, 27, 60, 600])
def test_a_chain_may_be_of_any_depth(levels: int) -> None:
    image = "<backingStore{}><format type='raw'/>{}</backingStore>"
    member = image.format(" nodename='a'", "")
    quorum = f"<backingStore type='quorum' threshold='{{}}' nodename='q'>{member}</backingStore>"
    assert of(deep(levels, "")) == []
    assert of(deep(levels, "<backingStore/>")) == []
    assert of(deep(levels, quorum.format(1))) == []
    assert of(deep(levels, "<foo/>")) == [(levels, "<foo> is not allowed in <backingStore>")]
    too_high = "the threshold is larger than the number of members"
    assert of(deep(levels, quorum.format(2))) == [(levels + 1, too_high)]
    no_member = "only a member of a quorum can have a nodename"
    assert of(deep(levels, image.format(" nodename='a'", image.format("", ""))))[0] == (
        levels + 1,
        no_member,
    )
    second = "a second <backingStore> is not allowed in <backingStore>"
    two = image.format("", "") + image.format("", "")
    assert of(deep(levels, two)) == [(levels + 1, second)]


def test_quorums_may_be_nested_to_any_depth() -> None:
    levels = 100
    store = "<backingStore type='quorum' threshold='1' nodename='n'>"
    text = store * levels + MEMBER + "</backingStore>" * levels
    assert of(f"<disk type='quorum' threshold='1'>{TARGET}{text}</disk>") == []
    text = text.replace(MEMBER, "<backingStore/>")
    found = of(f"<disk type='quorum' threshold='1'>{TARGET}{text}</disk>")
    assert found == [(levels + 1, "a member of the quorum is empty")]


def test_other_nesting_may_be_of_any_depth() -> None:
    deep_one = "<x>" * 3000 + "</x>" * 3000
    assert of(f"<disk>{TARGET}{deep_one}</disk>") == [(0, "<x> is not allowed in <disk>")]
    store = "<dataStore><format type='raw'/><source>"
    text = store * 60 + "<dataStore/>" + "</source></dataStore>" * 60
    found = of(f"<disk>{TARGET}<source>{text}</source></disk>")
    assert found == [(0, "<format> is missing in <dataStore>")]


def test_time_grows_with_the_document() -> None:
    def seconds(levels: int) -> float:
        text = deep(levels, "")
        start = time.process_time()
        of(text)
        return time.process_time() - start

    seconds(10)
    # Eight times the levels; what is quadratic would take 64 times as long.
    assert seconds(1600) < 30 * max(seconds(200), 0.01)


def test_a_long_value_is_cut() -> None:
    (one,) = problems(f"<disk device='{'x' * 5000}'>{TARGET}</disk>")
    assert len(one.message) < 120
