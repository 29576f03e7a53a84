"""A disk that libvirt has, and QEMU has not: libvirt was gone when the guest let go of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.change import Asked, Plan
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.doctor.view import seeming
from virtquorum.host.live import LiveStep
from virtquorum.host.plug import ask_out, see_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.change import Action, Course
    from virtquorum.host.doctor.view import View
    from virtquorum.host.monitor import Monitor

__all__ = ["CAUSE", "MENDING", "LetGo", "half_detached"]

CAUSE: Final = "libvirt was restarted, or its process ended, while the guest let go of the disk"
MENDING: Final = "libvirt is told that the disk is gone; no image is touched"


def half_detached(view: View) -> Iterator[Ailment]:
    """Placeholders that are disks to libvirt, of no record, and no device of QEMU's."""
    assert view.live is not None
    recorded = {one.alias for one in view.disks}
    for target, alias, path in seeming(view.live):
        if alias and alias not in recorded and alias not in view.devices:
            yield Ailment(
                kind="half-detached",
                severity=Severity.ERROR,
                domain=view.name,
                disk=target,
                message=f"libvirt has the disk '{target}', the placeholder '{path}', and QEMU has "
                "no such disk",
                cause=CAUSE,
                mending=MENDING,
                plan=lambda alias=alias, target=target: Plan(  # type: ignore[misc]
                    title=f"tidy up the disk '{target}' of '{view.name}'",
                    domain=view.name,
                    steps=(LetGo(view.monitor, alias),),
                ),
            )


class LetGo(LiveStep):
    """Have libvirt take out a disk that QEMU has not: it asks QEMU, and forgets the disk."""

    words = "tell libvirt that the disk is gone"

    def __init__(self, monitor: Monitor, alias: str) -> None:
        super().__init__(monitor)
        self.alias = alias

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"detach-device-alias --live {self.monitor.name} {self.alias}"),)

    def do(self, course: Course) -> None:
        """Ask, and see that libvirt has it no more; raises HostError."""
        ask_out(self.monitor, self.alias)
        see_gone(self.monitor, self.alias)
