"""An image that exists and cannot be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.image_look import FORMATS, place_of
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.image_look import Look
    from virtquorum.check.rule import Position

__all__ = ["RULE", "check"]


def check(position: Position, look: Look) -> Iterator[Problem]:
    """See RULE."""
    element, attribute = place_of(position)
    path = look.asked.path
    if look.unreadable is not None:
        why, severity = look.unreadable
        yield Problem(element, f"'{path}' {why}", attribute=attribute, severity=severity)
    elif look.refused is not None and look.asked.driver in ("raw", _driver(look.header, FORMATS)):
        # Another format than the given one is image-format's.
        yield Problem(
            element, f"'{path}' cannot be opened; QEMU says: {look.refused}", attribute=attribute
        )


def _driver(header: str | None, drivers: dict[str, str]) -> str | None:
    return drivers.get(header, header) if header is not None else None


RULE = Rule(
    code="VQ502",
    name="image-unreadable",
    severity=Severity.ERROR,
    title="an image exists and cannot be opened",
    documentation="""
What lies there is a directory, a device where `type='file'` takes a file (QEMU: "'file' driver
requires … to be a regular file") or a file where `type='block'` takes a device; or QEMU opens it
and finds it broken, and its words are shown.

That *this* user may not read the image is a warning: libvirt runs QEMU as another user, and gives
it the image before it starts. Run the check as root to see what is in it.

A VMDK that lists other files is not looked into, which is a note: opening it would open whatever it
names.

This rule runs with `--check-images`.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="images",
)
