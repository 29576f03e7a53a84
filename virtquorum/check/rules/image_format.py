"""An image of another format than the document says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.container import is_mistaken
from virtquorum.check.finding import Severity
from virtquorum.check.image_look import FORMATS
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.image_look import Look
    from virtquorum.check.rule import Position

__all__ = ["RULE", "check", "check_container"]


def check(position: Position, look: Look) -> Iterator[Problem]:
    """See RULE."""
    driver = look.asked.driver
    if driver is None:
        return
    path, header = look.asked.path, look.header
    written = position.format_element
    attribute = "type" if written is not None else None
    element = written if written is not None else position.element
    if driver == "raw":
        if header is not None and is_mistaken(position, look):
            own = " (or the guest's own encryption)" if header == "luks" else ""
            yield Problem(
                element,
                f"the format is 'raw', and '{path}' begins as {_image(header)} does{own}",
                attribute=attribute,
                expected=_expected(header),
                # A guest that encrypts its whole disk leaves the very same bytes.
                severity=Severity.NOTE if header == "luks" else Severity.WARNING,
            )
    elif look.refused is not None and driver != FORMATS.get(header or "", header):
        given = "encrypted with LUKS" if driver == "luks" else f"'{position.image.format}'"
        found = f"begins as {_image(header)} does" if header else "has no header of that format"
        yield Problem(
            element,
            f"the format is {given}, and '{path}' {found}",
            attribute=attribute,
            expected=_expected(header or "raw"),
        )


def check_container(position: Position, refused: str) -> Iterator[Problem]:
    """See RULE; ``refused`` is why QEMU does not open the format above a quorum."""
    written = position.format_element
    above = position.image.format or "quorum"
    yield Problem(
        written if written is not None else position.element,
        f"the format above the quorum is '{above}', and QEMU does not open what its members hold "
        f"as that: {refused}",
        attribute="type" if written is not None else None,
        expected="type='quorum', where the members hold the guest's disk itself",
    )


def _image(header: str) -> str:
    return "an image encrypted with LUKS" if header == "luks" else f"a '{header}' image"


def _expected(header: str) -> str:
    if header == "luks":
        return "type='raw' with <encryption format='luks'> in the <source>"
    return f"type='{header}', if this is the right image"


RULE = Rule(
    code="VQ503",
    name="image-format",
    severity=Severity.ERROR,
    title="an image is of another format than the document says",
    documentation="""
Neither libvirt nor virtquorum guesses formats: a guest can write any header into a raw disk, and
who guesses would open what that header names. So the format that is written is the one that QEMU
uses, and it does not start where the image has another ("Image is not in qcow2 format").

`raw` always opens. Where such an image begins as one of another format does, the guest would see
the container and not the disk in it; that is a warning, since a guest may have written it. A LUKS
header in a raw image is a note: it may be the guest's own.

A format above a quorum (`<driver type='qcow2'/>` on the disk) is that of what the members agree on.
So the quorum is opened with all of its members, if they are files and devices of this host, and the
format on top of it. Raw members that begin as an image of that format are as they should be.

Write the format that the image has, if nobody but you could have written it. This rule runs with
`--check-images`, and opens the image with the given format only; the first bytes are compared by
virtquorum itself.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'>
    <format type='qcow2'/><source file='/srv/rack-c/root.raw'/>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'>
    <format type='raw'/><source file='/srv/rack-c/root.raw'/>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="images",
)
