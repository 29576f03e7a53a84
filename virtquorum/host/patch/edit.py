"""An edit: what a change does to a document, whichever of a domain's it is done to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from virtquorum.errors import HostError

if TYPE_CHECKING:
    from virtquorum.model.image import AnyImage
    from virtquorum.xml.domain import Domain

__all__ = ["Change", "Edit", "Edited", "NothingToChangeError"]

Kind: TypeAlias = Literal["attach", "detach", "change"]


class NothingToChangeError(HostError):
    """All is already as it shall be."""


class Edited(NamedTuple):
    """A document after an edit.

    ``members`` are the new members, which have to be copied to; ``named`` is
    what the words of a person meant in this document, for comparison.
    ``paths`` are those of the elements that are new, or are set otherwise.
    """

    domain: Domain
    members: tuple[AnyImage, ...] = ()
    named: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


Edit: TypeAlias = Callable[["Domain"], Edited]


class Change(NamedTuple):
    """A change before it is known where it is made.

    ``title`` completes 'cannot …'; ``target`` is the disk's, and ``quorum``
    the word for the quorum that is changed.
    """

    kind: Kind
    title: str
    target: str
    quorum: str
    edit: Edit
