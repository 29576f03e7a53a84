"""Run as a program: ``trials.py ROOT`` tries every operation on every form of a placeholder.

It prints JSON: what libvirt said to each, on the forms, on the frontends in the
recommended form, and what QEMU showed of the devices before and of the files
afterwards.  A process of its own, because libvirt takes one root for an
embedded driver in the life of a process.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[3]))

import libvirt

from tests.stock.inert import monitor
from tests.stock.inert.forms import (
    FORMS,
    PLUGGED,
    RECOMMENDED,
    Disk,
    Form,
    disk_xml,
    domain_xml,
    guard_above,
    nodes,
)
from tests.stock.inert.operations import OPERATIONS, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GONE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
)
#: In the place of a machine.
PLUGGED_IN = "plugged-in"
#: The byte that is written to a quorum.
WRITTEN = 0x61


def run_events() -> None:
    """Run libvirt's event loop for ever."""
    while True:
        libvirt.virEventRunDefaultImpl()


@contextmanager
def domain(connection: Any, xml: str) -> Iterator[Any]:
    """A domain, defined; off and forgotten in the end."""
    defined = connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    try:
        yield defined
    finally:
        with suppress(libvirt.libvirtError):
            defined.destroy()
        defined.undefineFlags(_GONE)


def said(trial: Trial, operation: str) -> str | None:
    """What libvirt has against an operation, the disk's own names left out; None if it is done."""
    try:
        OPERATIONS[operation].run(trial)
    except libvirt.libvirtError as error:
        text = str(error).replace(str(trial.folder), "").replace("\r\n", "")
        text = re.sub(r"libvirt-\d+", "libvirt-N", text)
        return re.sub(rf"\b{trial.target}\b", "TARGET", text)
    return None


def tried(trials: Sequence[Trial], operations: Sequence[str]) -> list[list[Any]]:
    """Operation, frontend and what was said: of each operation, on all disks."""
    found: list[list[Any]] = []
    for name in operations:
        some = trials[:1] if OPERATIONS[name].whole else trials
        found += [[name, trial.disk.label, said(trial, name)] for trial in some]
    return found


def operations(*, off: bool) -> list[str]:
    """The operations that are tried while a domain is off, or runs."""
    return [name for name, operation in OPERATIONS.items() if operation.off == off]


def on_form(connection: Any, root: Path, name: str) -> list[list[Any]]:
    """All operations on a virtio disk in a form, off and running."""
    folder = root / "forms" / re.sub(r"\W", "", name)
    found: list[list[Any]] = []
    for off in (True, False):
        place = folder / str(off)
        place.mkdir(parents=True)
        disk = Disk(target="vda", bus="virtio", folder=place, label="virtio")
        xml = domain_xml(f"{folder.name}-{off}", [disk], FORMS[name], place / "stock")
        with domain(connection, xml) as defined:
            if not off:
                defined.create()
            trial = Trial(connection=connection, domain=defined, disk=disk, folder=place)
            found += tried([trial], operations(off=off))
    return found


def frontends_of(folder: Path) -> dict[str, list[Disk]]:
    """Quorum disks of every kind, by machine; or plugged in."""
    q35 = [
        Disk(target="vda", bus="virtio", folder=folder, label="virtio"),
        Disk(target="vdb", bus="virtio", folder=folder, label="read-only virtio", readonly=True),
        Disk(target="sda", bus="scsi", folder=folder, label="scsi"),
        Disk(target="sdb", bus="sata", folder=folder, label="sata"),
        Disk(target="sdc", bus="usb", folder=folder, label="usb"),
        Disk(target="sdd", bus="sata", folder=folder, label="cdrom", device="cdrom", readonly=True),
    ]
    plugged = [
        Disk(target="vde", bus="virtio", folder=folder, label="plugged-in virtio"),
        Disk(target="sde", bus="scsi", folder=folder, label="plugged-in scsi"),
    ]
    ide = [Disk(target="hda", bus="ide", folder=folder, label="ide")]
    return {"q35": q35, "pc": ide, PLUGGED_IN: plugged}


