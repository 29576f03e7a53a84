"""All that QEMU was given, read into disks: the way back from ``translate.py``.

QEMU takes a command line option by option: objects first, then -blockdev,
-drive and -device, each in its order; commands of a monitor it takes one
after the other.  A disk is a device with what it shows; then each -drive and
each top node that no device shows.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.errors import ArgumentError, TranslationError
from virtquorum.model.disk import Boot, Disk, Transient
from virtquorum.qemu.back.disk import Disks
from virtquorum.qemu.back.drive import SHORT_FORMS
from virtquorum.qemu.back.graph import Origin, names_in
from virtquorum.qemu.back.notes import Notes
from virtquorum.qemu.back.optionlist import crumple, json_object, option_list
from virtquorum.qemu.back.options import Option, qemu_options
from virtquorum.qemu.back.program import qemu_call
from virtquorum.qemu.back.storage.context import Context
from virtquorum.qemu.back.taken import Taken
from virtquorum.qemu.back.targets import Targets
from virtquorum.qemu.back.words import Arguments
from virtquorum.qemu.devices.chardev import SocketChardev
from virtquorum.qemu.devices.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.back.program import Call
    from virtquorum.qemu.back.words import Command, Commands, Given

__all__ = ["Read", "read"]

_ARCHITECTURE: Final = re.compile(r"(?:.*/)?qemu-system-([a-z0-9_]+)", re.DOTALL)
#: What a value that cannot be read would have defined.
_NAMED: Final = re.compile(r"""(?:^|[,{\s"'])(?:id|node-name)["']?\s*[=:]\s*["']?([^,"'}\s]+)""")
#: Options that say something of disks, beside those that are short for -drive.
_OWN: Final = frozenset({
    "drive", "blockdev", "device", "object", "chardev", "global", "machine", "M", "snapshot",
    "readconfig", "set", "pflash", "mtdblock", "S", "nodefaults", "no-user-config",
})  # fmt: skip
#: Commands that change nothing that is read here.
_IDLE: Final = re.compile(
    r"query-.*|qmp_capabilities|qom-(?:get|list.*)|cont|stop|device-list-properties|"
    r"x-debug-.*|getfd|add-fd|system_.*|quit|block_resize|balloon|.*-spice|"
    r"expire_password|set_password|migrate-set.*|"
    r"block-latency-histogram-set|netdev_.*"
)


class Read(NamedTuple):
    """The disks, what of them has no XML, what is to be said, and what QEMU would refuse.

    ``mistakes`` are empty unless ``read`` was told to go on after them.
    """

    disks: tuple[Disk, ...]
    refused: tuple[TranslationError, ...]
    notes: Notes
    mistakes: tuple[ArgumentError, ...] = ()


def read(given: Given, *, reserved: Collection[str] = (), keep_going: bool = False) -> Read:
    """The disks that QEMU was given.

    ``reserved`` are targets that no disk gets for want of a name.  Raises
    ArgumentError for what QEMU would refuse; with ``keep_going`` only where
    nothing can be read behind it, and the others are in ``mistakes``.
    """
    reader = _Reader(given.remarks, reserved, keep_going=keep_going)
    if isinstance(given, Arguments):
        call = qemu_call(given.words)
        reader.call(call)
        reader.options(qemu_options(call.words))
    else:
        reader.commands(given)
    return reader.read()


class _Reader:
    def __init__(
        self, remarks: tuple[str, ...], reserved: Collection[str], *, keep_going: bool
    ) -> None:
        self.taken = Taken(remarks)
        self.reserved = reserved
        self.keep_going = keep_going
        self.mistakes: list[ArgumentError] = []
        self.notes = self.taken.notes
        self.nodes = self.taken.nodes
        self.objects = self.taken.objects
        self.refused: list[TranslationError] = []
        self.all_transient = False
        self._arch = "x86_64"

    def call(self, call: Call) -> None:
        """Which machine a program's name is for, and what is to be said of the words."""
        if (found := _ARCHITECTURE.fullmatch(call.program or "")) is not None:
            self._arch = found[1]
        self.taken.machine = Machine(None, self._arch)
        if call.remark is not None:
            self.notes.remark(None, call.remark)
        if call.program is None and len(call.words) == 1 and call.words[0].text[:1] != "-":
            self.notes.remark(
                call.words[0].place,
                "the word alone is an image, as QEMU would read it; a file with arguments is read "
                "by 'virtquorum from-args - < FILE'",
            )

    # A command line

    def options(self, options: list[Option]) -> None:
        """Take options as QEMU does, kind by kind."""
        for option in options:
            with self._tolerant(self.objects.broken, option):
                self._first(option)
        for place, tree, strict in self._blockdevs(options):
            with self._tolerant(self.nodes.broken, names_in(tree)):
                self.taken.blockdev(tree, place, strict=strict)
        for option in options:
            if option.name == "drive" or option.name in SHORT_FORMS:
                with self._tolerant(self.nodes.broken, option):
                    self.taken.drive(option)
        for option in options:
            if option.name == "device":
                with self._tolerant({}, option):
                    tree, _ = _tree(option, "driver")
                    self.taken.device(tree, option.place)

    def _blockdevs(self, options: list[Option]) -> list[tuple[Place, dict[str, Any], bool]]:
        found = []
        for option in options:
            if option.name == "blockdev":
                with self._tolerant(self.nodes.broken, option):
                    found.append((option.place, *_tree(option, "driver")))
        for place, tree, _ in found:
            self.nodes.announce(place, tree)
        return found

    @contextmanager
    def _tolerant(
        self, broken: dict[str, ArgumentError], names: Option | Iterable[str]
    ) -> Iterator[None]:
        """Go on after a mistake, if that is wanted; what it was to define is noted as broken."""
        try:
            yield
        except ArgumentError as error:
            if not self.keep_going:
                raise
            if all(error is not one for one in self.mistakes):
                self.mistakes.append(error)
            names = _NAMED.findall(names.value) if isinstance(names, Option) else names
            for name in names:
                broken.setdefault(name, error)

    def _first(self, option: Option) -> None:
        """What QEMU takes before the drives and devices."""
        place = option.place
        match option.name:
            case "machine" | "M":
                words = option_list(option.value, place, implied="type", flags=True)
                self._machine(words, place)
            case "object":
                tree, strict = _tree(option, "qom-type")
                self.objects.add(tree, place, strict=strict)
            case "chardev":
                self._chardev(option_list(option.value, place, implied="backend", flags=True))
            case "global":
                self._global(option)
            case "snapshot":
                self.all_transient = True
            case "readconfig" | "set":
                self.notes.remark(place, f"what '{option.value}' says is not read")
            case "pflash" | "mtdblock":
                self.notes.remark(place, "the machine's firmware or flash, and no disk")
            case name if name not in _OWN and name not in SHORT_FORMS:
                self.taken.passed_over[f"-{name}"] = None

    def _machine(self, words: dict[str, str], place: Place) -> None:
        if words.get("type"):
            self.taken.machine = Machine(words["type"], self._arch)
        for name in ("pflash0", "pflash1"):
            if name in words:
                self.nodes.users[words[name]] = Origin(place, name)

    def _chardev(self, words: dict[str, str]) -> None:
        if words.get("backend") == "socket" and "path" in words and "id" in words:
            again = words.get("reconnect", "")
            self.taken.chardevs[words["id"]] = SocketChardev(
                id=words["id"],
                path=words["path"],
                reconnect=int(again) if again.isdigit() else None,
            )

    def _global(self, option: Option) -> None:
        found = re.fullmatch(r"isa-fdc\.bootindex([AB])=([0-9]{1,9})", option.value)
        words = option_list(option.value, option.place, implied="driver", flags=True)
        if found is None and words.get("driver") == "isa-fdc":
            text = f"isa-fdc.{words.get('property')}={words.get('value')}"
            found = re.fullmatch(r"isa-fdc\.bootindex([AB])=([0-9]{1,9})", text)
        if found is not None:
            self.taken.controllers.floppies["AB".index(found[1])] = int(found[2])
        else:
            self.taken.passed_over["-global"] = None

    # Commands

    def commands(self, given: Commands) -> None:
        """Take commands, each when its turn comes."""
        for one in given.commands:
            if one.name == "blockdev-add":
                self.nodes.announce(one.place, one.arguments)
        for one in given.commands:
            tree = one.arguments
            broken = self.objects.broken if one.name == "object-add" else self.nodes.broken
            id = tree.get("id") if one.name == "object-add" else None
            with self._tolerant(broken, [id] if isinstance(id, str) else names_in(tree)):
                self._command(one)

    def _command(self, one: Command) -> None:
        tree, place = one.arguments, one.place
        match one.name:
            case "blockdev-add":
                self.taken.blockdev(tree, place, strict=True)
            case "blockdev-del":
                self.nodes.remove(_text(tree, "node-name", place), place)
                self.taken.tops.pop(_text(tree, "node-name", place), None)
            case "object-add":
                props = tree.get("props")
                flat = {key: value for key, value in tree.items() if key != "props"}
                self.objects.add(
                    {**flat, **props} if isinstance(props, dict) else flat, place, strict=True
                )
            case "object-del":
                self.objects.remove(_text(tree, "id", place), place)
            case "device_add":
                self.taken.device(tree, place)
            case "device_del":
                self.taken.unplugged(_text(tree, "id", place))
            case "chardev-add":
                self._added_chardev(tree)
            case "chardev-remove":
                self.taken.chardevs.pop(_text(tree, "id", place), None)
            case name if _IDLE.fullmatch(name) is None:
                self.notes.remark(place, "what this command changes is not followed")

    def _added_chardev(self, tree: dict[str, Any]) -> None:
        backend = tree.get("backend")
        data = backend.get("data") if isinstance(backend, dict) else None
        address = data.get("addr") if isinstance(data, dict) else None
        inside = address.get("data") if isinstance(address, dict) else None
        path = inside.get("path") if isinstance(inside, dict) else None
        id = tree.get("id")
        if isinstance(path, str) and isinstance(id, str):
            assert isinstance(data, dict)
            again = data.get("reconnect")
            reconnect = again if isinstance(again, int) else None
            self.taken.chardevs[id] = SocketChardev(id=id, path=path, reconnect=reconnect)

    # Disks

    def read(self) -> Read:
        """Make disks of all that was taken, in the order in which it was given."""
        taken, targets = self.taken, Targets(self.notes, self.reserved)
        context = Context(self.nodes, self.objects, self.notes)
        disks = Disks(context, taken.machine, taken.controllers, targets, taken.chardevs)
        made = []
        for pieces, error in taken.pieces():
            try:
                if error is not None:
                    raise error
                with self._tolerant({}, ()):
                    made.append(disks.disk(pieces))
            except TranslationError as refused:
                self.refused.append(refused)
        self._say_passed_over()
        disks_made, mistakes = tuple(self._ordered(made)), tuple(self.mistakes)
        return Read(disks_made, tuple(self.refused), self.notes, mistakes)

    def _ordered(self, disks: list[Disk]) -> list[Disk]:
        """The disks, with a boot order that begins at 1, as libvirt's do."""
        orders = [one.boot.order for one in disks if one.boot is not None]
        shift = 1 if 0 in orders else 0
        return [self._adjusted(one, shift) for one in disks]

    def _adjusted(self, disk: Disk, shift: int) -> Disk:
        changes: dict[str, Any] = {}
        if shift and disk.boot is not None:
            assert isinstance(disk.boot.order, int)
            changes["boot"] = Boot(order=disk.boot.order + shift)
        if self.all_transient:
            changes["transient"] = Transient()
        if not changes:
            return disk
        return Disk(**{name: getattr(disk, name) for name in Disk.compared()} | changes)

    def _say_passed_over(self) -> None:
        if self.taken.passed_over:
            names = ", ".join(self.taken.passed_over)
            self.notes.remark(None, f"passed over, since they are not about disks: {names}")


def _tree(option: Option, implied: str) -> tuple[dict[str, Any], bool]:
    """An option's value as a tree, and whether it is JSON, where a number is a number."""
    place = option.place
    if option.value.startswith("{"):
        return json_object(option.value, place), True
    flags = option.name == "device"
    return crumple(option_list(option.value, place, implied=implied, flags=flags), place), False


def _text(tree: dict[str, Any], name: str, place: Place) -> str:
    value = tree.get(name)
    if not isinstance(value, str):
        raise ArgumentError(f"'{name}' is missing, or no text", place=place)
    return value
