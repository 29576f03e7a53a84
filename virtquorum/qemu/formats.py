"""The format node of an image, over its storage or over a quorum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.source import StoredSource
from virtquorum.qemu import graph

if TYPE_CHECKING:
    from virtquorum.model.parts import Encryption
    from virtquorum.qemu.storage.context import Context

__all__ = ["FORMATS", "UNITS", "Layers", "format_class", "format_node"]

#: libvirt's formats and QEMU's drivers for them.
FORMATS: Final[dict[str, type[graph.Format]]] = {
    "raw": graph.Raw, "fat": graph.Raw, "bochs": graph.Bochs, "cloop": graph.Cloop,
    "dmg": graph.Dmg, "ploop": graph.Parallels, "qcow": graph.Qcow, "qcow2": graph.Qcow2,
    "qed": graph.Qed, "vdi": graph.Vdi, "vhd": graph.Vhdx, "vmdk": graph.Vmdk, "vpc": graph.Vpc,
}  # fmt: skip
#: libvirt's units of bytes, in small letters.
UNITS: Final[dict[str | None, int]] = {
    None: 1, "b": 1, "byte": 1, "bytes": 1,
    **{letter: 1024**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtpe", 1)},
}  # fmt: skip


class Layers:
    """What a format node is put on: the node below, and the backing image's node if there is one.

    ``slice_name`` is called for a name if the part of a storage needs a node of its own.
    """

    __slots__ = ("backing", "file", "name", "slice_name", "writable")

    def __init__(
        self,
        *,
        name: str,
        writable: bool,
        file: graph.Block,
        backing: graph.Block | None,
        slice_name: Any,
    ) -> None:
        self.name = name
        self.writable = writable
        self.file = file
        self.backing = backing
        self.slice_name = slice_name


def format_class(image: Image, context: Context) -> type[graph.Format] | None:
    """QEMU's driver for an image's format; None for a quorum with nothing above it."""
    format = image.format
    if isinstance(image.source, Quorum) and format in (None, "quorum"):
        return None
    if format is None:
        if image is context.disk.image:
            return graph.Raw  # libvirt's default for a disk; it probes nothing either
        raise context.refused(
            "the format is not given, and QEMU would guess it from what the guest wrote",
            image.location,
            "name it: <format type='raw'/>, or what 'qemu-img info' says of an image you trust",
        )
    is_directory = context.source(image).type == "dir"
    if is_directory and format != "fat":
        raise context.refused(
            f"a directory is shown as a FAT file system, and not as '{format}'",
            image.location,
            "its format is 'fat'",
        )
    if format not in FORMATS or (format == "fat" and not is_directory):
        raise context.refused(
            f"QEMU has no driver for the format '{format}'",
            image.location,
            f"formats are: {', '.join(sorted(FORMATS.keys() - {'fat'}))}",
        )
    return FORMATS[format]


def format_node(
    image: Image, cls: type[graph.Format], layers: Layers, context: Context
) -> graph.Block:
    """An image's format node, a slice node below it where the format has none itself.

    Raises TranslationError.
    """
    common: dict[str, Any] = {
        "node_name": layers.name,
        "read_only": not layers.writable,
        "discard": context.discard,
        "detect_zeroes": context.detect_zeroes if image is context.disk.image else None,
        "cache": context.cache,
    }
    common |= _backing(image, cls, layers, context)
    common |= _metadata_cache(image, cls, context)
    encryption = context.encryption(image.source)
    if encryption is not None and encryption.engine != "librbd":
        cls, own = _encrypted(cls, encryption, context)
        common |= own
    offset, size = _slice(image, context)
    if cls is graph.Raw:
        return cls(**common, file=layers.file, offset=offset, size=size)
    file = layers.file
    if size is not None:
        file = graph.Raw(
            node_name=layers.slice_name(), file=file, offset=offset, size=size,
            auto_read_only=True, discard="unmap", cache=context.cache,
        )  # fmt: skip
    return cls(**common, file=file)


def _backing(
    image: Image, cls: type[graph.Format], layers: Layers, context: Context
) -> dict[str, Any]:
    can = issubclass(cls, graph.CowFormat)
    if layers.backing is not None:
        assert isinstance(image.backing, Image)
        if not can:
            raise context.refused(
                f"the format '{image.format or 'raw'}' has no backing images",
                image.backing.location,
                "qcow, qcow2, qed and vmdk have",
            )
        return {"backing": layers.backing}
    if isinstance(image.backing, Terminator) and can:
        return {"backing": graph.NoBacking()}
    return {}


def _slice(image: Image, context: Context) -> tuple[int | None, int | None]:
    source = image.source
    if not isinstance(source, StoredSource) or not source.slices:
        return None, None
    one = source.slices[0]
    if (
        len(source.slices) > 1
        or one.type != "storage"
        or not isinstance(one.offset, int)
        or not isinstance(one.size, int)
        or one.offset < 0
        or one.size < 0
    ):
        raise context.refused(
            "this is no slice that QEMU could take",
            one.location,
            "it is one <slice type='storage' offset='…' size='…'/>, in bytes",
        )
    return one.offset, one.size


def _metadata_cache(image: Image, cls: type[graph.Format], context: Context) -> dict[str, Any]:
    cache = image.metadata_cache
    if cache is None or cache.max_size is None:
        return {}
    unit = UNITS.get(cache.unit.lower() if cache.unit is not None else None)
    size = cache.max_size
    if cls is not graph.Qcow2 or unit is None or not isinstance(size, int) or size < 0:
        raise context.refused(
            "this is no metadata cache that QEMU could take",
            cache.location,
            "it is <max_size unit='KiB'>…</max_size>, for a qcow2 image",
        )
    return {"cache_size": size * unit or None}  # for libvirt, 0 leaves it to QEMU


def _encrypted(
    cls: type[graph.Format], encryption: Encryption, context: Context
) -> tuple[type[graph.Format], dict[str, Any]]:
    """The driver of an image that QEMU decrypts, and the properties for it."""
    place = encryption.location
    if encryption.engine not in (None, "qemu"):
        raise context.refused(
            f"the engine '{encryption.engine}' is unknown", place, "it is 'qemu' or 'librbd'"
        )
    if encryption.format != "luks":
        raise context.refused(
            f"QEMU opens no encryption '{encryption.format}' for a guest",
            place,
            "it is 'luks'; 'luks2' needs engine='librbd', and qcow's own must be converted",
        )
    key = context.passphrase(encryption)
    if cls is graph.Raw:
        return graph.Luks, {"key_secret": key}
    if cls is graph.Qcow2:
        return cls, {"encrypt": graph.QcowLuks(key_secret=key)}
    raise context.refused(
        f"QEMU knows no LUKS in the format '{cls.driver}'", place, "raw and qcow2 have it"
    )
