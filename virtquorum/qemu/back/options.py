"""A QEMU command line as its options and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.back.shell import Word

__all__ = ["WITHOUT_VALUE", "WITH_VALUE", "Option", "qemu_options"]

#: The options of QEMU 7.2 and of older ones that take no value.
WITHOUT_VALUE: Final = frozenset({
    "-preconfig", "S", "alt-grab", "async-teardown", "audio-help", "ctrl-grab", "curses",
    "daemonize", "enable-fips", "enable-hax", "enable-kvm", "enable-sync-profile", "full-screen",
    "h", "help", "mem-prealloc", "no-acpi", "no-fd-bootchk", "no-frame", "no-hpet", "no-kvm",
    "no-kvm-irqchip", "no-kvm-pit", "no-kvm-pit-reinjection", "no-quit", "no-reboot",
    "no-shutdown", "no-user-config", "nodefaults", "nodefconfig", "nographic", "old-param",
    "only-migratable", "portrait", "rtc-td-hack", "s", "sdl", "semihosting", "show-cursor",
    "singlestep", "snapshot", "tdf", "usb", "version", "win2k-hack", "xen-attach", "xen-create",
    "xen-domid-restrict",
})  # fmt: skip
#: Those that take one; of all architectures, and with some of later and of older versions.
WITH_VALUE: Final = frozenset({
    "D", "L", "M", "accel", "acpitable", "action", "add-fd", "append", "audio", "audiodev",
    "balloon", "bios", "blockdev", "boot", "bt", "cdrom", "chardev", "chroot", "clock", "compat",
    "cpu", "d", "debugcon", "device", "dfilter", "display", "drive", "dtb", "dump-vmstate", "echr",
    "fda", "fdb", "fsdev", "fw_cfg", "g", "gdb", "global", "hda", "hdachs", "hdb", "hdc", "hdd",
    "icount", "incoming", "initrd", "iscsi", "k", "kernel", "kvm-shadow-memory", "loadvm", "m",
    "machine", "mem-path", "mon", "monitor", "msg", "mtdblock", "name", "net", "netdev", "nic",
    "numa", "nvram", "object", "option-rom", "overcommit", "parallel",
    "pflash", "pidfile", "plugin", "prom-env", "qmp", "qmp-pretty", "qtest", "qtest-log",
    "readconfig", "realtime", "redir", "rotate", "rtc", "run-with", "runas", "sandbox", "sd",
    "seed", "semihosting-config", "serial", "set", "shim", "smbios", "smp", "soundhw", "spice",
    "startdate", "tb-size", "tpmdev", "trace", "usbdevice", "uuid", "vga", "virtfs",
    "virtfs_synth", "virtioconsole", "vnc", "watchdog", "watchdog-action", "writeconfig",
    "xen-domid",
})  # fmt: skip


class Option(NamedTuple):
    """An option by its name without '-', or 'hda' for an image that stands alone."""

    name: str
    value: str
    place: Place


def qemu_options(words: Sequence[Word]) -> list[Option]:
    """The options in their order.

    Raises ArgumentError for what is no option, for one without its value, and
    for a second image that stands alone.
    """
    found: list[Option] = []
    alone: Place | None = None
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if not word.text.startswith("-"):
            place = word.place.of("hda")
            if alone is not None:
                raise _two_images(word, alone)
            alone = place
            found.append(Option("hda", word.text, place))
            continue
        # QEMU takes two dashes for one, but '--preconfig' is called that.
        name = word.text[2:] if word.text.startswith("--") else word.text[1:]
        place = word.place.of(word.text)
        if name in WITHOUT_VALUE or f"-{name}" in WITHOUT_VALUE:
            found.append(Option(name, "", place))
            continue
        if name not in WITH_VALUE:
            raise _invalid(word)
        if at == len(words):
            raise ArgumentError("the option has no value", place=place)
        found.append(Option(name, words[at].text, words[at].place.of(word.text)))
        at += 1
    return found


def _two_images(word: Word, first: Place) -> ArgumentError:
    return ArgumentError(
        f"'{word.text[:60]}' is no option; QEMU would take it for an image like {first.word}, and "
        "one image alone is all it takes",
        place=word.place,
        remedy="an option begins with '-'; a script is read if it calls QEMU by its name, "
        "'qemu-system-x86_64' say",
    )


def _invalid(word: Word) -> ArgumentError:
    from difflib import get_close_matches

    names = [f"-{name}" for name in sorted(WITH_VALUE | WITHOUT_VALUE)]
    near = get_close_matches(word.text[:40], names, 1, 0.75)
    return ArgumentError(
        f"'{word.text[:60]}' is an invalid option: QEMU has none of that name",
        place=word.place,
        remedy=f"did you mean '{near[0]}'?" if near else "see 'qemu-system-x86_64 -help'",
    )
