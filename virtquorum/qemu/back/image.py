"""From block nodes to images: storage, slice, format and vote, peeled off one after the other.

The inverse of ``qemu/formats.py`` and ``qemu/voting.py``.  An image is what
lies between a node and the members or the backing image below it; an order
of layers that the XML has no words for is a TranslationError.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.errors import TranslationError
from virtquorum.model.image import Image, Terminator
from virtquorum.model.image import Quorum as Vote
from virtquorum.model.parts import Encryption, MetadataCache, Slice
from virtquorum.qemu import graph
from virtquorum.qemu.back.storage import source
from virtquorum.qemu.formats import FORMATS
from virtquorum.qemu.graph import CopyOnRead, Format, NoBacking, Quorum, Raw, Throttle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.qemu.back.storage.context import Context
    from virtquorum.qemu.graph import Block

__all__ = ["Layers", "encryption_of", "image_of", "layers_of"]

_WORDS: Final = {cls.driver: word for word, cls in FORMATS.items() if word != "fat"}
#: A document may have 256 levels, of which a domain and a source take some.
_DEEPEST: Final = 240
#: Names of nodes that virtquorum, libvirt or QEMU made, so that no nodename comes of them.
_MADE: Final = re.compile(
    r"vq-.*-[0-9a-f]{8}(?:\.[0-9]+)?|libvirt-[0-9]+-(?:format|storage)|#block[0-9]+"
)


class Layers(NamedTuple):
    """An image's nodes, the format node being None where there is none.

    ``top`` is the one that the image above names; ``last`` is its storage, or its quorum;
    ``others`` are those that come to nothing: filters, formats that say nothing, slices.
    """

    top: Block
    format: Format | None
    offset: int | None
    size: int | None
    last: Block
    others: tuple[Block, ...] = ()

    @property
    def below(self) -> tuple[Block, ...]:
        """The nodes of the images below this one."""
        if isinstance(self.last, Quorum):
            return self.last.children
        backing = getattr(self.format, "backing", None)
        return (backing,) if isinstance(backing, graph.Block) else ()

    @property
    def main(self) -> Block:
        """The node whose properties are those of the image."""
        return self.format if self.format is not None else self.last


def layers_of(top: Block, context: Context) -> list[Layers]:
    """The images from a node downwards, each before those below it.

    Raises TranslationError for what no XML says.
    """
    found: list[Layers] = []
    rest = [(top, 0)]
    while rest:
        block, depth = rest.pop()
        if depth > _DEEPEST:
            message = f"more than {_DEEPEST} images lie one below the other"
            raise _no_words(top, f"{message}, and no document is read that is so deep", context)
        layers = _layers(block, context)
        found.append(layers)
        rest.extend((below, depth + 1) for below in reversed(layers.below))
    return found


def image_of(layers: Sequence[Layers], context: Context) -> Image:
    """The image whose layers come first, with all below it."""
    # From the top down, so that what is said of them comes in that order; then from below up.
    own = [_Own(one, context, is_top=one is layers[0]) for one in layers]
    done: dict[int, Image] = {}
    for one, parts in zip(reversed(layers), reversed(own), strict=True):
        done[id(one.top)] = parts.image(done)
    return done[id(layers[0].top)]


def _layers(top: Block, context: Context) -> Layers:
    rest = top
    others: list[Block] = []
    while isinstance(rest, (CopyOnRead, Throttle)):
        context.leave(rest, "driver", rest.driver, "libvirt has it for whole disks alone")
        others.append(rest)
        rest = rest.file
    while _says_nothing(rest):
        assert isinstance(rest, Format)
        others.append(rest)
        rest = rest.file
    if not isinstance(rest, Format):
        return Layers(top, None, None, None, _last(rest, context), tuple(others))
    offset, size, last = _slice(rest, others, context)
    return Layers(top, rest, offset, size, _last(last, context), tuple(others))


def _says_nothing(block: Block) -> bool:
    """Whether a node is raw, whole, and above another format."""
    return (
        isinstance(block, Raw)
        and block.offset is None
        and block.size is None
        and isinstance(block.file, Format)
        and not isinstance(block.file, Raw)
    )


def _slice(
    format: Format, others: list[Block], context: Context
) -> tuple[int | None, int | None, Block]:
    """The part of the storage that holds the image, and the node below all that."""
    offset = size = None
    rest: Block = format
    while isinstance(rest, Raw) or rest is format:
        assert isinstance(rest, Format)
        if isinstance(rest, Raw) and (rest.offset is not None or rest.size is not None):
            if offset is not None:
                raise _no_words(rest, "libvirt's XML has one slice for an image", context)
            if rest.size is None:
                raise _no_words(rest, "libvirt's slices have a size; say 'size' as well", context)
            offset, size = rest.offset or 0, rest.size
        if rest is not format:
            others.append(rest)
        rest = rest.file
    return offset, size, rest


def _last(block: Block, context: Context) -> Block:
    """What an image's layers end with: storage, or a quorum."""
    if isinstance(block, (Format, CopyOnRead, Throttle)):
        what = f"'{block.driver}' below another format"
        raise _no_words(block, f"libvirt's XML has no words for {what}", context)
    return block


