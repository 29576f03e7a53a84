"""``file=…`` as QEMU takes it apart: plain paths, protocol prefixes and addresses.

What comes out are BlockdevOptions of one storage node in dotted keys, its
driver first; QEMU does the same for the ``file`` of a -drive, and for nothing
else: a ``filename`` inside is a path as it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import ArgumentError, TranslationError, VirtquorumError
from virtquorum.qemu.back.addresses import ADDRESSES, rbd

if TYPE_CHECKING:
    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place

__all__ = ["local_driver", "parse_filename"]

_PROTOCOL: Final = re.compile(r"([^:/]*):", re.DOTALL)
_RFC: Final = re.compile(r"quorum:([^/:]*)/([^:]*):(.*)", re.DOTALL)
#: Where block devices are, and what there is none.
_DEVICE: Final = re.compile(r"/dev/(?!fdset/|shm/|null$|zero$)", re.DOTALL)
_PREFIXES: Final = ("file", "host_device", "host_cdrom")
#: Drivers of QEMU's that have a prefix, and that no XML names.
_WITHOUT_XML: Final = (
    "blkdebug", "blkverify", "blkreplay", "null-co", "null-aio", "sheepdog", "tftp", "vxhs",
)  # fmt: skip


def local_driver(path: str) -> str:
    """The driver for a path of the host, by its name alone: nothing is looked up."""
    if path.startswith("/dev/cd"):
        return "host_cdrom"
    return "host_device" if _DEVICE.match(path) else "file"


def parse_filename(name: str, driver: str | None, place: Place, notes: Notes) -> dict[str, Any]:
    """The options that a file name stands for; ``driver`` is the one that was named beside it.

    Raises ArgumentError for a protocol that QEMU or libvirt does not have.
    """
    found = _PROTOCOL.match(name)
    protocol = found[1] if found else None
    if driver in ("file", "host_device", "host_cdrom"):
        return {"driver": driver, "filename": name.removeprefix(f"{driver}:")}
    if protocol is None:
        if driver is not None:
            raise ArgumentError(f"'{name}' is no address for the driver '{driver}'", place=place)
        return {"driver": local_driver(name), "filename": name}
    if protocol == "":
        raise ArgumentError("the file name begins with ':'", place=place, remedy="write './:…'")
    if protocol in _PREFIXES:
        path = name[len(protocol) + 1 :]
        return {"driver": local_driver(path) if protocol == "file" else protocol, "filename": path}
    if protocol == "fat":
        return _fat(name)
    if protocol == "quorum":
        return _quorum(name, place, notes)
    if protocol == "rbd":
        return rbd(name, place, notes)
    if protocol in ADDRESSES:
        return ADDRESSES[protocol](name, place, notes)
    raise _unknown(protocol, place)


def _unknown(protocol: str, place: Place) -> VirtquorumError:
    if protocol in _WITHOUT_XML:
        return TranslationError(f"libvirt's XML has no words for '{protocol}:'", location=place)
    known = sorted({*_PREFIXES, "fat", "rbd", "json", *ADDRESSES})
    return ArgumentError(
        f"the protocol '{protocol}' is unknown",
        place=place,
        remedy=f"protocols are: {', '.join(known)}; a file with ':' in its name is './…'",
    )


def _fat(name: str) -> dict[str, Any]:
    """``fat:[floppy:][12:|16:|32:][rw:]DIR``, options anywhere before the last ':', as in QEMU."""
    options: dict[str, Any] = {"driver": "vvfat"}
    options["dir"] = name[name.rindex(":") + 1 :]
    if ":floppy:" in name:
        options["floppy"] = "on"
    if ":rw:" in name:
        options["rw"] = "on"
    for bits in ("12", "16", "32"):
        if f":{bits}:" in name:
            options["fat-type"] = bits
    return options


def _quorum(name: str, place: Place, notes: Notes) -> dict[str, Any]:
    """The syntax of 2012, which no released QEMU has: ``quorum:THRESHOLD/TOTAL:a:b:c``.

    The separator was ':' and later ','; either is escaped with a backslash.
    The members were storage without a format; a format lay above.
    """
    found = _RFC.fullmatch(name)
    if found is None:
        raise ArgumentError(
            "this is no quorum, not even one of 2012",
            place=place,
            remedy="that was 'quorum:THRESHOLD/TOTAL:a:b:c'",
        )
    threshold, total, rest = found.groups()
    if not re.fullmatch(r"[0-9]{1,9}", threshold) or not re.fullmatch(r"[0-9]{1,9}", total):
        raise ArgumentError(f"'{threshold}/{total}' is no threshold and total", place=place)
    by_comma, by_colon = _split(rest, ","), _split(rest, ":")
    names = by_comma if len(by_comma) == int(total) else by_colon
    if len(names) != int(total):
        raise ArgumentError(
            f"the quorum should have {total} images, but {len(by_comma)} are separated by ',' and "
            f"{len(by_colon)} by ':'",
            place=place,
            remedy="a separator inside a name is written with a backslash before it",
        )
    options: dict[str, Any] = {"driver": "quorum", "vote-threshold": threshold}
    for number, one in enumerate(names):
        options[f"children.{number}.driver"] = "raw"
        for key, value in parse_filename(one, None, place, notes).items():
            options[f"children.{number}.file.{key}"] = value
    notes.remark(
        place,
        "'file=quorum:…' is the syntax proposed in 2012, which no QEMU takes; its images are read "
        "as raw members of a quorum",
    )
    return options


def _split(text: str, separator: str) -> list[str]:
    """A text's parts; a backslash takes the next sign as it is."""
    parts = re.findall(rf"((?:\\.|[^\\{separator}])*)(?:{separator}|\Z)", text, re.DOTALL)
    if parts and not text.endswith(separator):
        parts.pop()  # the empty match at the end
    return [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in parts]
