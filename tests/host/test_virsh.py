"""What virtquorum has defined is a domain like any other to virsh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.guests import DATA
from tests.host.quorum_domains import DATA_TEXT, members, quorum_disk, virtquorum, web
from tests.libvirts import Guest, embed, missing_for_embed
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


def disks_of(text: str) -> str:
    """A domain's disks, without the addresses that libvirt fills in."""
    return "".join(
        line
        for line in Domain.from_text(text).format(disks_only=True).decode().splitlines(True)
        if "<address" not in line
    )


def test_virsh_reads_runs_and_hands_on(tmp_path: Path) -> None:
    """Defined here, dumped by virsh, defined by virsh on another libvirt, and started there."""
    with embed() as here, embed() as there:
        images = members(here, "web")
        images[2].write_bytes(b"\xff" * images[2].stat().st_size)
        done = virtquorum(here, "define", web(here, "web", quorum_disk("vda", images)))
        assert done.code == 0, done.err
        lifted = virtquorum(here, "dumpxml", "web").out
        assert here.virsh("list", "--all", "--name").split() == ["web"]
        assert "web-vda.placeholder" in here.virsh("domblklist", "web")
        dumped = tmp_path / "dumped.xml"
        dumped.write_text(here.virsh("dumpxml", "--inactive", "--security-info", "web"))
        validated = here.run("virt-xml-validate", dumped, "domain")
        assert validated.returncode == 0, validated.stderr
        here.virsh("start", "web")
        guest = Guest(here, "web")
        guest.booted()
        assert guest.read(DATA).first == DATA_TEXT[:16]
        assert "vda" in here.virsh("domblkstat", "web", "vda")
        here.destroy_guests()  # virsh may say that it has ended already: it finds it in a thread

        there.virsh("define", dumped)
        assert disks_of(virtquorum(there, "dumpxml", "web").out) == disks_of(lifted)
        started = virtquorum(there, "start", "--paused", "web")
        assert (started.code, started.err) == (0, "")
        assert there.looked_up("web")["drives"] == {"ua-vq-vda": "vq-vda"}
        there.destroy_guests()
