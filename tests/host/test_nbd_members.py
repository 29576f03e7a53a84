"""Members on an NBD server, over TCP: changed while the guest runs, and looked at by the doctor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.guests import DATA
from tests.host import live
from tests.host.patching import run
from tests.host.quorum_domains import DATA_TEXT
from tests.libvirts import Guest, asked, embed, missing_for_embed
from tests.libvirts.domains import disk_content, guest_xml
from tests.servers.nbd import nbd_on_tcp
from tests.servers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

SIZE = 4 << 20


@pytest.fixture
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


class Remote:
    """A guest whose members are exports: of its quorum, and to be added."""

    def __init__(self, bench: Embed, port: int, host: str = "127.0.0.1") -> None:
        self.bench = bench
        self.port = port
        self.host = host

    def source(self, export: str) -> str:
        """A member."""
        return (
            "<backingStore type='network'><format type='raw'/>"
            f"<source protocol='nbd' name='{export}'>"
            f"<host name='{self.host}' port='{self.port}'/></source></backingStore>"
        )

    def start(self, *exports: str) -> Guest:
        """The guest, booted."""
        stores = "".join(map(self.source, exports))
        disk = (
            "<disk type='quorum' threshold='2' device='disk'><driver name='qemu' type='quorum'/>"
            f"{stores}<target dev='vda' bus='virtio'/><boot order='1'/></disk>"
        )
        self.bench.call(run, guest_xml(self.bench, "remote", disk))
        guest = Guest(self.bench, "remote")
        guest.booted()
        return guest

    def patch(self, *words: str | Path) -> None:
        """Change it, and have the doctor look at it."""
        done = self.bench.virtquorum("patch", "remote", *words, "--live", "--yes")
        assert done.returncode == 0, done.stderr
        assert [one["kind"] for one in self.doctor()] in ([], ["stale"])

    def doctor(self, *options: str) -> list[dict[str, str]]:
        """What it finds that is wrong."""
        done = self.bench.virtquorum("doctor", "--json", "--dry-run", *options, "remote")
        found: list[dict[str, str]] = json.loads(done.stdout)["found"]
        return [one for one in found if one["severity"] != "note"]


def test_members_over_tcp(bench: Embed, tmp_path: Path) -> None:
    names = ("a", "b", "c", "d", "e")
    images = {
        name: bench.image(f"nbd-{name}", SIZE, disk_content(DATA_TEXT) if name in "abc" else b"")
        for name in names
    }
    port = free_port()
    with nbd_on_tcp(images, port, tmp_path / "nbd.log"):
        remote = Remote(bench, port)
        guest = remote.start("a", "b", "c")
        files = {name: tmp_path / f"{name}.xml" for name in ("d", "e")}
        for name, file in files.items():
            file.write_text(remote.source(name))
        guest.write(30, 0x11)
        remote.patch("member", "add", "vda", files["d"])
        guest.write(31, 0x22)
        remote.patch("member", "replace", "vda", "1", files["e"])
        guest.write(32, 0x33)
        remote.patch("set", "vda", "--threshold", "3")
        assert guest.read(DATA).first == DATA_TEXT[:16]
        # b has missed the last write; it comes in e's place, by nobody's plan.
        bench.call(live.elsewhere, "remote", "vda", "e", "b")
        found, stale = remote.doctor()
        assert (found["kind"], found["disk"]) == ("graph", "vda")
        # The definition has b still, too.
        assert (stale["kind"], "/b' in the disk 'vda'" in stale["message"]) == ("stale", True)
        server = f"nbd://127.0.0.1:{port}"
        assert f"is {server}/b, not {server}/e" in found["message"]
        done = bench.virtquorum("doctor", "--yes", "remote")
        assert (done.returncode, "1 mended" in done.stdout) == (1, True), done.stderr
        assert [one["kind"] for one in remote.doctor()] == ["stale"]
        for lba, byte in ((30, b"\x11"), (31, b"\x22"), (32, b"\x33")):
            assert guest.read(lba).first == byte * 16
        bench.call(asked.destroy, "remote")
    assert len({images[name].read_bytes() for name in "acde"}) == 1
    assert images["b"].read_bytes() != images["a"].read_bytes()
