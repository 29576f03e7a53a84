"""What the header of an image says of its backing image, and what the XML says: the XML counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.programs import qemu_img
from tests.qemu.agreement.expected import agreement
from tests.qemu.agreement.monitor import NO_QEMU
from tests.qemu.agreement.opening import STYLES, Style, opened, spelled
from tests.servers.nbd import nbd_on_socket
from tests.servers.process import lacks_driver
from tests.servers.web import web

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")

SIZE = 1024 * 1024
OURS, HEADERS = b"\x11" * SIZE, b"\x22" * SIZE
FORMAT = "<format type='raw'/>"
SLICE = "<slices><slice type='storage' offset='512' size='197120'/></slices>"

#: A backing image by the XML, and one in the header; DIR and PORT are filled in.
BACKING = {
    "file": ("file", f"{FORMAT}<source file='DIR/ours.raw'/>", "DIR/headers.raw"),
    "nbd": (
        "network",
        f"{FORMAT}<source protocol='nbd' name='ours.raw'>"
        "<host transport='unix' socket='DIR/nbd.sock'/></source>",
        "nbd+unix:///headers.raw?socket=DIR/nbd.sock",
    ),
    "http": (
        "network",
        f"{FORMAT}<source protocol='http' name='/ours.raw'><host name='127.0.0.1' port='PORT'/>"
        "</source>",
        "http://127.0.0.1:PORT/headers.raw",
    ),
    "quorum": (
        "quorum' threshold='1",
        "<format type='quorum'/><backingStore type='file'><format type='raw'/>"
        "<source file='DIR/ours.raw'/></backingStore>",
        "DIR/headers.raw",
    ),
    "slice below a format": (
        "file",
        f"<format type='qcow2'/><source file='DIR/sliced'>{SLICE}</source>"
        f"<backingStore type='file'>{FORMAT}<source file='DIR/ours.raw'/></backingStore>",
        "DIR/headers.raw",
    ),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", BACKING)
def test_a_backing_image_is_ours_whatever_the_header_says(
    name: str, style: Style, tmp_path: Path
) -> None:
    lacking = lacks_driver("http")
    if lacking and name == "http":
        pytest.skip(f"not installed: {', '.join(lacking)}")
    (tmp_path / "ours.raw").write_bytes(OURS)
    (tmp_path / "headers.raw").write_bytes(HEADERS)
    qemu_img("create", "-q", "-f", "qcow2", tmp_path / "plain", SIZE)
    (tmp_path / "sliced").write_bytes(
        bytes(512) + (tmp_path / "plain").read_bytes().ljust(197120, b"\0")
    )
    exports = {name: tmp_path / name for name in ("ours.raw", "headers.raw")}
    with (
        nbd_on_socket(exports, tmp_path / "nbd.sock"),
        web({"/ours.raw": OURS, "/headers.raw": HEADERS}) as server,
    ):
        type, inside, header = (
            one.replace("DIR", str(tmp_path)).replace("PORT", str(server.port))
            for one in BACKING[name]
        )
        qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", header, "-F", "raw",
                 tmp_path / "top", SIZE)  # fmt: skip
        disks = spelled(
            "<domain><devices><disk type='file'><driver type='qcow2'/>"
            f"<source file='{tmp_path}/top'/><backingStore type='{type}'>{inside}</backingStore>"
            "<target dev='vda'/><readonly/></disk></devices></domain>",
            style,
        )
        with opened(disks, tmp_path) as running:
            assert list(agreement(disks, running)) == []
            assert "verification failed" not in running.io(disks.every[0].drive, "read -P 17 0 1M")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("below", "depth"), [("", 1), ("<backingStore/>", 0)])
def test_without_a_word_the_header_counts(
    below: str, depth: int, style: Style, tmp_path: Path
) -> None:
    (tmp_path / "headers.raw").write_bytes(HEADERS)
    qemu_img("create", "-q", "-f", "qcow2", "-b", tmp_path / "headers.raw", "-F", "raw",
             tmp_path / "top", SIZE)  # fmt: skip
    disks = spelled(
        "<domain><devices><disk type='file'><driver type='qcow2'/>"
        f"<source file='{tmp_path}/top'/>{below}<target dev='vda'/></disk></devices></domain>",
        style,
    )
    with opened(disks, tmp_path) as running:
        backing = [edge for edge in running.edges() if edge[:2] == ("vq-vda", "backing")]
        assert len(backing) == depth
        pattern = HEADERS[0] if depth else 0
        assert "failed" not in running.io(disks.every[0].drive, f"read -P {pattern} 0 64k")
