"""A domain that somebody starts just before, or just after, its definition gets another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.host.converting import Stock, planned
from tests.host.patching import Web, _read
from tests.libvirts import asked, missing_for_embed
from virtquorum.host import patch
from virtquorum.host.change import ChangeError, Observer, apply
from virtquorum.host.definition import Define
from virtquorum.host.session import Host

if TYPE_CHECKING:
    from pathlib import Path

    from tests.libvirts import Embed
    from virtquorum.host.change import Step

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

#: Where the guest writes, and what.
_LBA, _BYTE = 40, 0x5A


def started(connection: Any, name: str, when: str, operation: str, arguments: list[Any]) -> str:
    """Change a domain that is off, and start it as its definition changes; what is said."""
    host = Host(connection)
    domain = host.domain(name)
    if operation.startswith("convert"):
        plan = planned(domain, operation, arguments, {"config": True})
    else:
        plan = getattr(patch, operation)(domain, *map(_read, arguments), config=True)

    class Starts(Observer):
        is_defined = False

        def began(self, step: Step) -> None:
            if self.is_defined and when == "after":
                domain.handle.create()
            self.is_defined = isinstance(step, Define)
            if self.is_defined and when == "before":
                domain.handle.create()

    try:
        apply(plan, Starts())
    except ChangeError as error:
        return f"{error.state}: {error}"
    return "done"


def _told(bench: Embed, name: str, when: str, operation: str, *arguments: Any) -> str:
    said: str = bench.call(started, name, when, operation, list(arguments))
    if when == "after":
        assert said == "done"
    else:
        assert said.startswith("old: cannot define ")
        assert said.endswith("; all is as it was before")
    return said


def _kept(guest: Any, bench: Embed, boots: int) -> None:
    """See that what the guest writes now is there after its next start."""
    guest.booted(boots)
    assert guest.write(_LBA, _BYTE) == 0
    bench.call(asked.destroy, guest.name)
    bench.call(asked.start, guest.name)
    guest.booted(boots + 1)
    assert guest.read(_LBA).first == bytes([_BYTE]) * 16


def _has(path: Path | str) -> bool:
    with open(path, "rb") as file:
        file.seek(_LBA * 512)
        return file.read(1)[0] == _BYTE


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_member_is_replaced(bench: Embed, when: str) -> None:
    web = Web(bench, f"web-{when}")
    new, old = str(web.image("new")), [str(one) for one in web.images]
    bench.call(asked.destroy, web.name)
    before = web.state()["config"]
    said = _told(
        bench, web.name, when, "replace_member", "vda", "1", {"file": new, "format": "raw"}
    )
    members = [old[0], new, old[2]] if when == "after" else old
    if when == "before":
        assert "has been started meanwhile, and its new members have not what it writes" in said
        assert web.state()["config"] == before
    state = web.state()
    assert state["live"]["vda"][2] == state["config"]["vda"][2] == members
    _kept(web.guest, bench, 2)
    assert all(_has(one) for one in members)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_stock_disk_becomes_a_quorum(bench: Embed, when: str) -> None:
    stock = Stock(bench, f"there-{when}", run=False)
    new = [stock.new("1"), stock.new("2")]
    said = _told(bench, stock.name, when, "convert", "vda", new)
    path = str(stock.path)
    members = [path, *(one["file"] for one in new)] if when == "after" else [path]
    config = [2, members] if when == "after" else path
    if when == "before":
        assert "was started meanwhile, and may have written to the disk" in said
    files = [stock.placeholder] if when == "after" else []
    assert stock.state() == stock.settled(config, config, *files)
    _kept(stock.guest, bench, 1)
    assert all(_has(one) for one in members)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_quorum_becomes_a_stock_disk(bench: Embed, when: str) -> None:
    stock = Stock(bench, f"back-{when}", run=False)
    new = [stock.new("1"), stock.new("2")]
    stock.convert(*new)
    _told(bench, stock.name, when, "convert_back", "vda", "1")
    members = [str(stock.path), *(one["file"] for one in new)]
    config = members[1] if when == "after" else [2, members]
    files = [] if when == "after" else [stock.placeholder]
    assert stock.state() == stock.settled(config, config, *files)
    _kept(stock.guest, bench, 1)
    assert all(_has(one) for one in (members[1:2] if when == "after" else members))


def test_it_has_ended_by_the_time_of_the_look(bench: Embed) -> None:
    """It is switched off between two calls of the look: then it ran, and nobody knows by what."""
    stock = Stock(bench, "ended-soon", run=False)
    said = bench.call(started_and_ended, stock.name, [stock.new("1")])
    assert said.startswith("old: ")
    path = str(stock.path)
    assert stock.state() == stock.off(path)


def started_and_ended(connection: Any, name: str, members: list[Any]) -> str:
    """Convert a domain that is started, and switched off just as it is looked at."""
    from virtquorum.host.domain import HostDomain

    class Ends(HostDomain):
        is_started = False

        @property
        def is_active(self) -> bool:
            was = super().is_active
            if self.is_started and was:
                self.handle.destroy()
            return was

    host = Host(connection)
    domain = Ends(host, host.domain(name).handle)
    plan = planned(domain, "convert", ["vda", members], {"config": True})

    class Starts(Observer):
        def began(self, step: Step) -> None:
            if isinstance(step, Define):
                domain.handle.create()
                domain.is_started = True

    try:
        apply(plan, Starts())
    except ChangeError as error:
        return f"{error.state}: {error}"
    return "done"
