"""One image, looked at: what lies at its path, its first bytes, and what QEMU makes of it.

``qemu-img info`` is asked with the format that the document gives: it probes
nothing and opens no backing file.
An image may come from anybody, so a header that would have QEMU open other
files (a qcow2 with an external data file, a VMDK that is a list of extents)
is not followed.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.check.finding import Severity
from virtquorum.check.image_info import Backing, backing_of, data_file_of, info

if TYPE_CHECKING:
    from virtquorum.check.rule import Position
    from virtquorum.model.image import Image
    from virtquorum.xml.document import Element

__all__ = [
    "FORMATS",
    "WITH_BACKING",
    "Asked",
    "Look",
    "asked_of",
    "header_format",
    "local_path",
    "look_at",
    "place_of",
]

#: libvirt's formats and QEMU's drivers for them.
FORMATS: Final = {
    "raw": "raw", "bochs": "bochs", "cloop": "cloop", "dmg": "dmg", "ploop": "parallels",
    "qcow": "qcow", "qcow2": "qcow2", "qed": "qed", "vdi": "vdi", "vhd": "vhdx", "vmdk": "vmdk",
    "vpc": "vpc",
}  # fmt: skip
#: Formats whose header can name a backing file.
WITH_BACKING: Final = frozenset({"qcow", "qcow2", "qed", "vmdk"})

#: What the first bytes of a format are, its offset, and libvirt's name of the format.
_MAGIC: Final = (
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"QED\0", "qed"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"vhdxfile", "vhd"),
    (0, b"conectix", "vpc"),
    (0, b"WithoutFreeSpace", "ploop"),
    (0, b"WithouFreSpacExt", "ploop"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"#!/bin/sh\n#V2.0 Format\n", "cloop"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
)
_HEADER: Final = 512


class Asked(NamedTuple):
    """What is to be looked at: a file or block device, and how QEMU would open it.

    ``driver`` is QEMU's format driver, None where the document names none
    that could be opened.  ``offset`` and ``size`` (bytes) are a slice's.
    """

    path: str
    block: bool
    driver: str | None
    offset: int | None = None
    size: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What was seen of one image.

    ``missing`` and ``unreadable`` say in words what is wrong, the latter
    with how bad it is.  ``header`` is the format that its first bytes are
    of, in libvirt's word or 'luks', None for no format's.  ``refused`` is
    what QEMU said when it did not open the image in its format.  ``size`` is
    the virtual size in bytes.  ``device`` is the number of the filesystem
    that a file is on, or of the block device itself; ``inode`` tells one file
    from another, whatever they are called.  ``external`` is whether a
    qcow2's data are in another file, and ``data_file`` which one that is.
    """

    asked: Asked
    missing: str | None = None
    unreadable: tuple[str, Severity] | None = None
    header: str | None = None
    refused: str | None = None
    size: int | None = None
    backing: Backing | None = None
    device: int | None = None
    inode: tuple[int, int] | None = None
    external: bool = False
    data_file: str | None = None


def place_of(position: Position) -> tuple[Element, str | None]:
    """Where a document says which file an image is: the element, and the attribute."""
    image = position.image
    location: Any = image.source.location
    if location is None:
        return position.element, None
    return location, "dev" if image.source.type == "block" else "file"


def local_path(image: Image) -> str | None:
    """The file or block device of this host that an image is, None if it is none."""
    source = image.source
    if source.type == "block":
        return getattr(source, "dev", None) or None
    if source.type == "file" and getattr(source, "fdgroup", None) is None:
        return getattr(source, "file", None) or None
    return None


def header_format(data: bytes) -> str | None:
    """The format of which an image's first bytes (512) are, in libvirt's word; None for none's."""
    if data.startswith(b"QFI\xfb"):
        return "qcow" if data[4:8] == b"\0\0\0\1" else "qcow2"
    for offset, magic, name in _MAGIC:
        if data.startswith(magic, offset):
            return name
    return None


def asked_of(position: Position) -> Asked | None:
    """What is to be looked at for an image; None if it is none of this host."""
    image = position.image
    path = local_path(image)
    if path is None:
        return None
    format = image.format
    if format is None and position.role == "disk":
        format = "raw"  # libvirt's default for a disk; it probes nothing either
    driver = FORMATS.get(format or "")
    encryption = getattr(image.source, "encryption", None)
    if encryption is None and position.role == "disk":
        encryption = position.disk.encryption
    if driver == "raw" and encryption is not None:
        driver = "luks"
    plain = Asked(path, image.source.type == "block", driver)
    for one in getattr(image.source, "slices", ()):
        parts = (one.offset, one.size)
        if not all(isinstance(part, int) and part >= 0 for part in parts):
            return plain._replace(driver=None)
        return plain._replace(offset=one.offset, size=one.size)
    return plain


