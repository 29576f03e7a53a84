"""Quorum disks plugged into a running guest, and taken out of it.

libvirt plugs the placeholder in, so the device is its own; while the guest is
paused the device is pointed at the quorum.  The guest never sees the
placeholder.

Taking out is asked of the guest for a virtio disk (and for any other PCI
device): until it answers the disk stays, and works.  SCSI and USB disks go at
once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.change import Asked, MonitorCommand, Text
from virtquorum.host.guards import check_votes
from virtquorum.host.live import Clear, LiveStep, Resume, Suspend, Write, is_running
from virtquorum.host.monitor import nothing, wait_until
from virtquorum.host.nodes import (
    AddObjects,
    CloseNodes,
    OpenNodes,
    RemoveObjects,
    Verify,
    differences,
    point,
    unchanged,
)
from virtquorum.host.swap import Sizes
from virtquorum.images.program import Interrupted
from virtquorum.qemu.qmp import command
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from virtquorum.host.change import Action, Course, Step
    from virtquorum.host.intent import Intent
    from virtquorum.host.monitor import Monitor
    from virtquorum.host.swap import Side

__all__ = ["Attach", "Detach", "StillThereError", "ask_out", "attach", "detach", "see_gone"]

#: Seconds that a guest may take to let go of a disk, if nobody says otherwise.
PATIENCE: Final = 30.0
#: Seconds that it gets for a placeholder that was plugged in by mistake.
_SHORT_PATIENCE: Final = 5.0
#: libvirt's VIR_DOMAIN_AFFECT_LIVE.
_LIVE: Final = 1
#: libvirt's words where a guest has no place for a device that is plugged in.
_NO_SLOT: Final = "No more available PCI slots"
#: libvirt's VIR_ERR_DEVICE_MISSING.
_NO_DEVICE: Final = 99


class StillThereError(HostError):
    """A guest has not let go of a disk in time; it still has it, and it works.

    ``alias`` is the disk's.
    """

    def __init__(self, message: str, *, alias: str) -> None:
        super().__init__(message)
        self.alias = alias


def attach(
    monitor: Monitor,
    alias: str,
    xml: str,
    new: Side,
    *,
    intent: Intent,
    recorded: Sequence[Step] = (),
) -> tuple[Step, ...]:
    """The steps that plug a quorum disk in; ``xml`` is its placeholder, whose alias is ``alias``.

    ``recorded`` are steps that are done before the guest may see the disk.
    Raises HostError where QEMU has such a disk, or a vote cannot be won.
    """
    is_running(monitor)
    released = _Released(monitor, alias)
    released.look()
    check_votes(monitor.name, (), new.nodes, ())
    if new.nodes[-1].get("read-only") is True:
        raise HostError(
            f"domain '{monitor.name}': QEMU plugs no read-only quorum into a guest that runs; "
            "leave out <readonly/>, or add it to the definition, with --config, for the next start"
        )
    suspend, plugged = Suspend(monitor, alias), Attach(monitor, alias, xml)
    objects = [AddObjects(monitor, new.objects)] if new.objects else []
    write = Write(monitor, intent, "attach", alias, None, list(new.nodes))
    write.checks.append(released.look)
    return (
        write,
        *objects,
        OpenNodes(monitor, new.nodes, "open the quorum"),
        Sizes(monitor, new.nodes),
        released,
        suspend,
        plugged,
        _PointNew(monitor, alias, new.top),
        *recorded,
        Verify(monitor, alias, new.nodes),
        Resume(monitor, suspend),
        Clear(monitor, intent),
    )


def detach(
    monitor: Monitor,
    alias: str,
    old: Side,
    *,
    intent: Intent,
    recorded: Sequence[Step] = (),
    seconds: float = PATIENCE,
    kept_objects: Collection[str] = (),
) -> tuple[Step, ...]:
    """The steps that take a quorum disk out; ``recorded`` are done when the guest has let it go.

    ``seconds`` is the patience with a guest that has to answer.  Raises
    HostError where QEMU has not the disk as it should be.
    """
    is_running(monitor)
    if found := differences(monitor, alias, old.nodes):
        raise HostError(
            f"domain '{monitor.name}': its disk is not as it should be: {'; '.join(found)}; run "
            f"'virtquorum doctor {monitor.name}'"
        )
    gone = [one.id for one in old.objects if one.id not in kept_objects]
    objects = [RemoveObjects(monitor, gone)] if gone else []
    write = Write(monitor, intent, "detach", alias, list(old.nodes), None)
    write.checks.append(lambda: unchanged(monitor, alias, old.nodes))
    return (
        write,
        Detach(monitor, alias, seconds),
        CloseNodes(monitor, old.nodes, "close the quorum"),
        *objects,
        *recorded,
        Clear(monitor, intent),
    )


class Attach(LiveStep):
    """Plug the placeholder in."""

    words = "plug the placeholder in"

    def __init__(self, monitor: Monitor, alias: str, xml: str) -> None:
        super().__init__(monitor)
        self.alias = alias
        self.xml = xml

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"attach-device --live {self.monitor.name}"), Text(text=self.xml))

    def do(self, course: Course) -> None:
        """Plug it in; libvirt says what cannot be plugged in, a SATA disk for one."""
        try:
            self.monitor.asked(
                "attach a disk", lambda: self.monitor.domain.attachDeviceFlags(self.xml, _LIVE)
            )
        except LibvirtError as error:
            if error.remedy is not None or _NO_SLOT not in error.text:
                raise
            raise LibvirtError(
                error.what, code=error.code, text=error.text, remedy=self._slot()
            ) from None

    def _slot(self) -> str:
        """What helps where no PCI slot is free."""
        port = "a free <controller type='pci' model='pcie-root-port'/>"
        target = Domain.from_text(self.xml, "disk.xml").disks[0].target
        if target is None or target.bus != "scsi":
            return f"give the definition {port}, for the next start"
        return (
            "it is for a SCSI controller, which libvirt would plug in first: give the definition "
            f"one, or {port}, for the next start; or choose another bus"
        )

    def bring_back(self) -> None:
        """Ask for it to be taken out; whether it went is looked at when the guest runs."""
        if self.alias in self.monitor.devices():
            ask_out(self.monitor, self.alias)


class _Released(LiveStep):
    """Nothing; but if the change fails, see that the placeholder goes once the guest runs."""

    words = "see that the guest has no such disk"

    def __init__(self, monitor: Monitor, alias: str) -> None:
        super().__init__(monitor)
        self.alias = alias

    def do(self, course: Course) -> None:
        """Look at the devices."""
        self.look()

    def look(self) -> None:
        """Raise HostError if there is such a disk."""
        if self.alias in self.monitor.devices():
            raise HostError(
                f"domain '{self.monitor.name}': there is a disk with the alias '{self.alias}' "
                "already"
            )

    def bring_back(self) -> None:
        """Wait until the placeholder is gone."""
        see_gone(self.monitor, self.alias)


class _PointNew(LiveStep):
    """Point the new device at the quorum, from its placeholder."""

    def __init__(self, monitor: Monitor, alias: str, top: str) -> None:
        super().__init__(monitor)
        self.alias = alias
        self.top = top
        self._before: str | None = None

    @property
    def title(self) -> str:
        """Where it is pointed."""
        return f"point the disk '{self.alias}' at '{self.top}'"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The command."""
        path = f"/machine/peripheral/{self.alias}"
        arguments = {"path": path, "property": "drive", "value": self.top}
        return (MonitorCommand(command=command("qom-set", {**arguments})),)

    def do(self, course: Course) -> None:
        """Point it; a placeholder of another size than the quorum is refused."""
        self._before = self.monitor.needed_frontend(self.alias).node
        if self._before is None:
            raise HostError(f"domain '{self.monitor.name}': '{self.alias}' has no placeholder")
        point(self.monitor, self.alias, self.top)

    def bring_back(self) -> None:
        """Point it back at the placeholder, so that the quorum can be closed."""
        if self._before is not None and self.monitor.frontend(self.alias) is not None:
            point(self.monitor, self.alias, self._before)


