"""Quorum disks that come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.patch.edit import Change, Edited
from virtquorum.host.patch.plan import planned
from virtquorum.host.patch.words import quorum_disk

if TYPE_CHECKING:
    from typing import Unpack

    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.patch import Options, Patch
    from virtquorum.model.disk import Disk
    from virtquorum.xml.domain import Domain

__all__ = ["attach", "detach"]


def attach(domain: HostDomain, disk: Disk, **options: Unpack[Options]) -> Patch:
    """Plan to give a domain a quorum disk more; see ``Options`` for the rest.

    Raises HostError for a disk that is no quorum disk, or whose target is
    taken, InvalidPatchError, ImagesError, and TranslationError.
    """
    target = disk.name
    if not target:
        raise HostError(
            "the disk has no target; write <target dev='vdb' bus='virtio'/>, say, into it"
        )
    if not disk.quorums:
        raise HostError(
            f"the disk '{target}' is no quorum disk: 'virsh attach-device {domain.name} FILE' "
            "plugs such a disk in"
        )

    def edit(document: Domain) -> Edited:
        if any(one.name == target for one in document.machine_disks):
            raise HostError(
                f"{domain.where} has a disk '{target}' already; choose another target, or detach "
                "that one first"
            )
        # What libvirt would fill in is not the document's; aliases of its own are not kept.
        own = disk.alias if disk.alias and disk.alias.startswith("ua-") else None
        return Edited(document.insert(replace(disk, alias=own)))

    title = f"attach the quorum disk '{target}' to '{domain.name}'"
    return planned(domain, Change("attach", title, target, target, edit), options)


def detach(domain: HostDomain, target: str, **options: Unpack[Options]) -> Patch:
    """Plan to take a quorum disk away; its images stay.  See ``Options`` for the rest.

    A disk that the guest has let go of already, after it was asked in vain, is
    tidied away.  Raises HostError where there is no such quorum disk.
    """

    def edit(document: Domain) -> Edited:
        return Edited(document.remove(quorum_disk(document, target, domain.name)))

    title = f"detach the quorum disk '{target}' from '{domain.name}'"
    return planned(domain, Change("detach", title, target, target, edit), options)
