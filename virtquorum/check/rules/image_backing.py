"""An image whose header names another backing file than the document."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.image_look import FORMATS, WITH_BACKING, local_path, place_of
from virtquorum.check.rule import Problem, Rule
from virtquorum.model.image import Image, Terminator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.image_info import Backing
    from virtquorum.check.image_look import Look
    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE", "check", "check_container"]


def check(position: Position, look: Look) -> Iterator[Problem]:
    """See RULE."""
    if look.size is None or look.asked.driver not in WITH_BACKING:
        return
    path, header, below = look.asked.path, look.backing, position.image.backing
    place: Element = below.location if below is not None else None  # type: ignore[assignment]
    if isinstance(below, Image):
        yield from _compared(path, header, below, place)
    elif header is None:
        return
    elif isinstance(below, Terminator):
        yield Problem(
            place,
            f"the chain ends here, and the header of '{path}' names"
            f" the backing file '{header.name}': what is only in that reads as zeros",
            expected=_written(header),
        )
    else:
        element, attribute = place_of(position)
        silent = f"the header of '{path}' names the backing file '{header.name}'"
        if header.format is None:
            yield Problem(
                element,
                f"{silent} without its format, and libvirt does not guess it",
                attribute=attribute,
                expected="<backingStore> with its <format> and <source>, "
                "or a format in the header ('qemu-img rebase -u -F')",
            )
        elif position.parent is not None:
            yield Problem(
                element,
                f"{silent}, of which the document says nothing",
                attribute=attribute,
                expected=_written(header),
                severity=Severity.NOTE,
            )


def check_container(position: Position, name: str) -> Iterator[Problem]:
    """See RULE; ``name`` is a file that the header of the format above a quorum names."""
    written = position.format_element
    yield Problem(
        written if written is not None else position.element,
        f"the '{position.image.format}' that the members hold names the file '{name}' in its "
        "header, of which the document cannot say anything",
        attribute="type" if written is not None else None,
        expected="a format above the quorum that stands alone ('qemu-img rebase', into a copy)",
    )


def _compared(path: str, header: Backing | None, below: Image, place: Element) -> Iterator[Problem]:
    written = local_path(below)
    source: Element = below.source.location or place  # type: ignore[assignment]
    attribute = "dev" if below.source.type == "block" else "file"
    if header is None:
        yield Problem(
            place,
            f"the header of '{path}' names no backing file",
            expected="<backingStore/>, if the image stands alone",
        )
        return
    if _differs(header.full, written, network=below.source.type == "network"):
        yield Problem(
            source,
            f"the header of '{path}' names another backing file, '{header.full}'",
            attribute=attribute,
            expected=f"'{header.full}', or a header that 'qemu-img rebase -u' has put right",
        )
    driver = FORMATS.get(below.format or "")
    if driver is not None and header.format is not None and driver != header.format:
        formats = below.location.elements("format")  # type: ignore[union-attr]
        yield Problem(
            formats[0] if formats else place,
            f"the header of '{path}' says that its backing file has the format '{header.format}'",
            attribute="type",
            expected=f"type='{_format(header.format)}'",
        )


def _differs(header: str, written: str | None, *, network: bool) -> bool:
    """Whether the header and the document mean two files; what cannot be compared does not."""
    local = ":" not in header.split("/", 1)[0]
    if written is None:
        return network and local
    if not local:
        return True
    if os.path.normpath(header) == os.path.normpath(written):
        return False
    try:
        return not os.path.samefile(header, written)
    except (OSError, ValueError):  # a name that the host cannot write
        return True


def _written(header: Backing) -> str:
    format = _format(header.format) if header.format is not None else "…"
    return (
        f"<backingStore type='file'> with <format type='{format}'/>"
        f" and <source file='{header.full}'/>"
    )


def _format(driver: str) -> str:
    """What libvirt calls QEMU's driver."""
    return next((name for name, own in FORMATS.items() if own == driver), driver)


RULE = Rule(
    code="VQ505",
    name="image-backing",
    severity=Severity.WARNING,
    title="the backing file in an image's header is not the one in the document",
    documentation="""
A chain that is written down is the one that QEMU opens: what an image's header says of its backing
file counts for nothing then. Where the two differ, the guest sees what the document says, and
`qemu-img`, a backup or the next person see something else. With `<backingStore/>` in an image whose
header names a backing file, everything that is only in the backing file reads as zeros.

A relative name in a header is relative to the image; two names of one file are the same.

A document that says nothing of the chain leaves it to the header. For a member of a quorum that is
a note: what libvirt does not know of, it gives QEMU no access to. A header that does not name the
*format* of the backing file is a warning: QEMU would guess it, and libvirt may refuse the disk.

What the members of a quorum hold together, where a format lies above it, may name a file as well,
and that one has no vote: QEMU opens it, and nothing in the document could name another one.

Write the chain that the images have, or put the header right with `qemu-img rebase -u`. Only a
backing image that is a file or block device is compared. This rule runs with `--check-images`.
""",
    failing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/srv/rack-a/overlay.qcow2'/>
  <backingStore type='file'>
    <format type='raw'/>
    <source file='/srv/rack-a/old.raw'/>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/srv/rack-a/overlay.qcow2'/>
  <backingStore type='file'>
    <format type='raw'/>
    <source file='/srv/rack-a/base.raw'/>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="images",
)
