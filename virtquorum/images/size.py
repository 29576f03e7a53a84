"""Sizes: read as libvirt and qemu-img write them, and said so that no byte is lost."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from virtquorum.errors import UsageError

__all__ = ["LARGEST", "human_size", "parse_size"]

#: QEMU counts bytes in a signed 64-bit number, and keeps the last half sector free.
LARGEST: Final = 2**63 - 512
_SECTOR: Final = 512
_SIZE: Final = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_LETTERS: Final = "kmgtpe"
_UNITS: Final = {
    "": 1, "b": 1, "byte": 1, "bytes": 1,
    **{letter: 1024**power for power, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate(_LETTERS, 1)},
}  # fmt: skip


def parse_size(text: str) -> int:
    """A size in bytes: '10G', '1.5 GiB' (powers of 1024), '10GB' (of 1000), '1048576'.

    Raises UsageError for what is no size, or none that an image can have: a
    number of 512-byte sectors, and less than 8 EiB.
    """
    found = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise UsageError(
            f"'{text}' is no size; write it like 10G, 512M, 1.5T, 10GiB or 10GB (of 1000)"
        )
    exact = Fraction(found[1]) * unit
    if exact <= 0 or exact > LARGEST:
        raise UsageError(f"the size '{text}' is out of range: an image has 512 bytes to 8 EiB")
    if exact % _SECTOR:
        above = -(-exact // _SECTOR) * _SECTOR
        raise UsageError(
            f"the size '{text}' is not a whole number of 512-byte sectors; the next one is {above}"
        )
    return int(exact)


def human_size(size: int) -> str:
    """A size in bytes as people say it, exactly: '10 GiB', '1.5 MiB', '10000384 bytes'."""
    for power in range(len(_LETTERS), 0, -1):
        unit = 1024**power
        if size >= unit and not size * 100 % unit:
            whole, hundredths = divmod(size * 100 // unit, 100)
            number = f"{whole}.{hundredths:02}".rstrip("0").rstrip(".")
            return f"{number} {_LETTERS[power - 1].upper()}iB"
    return f"{size} bytes"
