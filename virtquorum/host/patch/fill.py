"""New members of a domain that is off are copied to by qemu-img, from the vote of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.offline import Copy, StillOff, readable, spelled
from virtquorum.images.opened import driver_of, local_path
from virtquorum.model.image import Image

if TYPE_CHECKING:
    from virtquorum.host.change import Step
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.words import Place

__all__ = ["fill", "still_off"]


def fill(place: Place, member: Image) -> Step:
    """The step that copies what a quorum holds onto an image that is to become a member.

    Members whose files are gone are left out, if the others are enough.
    Raises HostError for images that only QEMU in the domain could open.
    """
    top = Image(source=place.quorum, format="quorum")
    source = spelled(place.disk, readable(top), _refusal)
    target = spelled(place.disk, member, _refusal)
    driver = driver_of(place.disk, member)
    if driver is None:
        raise HostError(_refusal("it is a quorum itself"))
    return Copy(source, target, driver, str(local_path(member)))


def still_off(domain: HostDomain) -> StillOff:
    """The step that sees that the new members have all that the domain has written."""
    return StillOff(
        domain,
        "has been started meanwhile, and its new members have not what it writes; change it while "
        "it runs, with '--live --config'",
    )


def _refusal(why: str) -> str:
    return (
        f"the disk cannot be copied to its new member while the domain is off: {why}; start the "
        "domain and change it then, or copy it yourself and say --no-copy"
    )
