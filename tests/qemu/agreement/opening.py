"""Disks, translated, and opened by a real QEMU in each of the three spellings."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.qemu.agreement.monitor import RefusedError, Running, started
from tests.servers.process import HERE
from virtquorum.errors import TranslationError
from virtquorum.qemu.provided import NOTHING
from virtquorum.qemu.qmp import undo
from virtquorum.qemu.translate import STYLES, Style, Translated, arguments, commands, translate
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.process import Reach
    from virtquorum.qemu.build import Built
    from virtquorum.qemu.graph import Block
    from virtquorum.qemu.provided import Provided
    from virtquorum.qemu.qmp import Command

__all__ = ["STYLES", "Disks", "Resident", "Style", "built", "opened", "spelled", "top"]


class Disks(NamedTuple):
    """A domain's disks in one spelling."""

    style: Style
    every: list[Translated]

    @property
    def arguments(self) -> list[str]:
        """The command line, which 'qmp' has none of."""
        return [] if self.style == "qmp" else arguments(self.every, self.style)

    @property
    def commands(self) -> list[Command]:
        """The commands, which only 'qmp' has."""
        return commands(self.every) if self.style == "qmp" else []

    @property
    def apart(self) -> set[str]:
        """The names of the nodes that are not inline in another one."""
        if self.style == "qmp":
            added: list[Any] = [
                one["arguments"] for one in self.commands if one["execute"] == "blockdev-add"
            ]
        else:
            words = pairwise(self.arguments)
            added = [json.loads(value) for option, value in words if option == "-blockdev"]
        return {one["node-name"] for one in added}


def spelled(
    xml: str, style: Style, provided: Provided = NOTHING, *, frontends: bool = False
) -> Disks:
    """Every disk of a document, maybe with its device; needed files are written.

    Raises TranslationError.
    """
    every = []
    for one in translate(
        Domain.from_text(xml), style=style, frontends=frontends, provided=provided
    ):  # fmt: skip
        if isinstance(one, TranslationError):
            raise one
        every.append(one)
        for path, content in built(one).files:
            with open(path, "wb") as file:
                file.write(content)
    return Disks(style, every)


def built(one: Translated) -> Built:
    """A disk's graph; every disk here has one."""
    assert one.built is not None
    return one.built


def top(one: Translated, style: Style) -> Block:
    """The topmost node of a spelling: ``-drive`` throttles without a node."""
    return built(one).top if style == "drive" else built(one).filtered


@contextmanager
def opened(disks: Disks, folder: Path, reach: Reach = HERE) -> Iterator[Running]:
    """A QEMU of its own that has opened disks; in 'qmp' they are taken away again in the end.

    Raises RefusedError if it does not take them, or keeps something of them.
    """
    with started(disks.arguments, folder, reach) as running:
        yield from _added(running, disks.commands)


def _added(running: Running, said: list[Command]) -> Iterator[Running]:
    for one in said:
        running.tell(one)
    yield running
    if said:
        for one in undo(said):
            running.tell(one)
        left = [*running.nodes(), *running.objects()]
        if left:
            raise RefusedError(f"the reverse commands leave {left}")


class Resident:
    """A QEMU that stays: disks come and go by commands, and after a failure it is a new one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._running: Running | None = None

    def close(self) -> None:
        """Stop it."""
        self._running = None
        self._stack.close()

    @contextmanager
    def holding(self, disks: Disks) -> Iterator[Running]:
        """It, while it has the disks; raises RefusedError as ``opened`` does."""
        if self._running is None:
            self._running = self._stack.enter_context(started([], self._folder))
        try:
            yield from _added(self._running, disks.commands)
        except BaseException:
            self.close()
            raise
