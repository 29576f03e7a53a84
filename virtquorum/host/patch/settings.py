"""A quorum set otherwise: its threshold and its policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from virtquorum.errors import HostError
from virtquorum.host.patch.edit import Change, Edited
from virtquorum.host.patch.plan import planned
from virtquorum.host.patch.words import place_of
from virtquorum.xml.policy import POLICIES

if TYPE_CHECKING:
    from typing import Unpack

    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.patch import Options, Patch
    from virtquorum.xml.domain import Domain

__all__ = ["SETTINGS", "Settings", "set_quorum"]

#: What of a quorum can be set.
SETTINGS: Final = ("threshold", *POLICIES)


class Settings(TypedDict, total=False):
    """What a quorum shall be set to; None takes a policy out of the XML: QEMU's default."""

    threshold: int
    read_pattern: str | None
    rewrite_corrupted: bool | None
    blkverify: bool | None


def set_quorum(
    domain: HostDomain, quorum: str, settings: Settings, **options: Unpack[Options]
) -> Patch:
    """Plan to set a quorum's threshold and policies; see ``Options`` for the rest.

    Raises HostError, InvalidPatchError, and EditError for a value that there is none of.
    """
    if not settings:
        raise HostError(f"nothing to set of '{quorum}': name one of {', '.join(SETTINGS)}")

    def edit(document: Domain) -> Edited:
        for name, value in settings.items():
            place = place_of(document, quorum, domain.name)
            if name == "threshold":
                document = document.set_threshold(place.quorum, value)  # type: ignore[arg-type]
            else:
                document = document.set_policy(place.quorum, name, value)  # type: ignore[arg-type]
        location = place_of(document, quorum, domain.name).quorum.location
        return Edited(document, paths=(location.path,) if location is not None else ())

    said = ", ".join(f"{name} {_said(value)}" for name, value in settings.items())
    title = f"set {said} of '{quorum}' in '{domain.name}'"
    return planned(domain, Change("change", title, quorum.partition("/")[0], quorum, edit), options)


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "to its default" if value is None else str(value)
