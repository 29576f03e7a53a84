"""How long a guest is paused by a live change: 50 of each.

    python -m benchmarks.pause

A guest without a system runs under TCG on ``qemu:///embed`` (as root, in a
root of its own).  Its quorum disk of three members is set to another threshold
50 times, and a second one is plugged in and out 50 times, each on virtio-scsi
and, for ``set``, on virtio.  The time is that between QEMU's events STOP and
RESUME, by QEMU's own clock.  Nothing else in the world takes quorum disks on
libvirt, so there is no peer: the ratio is to a bare pause and resume of
libvirt's, made in turn with the others.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from virtquorum.host import connect
from virtquorum.host.change import apply
from virtquorum.host.define import plan_definition
from virtquorum.host.patch import attach, detach, set_quorum
from virtquorum.host.start import plan_start
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.domain import HostDomain

TIMES: Final = 50
SIZE: Final = 64 << 20
_CONFIGURATION: Final = 'user = "root"\ngroup = "root"\nstdio_handler = "file"\n'


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vq-") as name, _guest(Path(name)) as (domain, pauses):
        rows: dict[str, list[float]] = {}
        for number in range(TIMES):
            rows.setdefault("suspend and resume", []).append(pauses(lambda: _bare(domain)))
            for target in ("sda", "vda"):
                change = set_quorum(domain, target, {"threshold": 3 - number % 2}, live=True)
                rows.setdefault(f"set --threshold, {target}", []).append(
                    pauses(lambda change=change: apply(change))
                )
            plug = attach(domain, _plugged(Path(name)), live=True)
            rows.setdefault("attach, sdb", []).append(pauses(lambda plug=plug: apply(plug)))
            apply(detach(domain, "sdb", live=True))
        bare = median(rows["suspend and resume"])
        print(f"{'change':24} {'median':>9} {'worst':>9}  to a bare pause")
        for what, seconds in rows.items():
            middle, worst = median(seconds), max(seconds)
            print(
                f"{what:24} {middle * 1e3:6.1f} ms {worst * 1e3:6.1f} ms {middle / bare:10.1f}x",
                flush=True,
            )
    return 0


def _bare(domain: HostDomain) -> None:
    domain.handle.suspend()
    domain.handle.resume()


@contextmanager
def _guest(root: Path) -> Iterator[tuple[HostDomain, Any]]:
    """A running guest with two quorum disks, and what gives a change's pause in seconds."""
    import libvirt
    import libvirt_qemu

    (root / "etc").mkdir()
    (root / "etc" / "qemu.conf").write_text(_CONFIGURATION)
    with connect(f"qemu:///embed?root={root}") as host:
        seen: list[tuple[str, float]] = []

        def event(_c: Any, _d: Any, name: str, seconds: int, micros: int, _t: Any, _o: Any) -> None:
            seen.append((name, seconds + micros / 1e6))

        libvirt_qemu.qemuMonitorEventRegister(
            host.connection, None, "^(STOP|RESUME)$", event, None,
            libvirt_qemu.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX,
        )  # fmt: skip
        apply(plan_definition(host, Domain.from_text(_domain(root))).plan)
        domain = host.domain("paused")
        try:
            apply(plan_start(domain))
            yield domain, lambda change: _pause(seen, change)
        finally:
            if domain.is_active:
                domain.handle.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_DEFAULT)


def _pause(seen: list[tuple[str, float]], change: Any) -> float:
    """The seconds between STOP and RESUME of a change."""
    seen.clear()
    change()
    deadline = time.monotonic() + 10
    while not any(name == "RESUME" for name, _ in seen) and time.monotonic() < deadline:
        time.sleep(0.001)
    times = dict(seen)
    return times["RESUME"] - times["STOP"]


def _disk(root: Path, target: str, bus: str) -> str:
    members = ""
    for number in range(3):
        path = root / f"{target}-{number}.raw"
        if not path.exists():
            with path.open("wb") as file:
                file.truncate(SIZE)
        members += (
            f"<backingStore type='file'><format type='raw'/><source file='{path}'/></backingStore>"
        )
    return (
        f"<disk type='quorum' threshold='2'><driver name='qemu' type='quorum'/>{members}"
        f"<target dev='{target}' bus='{bus}'/></disk>"
    )


def _plugged(root: Path) -> Any:
    return Domain.from_text(_disk(root, "sdb", "scsi")).disks[0]


def _domain(root: Path) -> str:
    return (
        "<domain type='qemu'><name>paused</name><memory>65536</memory>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
        f"{_disk(root, 'sda', 'scsi')}{_disk(root, 'vda', 'virtio')}"
        "<controller type='scsi' model='virtio-scsi'/><memballoon model='none'/>"
        "</devices></domain>"
    )


if __name__ == "__main__":
    sys.exit(main())
