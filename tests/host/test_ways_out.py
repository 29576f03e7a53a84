"""What is said of a change that cannot be made so: with what it can, and when it cannot at all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.host import patching
from tests.host.converting import BOTH, Stock
from tests.host.patching import Web
from tests.host.quorum_domains import DATA_TEXT, quorum_disk, virtquorum
from tests.libvirts import CallError, Guest, asked, missing_for_embed
from tests.libvirts.domains import disk_content, guest_xml
from tests.programs import qemu_img

if TYPE_CHECKING:
    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


def test_a_disk_that_is_in_one_of_the_two_only(bench: Embed) -> None:
    web = Web(bench, "web", "scsi")
    more = quorum_disk("sdb", [web.image(f"more-{one}") for one in range(3)], bus="scsi", boot=None)
    web.patch("attach", more, **BOTH)
    web.patch("detach", "sdb", live=True)
    done = virtquorum(bench, "patch", "web", "detach", "sdb", "--live", "--config")
    assert done.code == 1
    assert done.err == (
        "virtquorum: in the running domain: domain 'web' has no disk 'sdb'; its quorum disks are: "
        "'sda'; '--config' alone takes it from its definition\n"
    )
    done = virtquorum(bench, "patch", "web", "set", "sdb", "--threshold", "3", "--live", "--config")
    assert done.err.endswith("; '--config' alone changes its definition\n")
    assert virtquorum(bench, "patch", "web", "detach", "sdb", "--config").code == 0
    web.patch("attach", more, live=True)
    done = virtquorum(bench, "patch", "web", "detach", "sdb", "--live", "--config")
    assert done.err == (
        "virtquorum: in its definition: domain 'web' has no disk 'sdb'; its quorum disks are: "
        "'sda'; '--live' alone takes it from the running domain\n"
    )
    assert virtquorum(bench, "patch", "web", "detach", "sdb", "--live").code == 0
    done = virtquorum(bench, "patch", "web", "detach", "sdb", "--live", "--config")
    assert done.err.endswith("its quorum disks are: 'sda'\n")  # neither has it


def test_a_disk_that_is_a_quorum_in_one_of_the_two_only(bench: Embed) -> None:
    stock = Stock(bench, "web")
    new = [stock.new("1"), stock.new("2")]
    stock.convert(*new, live=True)
    back = ("convert", "web", "vda", "--back", "--live", "--config")
    done = virtquorum(bench, *back)
    assert done.code == 1
    assert done.err.startswith("virtquorum: in its definition: domain 'web': the disk 'vda' is no ")
    assert done.err.endswith("; '--live' alone converts the running domain\n")
    there = ("convert", "web", "vda", "--members", new[0]["file"], "--format", "raw")
    done = virtquorum(bench, *there, "--live", "--config")
    assert done.code == 1
    assert done.err.startswith("virtquorum: in the running domain: domain 'web': the disk 'vda' is")
    assert done.err.endswith("; shut it down, and '--config' converts its definition\n")
    done = virtquorum(bench, *back[:-1])
    assert done.code == 0, done.err
    assert stock.state() == stock.settled(str(stock.path), str(stock.path))


def test_what_is_there_is_not_made(bench: Embed) -> None:
    """The placeholder, in the plan and at the time of the change."""
    web = Web(bench, "web")
    xml = virtquorum(bench, "dumpxml", "--inactive", "web").out
    wider = xml.replace("threshold='2'", "threshold='3'")
    path = bench.root / "virtquorum" / "web-vda.placeholder"
    shown = virtquorum(bench, "define", "--dry-run", "--yes", "-", input=wider)
    assert f"  1. keep the placeholder '{path}'\n" in shown.out
    bench.call(asked.destroy, web.name)
    path.unlink()
    shown = virtquorum(bench, "define", "--dry-run", "--yes", "-", input=wider)
    assert f"  1. make the placeholder '{path}' of {patching.SIZE} bytes\n" in shown.out
    done = virtquorum(bench, "define", "--yes", "-", input=wider)
    assert done.code == 0, done.err
    with path.open("r+b") as file:
        file.truncate(patching.SIZE // 2)
    shown = virtquorum(bench, "define", "--dry-run", "--yes", "-", input=wider)
    assert f"keep the placeholder '{path}', and give it {patching.SIZE} bytes\n" in shown.out


def test_no_checks_is_offered_where_it_helps(bench: Embed) -> None:
    web = Web(bench, "web")
    small, gone = web.image("small", size=1 << 20), bench.folder / "gone"
    add = ("patch", "web", "member", "add", "vda", "--format", "raw", "--yes", "--file")
    done = virtquorum(bench, *add, small)
    assert done.code == 1
    assert done.err.endswith("virtquorum: nothing was changed; --no-checks goes on all the same\n")
    done = virtquorum(bench, *add, gone)
    assert done.code == 1
    assert done.err.endswith("virtquorum: nothing was changed\n")
    bench.call(asked.destroy, web.name)
    web.images[1].unlink()
    done = virtquorum(bench, "start", "web")
    assert done.code == 1
    assert done.err.endswith("virtquorum: domain 'web' was not started\n")


def test_an_image_below_a_member(bench: Embed) -> None:
    """The guest itself has it locked; nobody is to be ended."""
    bases = [bench.image(f"base-{one}", content=disk_content(DATA_TEXT)) for one in range(3)]
    members = [bench.folder / f"above-{one}" for one in range(3)]
    for base, member in zip(bases, members, strict=True):
        qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, member)
        bench.give(member)
    disk = quorum_disk("vda", members).replace("<format type='raw'/>", "<format type='qcow2'/>")
    bench.call(patching.run, guest_xml(bench, "web", disk))
    Guest(bench, "web").booted()
    add = ("patch", "web", "member", "add", "vda", "--format", "raw", "--yes", "--file")
    done = virtquorum(bench, *add, bases[0])
    assert done.code == 1
    assert f"image '{bases[0]}': is locked by this guest itself: it is an image below" in done.err
    assert "fuser" not in done.err


def test_no_place_for_a_controller(bench: Embed) -> None:
    images = [bench.image(f"web-{one}", content=disk_content(DATA_TEXT)) for one in range(3)]
    bench.call(patching.run, guest_xml(bench, "web", quorum_disk("vda", images)))
    Guest(bench, "web").booted()
    said = _full(bench)
    assert "No more available PCI slots; give the definition a free <controller type='pci'" in said
    new = [bench.image(f"scsi-{one}") for one in range(3)]
    disk = quorum_disk("sda", new, bus="scsi", boot=None)
    with pytest.raises(CallError) as caught:
        bench.call(patching.ran, "web", "attach", [disk], {"live": True})
    said = caught.value.text
    assert "No more available PCI slots; it is for a SCSI controller, which libvirt would" in said


def _full(bench: Embed) -> str:
    """Plug disks in until there is no place for one more; what is said of that."""
    for letter in "bcdef":
        new = [bench.image(f"new-{letter}{one}") for one in range(3)]
        disk = quorum_disk(f"vd{letter}", new, boot=None)
        try:
            bench.call(patching.ran, "web", "attach", [disk], {"live": True})
        except CallError as error:
            return error.text
    return "there is place for five"


def test_another_process_has_the_driver(bench: Embed) -> None:
    assert bench.call(asked.know_qemu) is None  # the worker has it
    done = subprocess.run(
        [sys.executable, "-m", "virtquorum", "list", "--connect", bench.uri],
        capture_output=True, text=True, timeout=60, check=False, env=dict(bench.environment()),
    )  # fmt: skip
    assert done.returncode == 3
    assert "driver.pid" in done.stderr
    assert done.stderr.endswith(
        "; another process has this embedded driver open; end that, or wait for it\n"
    )


def test_the_order_is_said(bench: Embed) -> None:
    web = Web(bench, "web")
    one, two, three = web.images
    done = virtquorum(
        bench, "patch", "web", "member", "reorder", "vda", "2", "--live", "--config", "--dry-run"
    )
    title = f"reorder the members of 'vda' in 'web': '{three}', '{one}', '{two}'"
    assert done.out.splitlines()[0] == title
    done = virtquorum(bench, "patch", "web", "member", "reorder", "vda", "2", "--live", "--config")
    assert done.out == f"{title}: done, in the running domain and in its definition\n"


def test_what_is_lowered_and_defined_by_virsh_gets_its_placeholder_by_the_doctor(
    bench: Embed,
) -> None:
    """As the note of 'lower' and docs/lowering.md say."""
    images = [bench.image(f"web-{one}", content=disk_content(DATA_TEXT)) for one in range(3)]
    file = bench.folder / "web.xml"
    file.write_text(guest_xml(bench, "web", quorum_disk("vda", images)))
    done = virtquorum(bench, "lower", "--connect", bench.uri, file)
    path = bench.root / "virtquorum" / "web-vda.placeholder"
    assert f"a start needs the placeholder '{path}'" in done.err
    assert "'virtquorum doctor web' makes it once the domain is defined" in done.err
    file.write_text(done.out)
    bench.virsh("define", file)
    done = virtquorum(bench, "doctor", "web")
    assert done.code == 0, done.out + done.err
    assert path.stat().st_size == patching.SIZE
    assert virtquorum(bench, "start", "web").code == 0
