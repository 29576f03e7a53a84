"""The doctor's changes of a running domain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from virtquorum.host.build_anew import sound_nodes
from virtquorum.host.compare import name_of
from virtquorum.host.hold import lost
from virtquorum.host.intent import Intention, MetadataIntent
from virtquorum.host.live import LiveStep, Write, is_running
from virtquorum.host.mend import close_all, mending_steps
from virtquorum.host.nodes import RemoveObjects
from virtquorum.host.patch.record import WriteRecord, changed_record, written_record
from virtquorum.host.swap import stand_in
from virtquorum.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from virtquorum.host.change import Course, Step
    from virtquorum.host.compare import Options
    from virtquorum.host.doctor.view import View
    from virtquorum.host.monitor import Monitor
    from virtquorum.json_text import Json
    from virtquorum.xml.record import Lowered

__all__ = ["CloseAll", "below", "rebuilt", "taken_out"]


class CloseAll(LiveStep):
    """Close block nodes, whatever they are made of."""

    def __init__(self, monitor: Monitor, names: Collection[str], words: str) -> None:
        super().__init__(monitor)
        self.names = sorted(names)
        self._words = words

    @property
    def title(self) -> str:
        """What is closed."""
        return self._words

    def do(self, course: Course) -> None:
        """Close them, those above first."""
        close_all(self.monitor, self.names)


def rebuilt(view: View, alias: str, wanted: Sequence[Options]) -> tuple[Step, ...]:
    """The steps that build a graph below a disk, in place of whatever is there.

    What is closed for it is what the disk has now, and what of the graph is there; but nothing
    that is as it should be, whose file need not be the one of its name, nor what could not be
    opened again.  What cannot be built leaves all as it was.
    """
    monitor = view.monitor
    ran = is_running(monitor)
    names = {name_of(one) for one in wanted}
    kept = lost(monitor, alias, wanted) | sound_nodes(monitor, wanted)
    closed: list[Json] = [
        name
        for name in below(view, alias)
        if name not in kept
        and (name in names or (name.startswith("vq-") and name != name_of(stand_in(alias, 0))))
    ]
    intent = MetadataIntent(monitor)
    graph = list(wanted)
    write = Write(monitor, intent, "swap", alias, graph, graph)
    write.more["closed"] = closed
    intention = replace(
        Intention.of("swap", alias, ran=ran, old=graph, new=graph),
        more=json_text({"closed": closed}, ascii_only=True),
    )
    return (write, *mending_steps(monitor, intent, intention, graph))


def below(view: View, alias: str) -> list[str]:
    """The named nodes that a disk has, those below first."""
    frontend = view.frontend(alias)
    found: list[str] = []
    rest = [frontend.node] if frontend is not None and frontend.node is not None else []
    edges = view.monitor.edges()
    while rest:
        name = rest.pop()
        if name not in found:
            found.append(name)
            rest += [child for parent, _, child in edges if parent == name]
    return [one for one in reversed(found) if one and not one.startswith("#")]


def taken_out(view: View, one: Lowered) -> tuple[Step, ...]:
    """The steps that take away what is left of a disk which the guest has no more."""
    made = view.made
    assert not isinstance(made, str)
    assert view.live is not None
    lowering = made[one.target]
    others = [other for target, other in made.items() if target != one.target]
    kept = {wanted.id for other in others for wanted in other.built.objects}
    gone = [wanted.id for wanted in lowering.built.objects if wanted.id not in kept]
    record = changed_record(view.live, one.target, None)
    steps: list[Step] = [
        CloseAll(view.monitor, view.possible(lowering), "close the disk's block nodes")
    ]
    if gone:
        steps.append(RemoveObjects(view.monitor, gone))
    steps.append(WriteRecord(view.monitor, written_record(view.live), record))
    return tuple(steps)
