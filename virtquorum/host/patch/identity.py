"""Which images are one and the same: under two names, in two documents, of two domains."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from virtquorum.errors import HostError, InputError
from virtquorum.host.connection import asking
from virtquorum.host.file_key import file_key
from virtquorum.host.patch.guards import written_to
from virtquorum.images.opened import local_path
from virtquorum.model.image import Image
from virtquorum.report.location import where
from virtquorum.stock.lift import lift
from virtquorum.xml.domain import Domain
from virtquorum.xml.record import Record

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.edit import Change, Edited
    from virtquorum.host.patch.words import Place
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage

__all__ = ["are_members", "check_quorum", "check_twice", "identity", "newcomers", "others", "stale"]


def identity(image: Image, *, here: bool) -> Hashable:
    """What one image has in common with itself under any other name; None where it has no place.

    ``here`` is whether files are files of this machine: then links are followed.
    """
    path = local_path(image)
    if path is None or not here:
        return path or where(image.source)
    return file_key(path)


def _members(disk: Disk | None) -> list[Image]:
    """The images that vote in a disk, those in quorums in its quorum too."""
    return [] if disk is None else list(written_to(one for q in disk.quorums for one in q.members))


def _disk(document: Domain, target: str) -> Disk | None:
    return next((one for one in document.machine_disks if one.name == target), None)


def check_twice(before: Domain, after: Domain, target: str, *, here: bool) -> None:
    """Refuse a change by which one image votes twice in a disk, under two names.

    Raises HostError.
    """
    known = {where(one.source) for one in _members(_disk(before, target))}
    found: dict[Hashable, str | None] = {}
    for one in _members(_disk(after, target)):
        name, key = where(one.source), identity(one, here=here)
        other = found.setdefault(key, name) if key is not None else name
        if other != name and not (name in known and other in known):
            raise HostError(
                f"'{other}' and '{name}' are one and the same image: it would vote twice in "
                f"'{target}'; give each member an image of its own"
            )


def are_members(domain: HostDomain, target: str, images: Iterable[AnyImage]) -> bool:
    """Whether images are all members of a disk of the running domain, in the same format."""
    here = domain.host.is_local
    running = {
        (key, one.format)
        for one in _members(_disk(lift(domain.text(), force=True), target))
        if (key := identity(one, here=here)) is not None
    }
    return all((identity(one, here=here), one.format) in running for one in written_to(images))


def check_quorum(live: Place, config: Place, *, here: bool) -> None:
    """Refuse a way that leads to one quorum in the running domain and another in its definition.

    A quorum has no name of its own: it is the same if it has members in common,
    and none that another quorum of the disk has in the other document.  Raises
    HostError.
    """
    if "/" not in live.word:
        return
    one, other = (
        {identity(image, here=here) for image in written_to(place.quorum.members)} - {None}
        for place in (live, config)
    )
    all, other_all = (
        {identity(image, here=here) for image in _members(place.disk)} for place in (live, config)
    )
    if one.isdisjoint(other) or (one - other) & other_all or (other - one) & all:
        raise HostError(
            f"'{live.word}' is the quorum of {live.listed()} in the running domain, and that of "
            f"{config.listed()} in its definition; change one after the other, with --live and "
            "with --config"
        )


def stale(
    domain: HostDomain, before: Domain, after: Domain, definition: Domain, target: str
) -> Iterator[str]:
    """What to ask of a member that goes out of the running domain, and not of its definition."""
    here = domain.host.is_local
    left, defined = (
        {identity(one, here=here) for one in _members(_disk(document, target))}
        for document in (after, definition)
    )
    for one in _members(_disk(before, target)):
        key = identity(one, here=here)
        if key is not None and key in defined and key not in left:
            yield (
                f"the definition of '{domain.name}' still has the member '{where(one.source)}', "
                "which misses all that the guest writes from now on and votes with its old data at "
                "the next start; '--live --config' changes both"
            )


def newcomers(change: Change, edited: Edited) -> Sequence[AnyImage]:
    """The images that a change brings into a document and that are written to."""
    disk = _disk(edited.domain, change.target) if change.kind == "attach" else None
    if disk is None:
        return edited.members
    return () if disk.readonly or disk.shareable else _members(disk)


def others(domain: HostDomain, members: Sequence[AnyImage], target: str) -> Iterator[str]:
    """What to ask of new members whose images another domain's definition names, or another disk.

    What a running domain has open is looked at elsewhere.
    """
    here = domain.host.is_local
    wanted = {identity(one, here=here): where(one.source) for one in written_to(members)}
    wanted.pop(None, None)
    if not wanted:
        return
    for one in domain.host.domains():
        with suppress(HostError):  # it may be gone since
            is_own = one.uuid == domain.uuid
            for disk in _disks(one):
                if is_own and disk.name == target:
                    continue
                for image in _images(disk):
                    key = identity(image, here=here)
                    if key in wanted:
                        yield (
                            f"the image '{wanted[key]}' is in the definition of '{one.name}' as "
                            f"well, in its disk '{disk.name}'"
                        )


def _disks(domain: HostDomain) -> list[Disk]:
    """The disks of a definition, the quorums' too."""
    with asking(domain.where):
        xml = str(domain.handle.XMLDesc(2))  # VIR_DOMAIN_XML_INACTIVE
    try:
        document = Domain.from_text(xml, "domain")
        record = Record.of(document.document.root)
    except InputError:
        return []
    disks = list(document.machine_disks)
    return disks + [one.disk for one in record.disks] if record is not None else disks


def _images(disk: Disk) -> Iterable[Image]:
    return (one for one in disk.image.walk() if isinstance(one, Image))
