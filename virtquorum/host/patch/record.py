"""The record of quorum disks in a running domain's metadata, brought up to date.

libvirt lets nobody change the command line of a running QEMU, nor what it
keeps of that in its XML; so the arguments of the disk's old graph stay there,
and the record goes on knowing them for ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.host.change import Asked
from virtquorum.host.live import LiveStep
from virtquorum.stock.lower import record_text
from virtquorum.xml.document import Document
from virtquorum.xml.format import escape
from virtquorum.xml.layout import joined
from virtquorum.xml.lowered import disk_digest, is_as_written, lowered_tag
from virtquorum.xml.record import NAMESPACE, VERSION, Record, digest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.monitor import Monitor
    from virtquorum.stock.lower import Lowering
    from virtquorum.xml.domain import Domain
    from virtquorum.xml.record import Lowered

__all__ = ["WriteRecord", "as_recorded", "changed_record", "written_record"]

_PREFIX: Final = "virtquorum"
_PAD: Final = "  "


def written_record(live: Domain, plugged: Collection[str] = ()) -> str | None:
    """The record of a lowered domain as text of its own; None if it has none.

    The disks of these targets become ones that were changed since the start.
    """
    record = Record.of(live.document.root)
    if record is None:
        return None
    return _text(record, [_said(one, plugged) for one in record.disks])


def _said(one: Lowered, plugged: Collection[str]) -> str:
    text = _kept(one)
    if one.plugged or one.target not in plugged:
        return text
    return text.replace("<lowered ", "<lowered plugged='yes' ", 1)


def as_recorded(live: Domain, found: Sequence[Lowering]) -> list[Lowering]:
    """What becomes of disks, with what only the record of a running domain knows.

    A disk that was no quorum at the start has the alias that libvirt gave it,
    and no placeholder to be guarded.
    """
    record = Record.of(live.document.root)
    known = {one.target: one for one in record.disks} if record is not None else {}
    return [_as_recorded(one, known.get(one.disk.name or "")) for one in found]


def _as_recorded(one: Lowering, before: Lowered | None) -> Lowering:
    if before is None or before.kept is None:
        return one
    return one._replace(alias=before.alias, kept=before.kept, guard=())


def changed_record(live: Domain, target: str, new: Lowering | None) -> str | None:
    """The record of a lowered domain with one disk as it becomes, None where that goes.

    The disk's nodes are the monitor's from now on.  None if no disk is left.
    """
    record = Record.of(live.document.root)
    disks = record.disks if record is not None else ()
    before = next((one for one in disks if one.target == target), None)
    parts = [_kept(one) for one in disks if one is not before]
    if new is not None:
        there = {one.digest for one in record.own_arguments()} if record is not None else set()
        kept = [one for one in before.arguments if one in there] if before is not None else []
        parts.append(_plugged(new, kept))
    return _text(record, parts) if parts else None


def _text(record: Record | None, parts: list[str]) -> str:
    adds = record.adds if record is not None else ("metadata",)
    opens = record.opens if record is not None else ()
    said = "".join(
        f" {name}='{escape(' '.join(words))}'"
        for name, words in (("adds", adds), ("opens", opens))
        if words
    )
    lines = "\n".join(_PAD + one for one in parts)
    return f"<virtquorum xmlns='{NAMESPACE}' version='{VERSION}'{said}>\n{lines}\n</virtquorum>"


def _kept(one: Lowered) -> str:
    """A disk's part of the record as it is.

    One whose names have a prefix, which is declared elsewhere, is written anew.
    """
    element = one.element
    if one.verbatim and ":" not in element.name:
        return element.document.data[element.start : element.stop].decode("utf-8")
    from virtquorum.xml.format import format_disk

    words = {name: str(getattr(one, name)) for name in ("target", "alias", "drive", "file")}
    words["arguments"] = " ".join(one.arguments)
    if one.plugged:
        words["plugged"] = "yes"
    if one.kept is not None:
        words["kept"] = one.kept
    disk = format_disk(one.disk).strip()
    # Written anew, a disk that somebody changed by hand must not pass for the one that it was.
    is_known = is_as_written(element, one.disk_element)
    digest_of_it = disk_digest(disk) if is_known else element.attributes["disk"]
    return f"{lowered_tag(words, digest_of_it)}{disk}</lowered>"


def _plugged(new: Lowering, kept: list[str]) -> str:
    """A disk's part of the record, which knows the arguments of its boot as well (``kept``)."""
    text = record_text([new._replace(plugged=True)])
    document = Document.from_text(text, "the record")
    element = document.root.elements()[0]
    known = [digest(value) for value in new.arguments[1::2]]
    known += [one for one in kept if one not in known]
    _, start, stop = element.attribute_spans()["arguments"]
    data = joined(document.data, [(start, stop, f"'{' '.join(known)}'")])
    changed = Document.from_text(data.decode("utf-8"), "the record").root.elements()[0]
    return changed.document.data[changed.start : changed.stop].decode("utf-8")


class WriteRecord(LiveStep):
    """Write into the running domain's metadata which quorum disks it has."""

    words = "write down the quorum disks that the running domain has"

    def __init__(self, monitor: Monitor, old: str | None, new: str | None) -> None:
        super().__init__(monitor)
        self.old = old
        self.new = new

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        what = "--remove" if self.new is None else "--set '<virtquorum …/>'"
        return (Asked(call=f"metadata --live {self.monitor.name} {NAMESPACE} {what}"),)

    def do(self, course: Course) -> None:
        """Write it."""
        self._set(self.new)

    def bring_back(self) -> None:
        """Write what was there."""
        self._set(self.old)

    def _set(self, text: str | None) -> None:
        import libvirt

        element, live = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_LIVE
        set_metadata = self.monitor.domain.setMetadata
        self.monitor.asked(
            "write its metadata", lambda: set_metadata(element, text, _PREFIX, NAMESPACE, live)
        )
