"""What the sources of images have in common, and the source that is not known."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import Described, ForeignElement, node
from virtquorum.model.parts import Auth, Encryption, Reservations, Seclabel, Slice
from virtquorum.model.spelling import Text, attribute, child, children

__all__ = ["ForeignSource", "LocalSource", "Source", "StoredSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Source(Described):
    """Where an image's data is; ``type`` and ``protocol`` tell the classes apart."""

    type: ClassVar[str]
    protocol: ClassVar[str | None] = None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class StoredSource(Source):
    """What every source but vhost-user may carry."""

    slices: tuple[Slice, ...] = children(Slice, "slice", inside="slices", tail=2)
    auth: Auth | None = child(Auth, "auth", tail=2)
    encryption: Encryption | None = child(Encryption, "encryption", tail=2)
    reservations: Reservations | None = child(Reservations, "reservations", tail=2)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class LocalSource(StoredSource):
    """A source that this host reaches by itself, with labels and a start-up policy."""

    seclabels: tuple[Seclabel, ...] = children(Seclabel, "seclabel", after="slices", tail=2)
    startup_policy: Text = attribute(
        "startupPolicy", choices=("mandatory", "requisite", "optional"), tail=2
    )


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ForeignSource(Described):
    """A source of a type or protocol that the model does not know, kept whole.

    ``type`` is the disk's or backingStore's own attribute; ``protocol`` and
    the rest of ``<source>`` are in ``element``, which is None where there is
    no ``<source>``.
    """

    type: str
    element: ForeignElement | None = None

    @property
    def protocol(self) -> str | None:
        """The protocol that ``<source>`` names, None if it names none."""
        attributes = dict(self.element.attributes) if self.element is not None else {}
        return attributes.get("protocol")