class Detach(LiveStep):
    """Take a disk out of the guest."""

    words = "take the disk out of the guest"
    final = True

    def __init__(self, monitor: Monitor, alias: str, seconds: float) -> None:
        super().__init__(monitor)
        self.alias = alias
        self.seconds = seconds

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"detach-device-alias --live {self.monitor.name} {self.alias}"),)

    def do(self, course: Course) -> None:
        """Ask for it, and wait; raises StillThereError if the guest does not let go of it."""
        try:
            ask_out(self.monitor, self.alias)
            is_gone = _is_gone(self.monitor, self.alias, self.seconds, course)
        except (HostError, Interrupted):
            if self.alias in self.monitor.devices():
                raise
            is_gone = True  # nothing can bring it back: go on
        if not is_gone:
            raise StillThereError(self._still_there(), alias=self.alias)

    def bring_back(self) -> None:
        """Nothing, if the guest has the disk still."""
        if self.alias not in self.monitor.devices():
            raise HostError(f"the guest has let go of the disk '{self.alias}'")

    def _still_there(self) -> str:
        paused = "" if is_running(self.monitor) else ", which is paused,"
        return (
            f"the guest{paused} has not let go of the disk '{self.alias}' within {self.seconds:g} "
            "seconds; it still has it and can use it, and may let go of it at any time; look "
            "whether the guest runs and has the disk in use, or reset it, and run this again"
        )


def ask_out(monitor: Monitor, alias: str) -> None:
    """Ask a guest to let go of a disk."""
    try:
        monitor.asked("detach a disk", lambda: monitor.domain.detachDeviceAlias(alias, _LIVE))
    except LibvirtError as error:
        if error.code != _NO_DEVICE or alias in monitor.devices():
            raise


def see_gone(monitor: Monitor, alias: str) -> None:
    """Wait until a placeholder that was plugged in by mistake is gone.

    Raises StillThereError for a guest that does not let go of it soon.
    """
    if not _is_gone(monitor, alias, _SHORT_PATIENCE):
        raise StillThereError(
            f"the guest has not let go of the empty disk '{alias}' that was plugged in; it goes "
            "when the guest answers, or at the latest when it is reset",
            alias=alias,
        )


def _is_gone(monitor: Monitor, alias: str, seconds: float, course: Course | None = None) -> bool:
    """Whether a disk goes in time, from QEMU and then from libvirt's XML."""
    safe_point = nothing if course is None else course.safe_point
    return wait_until(lambda: _is_absent(monitor, alias), seconds, safe_point)


def _is_absent(monitor: Monitor, alias: str) -> bool:
    if alias in monitor.devices():
        return False
    xml = str(monitor.asked("read its XML", lambda: monitor.domain.XMLDesc(0)))
    disks = Domain.from_text(xml, monitor.name).machine_disks
    return all(disk.alias != alias for disk in disks)
