"""What there is of a domain: its XML, its records, and what its QEMU has."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.errors import HostError, TranslationError
from virtquorum.host.kept import with_kept
from virtquorum.host.nodes import nosave_name
from virtquorum.host.patch.record import as_recorded
from virtquorum.host.swap import Side
from virtquorum.qemu.provided import Provided
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import kept_files, lowerings
from virtquorum.xml.record import Record, machine_elements
from virtquorum.xml.troubles import troubles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.host.domain import HostDomain
    from virtquorum.host.monitor import Frontend, Monitor
    from virtquorum.stock.lowering import Lowering
    from virtquorum.xml.document import Element
    from virtquorum.xml.domain import Domain
    from virtquorum.xml.record import Lowered
    from virtquorum.xml.troubles import Trouble

__all__ = ["Seeming", "View", "nodes_of", "seeming"]

_PERIPHERAL: Final = "/machine/peripheral/"


class View:
    """A domain at one moment; each thing is asked when it is first wanted, and kept.

    ``live`` is libvirt's XML of what runs, None for one that does not;
    ``definition`` is what the next start takes, None for one that has none.
    Raises LibvirtError; MonitorError of what is asked of QEMU.
    """

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain
        self.host = domain.host
        self.name = domain.name
        is_active = domain.is_active
        if is_active:
            domain.settle()
        self.live: Domain | None = domain.text() if is_active else None
        is_defined = domain.is_persistent
        self.definition: Domain | None = domain.text(inactive=True) if is_defined else None

    @cached_property
    def record(self) -> Record | None:
        """What the running domain says of its quorum disks."""
        return _record(self.live)

    @cached_property
    def definition_record(self) -> Record | None:
        """What the definition says of them."""
        return _record(self.definition)

    @cached_property
    def live_troubles(self) -> list[Trouble]:
        """What somebody has changed of the running domain's XML."""
        return list(troubles(self.live.document.root)) if self.live is not None else []

    @cached_property
    def is_readable(self) -> bool:
        """Whether the running domain's record is one that this version has written."""
        return all(one.kind not in ("newer", "record", "disk") for one in self.live_troubles)

    @property
    def disks(self) -> tuple[Lowered, ...]:
        """The quorum disks in the running domain's record."""
        return self.record.disks if self.record is not None else ()

    @cached_property
    def made(self) -> Mapping[str, Lowering] | str:
        """What the recorded disks are, by target; or why that cannot be said."""
        if self.live is None or self.record is None or not self.is_readable:
            return {}
        return self.lowered(self.live)

    def lowered(self, text: Domain) -> Mapping[str, Lowering] | str:
        """What the disks of a document are, by target; or why that cannot be said."""
        provided = with_kept(Provided(lookup=self.host.lookup), text)
        if self.definition is not None:
            provided = with_kept(provided, self.definition)
        lifted = lift(text, force=True)
        try:
            made = lowerings(lifted, files=kept_files(text), provided=provided)
        except (TranslationError, HostError) as error:
            return str(error)
        return {one.disk.name or "": one for one in as_recorded(text, made)}

    # QEMU

    @cached_property
    def monitor(self) -> Monitor:
        """QEMU's."""
        return self.domain.monitor

    @cached_property
    def nodes(self) -> Mapping[str, Mapping[str, Any]]:
        """Its block nodes by name."""
        return self.monitor.nodes()

    @cached_property
    def devices(self) -> set[str]:
        """The aliases of its devices."""
        return self.monitor.devices()

    @cached_property
    def jobs(self) -> Mapping[str, Mapping[str, Any]]:
        """Its block jobs by id."""
        return self.monitor.jobs()

    @cached_property
    def objects(self) -> set[str]:
        """The ids of its objects."""
        return self.monitor.objects()

    @cached_property
    def in_use(self) -> set[str]:
        """The nodes that a device, an export or a job has, and all below them."""
        seen = self.monitor.command("x-debug-query-block-graph")
        names = {one["id"]: one["name"] for one in seen["nodes"] if one["type"] == "block-driver"}
        below: dict[object, list[object]] = {}
        for edge in seen["edges"]:
            below.setdefault(edge["parent"], []).append(edge["child"])
        rest = [child for one, children in below.items() if one not in names for child in children]
        found: set[str] = set()
        while rest:
            one = rest.pop()
            if one in names and names[one] not in found:
                found.add(names[one])
                rest += below.get(one, [])
        return found

    def frontend(self, alias: str) -> Frontend | None:
        """The guest's side of a disk."""
        return self.monitor.frontend(alias)

    def possible(self, one: Lowering) -> set[str]:
        """The names of the nodes that a disk has, with those that it may have."""
        return {*nodes_of(one), nosave_name(one.drive)}

    def needed(self, one: Lowering) -> set[str]:
        """The names of the nodes that a disk has; of one that was changed, what forbids to save.

        A disk that is as at its start is in no saving's way.
        """
        is_changed = any(seen.plugged for seen in self.disks if seen.target == one.disk.name)
        return self.possible(one) if is_changed else set(nodes_of(one))

    @cached_property
    def status(self) -> str:
        """QEMU's word for its state: 'prelaunch' is that of a guest that has not run yet."""
        return str(self.monitor.command("query-status")["status"])

    @cached_property
    def state(self) -> tuple[int, int]:
        """Libvirt's numbers of the state and its reason."""
        found = self.monitor.asked("look at its state", self.domain.handle.state)
        return int(found[0]), int(found[1])

    # Files

    @cached_property
    def files(self) -> dict[str, str]:
        """The placeholders that it has, live, defined and saved: targets by path."""
        found: dict[str, str] = {}
        for text in (self.live, self.definition, self._saved()):
            if text is not None:
                found |= {path: target for target, path in kept_files(text).items()}
                found |= {one.path: one.target for one in seeming(text)}
        return found

    def _saved(self) -> Domain | None:
        from virtquorum.host.saved import saved_domain

        return saved_domain(self.domain) if self.domain.has_managed_save else None


def nodes_of(one: Lowering) -> list[str]:
    """The names of the nodes of a disk and of its guard."""
    names = [str(node["node-name"]) for node in Side.of(one.built).nodes]
    return names + [str(node["node-name"]) for node in one.guard]


class Seeming(NamedTuple):
    """A disk with a file that is called as placeholders are; '' for what the XML does not say."""

    target: str
    alias: str
    path: str


def seeming(text: Domain) -> Iterator[Seeming]:
    """The disks whose files are called as placeholders are, whatever the record says."""
    for disk in machine_elements(text.document.root, "disk"):
        words = {name: _words(disk, name) for name in ("target", "alias", "source")}
        path = words["source"].get("file", "")
        if path.endswith(".placeholder"):
            yield Seeming(words["target"].get("dev", ""), words["alias"].get("name", ""), path)


def _words(disk: Element, name: str) -> Mapping[str, str]:
    """The attributes of the first element of a name; none where there is none."""
    return next((one.attributes for one in disk.elements(name)), {})


def _record(text: Domain | None) -> Record | None:
    return Record.of(text.document.root) if text is not None else None
