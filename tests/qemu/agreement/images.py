"""The images of generated trees: enough of each kind for a tree, made once, never written to.

All have one virtual size and are full of zeroes, so that any of them agree in
a vote.  A kind's images are named 'raw-0', 'raw-1' and so on.
"""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.programs import qemu_img
from tests.servers.loop import loop_device, missing_for_loop
from tests.servers.nbd import nbd_on_socket, nbd_on_tcp
from tests.servers.process import free_port
from virtquorum.qemu.provided import Provided, SecretFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "COUNTS", "FORMATS", "KEYS", "LUKS_SLICE", "OFFSET", "SIZE", "Store", "luks_image", "store",
]  # fmt: skip

SIZE = 1024 * 1024
#: Where the image in a 'sliced' file begins, and how long a slice with LUKS or qcow2 in it is.
OFFSET = 65536
LUKS_SLICE = 2068480 + SIZE
#: libvirt's formats beside raw and qcow2 that qemu-img can make, and QEMU's names for them.
FORMATS = {
    "vmdk": "vmdk", "vdi": "vdi", "qed": "qed", "vhd": "vhdx", "ploop": "parallels",
    "qcow": "qcow", "vpc": "vpc",
}  # fmt: skip
#: How many images there are of each kind.
COUNTS = {
    "raw": 24, "qcow2": 10, "based": 8, "golden": 1, "luks": 3, "encrypted": 3, "slraw": 3,
    "slqcow2": 2, "slluks": 2, "inside": 8, "nbd": 4, "tcp": 4, "insidenbd": 1, "loop": 2,
    **dict.fromkeys(FORMATS, 1),
}  # fmt: skip
#: The UUIDs of the two secrets: the passphrase as it is, and in base64.
KEYS = ("5c8e4e0c-2c3f-4f7e-9d0e-0a2b3c4d5e6f", "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2918")


class Store(NamedTuple):
    """Where the images are, the block devices that there are, and what opens what is encrypted."""

    folder: Path
    port: int
    devices: list[str]
    provided: Provided

    def filled_in(self, xml: str) -> str:
        """The XML of a tree with the names of this store in it."""
        for number, device in enumerate(self.devices):
            xml = xml.replace(f"LOOP{number}", device)
        return xml.replace("DIR", str(self.folder)).replace("PORT", str(self.port))

    def check_unchanged(self) -> None:
        """Raise AssertionError if the images that vote byte by byte are not as they were made."""
        for kind in ("raw", "golden", "inside", "insidenbd", "nbd", "tcp", "loop"):
            made = (self.folder / kind).read_bytes()
            for name in _numbered(kind):
                assert (self.folder / name).read_bytes() == made, f"{name} was written to"


def luks_image(file: Path, format: str, key: Path, size: int = SIZE) -> None:
    """Make an encrypted image, of format 'luks' or 'qcow2'."""
    prefix = "encrypt." if format == "qcow2" else ""
    words = f"{prefix}key-secret=s,{prefix}iter-time=10"
    if prefix:
        words += ",encrypt.format=luks"
    secret = f"secret,id=s,file={key}"
    qemu_img("create", "-q", "--object", secret, "-f", format, "-o", words, file, size)


def _blank(file: Path, key: Path) -> None:
    """Fill an encrypted image with what reads as zeroes."""
    options = f"driver=luks,key-secret=s,file.driver=file,file.filename={file}"
    subprocess.run(
        ["qemu-io", "--object", f"secret,id=s,file={key}", "--image-opts", options,
         "-c", f"write -P 0 0 {SIZE}"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def _padded(file: Path, length: int) -> None:
    with file.open("r+b") as image:
        image.truncate(length)


def _prepare(folder: Path, key: Path) -> None:
    (folder / "vvfat").mkdir()
    (folder / "vvfat" / "readme.txt").write_bytes(b"hello")
    for name in ("raw", "golden", "nbd", "tcp", "loop"):
        (folder / name).write_bytes(b"")
        _padded(folder / name, SIZE)
    qemu_img("create", "-q", "-f", "qcow2", folder / "qcow2", SIZE)
    qemu_img("create", "-q", "-f", "qcow2", "-b", folder / "raw-0", "-F", "raw",
             "-u", folder / "based", SIZE)  # fmt: skip
    # QEMU measures the processor for seconds before it encrypts anything.
    with ThreadPoolExecutor() as both:
        list(both.map(luks_image, (folder / "luks", folder / "encrypted"), ("luks", "qcow2"),
                      (key, key)))  # fmt: skip
    _blank(folder / "luks", key)
    assert (folder / "luks").stat().st_size == LUKS_SLICE
    for name, driver in FORMATS.items():
        more = ["-o", "force_size=on"] if name == "vpc" else []
        qemu_img("create", "-q", "-f", driver, *more, folder / name, SIZE)
    for name in ("inside", "insidenbd"):
        shutil.copy(folder / "qcow2", folder / name)
        _padded(folder / name, SIZE)
    for name, below, length in (
        ("slraw", "raw", SIZE), ("slqcow2", "qcow2", SIZE), ("slluks", "luks", LUKS_SLICE),
    ):  # fmt: skip
        (folder / name).write_bytes(bytes(OFFSET) + (folder / below).read_bytes())
        _padded(folder / name, OFFSET + length + 512)


@contextmanager
def store(folder: Path) -> Iterator[Store]:
    """Make the images, and serve what is to be served."""
    for name, content in (("key", b"open sesame"), ("key64", b"b3BlbiBzZXNhbWU=")):
        (folder / name).write_bytes(content)
    _prepare(folder, folder / "key")
    for name, count in COUNTS.items():
        for number in range(count):
            shutil.copy(folder / name, folder / f"{name}-{number}")
    port = free_port()
    on_socket = [*_numbered("nbd"), *_numbered("insidenbd")]
    with ExitStack() as servers:
        servers.enter_context(
            nbd_on_socket({name: folder / name for name in on_socket}, folder / "nbd.sock")
        )
        servers.enter_context(
            nbd_on_tcp({name: folder / name for name in _numbered("tcp")}, port, folder / "tcp.log")
        )
        devices = []
        if missing_for_loop(folder) is None:
            devices = [
                servers.enter_context(loop_device(folder / one)) for one in _numbered("loop")
            ]
        yield Store(folder, port, devices, _provided(folder))


def _numbered(name: str) -> list[str]:
    return [f"{name}-{number}" for number in range(COUNTS[name])]


def _provided(folder: Path) -> Provided:
    plain, coded = KEYS
    return Provided(
        secrets={
            plain: SecretFile(path=str(folder / "key")),
            coded: SecretFile(path=str(folder / "key64"), base64=True),
        },
        secrets_directory=str(folder),
    )