def _no_words(block: Block, message: str, context: Context) -> TranslationError:
    origin = context.nodes.origin(block)
    path = f"'{origin.path}': " if origin.path else ""
    return TranslationError(f"{path}{message}", location=origin.place)


class _Own:
    """What of an image is its own, before there are those below it."""

    __slots__ = ("backing", "layers", "source", "values", "word")

    def __init__(self, layers: Layers, context: Context, *, is_top: bool) -> None:
        self.layers = layers
        format, last = layers.format, layers.last
        self.word = "raw" if format is None else _WORDS.get(format.driver, "raw")
        self.backing = getattr(format, "backing", None)
        encryption = encryption_of(format, context)
        self.source: Any = None
        if isinstance(last, Quorum):
            if layers.size is not None or (encryption is not None and not is_top):
                raise _no_words(last, "a quorum has no slice and no encryption of its own", context)
            self._check_backing(context)
            self.word = "quorum" if format is None else self.word
        else:
            self.source = source(last, context, _parts(layers, encryption))
            self.word = "fat" if last.driver == "vvfat" and self.word == "raw" else self.word
        self.values: dict[str, Any] = {
            "metadata_cache": _metadata_cache(format),
            "nodename": None if is_top else _nodename(layers),
        }

    def _check_backing(self, context: Context) -> None:
        if isinstance(self.backing, NoBacking):
            why = "a quorum has no <backingStore/>"
            context.leave(self.layers.main, "backing", "null", why)
        elif self.backing is not None:
            message = "libvirt's XML gives a quorum no backing image"
            raise _no_words(self.layers.main, message, context)

    def image(self, done: dict[int, Image]) -> Image:
        """The image, once those below it are done."""
        last = self.layers.last
        backing: Image | Terminator | None = None
        if isinstance(last, Quorum):
            return Image(format=self.word, source=_vote(last, done), **self.values)
        if isinstance(self.backing, NoBacking):
            backing = Terminator()
        elif self.backing is not None:
            backing = done[id(self.backing)]
        return Image(format=self.word, source=self.source, backing=backing, **self.values)


def _parts(layers: Layers, encryption: Encryption | None) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if layers.size is not None:
        parts["slices"] = (Slice(type="storage", offset=layers.offset, size=layers.size),)
    if encryption is not None:
        parts["encryption"] = encryption
    return parts


def _vote(quorum: Quorum, done: dict[int, Image]) -> Vote:
    return Vote(
        threshold=quorum.vote_threshold,
        read_pattern=quorum.read_pattern,
        rewrite_corrupted=quorum.rewrite_corrupted or None,
        blkverify=quorum.blkverify or None,
        members=tuple(done[id(one)] for one in quorum.children),
    )


def encryption_of(format: Format | None, context: Context) -> Encryption | None:
    """How a format node decrypts what is below it; None if it does not."""
    match format:
        case graph.Luks(key_secret=str(key)):
            word = "luks"
        case graph.Qcow2(encrypt=graph.QcowLuks(key_secret=str(key))):
            word = "luks"
        case graph.Qcow2(encrypt=graph.QcowAes(key_secret=str(key))):
            word = "qcow"
        case graph.Qcow(encrypt=graph.QcowAes(key_secret=str(key))):
            word = "qcow"
        case graph.Luks():
            raise context.error(format, "key-secret", "is missing")
        case _:
            return None
    return Encryption(format=word, secrets=(context.secret(format, key, "passphrase"),))


def _metadata_cache(format: Format | None) -> MetadataCache | None:
    if not isinstance(format, graph.Qcow2) or format.cache_size is None:
        return None
    return MetadataCache(max_size=format.cache_size, unit="bytes")


def _nodename(layers: Layers) -> str | None:
    name = layers.top.node_name
    return None if name is None or _MADE.fullmatch(name) else name
