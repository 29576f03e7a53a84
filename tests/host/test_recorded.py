"""A record that somebody has edited: nothing starts or shows a quorum that does not run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web
from tests.libvirts import asked, missing_for_embed

if TYPE_CHECKING:
    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

DIGEST = re.compile("""(<lowered [^>]*) disk=['"][0-9a-f]{16}['"]""")


@pytest.fixture
def bench(bench: Embed) -> Embed:
    """With a quorum domain."""
    done = virtquorum(bench, "define", "--no-checks", web(bench, "web"))
    assert done.code == 0, done.err
    return bench


def edited(bench: Embed, old: str, new: str, *, digest: bool = True) -> str:
    """Edit the definition's record as with 'virsh edit'; the XML that there is then."""
    xml = bench.call(asked.xml, "web", True)
    start, stop = xml.index("<virtquorum"), xml.index("</virtquorum>")
    record = xml[start:stop]
    assert re.search(old, record)
    record = re.sub(old, new, record)
    if not digest:
        record, count = DIGEST.subn(r"\1", record)
        assert count
    bench.call(asked.define, xml[:start] + record + xml[stop:])
    return str(bench.call(asked.xml, "web", True))


THRESHOLD = ("""threshold=["']2["']""", "threshold='3'")


@pytest.mark.parametrize(
    ("old", "new"), [THRESHOLD, ("""(file=["'][^"']*web-1)\\.raw""", r"\1-other.raw")]
)
def test_an_edit_that_reads_well_is_noticed(old: str, new: str, bench: Embed) -> None:
    edited(bench, old, new)
    words = "the quorum disk 'vda' in the record was changed by hand"
    for argv in (("start", "web"), ("dumpxml", "web"), ("edit", "web"), ("doctor", "web")):
        done = virtquorum(bench, *argv)
        assert (done.code, words in done.out + done.err, "VQ601" in done.out + done.err) == (
            1, True, True,
        ), argv  # fmt: skip
    listed = virtquorum(bench, "list", "--all")
    assert (listed.code, words in listed.err) == (0, True)
    assert bench.call(asked.state, "web") == "shut off"


def test_the_way_out_carries_it_over(bench: Embed) -> None:
    edited(bench, *THRESHOLD)
    lifted = virtquorum(bench, "dumpxml", "--inactive", "--force", "web")
    assert lifted.code == 0
    assert "'vda' in the record was changed by hand" in lifted.err
    file = bench.folder / "lifted.xml"
    file.write_text(lifted.out)
    done = virtquorum(bench, "define", "--yes", "--no-checks", file)
    assert done.code == 0, done.err
    started = virtquorum(bench, "start", "--paused", "web")
    assert (started.code, started.err) == (0, "")
    assert '"vote-threshold":3' in bench.call(asked.xml, "web", True).replace("&quot;", '"')


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (*THRESHOLD, "vote-threshold of the node 'vq-vda' is 2, not 3"),
        ("""(file=["'][^"']*web-1)\\.raw""", r"\1-other.raw", "there is no node 'vq-vda-"),
        ("(<driver [^>]*)/>", r"\1 rewrite_corrupted='on'/>", "rewrite-corrupted of the node"),
    ],
)
def test_what_qemu_has_is_held_against_what_a_record_says(
    old: str, new: str, said: str, bench: Embed
) -> None:
    """One without a digest, which is believed so far."""
    edited(bench, old, new, digest=False)
    done = virtquorum(bench, "start", "--no-checks", "web")
    assert (done.code, done.out) == (1, "")
    assert "QEMU has the disk 'vda' otherwise than it is recorded: " in done.err
    assert said in done.err
    assert bench.call(asked.state, "web") == "shut off"


def test_members_in_another_order_are_another_quorum(bench: Embed) -> None:
    """With read_pattern='fifo' it is the order in which they are asked."""
    first, second = "web-0.raw", "web-1.raw"
    edited(
        bench,
        f"(?s){first}(.*?){second}",
        rf"{second}\1{first}",
        digest=False,
    )
    xml = bench.call(asked.xml, "web", True)
    assert xml.index(second) > 0
    done = virtquorum(bench, "start", "--no-checks", "web")
    assert done.code == 1
    assert "is not the children.0 of 'vq-vda'" in done.err


def test_a_record_that_cannot_be_read_keeps_no_list_back(bench: Embed) -> None:
    more = web(bench, "more", quorum_disk("vda", members(bench, "more")))
    assert virtquorum(bench, "define", "--no-checks", more).code == 0
    edited(bench, """type=["']quorum["'] threshold""", "type='file' threshold")
    listed = virtquorum(bench, "list", "--all")
    assert listed.code == 0, listed.err
    assert "more-0.raw" in listed.out
    assert "domain 'web': the record's <lowered> is not as virtquorum writes it" in listed.err
