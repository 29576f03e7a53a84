"""What of ``virtquorum patch`` is verified on real guests; the tests and docs/patch.md share it."""

from __future__ import annotations

__all__ = ["BUSES", "LOOKED_AT", "PLUGGED", "SCOPES", "table"]

#: What a change is made to.
SCOPES = {
    "live": {"live": True},
    "config": {"config": True},
    "both": {"live": True, "config": True},
}
#: The frontends of the disk that the guest runs from.
BUSES = ("virtio", "scsi", "sata")
#: The frontends of disks that come and go, and what they come to; QEMU plugs no SATA disks.
PLUGGED = {
    "virtio": ("live", "config", "both"),
    "scsi": ("live", "config", "both"),
    "sata": ("config",),
}

_COMPOSED = (
    "block graph, policies, order of the members, record, definition; the guest writes and reads"
)
_COPIED = f"{_COMPOSED}; the new member's bytes"
#: Every operation, and what is looked at afterwards.
LOOKED_AT = {
    "set": _COMPOSED,
    "member add": _COPIED,
    "member remove": _COMPOSED,
    "member replace": _COPIED,
    "member reorder": _COMPOSED,
    "attach": "the same, reads and writes through the new disk, its members' bytes",
    "detach": "no node, guard, placeholder, record or argument of it is left",
}


def table() -> str:
    """The table of docs/patch.md."""
    lines = ["| operation | virtio | scsi | sata | looked at afterwards |", "|---|---|---|---|---|"]
    for operation, looked_at in LOOKED_AT.items():
        scopes = PLUGGED if operation in ("attach", "detach") else dict.fromkeys(BUSES, SCOPES)
        cells = [", ".join(scopes[bus]) for bus in BUSES]
        lines.append(f"| `{operation}` | {' | '.join(cells)} | {looked_at} |")
    return "\n".join(lines)
