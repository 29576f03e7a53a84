"""Images, and the quorum, the source that is made of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

from virtquorum.model.node import Described, node
from virtquorum.model.parts import MetadataCache
from virtquorum.model.spelling import (
    DRIVER_OR_FORMAT,
    NONE_OR_SELF,
    SOURCE_OR_SELF,
    Integer,
    OnOff,
    Text,
    attribute,
    child,
    image,
    images,
    source,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.source import ForeignSource
    from virtquorum.model.sources import KnownSource

    AnySource: TypeAlias = "Quorum | ForeignSource | KnownSource"

__all__ = [
    "LARGEST_THRESHOLD",
    "AnyImage",
    "Image",
    "Quorum",
    "Terminator",
]


#: QEMU keeps a vote-threshold in 32 bits and cuts off what is above.
LARGEST_THRESHOLD = 2**31 - 1


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Terminator(Described):
    """``<backingStore/>``: the chain ends here, and QEMU is not to look further."""


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Quorum(Described):
    """A source that is a vote: QEMU's quorum driver over ``members``.

    ``threshold`` is the number of members that must agree, None where the
    document does not say.  ``threshold_element`` is the one that the 2014
    proposal wrote, ``<threshold value='2'/>``; ``vote_threshold`` is
    whichever there is.
    """

    type: ClassVar[str] = "quorum"
    protocol: ClassVar[str | None] = None

    threshold: Integer = attribute(of="integer", after="type", qemu="vote-threshold")
    read_pattern: Text = attribute(
        choices=("quorum", "fifo"), inside=DRIVER_OR_FORMAT, after="queue_size", qemu="read-pattern"
    )
    rewrite_corrupted: OnOff = attribute(
        of="on-off", inside=DRIVER_OR_FORMAT, after="read_pattern", qemu="rewrite-corrupted"
    )
    blkverify: OnOff = attribute(
        of="on-off", inside=DRIVER_OR_FORMAT, after="rewrite_corrupted", qemu="blkverify"
    )
    threshold_element: Integer = attribute("value", of="integer", inside="threshold", after="auth")
    members: tuple[Image | Terminator, ...] = images("backingStore", after="threshold")

    @property
    def vote_threshold(self) -> Integer:
        """The threshold, wherever it was written."""
        return self.threshold if self.threshold is not None else self.threshold_element


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Image(Described):
    """A source and the format of the data in it, and maybe a backing image below.

    ``format`` is libvirt's word ('qcow2', 'raw', …).  For a quorum, None and
    'quorum' both say that the quorum is the image; any other format lies
    above the quorum.  ``backing`` is None where the document says nothing,
    and a ``Terminator`` where it says that the chain ends.
    """

    index: Integer = attribute(of="integer", inside=SOURCE_OR_SELF, after="startupPolicy")
    nodename: Text = attribute(inside=NONE_OR_SELF)
    format: Text = attribute("type", inside=DRIVER_OR_FORMAT, after="name")
    metadata_cache: MetadataCache | None = child(
        MetadataCache, "metadata_cache", inside=DRIVER_OR_FORMAT
    )
    source: AnySource = source(after="auth")
    backing: Image | Terminator | None = image("backingStore", after="source")

    @property
    def below(self) -> tuple[Image | Terminator, ...]:
        """What lies directly below: the members of a quorum, or the backing image."""
        if isinstance(self.source, Quorum):
            return self.source.members
        return (self.backing,) if self.backing is not None else ()

    def walk(self) -> Iterator[Image]:
        """This image and every image below it, each before those below it."""
        rest: list[Image | Terminator] = [self]
        while rest:
            one = rest.pop()
            if isinstance(one, Image):
                yield one
                rest.extend(reversed(one.below))


AnyImage: TypeAlias = Image | Terminator
