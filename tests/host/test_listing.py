"""``list``, ``dumpxml``, ``diff`` and ``undefine`` on a real libvirt."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web
from tests.libvirts import asked, embed, missing_for_embed
from tests.libvirts.domains import disk_xml
from tests.programs import run
from virtquorum.schema_files import schema_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed

embedded = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

SCHEMA = json.loads((Path(schema_directory()) / "list.schema.json").read_text("utf-8"))
#: A quorum whose members have all that a table must show: a chain, a quorum, a server.
DEEP = """<disk type='quorum' threshold='2' device='disk'>
      <driver name='qemu' type='quorum' read_pattern='fifo'/>
      <backingStore type='quorum' threshold='1'>
        <format type='quorum' rewrite_corrupted='on'/>
        <backingStore type='file'><format type='raw'/><source file='/a'/></backingStore>
        <backingStore type='file'><format type='raw'/><source file='/b'/></backingStore>
      </backingStore>
      <backingStore type='file'><format type='qcow2'/><source file='/c'/>
        <backingStore type='file'><format type='raw'/><source file='/d'/>
          <backingStore/></backingStore>
      </backingStore>
      <backingStore type='network'><format type='raw'/><source protocol='nbd' name='far'>
        <host name='example.org' port='10809'/></source></backingStore>
      <target dev='vdb' bus='virtio'/>
    </disk>"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    """With a quorum domain, one that was changed by hand, and one without a quorum."""
    with embed() as one:
        images = members(one, "web")
        files = [
            web(one, "web", quorum_disk("vda", images), DEEP),
            web(one, "hand", quorum_disk("vda", members(one, "hand"))),
            web(one, "plain", disk_xml("vda", one.image("plain.raw"))),
        ]
        for file in files:
            done = virtquorum(one, "define", "--no-checks", file)
            assert done.code == 0, done.err
        xml = one.call(asked.xml, "hand", True)
        changed = xml.replace("hand-vda.placeholder'/>", "other'/>")
        one.call(asked.define, changed)
        yield one


@embedded
def test_the_table(bench: Embed) -> None:
    done = virtquorum(bench, "list", "--all")
    assert done.code == 0
    folder = bench.folder
    assert done.out == (
        f"Id  Name  State     Disk  Quorum  Members\n"
        f"-   hand  shut off  vda   2 of 3  [0] raw {folder}/hand-0.raw\n"
        f"                                  [1] raw {folder}/hand-1.raw\n"
        f"                                  [2] raw {folder}/hand-2.raw\n"
        f"-   web   shut off  vda   2 of 3  [0] raw {folder}/web-0.raw\n"
        f"                                  [1] raw {folder}/web-1.raw\n"
        f"                                  [2] raw {folder}/web-2.raw\n"
        f"                    vdb   2 of 3  [0] quorum 1 of 2\n"
        f"                                  [1] qcow2 /c\n"
        f"                                  [2] raw nbd://example.org:10809/far\n"
    )
    assert done.err == (
        "virtquorum: note: domain 'hand': the placeholder of the quorum disk 'vda' has another "
        "source\nvirtquorum: note: 1 domain has no quorum disk\n"
    )
    assert virtquorum(bench, "list").out == "Id  Name  State  Disk  Quorum  Members\n"
    assert virtquorum(bench, "list", "--inactive").out == done.out
    both = virtquorum(bench, "list", "--inactive", "--all")
    assert (both.code, "exclude each other" in both.err) == (2, True)


@embedded
def test_json_is_what_its_schema_says(bench: Embed) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    done = virtquorum(bench, "list", "--all", "--json")
    found = json.loads(done.out)
    Draft202012Validator(SCHEMA).validate(found)
    hand, own = found["domains"]
    assert (hand["name"], len(hand["troubles"])) == ("hand", 1)
    assert (own["name"], own["id"], own["state"], own["persistent"], own["troubles"]) == (
        "web", None, "shut off", True, [],
    )  # fmt: skip
    vda, vdb = own["disks"]
    assert (vda["target"], vda["bus"], vda["node"]) == ("vda", "virtio", "vq-vda")
    assert vda["placeholder"] == f"{bench.root}/virtquorum/web-vda.placeholder"
    assert vdb["image"]["read_pattern"] == "fifo"
    nested, chain, far = vdb["image"]["members"]
    assert (nested["threshold"], nested["rewrite_corrupted"]) == (1, True)
    assert chain["backing"]["backing"] == "end"
    assert far["where"] == "nbd://example.org:10809/far"


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"domains": [{"name": "x"}]}, {"more": 1}],
    ids=["version", "domain", "unknown"],
)
def test_the_schema_refuses_what_is_not_printed(change: dict[str, object]) -> None:
    whole = {"version": 1, "uri": "test:///default", "domains": [], **change}
    assert not Draft202012Validator(SCHEMA).is_valid(whole)


@embedded
def test_the_xml_of_a_domain(bench: Embed) -> None:
    lifted = virtquorum(bench, "dumpxml", "web").out
    assert lifted.count("<disk type='quorum'") == 2
    assert "urn:virtquorum" not in lifted
    formatted = run("format", "--check", "-", input=lifted.encode())
    assert formatted.code == 0
    lowered = virtquorum(bench, "dumpxml", "--lowered", "--inactive", "web").out
    assert lowered == bench.call(asked.xml, "web", True)
    assert virtquorum(bench, "lift", "-", input=lowered).out.split() == lifted.split()
    uuid = re.findall("<uuid>(.*)</uuid>", lifted)[0]
    assert virtquorum(bench, "dumpxml", "--migratable", uuid).code == 0
    assert virtquorum(bench, "dumpxml", "--security-info", "plain").code == 0
    missing = virtquorum(bench, "dumpxml", "wep")
    assert (missing.code, missing.err) == (
        3,
        "virtquorum: domain 'wep': libvirt says: Domain not found; did you mean 'web'?\n",
    )


@embedded
def test_the_xml_of_a_domain_that_was_changed_by_hand(bench: Embed) -> None:
    done = virtquorum(bench, "dumpxml", "hand")
    assert (done.code, done.out) == (1, "")
    assert "has another source" in done.err
    assert "--lowered prints it as it is, --force believes the record\n" in done.err
    forced = virtquorum(bench, "dumpxml", "--force", "hand")
    assert (forced.code, forced.out.count("hand-1.raw")) == (0, 1)
    assert "has another source; the record is believed" in forced.err
    both = virtquorum(bench, "dumpxml", "--force", "--lowered", "hand")
    assert both.code == 2


@embedded
def test_the_difference_to_a_file(bench: Embed) -> None:
    file = bench.folder / "same.xml"
    file.write_text(virtquorum(bench, "dumpxml", "web").out)
    same = virtquorum(bench, "diff", "web", file)
    assert (same.code, same.out, same.err) == (0, "", "")
    lowered = virtquorum(bench, "dumpxml", "--lowered", "web").out
    assert virtquorum(bench, "diff", "--live", "web", "-", input=lowered).code == 0
    # What libvirt fills in is a difference, but none of the disks.
    written = bench.folder / "web.xml"
    assert virtquorum(bench, "diff", "web", written).code == 1
    assert virtquorum(bench, "diff", "--disks-only", "web", written).code == 0
    file.write_text(written.read_text().replace("threshold='2'", "threshold='3'", 1))
    other = virtquorum(bench, "diff", "--disks-only", "web", file)
    assert other.code == 1
    assert "\n-<disk type='quorum' threshold='2' device='disk'>\n" in other.out
    assert "\n+<disk type='quorum' threshold='3' device='disk'>\n" in other.out
    bare = virtquorum(bench, "diff", "--max-depth", "99", "--max-size", "99999", "web", "-",
                      input=quorum_disk("vda", []))  # fmt: skip
    assert (bare.code, "a <domain> is compared with a <domain>" in bare.err) == (1, True)


def test_without_qemu() -> None:
    """On the test driver there are domains, and none with a quorum."""
    done = run("list", "--all", "--connect", "test:///default")
    assert (done.code, done.out) == (0, "Id  Name  State  Disk  Quorum  Members\n")
    assert done.err == "virtquorum: note: 1 domain has no quorum disk\n"
    dumped = run("dumpxml", "--inactive", "--connect", "test:///default", "test")
    assert dumped.code == 0
    same = run("diff", "--connect", "test:///default", "test", "-", input=dumped.out.encode())
    assert same.code == 0
    short = [
        run("dumpxml", "-c", "test:///default", "none"),
        run("diff", "-c", "test:///default", "none", "-", input=dumped.out.encode()),
        run("destroy", "-c", "test:///default", "none"),
        run("undefine", "-c", "test:///default", "none"),
        run("shutdown", "-c", "test:///default", "none"),
        run("start", "-c", "test:///default", "none"),
    ]
    assert [(one.code, "Domain not found" in one.err) for one in short] == [(3, True)] * 6
    assert run("list", "-c", "test:///default").code == 0


def test_what_a_driver_without_qemu_does() -> None:
    """Stock domains are started and ended there as well."""
    off = run("destroy", "--connect", "test:///default", "test")
    assert (off.code, off.out) == (0, "domain 'test' destroyed\n")
    # Each connection to the test driver's default has a domain of its own.
    again = run("start", "--connect", "test:///default", "test")
    assert (again.code, "is running already" in again.err) == (1, True)
    assert run("shutdown", "--connect", "test:///default", "test").code == 0
    gone = run("undefine", "--connect", "test:///default", "test")
    assert (gone.code, gone.out) == (0, "domain 'test' undefined\n")


@embedded
def test_a_definition_goes_with_its_placeholders(bench: Embed) -> None:
    images = members(bench, "gone")
    define = ("define", "--no-checks", web(bench, "gone", quorum_disk("vda", images)))
    placeholder = bench.root / "virtquorum" / "gone-vda.placeholder"
    assert virtquorum(bench, *define).code == 0
    shown = virtquorum(bench, "undefine", "--dry-run", "--nvram", "gone")
    assert shown.out == (
        "undefine 'gone'\n  1. undefine 'gone'\n     libvirt: undefine gone --nvram\n"
        f"  2. remove the placeholder '{placeholder}'\n"
    )
    assert placeholder.exists()
    done = virtquorum(bench, "undefine", "--managed-save", "--snapshots-metadata",
                      "--checkpoints-metadata", "--keep-nvram", "gone")  # fmt: skip
    assert (done.code, done.out, done.err) == (0, "domain 'gone' undefined\n", "")
    assert not placeholder.exists()
    assert all(one.exists() for one in images)
    both = virtquorum(bench, "undefine", "--nvram", "--keep-nvram", "web")
    assert (both.code, "exclude each other" in both.err) == (2, True)


@embedded
def test_a_running_domain_goes_when_it_ends(bench: Embed) -> None:
    file = web(bench, "gone", quorum_disk("vda", members(bench, "gone")))
    placeholder = bench.root / "virtquorum" / "gone-vda.placeholder"
    assert virtquorum(bench, "define", file).code == 0
    assert virtquorum(bench, "start", "--paused", "gone").code == 0
    done = virtquorum(bench, "undefine", "gone")
    assert done.err == (
        "virtquorum: note: domain 'gone' runs on; its placeholders stay until it ends\n"
    )
    assert placeholder.exists()
    again = virtquorum(bench, "undefine", "gone")
    assert (again.code, "has no definition to take away" in again.err) == (1, True)
    assert virtquorum(bench, "destroy", "gone").code == 0
    assert not placeholder.exists()


@embedded
def test_what_was_written_into_a_placeholder_stays(bench: Embed) -> None:
    """Somebody's data is never removed, whatever the name of the file."""
    file = web(bench, "gone", quorum_disk("vda", members(bench, "gone")))
    placeholder = bench.root / "virtquorum" / "gone-vda.placeholder"
    assert virtquorum(bench, "define", file).code == 0
    with placeholder.open("r+b") as opened:
        opened.seek(1 << 20)
        opened.write(b"data")
    done = virtquorum(bench, "undefine", "gone")
    assert (done.code, done.err) == (
        0, f"virtquorum: note: '{placeholder}' is no placeholder, or somebody has written to it, "
        "and stays\n",
    )  # fmt: skip
    assert placeholder.exists()
