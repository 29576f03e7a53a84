"""The note of a change that is under way, or was cut short, as it stands in a domain's XML.

A command that has the XML at hand looks here, and says what it finds; what the
change is about in detail is ``intent``'s, and for the doctor.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from virtquorum.host.author import Author, this_process
from virtquorum.host.intent import NAMESPACE, START, VERSION
from virtquorum.model.node import Node, node
from virtquorum.stock.place import without
from virtquorum.xml.document import Element
from virtquorum.xml.layout import joined
from virtquorum.xml.record import Record, namespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.json_text import Json
    from virtquorum.xml.domain import Domain

__all__ = ["Guest", "Noted", "Progress", "noted", "without_note"]

#: Whether whoever made the change is at it still; 'unknown' where nobody here can tell.
Progress: TypeAlias = Literal["under way", "cut short", "unknown"]
#: The guest of a domain with a note; 'on' where it is not known whether it is paused.
Guest: TypeAlias = Literal["off", "on", "paused"]

_WHAT: Final = {
    "swap": "a change of the disk '{disk}'",
    "attach": "a change that plugs the disk '{disk}' in",
    "detach": "a change that takes the disk '{disk}' out",
    "start": "a start of '{domain}'",
}


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Noted(Node):
    """A change that a domain has a note of.

    ``domain`` is the domain's name, ``disk`` the target of the disk that is
    changed, None for a start or where that is not known.  ``kind`` is the
    note's word: 'swap', 'attach', 'detach', 'start', or one of a later
    version's.  ``by`` is the process that makes it (author.Author as text).
    ``id`` is the number of the running domain that a start has started, '' in
    the definition.  ``guest`` is what the domain did when it was looked at.
    """

    domain: str
    kind: str
    disk: str | None
    by: str
    version: str = VERSION
    id: str = ""
    guest: Guest = "on"

    @property
    def is_start(self) -> bool:
        """Whether it is the note of a start, as this version writes it."""
        return (self.kind, self.version) == (START, VERSION)

    @property
    def is_known(self) -> bool:
        """Whether this version knows what it says."""
        return self.version == VERSION and self.kind in _WHAT

    @property
    def progress(self) -> Progress:
        """Whether it goes on."""
        author = Author.of(self.by)
        is_at_work = author.is_at_work if author is not None else None
        if is_at_work is None:
            return "unknown"
        return "under way" if is_at_work else "cut short"

    @property
    def is_ours(self) -> bool:
        """Whether it is this process that makes it."""
        return Author.of(self.by) == this_process()

    @property
    def title(self) -> str:
        """What it is: "a change of the disk 'vda'"."""
        if not self.is_known or (self.disk is None and not self.is_start):
            return "a change of its quorum disks"
        return _WHAT[self.kind].format(disk=self.disk, domain=self.domain)

    @property
    def _so_far(self) -> str:
        match self.progress:
            case "under way":
                author = Author.of(self.by)
                assert author is not None
                return f"{self.title} goes on, made by the process {author.pid}"
            case "cut short":
                return f"{self.title} was cut short"
            case "unknown":
                return f"{self.title} is not finished"

    def __str__(self) -> str:
        """What it is, how far, and the way out; in a sentence."""
        doctor = f"'virtquorum doctor {self.domain}' {self._cure}"
        match self.progress:
            case "under way":
                return self._so_far
            case "cut short":
                return f"{self._so_far}; {doctor}"
            case "unknown":
                return f"{self._so_far}; if nobody is at it any more, {doctor}"

    @property
    def _cure(self) -> str:
        """What the doctor does about it; of a guest that is off or runs only a note is left."""
        if not self.is_start:
            return "brings it to an end"
        return "sees to it" if self.guest == "paused" else "takes the note of it away"

    @property
    def ended(self) -> str:
        """The same of a guest that is ended, or has been: its note goes with it."""
        return (
            f"{self._so_far}; it ends with the guest, and the definition has the disk as it was "
            f"or as it becomes: 'virtquorum doctor {self.domain}' looks what is left"
            if not self.is_start
            else f"{self._so_far}; it ends with the guest"
        )

    def to_json(self) -> Json:
        """As ``schemas/list.schema.json`` has it."""
        return {"kind": self.kind, "disk": self.disk, "progress": self.progress}


def noted(text: Domain, *, is_paused: bool = False) -> Noted | None:
    """The change that a domain's XML, as libvirt has it, holds the note of; None without one.

    ``is_paused`` is whether the domain is, which its XML does not say.
    """
    element = _note(text)
    if element is None:
        return None
    words = element.attributes
    guest: Guest = "off"
    if "id" in text.document.root.attributes:
        guest = "paused" if is_paused else "on"
    return Noted(
        domain=text.domain_name or "",
        kind=words.get("kind", ""),
        disk=_target(text, words),
        by=words.get("by", ""),
        version=words.get("version", ""),
        id=words.get("id", ""),
        guest=guest,
    )


def without_note(text: Domain) -> Domain:
    """The domain without that note, which is nobody's but of the guest that runs."""
    while (element := _note(text)) is not None:
        parent = element.parent
        gone = element
        if isinstance(parent, Element) and parent.elements() == [element]:
            gone = parent
        text = text.with_data(joined(text.document.data, [without(gone)]))
    return text


def _note(text: Domain) -> Element | None:
    if NAMESPACE.encode() not in text.document.data:
        return None
    for metadata in text.document.root.elements("metadata"):
        for one in metadata.elements():
            if namespace(one)[0] == NAMESPACE:
                return one
    return None


def _target(text: Domain, words: Mapping[str, str]) -> str | None:
    try:
        more = json.loads(words.get("more", "{}"))
    except ValueError:
        more = {}
    target = more.get("target") if isinstance(more, dict) else None
    if isinstance(target, str):
        return target
    record = Record.of(text.document.root)
    disks = record.disks if record is not None else ()
    return next((one.target for one in disks if one.alias == words.get("alias")), None)
