"""Quorum domains on a libvirt of the test's own, and virtquorum run as a program on it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from tests.libvirts.domains import disk_content, guest_xml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.libvirts import Bench
    from tests.programs import Result

__all__ = ["DATA_TEXT", "Faulty", "members", "quorum_disk", "virtquorum", "web", "with_uuid"]

DATA_TEXT = b"the members agree"


def virtquorum(bench: Bench, *argv: str | Path, input: str = "", **more: Any) -> Result:
    """Run a command line of virtquorum as a program; ``more`` is for its environment."""
    from tests.programs import Result

    done = bench.run(sys.executable, "-m", "virtquorum", *argv, input=input, **more)
    assert "Traceback" not in done.stderr, done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def members(bench: Bench, name: str, count: int = 3, size: int = 4 << 20) -> list[Path]:
    """Raw images with one content, from which a guest boots."""
    return [
        bench.image(f"{name}-{number}.raw", size, disk_content(DATA_TEXT))
        for number in range(count)
    ]


def quorum_disk(
    target: str,
    images: Sequence[Path],
    *,
    threshold: int = 2,
    bus: str = "virtio",
    boot: int | None = 1,
    inner: str = "",
) -> str:
    """A quorum disk of raw images."""
    stores = "".join(
        f"<backingStore type='file'><format type='raw'/><source file='{one}'/></backingStore>"
        for one in images
    )
    order = "" if boot is None else f"<boot order='{boot}'/>"
    return (
        f"<disk type='quorum' threshold='{threshold}' device='disk'>"
        f"<driver name='qemu' type='quorum'/>{stores}<target dev='{target}' bus='{bus}'/>"
        f"{order}{inner}</disk>"
    )


def web(bench: Bench, name: str, *disks: str, **more: Any) -> Path:
    """A file with a domain; without disks, one that boots from a quorum of three as vda."""
    path = bench.folder / f"{name}.xml"
    some = disks or (quorum_disk("vda", members(bench, name)),)
    path.write_text(guest_xml(bench, name, *some, **more))
    return path


def with_uuid(bench: Bench, name: str, path: Path) -> Path:
    """A file with the UUID of the domain that there is."""
    uuid = bench.virsh("domuuid", name).strip()
    text = re.sub("<uuid>.*</uuid>", "", path.read_text())
    text = text.replace("<memory", f"<uuid>{uuid}</uuid><memory", 1)
    path.write_text(text)
    return path


class Faulty:
    """An object of libvirt's, and what it hands out, of whose calls one fails: the n-th.

    ``counts`` holds the calls that are left until then, and is shared.
    """

    #: What only reads libvirt's own memory of a name.
    _HARMLESS = ("getURI", "getType", "name", "UUIDString", "connect")

    def __init__(self, target: Any, counts: list[int]) -> None:
        self._target = target
        self._counts = counts
        self._o = getattr(target, "_o", None)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found) or name in self._HARMLESS:
            return found

        def call(*arguments: Any) -> Any:
            import libvirt

            self._counts[0] -= 1
            if self._counts[0] == 0:
                error = libvirt.libvirtError("")
                # Not libvirt's last error, of another call.
                error.err, error.args = None, (f"injected into {name}",)
                raise error
            return self._handed_out(found(*arguments))

        return call

    def _handed_out(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._handed_out(one) for one in value]
        return Faulty(value, self._counts) if hasattr(value, "_o") else value
