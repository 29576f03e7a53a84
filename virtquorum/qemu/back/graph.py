"""Block nodes from what QEMU was given, children inline or by node name.

A node may only be named once it is there, as in QEMU, and it serves one
parent.  What was not said keeps QEMU's default; where QEMU would look into an
image for its format, its name has to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.errors import ArgumentError, TranslationError
from virtquorum.qemu.back.structs import StructReader, by_name
from virtquorum.qemu.graph import BLOCKS, Block, NoBacking, Quorum
from virtquorum.qemu.names import NODE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place

__all__ = ["WITHOUT_XML", "Nodes", "Origin", "known_driver", "names_in"]

#: Drivers that QEMU has and that libvirt's XML has no words for.
WITHOUT_XML: Final = frozenset({
    "blkdebug", "blklogwrites", "blkreplay", "blkverify", "compress", "copy-before-write",
    "io_uring", "null-aio", "null-co", "nvme-io_uring", "preallocate", "replication",
    "snapshot-access", "virtio-blk-vfio-pci", "virtio-blk-vhost-user", "virtio-blk-vhost-vdpa",
})  # fmt: skip


class Origin(NamedTuple):
    """Where a node was said: its argument, and its path in it ('children.0.file')."""

    place: Place
    path: str


class _Waiting(NamedTuple):
    """A node whose children are not made yet."""

    cls: type[Block]
    values: dict[str, Any]
    slots: list[_Slot]
    origin: Origin


class _Slot:
    """A child: a node that there is, or the number of one that waits; ``inside`` is its tree."""

    __slots__ = ("child", "field", "inside", "listed", "path", "waits")

    def __init__(self, field: str, path: str, *, listed: bool) -> None:
        self.field = field
        self.path = path
        self.listed = listed
        self.inside: Mapping[str, Any] | None = None
        self.child: Block | NoBacking | None = None
        self.waits = -1


class Nodes:
    """The nodes that there are so far, by name, and where each was said."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.named: dict[str, Block] = {}
        self.users: dict[str, Origin] = {}
        #: Drives without a device, by the names that a node can take them by; and their users' key.
        self._lent: dict[str, tuple[str, Block]] = {}
        self._origins: dict[int, tuple[Block, Origin]] = {}
        #: Names that are defined anywhere in the input: by what, and what that refers to.
        self.announced: dict[str, tuple[Place, frozenset[str]]] = {}
        #: Nodes that are there and cannot be said in XML, and why.
        self.foreign: dict[str, TranslationError] = {}
        #: Nodes and drives that are not there because of a mistake, where one goes on after it.
        self.broken: dict[str, ArgumentError] = {}

    def announce(self, place: Place, tree: Mapping[str, Any]) -> None:
        """Note the names that an argument will define, for what is said about a wrong order."""
        own, used = _names(tree)
        for name in own:
            self.announced.setdefault(name, (place, used))

    def origin(self, block: Block) -> Origin:
        """Where a node was said."""
        return self._origins[id(block)][1]

    def remove(self, name: str, place: Place) -> None:
        """Take a node away again (blockdev-del)."""
        if name not in self.named:
            raise ArgumentError(f"there is no node '{name}'", place=place)
        if self.origin(self.named[name]).path:
            raise ArgumentError(f"the node '{name}' is in use by the one around it", place=place)
        if name in self.users:
            raise ArgumentError(
                f"the node '{name}' is in use by {self.users[name].place.word}", place=place
            )
        place_of_it = self.origin(self.named[name]).place
        for other, block in list(self.named.items()):
            if self.origin(block).place is place_of_it:
                del self.named[other]
        for other, user in list(self.users.items()):
            if user.place is place_of_it:
                del self.users[other]

    def take(self, name: str, user: Origin) -> Block:
        """The node of a name, for one user.

        Raises ArgumentError where there is none to have, and the node's own TranslationError.
        """
        block = self._lent[name][1] if name in self._lent else self.named.get(name)
        if block is None:
            raise self.foreign.get(name) or self.broken.get(name) or self._unknown(name, user)
        key = self._lent[name][0] if name in self._lent else name
        if key in self.users:
            raise ArgumentError(
                f"the node '{name}' serves {_said(self.users[key])} already",
                place=user.place,
                remedy="a disk's image has one place; give each its own node",
            )
        self.users[key] = user
        return block

    def lend(self, id: str, block: Block) -> None:
        """Let a node be taken that is a drive's, by the drive's id as well: QEMU looks up both."""
        for name in (id, block.node_name):
            if name is not None:
                self._lent[name] = f"#{id}", block

    def _unknown(self, name: str, user: Origin) -> ArgumentError:
        path = f"'{user.path}' names" if user.path else "it names"
        if name not in self.announced:
            known = ", ".join(f"'{one}'" for one in sorted(self.named)[:12]) or "none"
            return ArgumentError(
                f"{path} the node '{name}', which is unknown",
                place=user.place,
                remedy=f"nodes so far are: {known}",
            )
        later = self.announced[name][0]
        if self._reaches(name, user.place):
            return ArgumentError(
                f"the nodes name each other in a circle: {path} '{name}', which needs this one",
                place=user.place,
                remedy="a node is made of nodes that come before it",
            )
        return ArgumentError(
            f"{path} the node '{name}', which comes only later",
            place=user.place,
            remedy=f"QEMU takes arguments in order; move {later.word} up",
        )

    def _reaches(self, name: str, goal: Place) -> bool:
        """Whether what defines a name needs, however indirectly, what stands at a place."""
        seen: set[str] = set()
        rest = [name]
        while rest:
            one = rest.pop()
            if one in seen or one not in self.announced:
                continue
            seen.add(one)
            place, used = self.announced[one]
            if place is goal:
                return True
            rest.extend(used)
        return False

    def read(self, tree: Mapping[str, Any], place: Place, *, strict: bool) -> Block:
        """A node and all below it, which become known by their names.

        Raises ArgumentError; a TranslationError also comes to all who name the node.
        """
        try:
            return self._read(tree, place, strict=strict)
        except TranslationError as error:
            self.foreign |= dict.fromkeys(_names(tree)[0], error)
            raise

    def _read(self, tree: Mapping[str, Any], place: Place, *, strict: bool) -> Block:
        reader = StructReader(place, self.notes, strict=strict)
        top = _Slot("", "", listed=False)
        top.inside = tree
        waiting: list[_Waiting] = []
        rest = [top]
        while rest:
            slot = rest.pop()
            assert slot.inside is not None
            slot.waits = len(waiting)
            made = self._begun(slot.inside, slot.path, reader)
            waiting.append(made)
            rest.extend(one for one in reversed(made.slots) if one.inside is not None)
        return self._made(waiting)

    def _begun(self, tree: Mapping[str, Any], path: str, reader: StructReader) -> _Waiting:
        driver = tree.get("driver")
        if driver is None:
            here = f"{path}.driver" if path else "driver"
            raise reader.error(here, "is missing", f"drivers are: {', '.join(sorted(BLOCKS))}")
        cls = known_driver(driver, reader.place, path)
        own = {name: value for name, value in tree.items() if name != "driver"}
        values = reader.fields(cls, own, path)
        return _Waiting(
            cls, values, self._slots(tree, cls, path, reader), Origin(reader.place, path)
        )

    def _slots(
        self, tree: Mapping[str, Any], cls: type[Block], above: str, reader: StructReader
    ) -> list[_Slot]:
        """The children of a node; those that are named are found at once."""
        slots: list[_Slot] = []
        for name, (field, property) in by_name(cls).items():
            if property.kind not in ("child", "children"):
                continue
            path = f"{above}.{name}" if above else name
            if name not in tree:
                if property.required:
                    raise reader.error(path, "is missing")
                continue
            listed = property.kind == "children"
            if listed and not isinstance(tree[name], list):
                raise reader.error(path, "is no list of nodes")
            for at, value in enumerate(tree[name]) if listed else [(-1, tree[name])]:
                slot = _Slot(field, f"{path}.{at}" if listed else path, listed=listed)
                if isinstance(value, dict):
                    slot.inside = value
                else:
                    slot.child = self._named(value, slot.path, field, reader)
                slots.append(slot)
        return slots

    def _named(self, value: Any, path: str, field: str, reader: StructReader) -> Block | NoBacking:
        if value is None and field == "backing":
            return NoBacking()
        if value == "" and field == "backing":
            self.notes.remark(
                reader.place, f"'{path}' is empty, an old word for null: the chain ends there"
            )
            return NoBacking()
        if not isinstance(value, str):
            raise reader.error(path, "is no node", "it is an object, or the name of a node")
        return self.take(value, Origin(reader.place, path))

    def _made(self, waiting: list[_Waiting]) -> Block:
        done: dict[int, Block] = {}
        for at in reversed(range(len(waiting))):
            cls, values, slots, origin = waiting[at]
            listed: dict[str, list[Any]] = {}
            for slot in slots:
                child = slot.child if slot.inside is None else done[slot.waits]
                if slot.listed:
                    listed.setdefault(slot.field, []).append(child)
                else:
                    values[slot.field] = child
            values |= {field: tuple(several) for field, several in listed.items()}
            if cls is Quorum:
                values.setdefault("children", ())
            done[at] = made = cls(**values)
            if isinstance(made, Quorum):
                _check_quorum(made, origin)
            self._origins[id(made)] = made, origin
            self._register(made, origin)
        return done[0]

    def _register(self, block: Block, origin: Origin) -> None:
        name = block.node_name
        if name is None:
            return
        path = f"{origin.path}.node-name" if origin.path else "node-name"
        if NODE_NAME.fullmatch(name) is None:
            raise ArgumentError(
                f"'{path}' is '{name[:60]}', which QEMU takes for no node",
                place=origin.place,
                remedy="1 to 31 characters: a letter, then letters, digits, '.', '_' or '-'",
            )
        if name in self.named:
            raise ArgumentError(
                f"'{path}' is '{name}', which is the name of a node already: "
                f"{_said(self.origin(self.named[name]))}",
                place=origin.place,
                remedy="each node has a name of its own",
            )
        self.named[name] = block


