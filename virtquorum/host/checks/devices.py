"""Block devices that a guest's QEMU does not see: libvirt gives it a /dev of its own.

A privileged libvirt starts each QEMU in a mount namespace, in whose /dev are
the devices of ``cgroup_device_acl`` and of the disks that libvirt knows of; the
same list is what the control group of the guest lets it open.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.checks.result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.checks.configuration import Configuration
    from virtquorum.host.checks.openings import Opening
    from virtquorum.xml.domain import Domain

__all__ = ["device_results", "known_paths"]

_DEV: Final = "/dev/"
_LINKS: Final = 40


def known_paths(domain: Domain) -> set[str]:
    """The devices that libvirt knows of: those of stock disks, and of what is below them."""
    return {
        path
        for disk in domain.machine_disks
        if not disk.quorums
        for image in disk.image.walk()
        if (path := getattr(image.source, "dev", None))
    }


def device_results(
    found: Sequence[Opening], configuration: Configuration, known: set[str]
) -> Iterator[CheckResult]:
    """The devices and files below /dev that QEMU will not see."""
    if not configuration.namespace:
        return
    there = {step for one in (*configuration.devices, *known) for step in _steps(one)}
    mounted = _mounted()
    for one in found:
        hidden = [step for step in _steps(one.path) if _is_hidden(step, mounted)]
        if not hidden or hidden[0] in there or not os.path.exists(one.path):
            continue
        yield CheckResult(
            severity=Severity.ERROR if configuration.read else Severity.WARNING,
            kind="device",
            disk=one.disk,
            path=one.path,
            message=_message(configuration),
            ways=tuple(_ways(hidden[0], configuration)),
        )


def _message(configuration: Configuration) -> str:
    said = (
        "QEMU will not find it: libvirt gives each guest a /dev of its own, with the devices that "
        "it knows of"
    )
    if configuration.read:
        return said
    return f"{said}; '{configuration.path}', which may say otherwise, cannot be read by this user"


def _ways(path: str, configuration: Configuration) -> Iterator[str]:
    listed = ", ".join(f'"{one}"' for one in (*configuration.devices, path))
    yield (
        f"write cgroup_device_acl = [ {listed} ] into '{configuration.path}' and restart the "
        "daemon (libvirtd or virtqemud)"
    )
    yield "write namespaces = [ ] there, which shows every guest the whole of /dev"


def _steps(path: str) -> list[str]:
    """A path, and what it leads to by links of its last part, one after the other."""
    steps = [path]
    while os.path.islink(path) and len(steps) < _LINKS:
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        steps.append(path)
    return steps


def _is_hidden(path: str, mounted: tuple[str, ...]) -> bool:
    """Whether it lies in /dev itself; what is mounted below /dev is kept for QEMU."""
    return path.startswith(_DEV) and not path.startswith(mounted)


def _mounted() -> tuple[str, ...]:
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
            places = [line.split(" ")[1] for line in file]
    except OSError:
        places = ["/dev/shm", "/dev/pts", "/dev/mqueue", "/dev/hugepages"]  # noqa: S108
    return tuple(f"{one}/" for one in places if one.startswith(_DEV))
