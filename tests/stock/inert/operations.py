"""What people do to a disk through libvirt, and what it would mean for a placeholder.

An operation returns if libvirt did it, and raises libvirt's error if not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import libvirt

from tests.stock.inert.monitor import frontends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.stock.inert.forms import Disk

__all__ = ["OPERATIONS", "Operation", "Trial"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A disk of a domain, and a folder for what comes of it."""

    connection: Any
    domain: Any
    disk: Disk
    folder: Path

    @property
    def target(self) -> str:
        """The disk, as libvirt is told."""
        return self.disk.target

    def xml(self) -> str:
        """The disk's XML as it is now."""
        for one in ElementTree.fromstring(self.domain.XMLDesc()).findall("devices/disk"):  # noqa: S314
            target = one.find("target")
            if target is not None and target.get("dev") == self.target:
                return ElementTree.tostring(one, encoding="unicode")
        return ""

    def others(self, name: str, *but: str) -> str:
        """The domain's other disks, each left out of a snapshot, checkpoint or backup."""
        root = ElementTree.fromstring(self.domain.XMLDesc())  # noqa: S314
        targets = [one.get("dev") for one in root.findall("devices/disk/target")]
        kept = {self.target, *but} - {""}
        return "".join(f"<disk name='{one}' {name}='no'/>" for one in targets if one not in kept)

    def fresh(self, name: str) -> Path:
        """A file that is not there."""
        path = self.folder / f"{self.target}-{name}"
        path.unlink(missing_ok=True)
        return path


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Something done, and how it is written on a command line."""

    command: str
    run: Callable[[Trial], None]
    #: Whether it would come out wrong on a placeholder, without anybody noticing.
    harmful: bool = False
    #: Whether it is about the domain: tried on one of its disks.
    whole: bool = False
    #: Tried while the domain is off.
    off: bool = False


def wait(condition: Callable[[], object]) -> bool:
    """Wait until something is so; whether it came to be."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def save(trial: Trial) -> None:
    """Save and restore, after which the device has its quorum again."""
    before, path = frontends(trial.domain), str(trial.fresh("saved"))
    trial.domain.save(path)
    trial.connection.restore(path)
    _assert_quorum_again(trial, before)


def managed_save(trial: Trial) -> None:
    """Save with libvirt keeping the file, and start from it."""
    before = frontends(trial.domain)
    trial.domain.managedSave()
    trial.domain.create()
    _assert_quorum_again(trial, before)


def _assert_quorum_again(trial: Trial, before: dict[str, Any]) -> None:
    now = frontends(trial.domain)
    ours = {name for name in before if "ua-" in name}
    assert {name: now[name] for name in ours} == {name: before[name] for name in ours}


def limit(trial: Trial) -> None:
    """Limit the operations per second; of the quorum's device, it turns out."""
    trial.domain.setBlockIoTune(trial.target, {"total_iops_sec": 1000}, 1)
    (found,) = [
        one for name, one in frontends(trial.domain).items() if f"ua-{trial.target}" in name
    ]
    assert (found["node-name"], found["iops"]) == (f"vq-{trial.target}", 1000)


