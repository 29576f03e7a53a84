"""A running guest's hands: what it is told, and what it says; see tests.guests."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.libvirts.bench import until
from tests.libvirts.domains import serial_log, serial_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts.bench import Bench

__all__ = ["Guest", "Sector", "Turns"]


class Sector(NamedTuple):
    """What the guest read: int 13h's status, the sum of the words, the first 16 bytes."""

    status: int
    sum: int
    first: bytes


class Turns:
    """What came of writing and reading in turn: int 13h's status (0xff: not what was written)."""

    status = -1
    rounds = -1


class Guest:
    """A guest that booted from our boot code.

    It outlives any process: each question is a connection of its own to its
    serial port, and what it says is read from that port's log.
    """

    def __init__(self, bench: Bench, name: str) -> None:
        self._bench = bench
        self.name = name
        self._socket = serial_socket(bench, name)
        self._log = serial_log(bench, name)

    def said(self) -> str:
        """All that it said in its life."""
        return self._log.read_text("latin-1") if self._log.exists() else ""

    def booted(self, boots: int = 1) -> list[str]:
        """Wait until it booted for the n-th time; the lines that it said then, but for 'ready'."""
        until(
            lambda: self.said().count("ready\n") >= boots or self._failed(),
            lambda: f"{self.name} does not boot: {self.said()!r} {self._bench.log(self.name)}",
        )
        assert not self._failed(), self.said()
        said = self.said().split("ready\n")[boots - 1]
        return said[said.rindex("boot ") :].splitlines()

    def _failed(self) -> bool:
        """Whether its first sector was not able to read the others."""
        last = self.said().splitlines(keepends=True)[-1:]
        return bool(last and last[0].startswith("boot ") and last[0][-1] == "\n"
                    and not last[0].endswith(" 00\n"))  # fmt: skip

    def ask(self, line: str) -> str:
        """Its answer to a line."""
        return self.ask_all(line)[0]

    def ask_all(self, *lines: str) -> list[str]:
        """Its answers to lines that are given in one go."""
        before = len(self.said())
        with self._line() as port:
            port.sendall("".join(f"{line}\n" for line in lines).encode())
            until(
                lambda: self.said().count("\n", before) >= len(lines),
                lambda: f"no answer: {self.said()[before:]!r}",
            )
        return [line.rstrip() for line in self.said()[before:].splitlines()[: len(lines)]]

    @contextmanager
    def _line(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as port:
            port.settimeout(20)
            port.connect(str(self._socket))
            yield port

    def read(self, lba: int, drive: int = 0x80) -> Sector:
        """Read a sector."""
        _, status, sum, first = self.ask(f"r {drive:x} {lba:x}").split()
        return Sector(int(status, 16), int(sum, 16), bytes.fromhex(first))

    def write(self, lba: int, byte: int, drive: int = 0x80) -> int:
        """Write a sector full of a byte; int 13h's status."""
        return int(self.ask(f"w {drive:x} {lba:x} {byte:x}").split()[1], 16)

    def sectors(self, drive: int = 0x80) -> int | None:
        """How many sectors the BIOS knows a drive to have; None if it knows none."""
        _, status, count = self.ask(f"g {drive:x}").split()
        return int(count, 16) if status == "00" else None

    @contextmanager
    def turning(self, lba: int, drive: int = 0x80) -> Iterator[Turns]:
        """While the block lasts the guest writes and reads a sector in turn."""
        turns = Turns()
        assert self.ask(f"t {drive:x} {lba:x}") == "t"
        yield turns
        before = len(self.said())
        with self._line() as port:
            port.sendall(b"\n")
            until(lambda: self.said()[before:].count("\n") >= 2, self.said)
        _, status, rounds = self.said()[before:].splitlines()[0].split()
        turns.status, turns.rounds = int(status, 16), int(rounds, 16)

    def port_in(self, port: int) -> int:
        """32 bits from an I/O port."""
        return int(self.ask(f"i {port:x}").split()[1], 16)

    def port_out(self, port: int, value: int) -> None:
        """32 bits to an I/O port."""
        assert self.ask(f"o {port:x} {value:x}") == "o"

    def peek(self, address: int) -> bytes:
        """16 bytes of memory below 1 MiB."""
        return bytes.fromhex(self.ask(f"m {address:x}").split()[1])

    def poke(self, address: int, value: int, count: int = 1) -> None:
        """Write 32 bits to memory below 1 MiB, ``count`` times in a row."""
        assert self.ask(f"p {address:x} {value:x} {count:x}") == "p"

    def store(self, address: int, content: bytes) -> None:
        """Write bytes to memory, and zeroes up to a multiple of four."""
        words = content.ljust(-(-len(content) // 4) * 4, b"\0")
        self.ask_all(
            *(
                f"p {address + at:x} {int.from_bytes(words[at : at + 4], 'little'):x} 1"
                for at in range(0, len(words), 4)
            )
        )
