"""Members of a quorum that fail together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.image_look import Look
    from virtquorum.check.rule import Position

__all__ = ["RULE", "check"]

_DEVICES = "/sys/dev/block"


def check(position: Position, looks: Sequence[Look | None]) -> Iterator[Problem]:
    """See RULE; ``looks`` are what was seen of the members, None for what is not of this host."""
    devices = {
        number: (look.asked.block, look.device)
        for number, look in enumerate(looks)
        if look is not None and look.device is not None
    }
    told: set[tuple[int, ...]] = set()
    for together, what in (*_filesystems(devices, looks), *_disks(devices)):
        if together not in told:
            told.add(together)
            yield Problem(position.element, _message(position, together, what))


def _filesystems(
    devices: dict[int, tuple[bool, int]], looks: Sequence[Look | None]
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Members whose files are on one filesystem."""
    groups: dict[int, list[int]] = {}
    for number, (block, device) in devices.items():
        if not block:
            groups.setdefault(device, []).append(number)
    for numbers in groups.values():
        first = looks[numbers[0]]
        if len(numbers) > 1 and first is not None:
            yield tuple(numbers), f"one filesystem, mounted at '{_mount(first.asked.path)}'"


def _disks(devices: dict[int, tuple[bool, int]]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Members that end on the same disk or disks of this host, as far as the kernel says so."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, (_, device) in devices.items():
        if names := _below(device):
            groups.setdefault(names, []).append(number)
    for names, numbers in groups.items():
        if len(numbers) > 1:
            disks = "disks" if len(names) > 1 else "disk"
            yield tuple(numbers), f"the same {disks} of this host, {', '.join(names)}"


def _below(device: int) -> tuple[str, ...]:
    """The whole disks that a block device is made of; none where the kernel does not say."""
    if not os.major(device):
        return ()  # a filesystem without a device: tmpfs, NFS, btrfs
    names: set[str] = set()
    start = os.path.realpath(f"{_DEVICES}/{os.major(device)}:{os.minor(device)}")
    rest, seen = [start], {start}
    while rest:
        one = rest.pop()
        if os.path.exists(f"{one}/partition"):
            one = os.path.dirname(one)
        try:
            slaves = os.listdir(f"{one}/slaves")
        except OSError:
            return ()
        if not slaves:
            names.add(os.path.basename(one))
        for slave in slaves:
            below = os.path.realpath(f"{one}/slaves/{slave}")
            if below not in seen:
                seen.add(below)
                rest.append(below)
    return tuple(sorted(names))


def _mount(path: str) -> str:
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def _message(position: Position, together: Sequence[int], what: str) -> str:
    *first, last = map(str, together)
    count = len(position.image.below)
    threshold = position.quorum.vote_threshold
    left = count - len(together)
    lost = f"when it fails, {f'only {left} of {count} are' if left else 'none is'} left"
    enough = ""
    if isinstance(threshold, int) and 0 < left < threshold:
        enough = f", and the threshold is {threshold}"
    return f"members {', '.join(first)} and {last} are on {what}: {lost}{enough}"


RULE = Rule(
    code="VQ506",
    name="one-filesystem",
    severity=Severity.NOTE,
    title="members of a quorum are on one filesystem or disk",
    documentation="""
A quorum outvotes a member that is wrong or gone. Members that lie on one filesystem, or on the same
disk, fail together: when it goes, all of them go, and when it is full, the writes to all of them
fail. Such a quorum costs several writes and protects against little more than a single bad image.

Put each member on storage that fails by itself: another disk, another host. For block devices,
partitions, LVM and md the kernel is asked which disks lie below. What a network filesystem or a
storage system puts on one disk cannot be seen from here.

This rule runs with `--check-images`.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/copy.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="images",
)