def plug(running: Any, disk: Disk, form: Form) -> None:
    """Plug a placeholder in, point its device at a quorum, and set the guard."""
    disk.make()
    running.suspend()
    running.attachDeviceFlags(disk_xml(disk, form), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    for node in nodes(disk, form):
        monitor.ask(running, "blockdev-add", **node)
    device = {"path": monitor.qom_path(disk.target, disk.bus), "property": "drive"}
    placeholder = monitor.ask(running, "qom-get", **device)
    monitor.ask(running, "qom-set", **device, value=f"vq-{disk.target}")
    # The guard comes last: while the device is at the placeholder there can be none.
    monitor.ask(running, "blockdev-add", **guard_above(disk, placeholder))
    running.resume()


def forgotten(connection: Any, root: Path) -> str:
    """The node that a device has after saving, which was plugged in without being transient."""
    folder = root / "forgotten"
    folder.mkdir()
    disk = Disk(target="sde", bus="scsi", folder=folder)
    with domain(connection, domain_xml("forgotten", [], FORMS["plain"], folder / "stock")) as off:
        off.create()
        plug(off, disk, FORMS["shareable"])
        trial = Trial(connection=connection, domain=off, disk=disk, folder=folder)
        with suppress(AssertionError):
            OPERATIONS["save"].run(trial)
        return str(shown(off, disk)["node-name"])


def shown(running: Any, disk: Disk) -> dict[str, Any]:
    """What a device is in QEMU: its node, its size, and whether others may write."""
    (found,) = [
        {**one, "device": name}
        for name, one in monitor.frontends(running).items()
        if f"ua-{disk.target}" in name
    ]
    path = monitor.qom_path(disk.target, disk.bus)
    shared = monitor.ask(running, "qom-get", path=path, property="share-rw")
    others = [refused_write(one) for one in disk.members]
    return {**found, "share-rw": shared, "others": others}


def refused_write(image: Path) -> str:
    """What another process hears that would write to an image."""
    done = subprocess.run(
        ["qemu-io", "-f", "raw", "-c", "write 0 512", image],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stderr.partition("\n")[0].rpartition(": ")[2] if done.returncode else ""


def second_start(connection: Any, first: Disk, root: Path, name: str) -> str:
    """What QEMU says in another domain with a placeholder that is in use; nothing if it starts."""
    folder = root / name
    folder.mkdir()
    own = Disk(target="vda", bus="virtio", folder=folder)
    xml = domain_xml(name, [own], FORMS[RECOMMENDED], folder / "stock")
    xml = xml.replace(str(own.placeholder), str(first.placeholder))
    with domain(connection, xml) as defined:
        try:
            defined.create()
        except libvirt.libvirtError:
            # Which part of it libvirt passes on depends on who is quicker.
            return (root / "log" / "qemu" / f"{name}.log").read_text()
    return ""


def on_frontends(connection: Any, root: Path, machine: str, disks: list[Disk]) -> dict[str, Any]:
    """All operations on each frontend in the recommended form."""
    folder, form, plugged = disks[0].folder, FORMS[RECOMMENDED], machine == PLUGGED_IN
    there, kind = ([], "q35") if plugged else (disks, machine)
    with domain(connection, domain_xml(machine, there, form, folder / machine, kind)) as defined:
        defined.create()
        for disk in disks if plugged else ():
            plug(defined, disk, PLUGGED)
        before = {disk.label: used(defined, disk) for disk in disks}
        trials = [
            Trial(connection=connection, domain=defined, disk=disk, folder=folder) for disk in disks
        ]
        second = "" if plugged else second_start(connection, disks[0], root, f"second-{machine}")
        found = tried(trials, operations(off=False))
    files = {disk.label: contents(disk) for disk in disks}
    return {"tried": found, "shown": before, "second": second, "files": files}


def used(running: Any, disk: Disk) -> dict[str, Any]:
    """What a device is, through which something has been written."""
    found = shown(running, disk)
    if not disk.readonly:
        monitor.write(running, found["device"], WRITTEN)
    return found


def contents(disk: Disk) -> dict[str, Any]:
    """What a disk's files hold in the end."""
    placeholder, members = disk.placeholder.read_bytes(), [one.read_bytes() for one in disk.members]
    return {
        "placeholder": placeholder.rstrip(b"\0").decode("ascii", "replace"),
        "sizes": sorted({len(placeholder), *map(len, members)}),
        "written": [one[512:1024] == bytes([WRITTEN]) * 512 for one in members],
    }


def main() -> None:
    """Try everything, print what was said."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=run_events, daemon=True).start()
    root = Path(sys.argv[1])
    connection = libvirt.open(f"qemu:///embed?root={root}")
    folder = root / "disks"
    folder.mkdir()
    # libvirt takes two seconds to stop a guest: they are tried side by side.
    with ThreadPoolExecutor(len(FORMS) + 3) as pool:
        lost = pool.submit(forgotten, connection, root)
        frontends = {
            machine: pool.submit(on_frontends, connection, root, machine, disks)
            for machine, disks in frontends_of(folder).items()
        }
        forms = {name: pool.submit(on_form, connection, root, name) for name in FORMS}
    found = {
        "forgotten": lost.result(),
        "versions": [connection.getLibVersion(), connection.getVersion()],
        "forms": {name: one.result() for name, one in forms.items()},
        "frontends": {machine: one.result() for machine, one in frontends.items()},
    }
    print(json.dumps(found), flush=True)
    connection.close()


if __name__ == "__main__":
    main()