def _check_quorum(quorum: Quorum, origin: Origin) -> None:
    """Raise ArgumentError for a vote that QEMU does not hold."""
    threshold, count = quorum.vote_threshold, len(quorum.children)
    if count == 0:
        wrong = "the quorum has no children; it is one or more"
    elif not 1 <= threshold <= count:
        wrong = f"'vote-threshold' is {threshold} of {count} children; it is 1 to {count}"
    elif quorum.read_pattern == "fifo" or not quorum.blkverify:
        return
    elif (threshold, count) != (2, 2):
        wrong = "'blkverify' is for two children and a 'vote-threshold' of 2"
    elif quorum.rewrite_corrupted:
        wrong = "'blkverify' and 'rewrite-corrupted' exclude each other"
    else:
        return
    where = f"'{origin.path}': " if origin.path else ""
    message, _, remedy = wrong.partition("; ")
    raise ArgumentError(f"{where}{message}", place=origin.place, remedy=remedy or None)


def known_driver(driver: Any, place: Place, path: str = "") -> type[Block]:
    """The class of a driver, of which there are some.

    Raises ArgumentError for one that QEMU does not have, TranslationError for one that it has.
    """
    cls = BLOCKS.get(driver) if isinstance(driver, str) else None
    if cls is not None:
        return cls
    known = ", ".join(sorted(BLOCKS))
    where = f"'{path}': " if path else ""
    if isinstance(driver, str) and driver in WITHOUT_XML:
        raise TranslationError(
            f"{where}libvirt's XML has no words for the driver '{driver}'",
            location=place,
            remedy=f"drivers are: {known}",
        )
    raise ArgumentError(
        f"{where}the driver '{str(driver)[:60]}' is unknown",
        place=place,
        remedy=f"drivers are: {known}",
    )


def _said(origin: Origin) -> str:
    return f"'{origin.path}' of {origin.place.word}" if origin.path else origin.place.word


def names_in(tree: Mapping[str, Any]) -> set[str]:
    """The node names that a tree defines."""
    return _names(tree)[0]


def _names(tree: Mapping[str, Any]) -> tuple[set[str], frozenset[str]]:
    """The node names that a tree defines, and those that it refers to."""
    own: set[str] = set()
    used: set[str] = set()
    rest: list[Any] = [tree]
    while rest:
        one = rest.pop()
        name = one.get("node-name")
        if isinstance(name, str):
            own.add(name)
        below = [one.get("file"), one.get("backing")]
        members = one.get("children")
        below += members if isinstance(members, list) else []
        for each in below:
            if isinstance(each, dict):
                rest.append(each)
            elif isinstance(each, str):
                used.add(each)
    return own, frozenset(used)
