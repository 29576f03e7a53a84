"""What QEMU itself says of a domain's disks."""

from __future__ import annotations

import json
from typing import Any

import libvirt_qemu

__all__ = ["ask", "frontends", "node_names", "qom_path", "write"]


def ask(domain: Any, command: str, **arguments: Any) -> Any:
    """A monitor command's return value; raises AssertionError with QEMU's words."""
    request = json.dumps({"execute": command, "arguments": arguments})
    answer = json.loads(libvirt_qemu.qemuMonitorCommand(domain, request, 0))
    assert "return" in answer, answer["error"]["desc"]
    return answer["return"]


def frontends(domain: Any) -> dict[str, dict[str, Any]]:
    """Each device's node, its size, whether it is read-only, its limits; by the device."""
    return {
        one["qdev"]: {
            **{name: one["inserted"][name] for name in ("node-name", "ro", "iops")},
            "size": one["inserted"]["image"]["virtual-size"],
        }
        for one in ask(domain, "query-block")
        if "inserted" in one
    }


def node_names(domain: Any) -> set[str]:
    """The block nodes that have a name of somebody's."""
    every = {one["node-name"] for one in ask(domain, "query-named-block-nodes", flat=True)}
    return {one for one in every if not one.startswith("#")}


def qom_path(target: str, bus: str) -> str:
    """Where the device is that has the disk's properties."""
    tail = "/virtio-backend" if bus == "virtio" else ""
    return f"/machine/peripheral/ua-{target}{tail}"


def write(domain: Any, device: str, byte: int) -> None:
    """Write the second sector as the guest would."""
    line = f'qemu-io -d {device} "write -P {byte} 512 512"'
    ask(domain, "human-monitor-command", **{"command-line": line})
