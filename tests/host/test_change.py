"""Plans and how they are made or undone, with steps of the test's own."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.change import (
    Asked,
    ChangeError,
    MonitorCommand,
    Observer,
    Plan,
    Step,
    Text,
    apply,
)
from virtquorum.host.monitor import GoneError
from virtquorum.images.program import Interrupted

if TYPE_CHECKING:
    from virtquorum.host.change import Action, Course


class Part(Step):
    """Adds its number to a list, and takes it away."""

    def __init__(
        self,
        number: int,
        made: list[int],
        *,
        fails: BaseException | None = None,
        undo_fails: BaseException | None = None,
        late: bool = False,
        is_final: bool = False,
    ) -> None:
        self.number = number
        self.made = made
        self.fails = fails
        self.undo_fails = undo_fails
        self.late = late
        self.final = is_final

    @property
    def title(self) -> str:
        return f"do part {self.number}"

    def do(self, course: Course) -> None:
        course.safe_point()
        if self.fails is not None and not self.late:
            raise self.fails
        self.made.append(self.number)
        if self.fails is not None:
            raise self.fails

    def undo(self) -> None:
        if self.undo_fails is not None:
            raise self.undo_fails
        if self.number in self.made:
            self.made.remove(self.number)


def plan(*steps: Step) -> Plan:
    return Plan(title="make it all", domain="web", steps=steps)


@given(
    count=st.integers(1, 8),
    at=st.integers(0, 7),
    final=st.integers(0, 7),
    late=st.booleans(),
    is_ours=st.booleans(),
)
def test_all_or_nothing(count: int, at: int, final: int, late: bool, is_ours: bool) -> None:
    made: list[int] = []
    error = HostError("no") if is_ours else KeyError("no")
    steps = [
        Part(one, made, fails=error if one == at else None, late=late, is_final=one == final)
        for one in range(count)
    ]
    if at >= count:
        apply(plan(*steps))
        assert made == list(range(count))
        return
    with pytest.raises((ChangeError, KeyError)) as caught:
        apply(plan(*steps))
    if at > final:
        assert made == list(range(at + late))
        assert isinstance(caught.value, ChangeError)
        assert caught.value.state == "new"
    else:
        assert made == []
        assert isinstance(caught.value, ChangeError) == is_ours


def test_what_libvirt_said_is_kept() -> None:
    made: list[int] = []
    error = LibvirtError("domain 'web'", code=55, text="domain is not running")
    with pytest.raises(ChangeError) as caught:
        apply(plan(Part(0, made), Part(1, made, fails=error)))
    assert caught.value.code == 55
    assert caught.value.cause is error
    assert str(caught.value) == (
        "cannot do part 1: domain 'web': libvirt says: domain is not running; "
        "all is as it was before"
    )


def test_an_undo_that_fails_stops_the_undoing() -> None:
    made: list[int] = []
    broken = Part(1, made, undo_fails=HostError("stuck"))
    with pytest.raises(ChangeError) as caught:
        apply(plan(Part(0, made), broken, Part(2, made), Part(3, made, fails=HostError("no"))))
    assert made == [0, 1]
    assert str(caught.value) == (
        "cannot do part 3: no; then it could not be undone to do part 1: stuck; "
        "'virtquorum doctor web' mends it"
    )


def test_tidying_that_fails_says_that_the_change_is_made() -> None:
    made: list[int] = []
    last = Part(1, made, fails=HostError("no"))
    with pytest.raises(ChangeError) as caught:
        apply(plan(Part(0, made, is_final=True), last))
    assert str(caught.value) == (
        "the change is made, but cannot do part 1: no; 'virtquorum doctor web' mends it"
    )


@pytest.mark.parametrize("gone", ["domain", "connection"])
def test_with_qemu_all_that_had_to_be_tidied_is_gone(gone: str) -> None:
    made: list[int] = []
    error = GoneError(LibvirtError("domain 'web'", code=42, text="no domain"), gone)
    steps = Part(0, made, is_final=True), Part(1, made, fails=error), Part(2, made)
    if gone == "domain":
        apply(plan(*steps))
        assert made == [0, 2]
    else:
        with pytest.raises(ChangeError):
            apply(plan(*steps))


class Signals(Observer):
    """Sends a signal when a step begins, and whenever one is undone."""

    def __init__(self, at: int, number: int) -> None:
        self.at = at
        self.number = number

    def began(self, step: Step) -> None:
        if isinstance(step, Part) and step.number == self.at:
            os.kill(os.getpid(), self.number)

    def undoing(self, step: Step) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_undoes_and_more_signals_do_not_stop_that(number: int) -> None:
    made: list[int] = []
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught:
        apply(plan(*(Part(one, made) for one in range(3))), Signals(1, number))
    assert caught.value.number == number
    assert made == []
    assert signal.getsignal(number) is before


def test_a_signal_that_comes_too_late_is_told() -> None:
    made: list[int] = []
    steps = Part(0, made, is_final=True), Part(1, made), Part(2, made)
    assert apply(plan(*steps), Signals(1, signal.SIGTERM)) == signal.SIGTERM
    assert made == [0, 1, 2]
    assert apply(plan(Part(3, made))) is None


class Told(Part):
    """A step with something of everything."""

    @property
    def actions(self) -> tuple[Action, ...]:
        return (
            MonitorCommand(command={"execute": "stop", "arguments": {}}),
            Asked(call="suspend web"),
            Text(text="-<a/>\n+<b/>"),
        )


def test_a_plan_as_lines() -> None:
    assert plan(Told(0, []), Part(1, [])).lines() == [
        "make it all",
        "  1. do part 0",
        '     qemu: {"execute":"stop","arguments":{}}',
        "     libvirt: suspend web",
        "     -<a/>",
        "     +<b/>",
        "  2. do part 1",
    ]


def test_a_plan_as_data() -> None:
    assert plan(Told(0, [], is_final=True)).to_json() == {
        "title": "make it all",
        "domain": "web",
        "steps": [
            {
                "title": "do part 0",
                "final": True,
                "actions": [
                    {"kind": "monitor", "command": {"execute": "stop", "arguments": {}}},
                    {"kind": "libvirt", "call": "suspend web"},
                    {"kind": "text", "text": "-<a/>\n+<b/>"},
                ],
            }
        ],
    }
