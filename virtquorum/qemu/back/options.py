"""A QEMU command line as its options and their values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.back.shell import Word

__all__ = ["WITHOUT_VALUE", "Option", "qemu_options"]

#: The options of QEMU 7.2 and of older ones that take no value.
WITHOUT_VALUE: Final = frozenset({
    "-preconfig", "S", "alt-grab", "async-teardown", "audio-help", "ctrl-grab", "curses",
    "daemonize", "enable-fips", "enable-hax", "enable-kvm", "enable-sync-profile", "full-screen",
    "h", "help", "mem-prealloc", "no-acpi", "no-fd-bootchk", "no-frame", "no-hpet", "no-kvm",
    "no-quit", "no-reboot", "no-shutdown", "no-user-config", "nodefaults", "nodefconfig",
    "nographic", "only-migratable", "portrait", "s", "sdl", "singlestep", "snapshot", "tdf", "usb",
    "version", "win2k-hack", "xen-attach", "xen-create", "xen-domid-restrict",
})  # fmt: skip
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PROGRAM: Final = re.compile(r"(?:.*/)?\.?(?:qemu|kvm)[^/=]*", re.DOTALL)


class Option(NamedTuple):
    """An option by its name without '-', or 'hda' for an image that stands alone."""

    name: str
    value: str
    place: Place


def qemu_options(words: Sequence[Word]) -> list[Option]:
    """The options in their order; what stands before the program's name is passed over.

    Raises ArgumentError for an option without its value.
    """
    found = []
    at = _first(words)
    while at < len(words):
        word = words[at]
        at += 1
        if not word.text.startswith("-"):
            found.append(Option("hda", word.text, word.place.of("hda")))
            continue
        # QEMU takes two dashes for one, but '--preconfig' is called that.
        name = word.text[2:] if word.text.startswith("--") else word.text[1:]
        place = word.place.of(word.text)
        if name in WITHOUT_VALUE or f"-{name}" in WITHOUT_VALUE:
            found.append(Option(name, "", place))
            continue
        if at == len(words):
            raise ArgumentError("the option has no value", place=place)
        found.append(Option(name, words[at].text, words[at].place.of(word.text)))
        at += 1
    return found


def _first(words: Sequence[Word]) -> int:
    """Where the arguments begin: behind the environment and the program, if they are given."""
    at = 0
    while at < len(words) and not words[at].text.startswith("-"):
        if _PROGRAM.fullmatch(words[at].text) and not _looks_like_image(words[at].text):
            return at + 1
        at += 1
    at = 0
    while at < len(words) and _ASSIGNMENT.match(words[at].text):
        at += 1
    return at


def _looks_like_image(word: str) -> bool:
    return word.endswith((".qcow2", ".img", ".raw", ".qcow", ".iso", ".vmdk", ".vdi"))
