"""Words on a placeholder that say nothing to the quorum behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import HINT, PLUGGED, domains
from virtquorum.check.rule import Problem, Rule
from virtquorum.xml.record import WITHOUT_WRITE_CACHE, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.xml.document import Element
    from virtquorum.xml.record import Lowered

__all__ = ["RULE"]

#: What of <driver> is said to an image's node, and what of <disk>.
_DRIVER: Final = ("io", "discard", "detect_zeroes", "copy_on_read")
_ELEMENTS: Final = ("readonly", "transient", "encryption", "auth")
_EXPECTED: Final = "nothing here; say it of the quorum disk, by 'virtquorum edit'"


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    for domain in domains(root):
        record = Record.of(domain)
        for one in record.disks if record is not None else ():
            assert record is not None
            placeholder = record.placeholder(one)
            if placeholder is not None:
                yield from _words(placeholder, one)
                yield from _elements(placeholder, one, plugged=one.plugged and record.is_live)


def _words(placeholder: Element, one: Lowered) -> Iterator[Problem]:
    for driver in placeholder.elements("driver"):
        said = driver.attributes
        for name in _DRIVER:
            if name in said:
                yield _problem(driver, f"{name}='{said[name]}'", one, name)
        cache = said.get("cache", "default")
        wanted = "writethrough" if one.disk.driver.cache in WITHOUT_WRITE_CACHE else "writeback"
        if cache != wanted:
            yield _problem(driver, f"cache='{cache}'", one, "cache", f"cache='{wanted}'")


def _elements(placeholder: Element, one: Lowered, *, plugged: bool) -> Iterator[Problem]:
    # libvirt makes every cdrom read-only; what is plugged in is kept from being saved so.
    needed = "transient" if plugged else "readonly" if one.disk.device == "cdrom" else ""
    for name in _ELEMENTS:
        for element in placeholder.elements(name) if name != needed else ():
            yield _problem(element, f"<{name}>", one)


def _problem(
    element: Element,
    what: str,
    one: Lowered,
    attribute: str | None = None,
    expected: str = _EXPECTED,
) -> Problem:
    there = attribute is not None and attribute in element.attributes
    return Problem(
        element,
        f"{what} on the placeholder says nothing to the quorum of '{one.target}'",
        attribute=attribute if there else None,
        expected=expected,
    )


RULE = Rule(
    code="VQ609",
    name="placeholder-without-effect",
    severity=Severity.WARNING,
    title="what is said of a placeholder does not reach the quorum",
    documentation="""
What libvirt says of a disk's *device* (boot order, serial, address, limits) may be said of the
placeholder, since the device is the placeholder's. What it says of the *image* goes to the
placeholder's own node, and nothing uses that: `io`, `discard`, `detect_zeroes`, `copy_on_read`,
encryption, a login. `<readonly/>` and `<transient/>` do not keep the guest from writing to the
quorum; the first makes libvirt leave the disk out of snapshots in silence, the second keeps the
domain from being saved.

The cache mode is both: `writeback` shows the guest a write cache and `writethrough` none, so it is
one of these two, by the cache mode of the quorum disk. With `none`, or with no mode, libvirt opens
the placeholder past the page cache, which not every file system takes.

Say it of the quorum disk: `virtquorum edit DOMAIN`, or `virtquorum lift`, your change, and
`virtquorum lower`.
""",
    failing=PLUGGED.replace("cache='writeback'", "cache='writeback' discard='unmap'"),
    passing=PLUGGED,
    subject="lowered",
    check=check,
    hint=HINT,
)
