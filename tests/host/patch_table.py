"""What of ``virtquorum patch`` is verified on real guests: noted by tests, shown by docs."""

from __future__ import annotations

__all__ = ["BUSES", "PLUGGED", "SCOPES", "Verified"]

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


class Verified:
    """What tests have looked at, noted when they had done so."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[tuple[str, str], list[str]]] = {}

    def saw(self, operation: str, bus: str, scope: dict[str, bool], *facts: str) -> None:
        """Note what was seen to be right after a change."""
        name = next(one for one, chosen in SCOPES.items() if chosen == scope)
        found = self._seen.setdefault(operation, {}).setdefault((bus, name), [])
        found += [one for one in facts if one not in found]

    def table(self) -> str:
        """The table of docs/patch.md: of each operation what was seen wherever it was tried."""
        lines = [
            "| operation | virtio | scsi | sata | looked at afterwards |",
            "|---|---|---|---|---|",
        ]
        for operation, seen in self._seen.items():
            cells = [", ".join(one for one in SCOPES if (bus, one) in seen) for bus in BUSES]
            first, *rest = seen.values()
            facts = [one for one in first if all(one in other for other in rest)]
            lines.append(f"| `{operation}` | {' | '.join(cells)} | {'; '.join(facts)} |")
        return "\n".join(lines)
