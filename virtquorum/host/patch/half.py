"""One of a domain's two documents before and after a change."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from virtquorum.errors import HostError
from virtquorum.host.checks import check_images
from virtquorum.host.checks.in_use import LOCKED
from virtquorum.host.checks.openings import openings
from virtquorum.host.define import placeholder_files
from virtquorum.host.kept import with_kept
from virtquorum.host.patch.edit import NothingToChangeError
from virtquorum.host.patch.words import place_of
from virtquorum.host.taken import own_files
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lowerings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.edit import Change, Edited
    from virtquorum.host.patch.words import Place
    from virtquorum.qemu.provided import Provided
    from virtquorum.stock.lower import Lowering
    from virtquorum.xml.domain import Domain

__all__ = ["Half", "running", "same_meaning", "something", "told_of_own"]

#: What is said of an image that the guest has open otherwise, and the way out.
_OWN: Final = (
    "is locked by this guest itself: it is an image below one of its members, or another disk's"
)
_OTHER: Final = ("name another image, which gets what the disk holds",)

#: Where a message says another place.
_LINE: Final = re.compile(r"\bline \d+")


def running(domain: HostDomain, provided: Provided) -> tuple[Domain, Provided, dict[str, str]]:
    """The XML of a running domain, and what it and the definition know.

    That is where secrets are, beside what is ``provided``, and the
    definition's placeholders by the disks' targets.
    """
    text = domain.text()
    provided = with_kept(provided, text)
    if not domain.is_persistent:
        return text, provided, {}
    definition = domain.text(inactive=True)
    return text, with_kept(provided, definition), placeholder_files(definition)


class Half:
    """A lifted document, and what an edit makes of it.

    ``text`` is the lowered document; ``files`` are the placeholders by
    target.  ``is_changed`` is whether the edit made a difference.
    """

    def __init__(
        self,
        domain: HostDomain,
        change: Change,
        text: Domain,
        lifted: Domain,
        provided: Provided,
        directory: str | None,
        more_files: Mapping[str, str] | None = None,
    ) -> None:
        self.domain = domain
        self.change = change
        self.text = text
        self.before = lifted
        self.edited: Edited = change.edit(lifted)
        self.provided = provided
        self.directory = directory or domain.host.placeholder_directory
        self.files = placeholder_files(text)
        #: What is worth knowing of where they are.
        self.notes: list[str] = []
        self._known_files = self._places({**(more_files or {}), **self.files}, directory)

    def _places(self, known: dict[str, str], directory: str | None) -> dict[str, str]:
        """The placeholders by target; that of a disk that comes is no other domain's."""
        if self.change.kind != "attach":
            return known
        host, uuid = self.domain.host, self.domain.uuid
        own, self.notes = own_files(host, self.after, uuid, known, directory)
        return {**known, **own}

    @property
    def after(self) -> Domain:
        """The document after the edit."""
        return self.edited.domain

    @property
    def is_changed(self) -> bool:
        """Whether the edit made a difference."""
        return self.after.text != self.before.text

    @cached_property
    def old(self) -> list[Lowering]:
        """What becomes of the quorum disks before the change; raises TranslationError."""
        return self._lowerings(self.before)

    @cached_property
    def new(self) -> list[Lowering]:
        """What becomes of them after it; raises TranslationError."""
        return self._lowerings(self.after)

    def _lowerings(self, document: Domain) -> list[Lowering]:
        files, provided = self._known_files, self.provided
        return lowerings(document, directory=self.directory, files=files, provided=provided)

    def places(self) -> tuple[Place, Place] | None:
        """The quorum that is changed, before and after; None for a disk that comes or goes."""
        if self.change.kind != "change":
            return None
        name = self.domain.name
        before = place_of(self.before, self.change.quorum, name)
        return before, place_of(self.after, self.change.quorum, name)

    def findings(self) -> list[Finding]:
        """What the rules say of the new document that they did not say of the old one."""
        from virtquorum import validate

        found = validate(self.after)
        if not found:
            return []
        known = Counter(map(_told, validate(self.before)))
        return [one for one in found if not _is_known(_told(one), known)]

    def looked_at(self) -> list[CheckResult]:
        """What is in the way of opening the images that are new; nothing where none is."""
        had, wanted = ([one for one in all if self.is_ours(one)] for all in (self.old, self.new))
        known = {one.path for lowering in had for one in openings(lowering)}
        new = {one.path for lowering in wanted for one in openings(lowering)} - known
        if not new:
            return []
        connection = self.domain.host.connection
        own = self._open_paths()
        found = check_images(connection, self.after, wanted, own=own)
        if found and had:
            old = {str(one) for one in check_images(connection, self.before, had, own=own)}
            found = [one for one in found if str(one) not in old]
        return told_of_own(found, self.domain)

    def is_ours(self, one: Lowering) -> bool:
        """Whether this is the disk that is changed."""
        return one.disk.name == self.change.target

    def _open_paths(self) -> set[str]:
        """What the domain's own QEMU has open, whichever of its documents this is."""
        if not self.domain.is_active:
            return set()
        running = lift(self.domain.text(), force=True)
        found = lowerings(running, directory=self.directory, provided=self.provided)
        return {one.path for lowering in found for one in openings(lowering)}


def told_of_own(results: Sequence[CheckResult], domain: HostDomain) -> list[CheckResult]:
    """What was found of images; of one that this guest itself has locked it says so."""
    locked = [one for one in results if one.kind == "in-use" and one.message.startswith(LOCKED)]
    if not locked or not domain.is_active or domain.host.driver != "QEMU":
        return list(results)
    nodes = domain.monitor.nodes().values()
    there = {os.path.realpath(str(node["file"])) for node in nodes if node.get("file")}
    own = {id(one) for one in locked if os.path.realpath(one.path or "") in there}
    return [replace(one, message=_OWN, ways=_OTHER) if id(one) in own else one for one in results]


def _told(finding: Finding) -> tuple[str, str]:
    """What a finding says, wherever it stands: an edit moves the lines behind it."""
    return finding.rule, _LINE.sub("line", finding.message)


def _is_known(told: tuple[str, str], known: Counter[tuple[str, str]]) -> bool:
    """Whether it was said before, as often."""
    known[told] -= 1
    return known[told] >= 0


def same_meaning(halves: Sequence[Half], domain: str) -> None:
    """Refuse words that mean one member in the running domain and another one in its definition.

    Raises HostError.
    """
    live, config = halves
    for one, other in zip(live.edited.named, config.edited.named, strict=True):
        if one != other:
            raise HostError(
                f"domain '{domain}': what is named is {one} in the running domain, and {other} in "
                "its definition; name members by their paths, or change one after the other, with "
                "--live and with --config"
            )


def something(halves: Sequence[Half]) -> None:
    """Raise NothingToChangeError where no document would be another one."""
    if not any(one.is_changed for one in halves):
        raise NothingToChangeError(
            f"it is so already, and nothing is changed: {halves[0].change.title}"
        )
