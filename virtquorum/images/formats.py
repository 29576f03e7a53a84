"""The formats of images: QEMU's driver, and what ``qemu-img create`` can do for each."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["FORMATS", "PREALLOCATIONS", "Format", "creatable"]

#: qemu-img's ways of taking space in advance.
PREALLOCATIONS: Final = ("off", "metadata", "falloc", "full")


class Format(NamedTuple):
    """What QEMU calls a format, and what can be made of it.

    ``options`` are always given to ``qemu-img create``; ``preallocation`` are
    the ways that the format itself takes (the others pass the option on to
    the file below, which is empty then, so that it does nothing).
    """

    driver: str
    creatable: bool = True
    backing: bool = False
    preallocation: tuple[str, ...] = ("off",)
    options: tuple[str, ...] = ()


#: By libvirt's names.
FORMATS: Final = {
    "raw": Format("raw", preallocation=("off", "falloc", "full")),
    "qcow2": Format("qcow2", backing=True, preallocation=PREALLOCATIONS),
    "qcow": Format("qcow", backing=True),
    "qed": Format("qed", backing=True),
    "vmdk": Format("vmdk", backing=True),
    "vdi": Format("vdi"),
    "vhd": Format("vhdx"),
    # Without it QEMU rounds the size to cylinders.
    "vpc": Format("vpc", options=("force_size=on",)),
    "ploop": Format("parallels"),
    "bochs": Format("bochs", creatable=False),
    "cloop": Format("cloop", creatable=False),
    "dmg": Format("dmg", creatable=False),
}


def creatable() -> str:
    """The formats that can be made, as a list in words."""
    return ", ".join(sorted(name for name, one in FORMATS.items() if one.creatable))
