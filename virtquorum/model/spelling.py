"""How a field of the model is spelled in XML: the one description of every source and element.

A class of the model describes its XML and its QEMU properties side by side,
in the order in which libvirt writes them::

    class NbdSource(NetworkSource):
        export: Text = attribute("name", qemu="export")
        tls: YesNo = attribute(of="yes-no")

This is data only.  ``xml/plan.py`` makes the parser and the formatter of it,
``qemu/`` the properties of the block nodes, and the tests ask it what there
is to exercise; a new protocol is one new class.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from virtquorum.model.node import Malformed, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DRIVER_OR_FORMAT",
    "NONE_OR_SELF",
    "SOURCE_OR_SELF",
    "Codec",
    "Integer",
    "Kind",
    "OnOff",
    "Spelling",
    "Text",
    "YesNo",
    "attribute",
    "child",
    "children",
    "flag",
    "image",
    "images",
    "source",
    "text",
    "variants",
]

Text: TypeAlias = str | None
Integer: TypeAlias = int | Malformed | None
YesNo: TypeAlias = bool | Malformed | None
OnOff: TypeAlias = bool | Malformed | None

Codec = Literal["text", "integer", "yes-no", "on-off"]
Kind = Literal[
    "attribute",  # an attribute of the element, or of one inside it
    "text",  # the text of an element
    "flag",  # an element whose presence says yes
    "child",  # an element with a node of its own
    "children",  # any number of them
    "variants",  # an element whose node depends on one of its attributes
    "source",  # an image's <source>: its node depends on type and protocol
    "image",  # an image's backing image
    "images",  # a quorum's members
]

#: An image's format stands on ``<driver>`` for a disk, on ``<format>`` for a ``<backingStore>``.
DRIVER_OR_FORMAT = ("driver|format",)
#: An image's index stands on ``<source>`` for a disk, on ``<backingStore>`` itself otherwise.
SOURCE_OR_SELF = ("source|",)
#: A member's node name stands on its ``<backingStore>``; a disk's own image has none.
NONE_OR_SELF = ("-|",)


class Spelling:
    """How one field is spelled.

    ``inside`` leads to the element that carries it; ``after`` names what it
    is written after, where that is not the field declared before it;
    ``tail`` puts it behind the fields of derived classes, the larger the later; ``qemu`` is the
    QAPI property that takes the value as it is.
    """

    __slots__ = ("after", "choices", "codec", "inside", "key", "kind", "name", "of", "qemu", "tail")

    def __init__(
        self,
        kind: Kind,
        name: str | None,
        *,
        codec: Codec = "text",
        choices: tuple[str, ...] = (),
        inside: tuple[str, ...] = (),
        after: str | None = None,
        tail: int = 0,
        of: type[Node] | Mapping[str, type[Node]] | None = None,
        qemu: str | None = None,
        key: str | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.codec = codec
        self.choices = choices
        self.inside = inside
        self.after = after
        self.tail = tail
        self.of = of
        self.qemu = qemu
        self.key = key


def _described(
    spelling: Spelling, default: object = None
) -> Any:  # a dataclass field passes as any type
    return field(default=default, metadata={"spelling": spelling})


def attribute(
    name: str | None = None,
    *,
    of: Codec = "text",
    choices: tuple[str, ...] = (),
    inside: tuple[str, ...] | str = (),
    after: str | None = None,
    tail: int = 0,
    qemu: str | None = None,
) -> Any:
    """An attribute, named as the field unless told; ``inside`` an element without a node."""
    if isinstance(inside, str):
        inside = tuple(inside.split("/"))
    return _described(
        Spelling(
            "attribute",
            name,
            codec=of,
            choices=choices,
            inside=inside,
            after=after,
            tail=tail,
            qemu=qemu,
        )
    )


def text(name: str | None = None, *, of: Codec = "text", inside: tuple[str, ...] | str = ()) -> Any:
    """The text of a child element, named as the field unless told; '' is the element's own text."""
    if isinstance(inside, str):
        inside = tuple(inside.split("/"))
    return _described(Spelling("text", name, codec=of, inside=inside))


def flag(name: str | None = None) -> Any:
    """An empty child element whose presence says yes; the field is True or None."""
    return _described(Spelling("flag", name))


def child(
    of: type[Node],
    name: str,
    *,
    inside: tuple[str, ...] = (),
    tail: int = 0,
    default: Node | None = None,
) -> Any:
    """A child element with a node of its own."""
    return _described(Spelling("child", name, of=of, inside=inside, tail=tail), default)


def children(
    of: type[Node],
    name: str,
    *,
    inside: tuple[str, ...] | str = (),
    after: str | None = None,
    tail: int = 0,
) -> Any:
    """Child elements with nodes of their own, in order; ``inside`` a container element."""
    if isinstance(inside, str):
        inside = tuple(inside.split("/"))
    return _described(Spelling("children", name, of=of, inside=inside, after=after, tail=tail), ())


def variants(name: str, attribute: str, of: Mapping[str, type[Node]]) -> Any:
    """A child element whose class follows from one of its attributes (``key``), written first."""
    return _described(Spelling("variants", name, of=of, key=attribute))


def source(*, after: str | None = None) -> Any:
    """An image's source: the class follows from the image's type and the source's protocol."""
    return field(metadata={"spelling": Spelling("source", "source", after=after)})


def image(name: str, *, after: str | None = None) -> Any:
    """An image below an image."""
    return _described(Spelling("image", name, after=after))


def images(name: str, *, after: str | None = None) -> Any:
    """Images below an image, in order."""
    return _described(Spelling("images", name, after=after), ())