def look_at(asked: Asked, program: str) -> Look:
    """Look at one image; ``program`` is qemu-img."""
    look = Look(asked=asked)
    try:
        there = os.stat(asked.path)
        look = replace(look, device=there.st_rdev if asked.block else there.st_dev)
        inode = (0, there.st_rdev) if asked.block else (there.st_dev, there.st_ino)
        look = replace(look, inode=inode)
        odd = _odd_kind(there.st_mode, asked.block)
        if odd is not None:
            return replace(look, unreadable=(odd, Severity.ERROR), device=None)
        data = _first_bytes(asked)
    except FileNotFoundError:
        return replace(look, missing=_missing(asked.path))
    except NotADirectoryError:
        return replace(look, missing="does not exist: a part of its path is no directory")
    except (OSError, UnicodeEncodeError) as error:
        return replace(look, unreadable=_reason(error))
    look = replace(look, header=header_format(data))
    if asked.driver is None:
        return look
    if asked.driver == "vmdk" and _lists_extents(data):
        why = "is not looked into: it is a list of other files that QEMU would open"
        return replace(look, unreadable=(why, Severity.NOTE))
    return _ask(replace(look, external=asked.driver == "qcow2" and _has_data_file(data)), program)


def _odd_kind(mode: int, block: bool) -> str | None:
    """What lies there, if QEMU's driver for a file or for a device does not open that."""
    if stat.S_ISDIR(mode):
        return "is a directory"
    if block:
        if stat.S_ISREG(mode):
            return "is a file, and type='block' takes a device: write type='file'"
        return None if stat.S_ISBLK(mode) else "is no block device"
    if stat.S_ISBLK(mode):
        return "is a block device, and type='file' takes a file: write type='block'"
    return None if stat.S_ISREG(mode) else "is no regular file"


def _first_bytes(asked: Asked) -> bytes:
    # A name may have become a FIFO since: O_NONBLOCK does not wait for its writer.
    descriptor = os.open(asked.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, _HEADER, asked.offset or 0)
    finally:
        os.close(descriptor)


def _missing(path: str) -> str:
    with suppress(OSError):
        return f"is a symbolic link to '{os.readlink(path)}', which does not exist"
    folder = os.path.dirname(path)
    while folder and not os.path.lexists(folder):
        above = os.path.dirname(folder)
        if above in (folder, "") or os.path.lexists(above):
            return f"does not exist, and neither does the directory '{folder}'"
        folder = above
    return "does not exist"


def _reason(error: OSError | UnicodeEncodeError) -> tuple[str, Severity]:
    if isinstance(error, UnicodeEncodeError):
        return "has a name that this host cannot write", Severity.ERROR
    said = (error.strerror or str(error)).lower()
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"cannot be read by this user: {said}", Severity.WARNING
    return f"cannot be read: {said}", Severity.ERROR


def _has_data_file(data: bytes) -> bool:
    """Whether a qcow2 keeps its data in another file (incompatible feature 2, from version 3)."""
    version = int.from_bytes(data[4:8], "big")
    return version >= 3 and bool(int.from_bytes(data[72:80], "big") & 4)


def _lists_extents(data: bytes) -> bool:
    """Whether a VMDK is a descriptor, alone or behind a header whose capacity is 0."""
    return data.startswith(b"#") or (data.startswith(b"KDMV") and not any(data[12:20]))


def _options(asked: Asked, *, external: bool) -> str:
    """The image as ``--image-opts`` takes it, in which no name is a protocol or an option.

    A comma in a value is doubled, and all else stands for itself.
    """
    storage = "file."
    words = [f"driver={asked.driver}"]
    if asked.size is not None:
        layer = "" if asked.driver == "raw" else "file."
        if layer:
            storage = "file.file."
            words.append("file.driver=raw")
        words += [f"{layer}offset={asked.offset}", f"{layer}size={asked.size}"]
    if external:  # its data lie in a file that the header names: that one is not opened
        words.append("data-file.driver=null-co")
    words.append(f"{storage}driver={'host_device' if asked.block else 'file'}")
    words.append(f"{storage}filename={asked.path}")
    return ",".join(word.replace(",", ",,") for word in words)


def _ask(look: Look, program: str) -> Look:
    """Ask qemu-img, as the format that the document gives."""
    options = _options(look.asked, external=look.external)
    try:
        found = info(program, ["--image-opts", options])
    except TimeoutError as error:
        return replace(look, unreadable=(str(error), Severity.ERROR))
    if isinstance(found, str):
        return replace(look, refused=found)
    return replace(look, size=found["virtual-size"], backing=backing_of(found),
                   data_file=_beside(look.asked.path, data_file_of(found)))  # fmt: skip


def _beside(path: str, name: str | None) -> str | None:
    """A file that an image names; without a directory it is in the image's."""
    return os.path.join(os.path.dirname(path), name) if name is not None else None
