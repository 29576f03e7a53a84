"""What tests ask of a libvirt: functions of a connection, for Bench.call.

They run in the worker; arguments and results are JSON.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import libvirt
import libvirt_qemu

__all__ = [
    "attach", "create", "define", "destroy", "destroy_all", "detach", "devices", "events", "forget",
    "io",
    "know_qemu", "looked_up", "monitor", "restore", "save", "start", "state", "watch", "xml",
]  # fmt: skip

#: What each watched domain said, since it was last asked.
_EVENTS: list[list[Any]] = []
#: libvirt's number of the watch that there is.
_WATCHES: list[int] = []


def know_qemu(connection: Any) -> None:
    """Let libvirt ask this machine's QEMU for its abilities, which it keeps."""
    connection.getDomainCapabilities(None, "x86_64", None, "qemu")


def define(connection: Any, xml: str) -> None:
    """Define a domain; libvirt validates it."""
    connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)


def create(connection: Any, xml: str, paused: bool = False) -> None:
    """Start a domain that is gone when it ends."""
    connection.createXML(xml, libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)


def start(connection: Any, name: str) -> None:
    """Start a defined domain."""
    connection.lookupByName(name).create()


def destroy(connection: Any, name: str) -> None:
    """Switch a domain off."""
    connection.lookupByName(name).destroy()


def destroy_all(connection: Any) -> None:
    """Switch everything off and forget it."""
    for one in connection.listAllDomains():
        with suppress(libvirt.libvirtError):
            one.destroy()
        with suppress(libvirt.libvirtError):
            one.undefineFlags(
                libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
            )


def forget(connection: Any, name: str) -> None:
    """Undefine a domain."""
    connection.lookupByName(name).undefine()


def xml(connection: Any, name: str, inactive: bool = False) -> str:
    """A domain's XML."""
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
    return str(connection.lookupByName(name).XMLDesc(flags))


def state(connection: Any, name: str) -> str:
    """'running', 'paused', 'shut off', or libvirt's number of another state."""
    number = connection.lookupByName(name).state()[0]
    return {1: "running", 3: "paused", 5: "shut off"}.get(number, str(number))


def save(connection: Any, name: str, path: str) -> None:
    """Save a running domain into a file."""
    connection.lookupByName(name).save(path)


def restore(connection: Any, path: str) -> None:
    """Run on from a file."""
    connection.restore(path)


def attach(connection: Any, name: str, xml: str) -> None:
    """Plug a device into a running domain."""
    connection.lookupByName(name).attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def detach(connection: Any, name: str, alias: str) -> None:
    """Ask a running domain to give a device up; the guest may take its time."""
    connection.lookupByName(name).detachDeviceAlias(alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def watch(connection: Any, name: str) -> None:
    """Take note of a domain's QUORUM_ events from here on."""
    _EVENTS.clear()
    for one in _WATCHES:
        libvirt_qemu.qemuMonitorEventDeregister(connection, one)
    _WATCHES[:] = [
        libvirt_qemu.qemuMonitorEventRegister(
            connection, connection.lookupByName(name), "^QUORUM_.*", _note, None,
            libvirt_qemu.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX,
        )
    ]  # fmt: skip


def _note(_: Any, domain: Any, event: str, *more: Any) -> None:
    _EVENTS.append([domain.name(), event, json.loads(more[-2])])


def events(_: Any, wanted: int = 0, seconds: float = 5) -> list[list[Any]]:
    """[domain, event, data] of each since ``watch``, once there are as many as wanted.

    QEMU tells one a second of each node at most.  Fewer come back where no more come in time.
    """
    deadline = time.monotonic() + seconds
    while len(_EVENTS) < wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return list(_EVENTS)


def monitor(connection: Any, name: str, command: str, arguments: dict[str, Any]) -> Any:
    """A monitor command's return value; raises RuntimeError with QEMU's answer."""
    text = json.dumps({"execute": command, "arguments": arguments})
    said = json.loads(
        libvirt_qemu.qemuMonitorCommand(
            connection.lookupByName(name),
            text,
            libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT,
        )
    )
    if "error" in said:
        raise RuntimeError(f"{said['error']['class']}: {said['error']['desc']}")
    return said["return"]


def io(connection: Any, name: str, drive: str, command: str) -> str:
    """Give a qemu-io command; the monitor's own answer: what it printed is in the guest's log."""
    device = devices(connection, name).get(drive)
    words = drive if device is None else f"-d {device}"
    line = f'qemu-io {words} "{command}"'
    return str(monitor(connection, name, "human-monitor-command", {"command-line": line}))


def looked_up(connection: Any, name: str) -> dict[str, Any]:
    """What QEMU has: ``nodes`` by name (query-named-block-nodes), ``edges`` and ``drives``.

    An edge is [parent, 'file' or 'backing' or 'children.N' …, child]; a drive
    is what a frontend points at, by the frontend's alias: a node's name, or ''
    where there is none.
    """
    nodes = monitor(connection, name, "query-named-block-nodes", {"flat": True})
    graph = monitor(connection, name, "x-debug-query-block-graph", {})
    names = {one["id"]: one["name"] for one in graph["nodes"] if one["type"] == "block-driver"}
    return {
        "nodes": {one["node-name"]: one for one in nodes},
        "edges": sorted(
            [names[edge["parent"]], edge["name"], names[edge["child"]]]
            for edge in graph["edges"]
            if edge["parent"] in names
        ),
        "drives": _drives(connection, name),
    }


def _drives(connection: Any, name: str) -> dict[str, str]:
    found = {}
    for alias, path in devices(connection, name).items():
        # query-block shows a device for a moment after it is gone.
        with suppress(RuntimeError):
            asked = {"path": path, "property": "drive"}
            found[alias] = str(monitor(connection, name, "qom-get", asked))
    return found


def devices(connection: Any, name: str) -> dict[str, str]:
    """Where in QEMU's tree that stands which has a frontend's drive, by the frontend's alias.

    virtio: ALIAS/virtio-backend; usb: ALIAS/ALIAS.0/legacy[0], the SCSI disk that was made for it.
    """
    paths = [one["qdev"] for one in monitor(connection, name, "query-block", {}) if "qdev" in one]
    return {path.removeprefix(_PERIPHERAL).partition("/")[0]: path for path in paths}


_PERIPHERAL = "/machine/peripheral/"
