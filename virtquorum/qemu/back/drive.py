"""``-drive`` taken apart as QEMU does it: the drive's own options, and the node below.

The drive's own say how the guest sees the disk; what is left, with ``file``
opened and protocols found, is a tree of BlockdevOptions whose values are
texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import ArgumentError
from virtquorum.qemu.back.lacking import SWITCHES_LACKING
from virtquorum.qemu.back.optionlist import crumple, option_list
from virtquorum.qemu.back.resolve import resolve
from virtquorum.qemu.back.structs import StructReader, switch_of
from virtquorum.qemu.graph import BLOCKS
from virtquorum.qemu.objects import ThrottleLimits
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.options import Option
    from virtquorum.qemu.back.place import Place

__all__ = ["SHORT_FORMS", "Drive", "read_drive"]

#: Options that are a -drive with some words given.
SHORT_FORMS: Final[dict[str, dict[str, str]]] = {
    "hda": {"index": "0", "media": "disk"},
    "hdb": {"index": "1", "media": "disk"},
    "hdc": {"index": "2", "media": "disk"},
    "hdd": {"index": "3", "media": "disk"},
    "cdrom": {"index": "2", "media": "cdrom"},
    "fda": {"if": "floppy", "index": "0"},
    "fdb": {"if": "floppy", "index": "1"},
    "sd": {"if": "sd"},
}
INTERFACES: Final = (
    "none", "ide", "scsi", "floppy", "pflash", "mtd", "sd", "virtio", "xen",
)  # fmt: skip
_RENAMED: Final = {
    **{
        f"{short}{ending}": f"throttling.{long}{'-max' if ending else ''}"
        for short, long in (
            ("iops", "iops-total"), ("iops_rd", "iops-read"), ("iops_wr", "iops-write"),
            ("bps", "bps-total"), ("bps_rd", "bps-read"), ("bps_wr", "bps-write"),
        )
        for ending in ("", "_max")
    },
    "iops_size": "throttling.iops-size",
    "group": "throttling.group",
    "readonly": "read-only",
}  # fmt: skip
#: cache=MODE as cache.direct, cache.no-flush, cache.writeback.
_CACHE: Final = {
    "none": ("on", "off", "on"), "off": ("on", "off", "on"), "directsync": ("on", "off", "off"),
    "writeback": ("off", "off", "on"), "unsafe": ("off", "on", "on"),
    "writethrough": ("off", "off", "off"),
}  # fmt: skip
#: What a drive counts for query-blockstats.
_STATISTICS: Final = ("stats-account-invalid", "stats-account-failed", "stats-intervals")
#: What QEMU took until 3.0, and now leaves to -device; libvirt's XML has some of it.
_DEVICES_OWN: Final = ("serial", "addr", "cyls", "heads", "secs", "trans", "boot")
#: What may stand without a value, 'on' being meant; the last name of a dotted key.
SWITCHES: Final = frozenset({
    "copy-on-read", "snapshot", "readonly", "direct", "no-flush", "writeback", "boot",
    "detect-zeroes", "discard",
    "stats-account-invalid", "stats-account-failed", *SWITCHES_LACKING,
    *(one.name for cls in BLOCKS.values() for one in properties(cls).values()
      if one.kind == "switch"),
})  # fmt: skip
_ON_ERROR: Final = ("stop", "report", "ignore", "enospc")
_INDEXED: Final = ("index", "bus", "unit")


class Drive:
    """A -drive: what it says for the guest's device, and the tree of its node.

    ``tree`` is None for a drive without a medium.  ``direct`` and
    ``no_flush`` are in the tree; ``writeback`` is the device's.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.id: str | None = None
        self.interface: str | None = None
        self.media = "disk"
        self.numbers: dict[str, int] = {}
        self.writeback: bool | None = None
        self.aio: str | None = None
        self.copy_on_read = False
        self.read_only = False
        self.snapshot = False
        self.werror: str | None = None
        self.rerror: str | None = None
        self.serial: str | None = None
        self.limits: ThrottleLimits | None = None
        self.group: str | None = None
        self.tree: dict[str, Any] | None = None


def read_drive(option: Option, notes: Notes) -> Drive:
    """A -drive, or one of the options that are short for it; raises ArgumentError."""
    return _Splitter(option, notes).drive()


