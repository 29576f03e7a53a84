"""The numbers of controllers: those that the domain gives, and those that libvirt finds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtquorum.qemu.devices.machine import Controller

__all__ = ["LARGEST_INDEX", "has_legible_index", "numbered"]

#: libvirt keeps the indexes of controllers in 31 bits.
LARGEST_INDEX: Final = 2**31 - 1
#: Models that make up one USB 2 controller together.
_ICH9: Final = ("ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3")


def has_legible_index(one: Controller) -> bool:
    """Whether libvirt reads a controller's index; one without an index is given one."""
    return one.index is None or (isinstance(one.index, int) and 0 <= one.index <= LARGEST_INDEX)


def numbered(controllers: Iterable[Controller]) -> list[Controller]:
    """The controllers, each with an index; those whose index is illegible are left out.

    One that has none takes the first that no other of its type has, as with
    libvirt; but the parts of a USB 2 controller, one after the other, are one.
    """
    known = [one for one in controllers if has_legible_index(one)]
    used: dict[str | None, set[int]] = {}
    for one in known:
        if isinstance(one.index, int):
            used.setdefault(one.type, set()).add(one.index)
    parts: set[tuple[object, str | None]] = {
        (one.index, one.model) for one in known if one.type == "usb"
    }
    free: dict[str | None, int] = {}
    found: list[Controller] = []
    last_usb: Controller | None = None
    for one in known:
        index = one.index
        if index is None:
            index = _joined(one, last_usb, parts)
        if index is None:
            index = free.get(one.type, 0)
            while index in used.setdefault(one.type, set()):
                index += 1
            free[one.type] = index
        assert isinstance(index, int)
        used[one.type].add(index)
        given = one if one.index is not None else replace(one, index=index)
        if one.type == "usb":
            last_usb = given
            parts.add((index, one.model))
        found.append(given)
    return found


def _joined(
    one: Controller, last: Controller | None, parts: set[tuple[object, str | None]]
) -> int | None:
    """The index of the USB 2 controller that a part goes on, if it does."""
    if one.type != "usb" or one.model not in _ICH9 or last is None or last.model not in _ICH9:
        return None
    assert isinstance(last.index, int)
    return None if (last.index, one.model) in parts else last.index
