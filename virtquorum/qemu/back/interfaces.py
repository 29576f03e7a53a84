"""The places of drives: which bus and unit of an interface each -drive has, as QEMU gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import ArgumentError

if TYPE_CHECKING:
    from virtquorum.qemu.back.drive import Drive
    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.devices.machine import Machine

__all__ = ["Interfaces"]

#: How many units a bus has; where it is not said, there is one bus without an end.
_UNITS: Final = {"ide": 2, "scsi": 7}
#: How many drives of an interface a machine can show, by its family.
_MOST: Final = {("pc", "ide"): 4, ("q35", "ide"): 6, ("pc", "floppy"): 2, ("q35", "floppy"): 2}


class Interfaces:
    """The drives by their places."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, int, int], Place] = {}

    def take(self, drive: Drive, machine: Machine) -> None:
        """Give a drive the place that it names, or the next free one.

        Raises ArgumentError where that is taken, or where the machine has no such place.
        """
        interface = drive.interface or "none"
        units = 1 if (interface, machine.family) == ("ide", "q35") else _UNITS.get(interface, 0)
        bus, unit = self._place(drive, interface, units)
        if units and unit >= units:
            raise ArgumentError(
                f"'unit' is {unit}, and a bus of if={interface} has {units}",
                place=drive.place,
                remedy=f"it is 0 to {units - 1}",
            )
        index = bus * units + unit
        if (other := self._taken.get((interface, bus, unit))) is not None:
            raise ArgumentError(
                f"the place of this drive, if={interface},index={index}, is that of {other.word} "
                "already",
                place=drive.place,
                remedy="give each its own index",
            )
        self._taken[interface, bus, unit] = drive.place
        most = _MOST.get((machine.family, interface))
        if most is not None and index >= most:
            raise ArgumentError(
                f"the machine has no place if={interface},index={index}",
                place=drive.place,
                remedy=f"an index is 0 to {most - 1} there",
            )

    def _place(self, drive: Drive, interface: str, units: int) -> tuple[int, int]:
        numbers = drive.numbers
        if "index" in numbers:
            return divmod(numbers["index"], units) if units else (0, numbers["index"])
        bus = numbers.get("bus", 0)
        if "unit" in numbers:
            return bus, numbers["unit"]
        unit = 0
        while (interface, bus, unit) in self._taken:
            unit += 1
            if units and unit >= units:
                bus, unit = bus + 1, 0
        return bus, unit
