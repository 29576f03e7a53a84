"""Which domains name which placeholders, in what runs, in definitions and in saved states.

Usually one domain has one; but 'virsh domrename' leaves a placeholder its old
name, and a copy of a lowered definition names those of the original.
"""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Final

from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.connection import asking
from virtquorum.stock.lower import kept_files
from virtquorum.stock.placeholder import placeholder_path
from virtquorum.xml.domain import Domain
from virtquorum.xml.record import NAMESPACE, machine_elements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.host.domain import HostDomain
    from virtquorum.host.session import Host

__all__ = ["files_of_others", "names_of", "own_files", "spelled"]

#: VIR_DOMAIN_XML_INACTIVE
_INACTIVE: Final = 2
#: libvirt's VIR_ERR_NO_DOMAIN.
_NO_DOMAIN: Final = 42
_ENDING: Final = ".placeholder"


def files_of_others(host: Host, uuid: str) -> dict[str, str]:
    """The placeholders that other domains than one name, as ``spelled``, and the domains' names.

    Raises LibvirtError.
    """
    found: dict[str, str] = {}
    for domain in host.domains():
        if domain.uuid != uuid.lower():
            found |= dict.fromkeys(_files(domain), domain.name)
    return found


def names_of(host: Host, path: str) -> list[str]:
    """The names of the domains that name a placeholder; raises LibvirtError."""
    wanted = spelled(host, path)
    return [domain.name for domain in host.domains() if wanted in _files(domain)]


def spelled(host: Host, path: str) -> str:
    """A path as it is compared: without links, where it is one of this machine."""
    return os.path.realpath(path) if host.is_local else path


def own_files(
    host: Host, new: Domain, uuid: str, known: Mapping[str, str], directory: str | None
) -> tuple[dict[str, str], list[str]]:
    """Where a domain's placeholders go by target, none where another has one, and notes on that.

    ``known`` are the places of those that there are, ``directory`` is where
    others go.  Raises HostError where only a person can say that.
    """
    others = files_of_others(host, uuid)
    found: dict[str, str] = {}
    notes = []
    name = new.domain_name or ""
    for disk in (one for one in new.machine_disks if one.quorums):
        target = disk.name or ""
        path = known.get(target) or placeholder_path(_directory(host, directory), name, disk)
        owner = others.get(spelled(host, path))
        if owner is not None:
            taken = {*others, *(spelled(host, one) for one in found.values())}
            place = os.path.dirname(path)
            # Its own name first, which that of a copied definition is not.
            names = (name if number == 1 else f"{name}.{number}" for number in count(1))
            paths = (placeholder_path(place, one, disk) for one in names)
            free = next(one for one in paths if spelled(host, one) not in taken)
            notes.append(
                f"disk '{target}': the placeholder '{path}' is that of the domain '{owner}', so "
                f"'{name}' gets '{free}'"
            )
            path = free
        found[target] = path
    return found, notes


def _directory(host: Host, directory: str | None) -> str:
    """Where new placeholders go; raises HostError where only a person can say it."""
    found = directory or host.placeholder_directory
    if not found:
        raise HostError(
            f"{host.where}: where that user's placeholders go on '{host.name}' is not known here; "
            "name a directory of a pool there, --placeholder-dir DIR"
        )
    return found


def _files(domain: HostDomain) -> set[str]:
    """The placeholders that a domain names; none of one that has ended meanwhile."""
    found: set[str] = set()
    try:
        # Of a domain that is off the first two are one.
        for xml in set(_texts(domain)):
            if NAMESPACE in xml or _ENDING in xml:
                found |= set(_named(Domain.from_text(xml, f"libvirt's XML of '{domain.name}'")))
    except LibvirtError as error:
        if error.code != _NO_DOMAIN:
            raise
    return {spelled(domain.host, path) for path in found}


def _texts(domain: HostDomain) -> Iterator[str]:
    with asking(domain.where):
        yield str(domain.handle.XMLDesc(0))
        yield str(domain.handle.XMLDesc(_INACTIVE))
        if domain.has_managed_save:
            yield str(domain.handle.managedSaveGetXMLDesc(0))


def _named(text: Domain) -> Iterator[str]:
    """What the record names, and what stands as a disk's source, whatever the record says."""
    yield from kept_files(text).values()
    for disk in machine_elements(text.document.root, "disk"):
        for source in disk.elements("source"):
            if "file" in source.attributes:
                yield source.attributes["file"]