class _Splitter:
    def __init__(self, option: Option, notes: Notes) -> None:
        self.option = option
        self.place = option.place
        self.notes = notes
        self.made = Drive(option.place)
        if option.name in SHORT_FORMS:
            self.flat: dict[str, Any] = {**SHORT_FORMS[option.name], "file": option.value}
        else:
            bare: list[str] = []
            self.flat = dict(option_list(option.value, option.place, flags=True, bare=bare))
            for word in bare:
                if not self.flat.get("file", "").startswith("json:"):  # whose own error says more
                    self._check_bare(word)

    def _refused(self, message: str, remedy: str | None = None) -> ArgumentError:
        return ArgumentError(message, place=self.place, remedy=remedy)

    def _check_bare(self, word: str) -> None:
        """Refuse a word that is no switch: mostly it is what follows a comma in a file's name."""
        name = word.rpartition(".")[2]
        if name not in SWITCHES and name.removeprefix("no") not in SWITCHES:
            raise self._refused(
                f"'{word[:60]}' has no value, and it is no switch",
                "a comma inside a value is doubled: ',,'",
            )

    def drive(self) -> Drive:
        made = self.made
        self._rename()
        made.id = self.flat.pop("id", None)
        made.interface = self._word("if", INTERFACES)
        made.media = self._word("media", ("disk", "cdrom")) or "disk"
        made.werror = self._word("werror", _ON_ERROR)
        made.rerror = self._word("rerror", _ON_ERROR)
        made.aio = self._word("aio", ("threads", "native", "io_uring"))
        self._discard()
        made.copy_on_read = self._switch("copy-on-read") or False
        made.snapshot = self._switch("snapshot") or False
        self._numbers()
        self._cache()
        self._throttling()
        self._devices_own()
        self._statistics()
        self._format()
        read_only = switch_of(self.flat.get("read-only"))
        made.read_only = read_only or (read_only is None and made.media == "cdrom")
        made.tree = self._tree()
        return made

    def _rename(self) -> None:
        for old, new in _RENAMED.items():
            if old in self.flat:
                if new in self.flat:
                    raise self._refused(f"'{old}' and '{new}' say the same; leave one of them out")
                self.flat[new] = self.flat.pop(old)

    def _discard(self) -> None:
        """QEMU takes on and off here, for unmap and ignore."""
        words = {"on": "unmap", "off": "ignore"}
        if "discard" in self.flat:
            self.flat["discard"] = words.get(self.flat["discard"], self.flat["discard"])

    def _word(self, name: str, words: tuple[str, ...]) -> str | None:
        value: str | None = self.flat.pop(name, None)
        if value is not None and value not in words:
            raise self._refused(f"'{name}' is '{value[:60]}'", f"it is one of: {', '.join(words)}")
        return value

    def _switch(self, name: str) -> bool | None:
        if name not in self.flat:
            return None
        value = switch_of(self.flat.pop(name))
        if value is None:
            raise self._refused(f"'{name}' is no switch", "it is 'on' or 'off'")
        return value

    def _numbers(self) -> None:
        for name in _INDEXED:
            value = self.flat.pop(name, None)
            if value is None:
                continue
            if not (value.isascii() and value.isdigit() and len(value) < 6):
                raise self._refused(f"'{name}' is '{value[:60]}', which is no number")
            self.made.numbers[name] = int(value)
        if "index" in self.made.numbers and len(self.made.numbers) > 1:
            raise self._refused("'index' cannot go with 'bus' and 'unit'")

    def _cache(self) -> None:
        mode = self._word("cache", tuple(_CACHE))
        if mode is not None:
            keys = ("cache.direct", "cache.no-flush", "cache.writeback")
            for key, value in zip(keys, _CACHE[mode], strict=True):
                self.flat.setdefault(key, value)
        self.made.writeback = self._switch("cache.writeback")

    def _throttling(self) -> None:
        said = {
            name.removeprefix("throttling."): self.flat.pop(name)
            for name in list(self.flat)
            if name.startswith("throttling.")
        }
        self.made.group = said.pop("group", None)
        if said:
            reader = StructReader(self.place, self.notes, strict=False)
            limits = reader.struct(ThrottleLimits, said, "throttling")
            assert isinstance(limits, ThrottleLimits)
            self.made.limits = limits

    def _devices_own(self) -> None:
        for name in _DEVICES_OWN:
            value = self.flat.pop(name, None)
            if value is None:
                continue
            if name == "serial":
                self.made.serial = value
                self.notes.remark(
                    self.place, "QEMU since 3.1 takes 'serial' with -device only; it is kept"
                )
            else:
                self.notes.leave(self.place, name, value, "QEMU since 3.1 refuses it here")

    def _statistics(self) -> None:
        for name in list(self.flat):
            if name.partition(".")[0] in _STATISTICS:
                self.notes.leave(self.place, name, self.flat.pop(name))

    def _format(self) -> None:
        format = self.flat.pop("format", None)
        if format is None:
            return
        if "driver" in self.flat:
            raise self._refused("'format' and 'driver' say the same; leave one of them out")
        self.flat["driver"] = format

    def _tree(self) -> dict[str, Any] | None:
        filename = self.flat.pop("file", None)
        if not filename and not any(
            key == "driver" or key.startswith(("file.", "children.")) for key in self.flat
        ):
            for key, value in self.flat.items():
                if key not in ("read-only", "cache.direct", "cache.no-flush"):
                    self.notes.leave(self.place, key, value, "the drive has no medium")
            return None
        read_only = self.flat.get("read-only")
        if read_only is None and self.made.media == "cdrom":
            self.flat["read-only"] = "on"
        return resolve(crumple(self.flat, self.place), filename, self.place, self.notes)
