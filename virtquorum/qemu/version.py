"""What a version of QEMU has: nothing is emitted that the named one lacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.errors import UsageError
from virtquorum.qemu.qapi import Struct, Version, properties

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["OLDEST", "TESTED", "lacking", "read_version"]

#: The oldest version that is supported: the first whose -device takes JSON, as libvirt needs it.
OLDEST: Final[Version] = (6, 2)
#: The version that the tests run.
TESTED: Final[Version] = (7, 2)


def read_version(text: str) -> Version:
    """'7.2' or '7.2.22' as numbers; raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})(\.[0-9]{1,4})?", text)
    if found is None:
        raise UsageError(f"'{text}' is no version of QEMU; it is 7.2, say")
    version = int(found[1]), int(found[2])
    if version < OLDEST:
        raise UsageError(
            f"QEMU {text} is not supported; {OLDEST[0]}.{OLDEST[1]} is the oldest that is"
        )
    return version


def lacking(structs: Iterable[Struct], version: Version) -> list[tuple[str, str, Version]]:
    """What a version lacks: the class's name, the property, and the version that brought it."""
    found = []
    rest: list[object] = list(structs)
    while rest:
        one = rest.pop()
        if isinstance(one, tuple):
            rest.extend(one)
        elif isinstance(one, Struct):
            for name, property in properties(type(one)).items():
                value = getattr(one, name)
                if value is None or value == ():
                    continue
                if property.since is not None and property.since > version:
                    assert property.name is not None
                    found.append((_name(one), property.name, property.since))
                rest.append(value)
    return found


def _name(one: Struct) -> str:
    return str(getattr(one, "driver", None) or getattr(one, "qom_type", type(one).__name__))