def copy(format: str) -> Callable[[Trial], None]:
    """Copy onto a new image, up to the point where it could be used."""

    def run(trial: Trial) -> None:
        path, domain = trial.fresh("copy"), trial.domain
        xml = f"<disk type='file'><source file='{path}'/><driver type='{format}'/></disk>"
        domain.blockCopy(trial.target, xml, {}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
        assert wait(lambda: (info := domain.blockJobInfo(trial.target))["cur"] == info["end"] > 0)
        domain.blockJobAbort(trial.target)

    return run


def pull(trial: Trial) -> None:
    """Pull the backing images' data up."""
    trial.domain.blockPull(trial.target)
    wait(lambda: not trial.domain.blockJobInfo(trial.target))


def snapshot(trial: Trial, disks: str, flags: int = 0, memory: str = "") -> None:
    """Take a snapshot with these disks."""
    trial.domain.snapshotCreateXML(
        f"<domainsnapshot>{memory}<disks>{disks}</disks></domainsnapshot>", flags
    )


_DISK_ONLY = (
    libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
)


def external(trial: Trial, flags: int = _DISK_ONLY, memory: str = "") -> None:
    """An external snapshot of the disk alone."""
    # What an earlier one has made is in use.
    name = "overlay-with-memory" if memory else f"overlay-{trial.domain.isActive()}"
    source = f"<source file='{trial.fresh(name)}'/>"
    one = f"<disk name='{trial.target}' snapshot='external'>{source}</disk>"
    snapshot(trial, one + trial.others("snapshot"), flags, memory)


def with_memory(trial: Trial) -> None:
    """An external snapshot of the memory and the disk."""
    external(trial, 0, f"<memory snapshot='external' file='{trial.fresh('memory')}'/>")


def left_out(trial: Trial) -> None:
    """A snapshot of the stock disk alone."""
    source = f"<source file='{trial.fresh('stock-overlay')}'/>"
    without = f"<disk name='{trial.target}' snapshot='no'/>"
    one = f"<disk name='vdz' snapshot='external'>{source}</disk>"
    snapshot(trial, without + one + trial.others("snapshot", "vdz"), _DISK_ONLY)


def unnamed(trial: Trial) -> None:
    """A snapshot of whatever libvirt takes when no disk is named."""
    snapshot(trial, "", _DISK_ONLY)


def internal(trial: Trial) -> None:
    """An internal snapshot, which libvirt takes of all disks."""
    snapshot(trial, "")


def backup(mode: str) -> Callable[[Trial], None]:
    """Back the disk up; pulled, up to the point where it could be read."""

    def run(trial: Trial) -> None:
        path, server = trial.fresh("backup"), ""
        if mode == "pull":
            server = f"<server transport='unix' socket='{trial.fresh('socket')}'/>"
        word = "target" if mode == "push" else "scratch"
        one = f"<disk name='{trial.target}' backup='yes' type='file'><{word} file='{path}'/></disk>"
        disks = f"<disks>{one}{trial.others('backup')}</disks>"
        domain = trial.domain
        domain.backupBegin(f"<domainbackup mode='{mode}'>{server}{disks}</domainbackup>", None)
        if mode == "pull":
            domain.abortJob()
        wait(lambda: domain.jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_NONE)

    return run


def checkpoint(trial: Trial) -> None:
    """Begin to record what changes."""
    one = f"<disk name='{trial.target}' checkpoint='bitmap'/>"
    disks = f"<disks>{one}{trial.others('checkpoint')}</disks>"
    trial.domain.checkpointCreateXML(f"<domaincheckpoint>{disks}</domaincheckpoint>")


def other_source(trial: Trial) -> None:
    """Give the device another file."""
    path = trial.fresh("other")
    path.write_bytes(trial.disk.placeholder.read_bytes())
    disk = ElementTree.fromstring(trial.xml())  # noqa: S314
    for name in ("driver", "source", "backingStore"):
        for one in disk.findall(name):
            disk.remove(one)
    ElementTree.SubElement(disk, "driver", name="qemu", type="raw")
    ElementTree.SubElement(disk, "source", file=str(path))
    trial.domain.updateDeviceFlags(ElementTree.tostring(disk, encoding="unicode"), 1)


def migrate(flags: int) -> Callable[[Trial], None]:
    """Move the running domain away: as far as libvirt's own checks, because there is one host."""

    def run(trial: Trial) -> None:
        try:
            trial.domain.migrate3(trial.connection, {}, libvirt.VIR_MIGRATE_LIVE | flags)
        except libvirt.libvirtError as error:
            if "migrate guest to the same host" not in str(error):
                raise

    return run


def detach(trial: Trial) -> None:
    """Ask for the disk back; virtio's is given when a guest answers."""
    trial.domain.detachDeviceAlias(f"ua-{trial.target}", libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert trial.disk.bus == "virtio" or wait(lambda: not trial.xml())


def peek(trial: Trial) -> None:
    """Read the beginning."""
    trial.domain.blockPeek(trial.target, 0, 512)


def _op(command: str, run: Callable[[Trial], None], **more: bool) -> Operation:
    return Operation(command=command, run=run, **more)


#: In the order in which they are tried: what changes the domain comes last.
OPERATIONS = {
    "save": _op("save, restore", save, whole=True),
    "managed-save": _op("managedsave, start", managed_save, whole=True),
    "stat": _op("domblkstat", lambda t: t.domain.blockStats(t.target)),
    "info": _op("domblkinfo", lambda t: t.domain.blockInfo(t.target)),
    "errors": _op("domblkerror", lambda t: t.domain.diskErrors(), whole=True),
    "limit": _op("blkdeviotune", limit),
    "update": _op("update-device", lambda t: t.domain.updateDeviceFlags(t.xml(), 1)),
    "peek": _op("(blockPeek)", peek, harmful=True),
    "threshold": _op("domblkthreshold", lambda t: t.domain.setBlockThreshold(t.target, 1 << 16),
                     harmful=True),
    "copy-raw": _op("blockcopy, raw", copy("raw"), harmful=True),
    "copy-qcow2": _op("blockcopy, qcow2", copy("qcow2"), harmful=True),
    "resize": _op("blockresize", lambda t: t.domain.blockResize(t.target, 4096), harmful=True),
    "pull": _op("blockpull", pull, harmful=True),
    "commit": _op("blockcommit --active",
                  lambda t: t.domain.blockCommit(
                      t.target, None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE),
                  harmful=True),
    "backup-push": _op("backup-begin, push", backup("push"), harmful=True),
    "backup-pull": _op("backup-begin, pull", backup("pull"), harmful=True),
    "checkpoint": _op("checkpoint-create", checkpoint, harmful=True),
    "internal": _op("snapshot-create, internal", internal, harmful=True, whole=True),
    "migrate": _op("migrate --live", migrate(0), harmful=True, whole=True),
    "migrate-copy": _op("migrate --live --copy-storage-all",
                        migrate(libvirt.VIR_MIGRATE_NON_SHARED_DISK), harmful=True, whole=True),
    "external": _op("snapshot-create --disk-only", external, harmful=True),
    "memory": _op("snapshot-create, external with memory", with_memory, harmful=True),
    "unnamed": _op("snapshot-create --disk-only, no disk named", unnamed, harmful=True,
                   whole=True),
    "left-out": _op("snapshot-create --disk-only, this disk left out", left_out, whole=True),
    "source": _op("update-device, another source", other_source, harmful=True),
    "detach": _op("detach-device-alias", detach),
    "off-internal": _op("snapshot-create, internal", internal, harmful=True, off=True),
    "off-external": _op("snapshot-create --disk-only", external, harmful=True, off=True),
}  # fmt: skip
