"""Guests that boot from a quorum disk, for the tests of live changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.host import live
from tests.host.live import Flat, graph
from tests.libvirts import Guest, asked
from tests.libvirts.domains import commandline, disk_content, disk_xml, drive_override, guest_xml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.libvirts import Bench

__all__ = ["CONTENT", "SIZE", "Booted"]

SIZE = 4 << 20
#: What the guest reads at sector DATA.
CONTENT = b"voted"


class Booted:
    """A guest that has booted from a quorum of three, whose members are in ``images``.

    ``nodes`` is the graph that its disk has.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        *,
        bus: str = "virtio",
        target: str = "vda",
        driver: str = "type='quorum'",
        inner: str = "",
        iothread: bool = False,
        buses: tuple[str, ...] = (),
        images: tuple[Path, ...] | None = None,
    ) -> None:
        self.bench = bench
        self.name = name
        self.alias = f"ua-{target}"
        self.target = target
        made = (self.image(str(number), disk_content(CONTENT)) for number in range(3))
        self.images = images or tuple(made)
        self.nodes = graph(*self.images, target=target, driver=driver, inner=inner)
        disk = disk_xml(target, self.image("placeholder"), bus=bus, inner=inner)
        if iothread:
            disk = disk.replace(" type='raw'", " type='raw' iothread='1'")
        drive = {self.alias: self.nodes[-1]["node-name"]}
        outer = commandline(self.nodes) + drive_override(drive) + "<iothreads>1</iothreads>"
        bench.call(asked.create, guest_xml(bench, name, disk, buses=buses, outer=outer))
        self.guest = Guest(bench, name)
        self.guest.booted()

    def image(self, end: str, content: bytes = b"", size: int = SIZE) -> Path:
        """An image of the guest's, by the end of its name."""
        return self.bench.image(f"{self.name}-{end}", size=size, content=content)

    def graph(self, *members: Any, **more: Any) -> Flat:
        """A graph for its disk."""
        return graph(*members, target=self.target, **more)

    def swap(self, new: Flat, **options: Any) -> list[str]:
        """Change its disk's graph; the plan's lines."""
        arguments = (self.name, self.alias, self.nodes, new, options)
        lines: list[str] = self.bench.call(live.swapped, *arguments)
        self.nodes = new
        assert self.state() == self.settled()
        return lines

    def state(self, **graphs: Flat) -> dict[str, Any]:
        """What there is (live.state); 'now' is its graph."""
        known = {"now": self.nodes, **graphs}
        found: dict[str, Any] = self.bench.call(live.state, self.name, self.alias, known)
        return found

    def settled(self, graph: str = "now", *, running: bool = True) -> dict[str, Any]:
        """The state of a guest that has a graph, and nothing else."""
        return {"is": [graph], "strays": [], "running": running, "jobs": [], "note": False}

    def destroy(self) -> None:
        """Switch it off."""
        self.bench.call(asked.destroy, self.name)
