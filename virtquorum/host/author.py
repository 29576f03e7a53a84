"""Who makes a change: a process, told from every other one, so that it is known when it is gone."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Author", "this_process"]

_BOOT: Final = "/proc/sys/kernel/random/boot_id"
#: In /proc/PID/stat, behind the name: the time of the start, in ticks since the boot.
_START: Final = 19


class Author(NamedTuple):
    """A process: its machine, the boot and the PID namespace that its number counts in.

    ``start`` tells it from a later process of the same number.
    """

    host: str
    boot: str
    space: str
    pid: int
    start: str

    @classmethod
    def of(cls, text: str) -> Author | None:
        """The one that ``str`` has written down; None for any other text."""
        words = text.split()
        if len(words) != len(cls._fields) or not (words[3].isascii() and words[3].isdigit()):
            return None
        return cls(words[0], words[1], words[2], int(words[3]), words[4])

    def __str__(self) -> str:
        return " ".join(str(one) for one in self)

    @property
    def is_at_work(self) -> bool | None:
        """Whether the process is there and is not this one; None where nobody here can tell."""
        own = this_process()
        if own.boot == "-" or (self.boot, self.space) != (own.boot, own.space):
            return None
        return self.pid != own.pid and _start_of(self.pid) == self.start


@cache
def _machine() -> tuple[str, str, str]:
    found = list(_marks())
    host = "_".join(os.uname().nodename.split()) or "-"
    return host, *(found if len(found) == 2 else ("", ""))


def _marks() -> Iterator[str]:
    with suppress(OSError):
        with open(_BOOT, encoding="utf-8") as file:
            yield file.read().strip()
        yield os.readlink("/proc/self/ns/pid").strip("pid:[]")


def this_process() -> Author:
    """The process that asks."""
    host, boot, space = _machine()
    return Author(host, boot or "-", space or "-", os.getpid(), _start_of(os.getpid()) or "-")


def _start_of(pid: int) -> str | None:
    """When a process was started, None if there is none, or it has ended and is not buried yet."""
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        words = file.read().rpartition(")")[2].split()
        return None if words[0] in "ZX" else words[_START]
    return None
