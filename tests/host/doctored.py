"""Changes that are struck at each of their calls, and seen to by the doctor; for the worker."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.host.faulting import Blow, blows
from tests.host.patching import _read as read
from tests.host.patching import state
from virtquorum.host import convert, patch
from virtquorum.host.change import ChangeError, apply
from virtquorum.host.define import plan_definition
from virtquorum.host.doctor import examine, treat
from virtquorum.host.session import Host
from virtquorum.host.start import plan_start
from virtquorum.host.undefine import plan_undefine
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["doctored", "doctored_all", "every_blow", "found", "planned", "struck", "whole"]


def planned(connection: Any, name: str, change: list[Any], options: dict[str, Any]) -> Any:
    """A change of a domain: [operation, *arguments]."""
    operation, *arguments = change
    function = getattr(convert if operation.startswith("convert") else patch, operation)
    return function(Host(connection).domain(name), *map(read, arguments), **options)


def whole(connection: Any, name: str, images: Sequence[str] = ()) -> dict[str, Any]:
    """All that a change could leave behind: patching.state, jobs, objects, images' digests."""
    found = state(connection, name)
    if found["live"] is not None:
        monitor = Host(connection).domain(name).monitor
        found |= {"jobs": sorted(monitor.jobs()), "objects": sorted(monitor.objects())}
    found["images"] = [sha256(Path(one).read_bytes()).hexdigest()[:8] for one in images]
    return found


def found(connection: Any, name: str | None = None) -> list[list[Any]]:
    """What the doctor finds: [kind, disk, message] of each that is wrong."""
    host = Host(connection)
    domain = host.domain(name) if name is not None else None
    return [[one.kind, one.disk, one.message] for one in examine(host, domain) if one.is_wrong]


def doctored(connection: Any, name: str, yes: bool = False) -> dict[str, Any]:
    """What the doctor mends, and what is left then, to be seen by another look."""
    host = Host(connection)
    treated = treat(host, host.domain(name), agreed=lambda _: yes)
    mended = [one.ailment.kind for one in treated.found if one.outcome == "mended"]
    return {
        "mended": mended,
        "left": [[one.ailment.message, one.error] for one in treated.left],
        "again": found_again(host, name) if mended else [],
    }


def found_again(host: Host, name: str) -> list[str]:
    """What is wrong still, by another look."""
    return [one.message for one in examine(host, host.domain(name)) if one.is_wrong]


def struck(
    connection: Any,
    name: str,
    change: list[Any],
    options: dict[str, Any],
    number: int,
    when: str,
    blow: Blow,
    every: bool = False,
    pid: int = 0,
) -> dict[str, Any]:
    """One change that is struck at a call: what it says of itself, and at which call it was."""
    plan = planned(connection, name, change, options)
    door = blows()
    door.only_changes = not every
    said: str | None = None
    with door.armed(number, when, blow, pid):
        try:
            apply(plan)
        except ChangeError as error:
            said = error.state
        except BaseException as error:
            said = type(error).__name__
    call = door.made[number - 1] if door.is_met else None
    return {"said": said, "call": call, "calls": len(door.made)}


def every_blow(
    connection: Any,
    name: str,
    change: list[Any],
    back: list[Any],
    options: dict[str, Any],
    when: str,
    blow: Blow,
    images: list[str],
    every: bool = False,
    first: int = 1,
    step: int = 1,
) -> list[dict[str, Any]]:
    """A change struck at its calls in turn, each time seen to by the doctor, and taken back."""
    results: list[dict[str, Any]] = []
    old = whole(connection, name, images)
    number = first
    while True:
        one = struck(connection, name, change, options, number, when, blow, every)
        one |= doctored(connection, name)
        assert not one["left"], one
        state = whole(connection, name, images)
        if state != old:
            apply(planned(connection, name, back, options))
        results.append({**one, "state": state, "is": "old" if state == old else "new"})
        if one["call"] is None:
            return _compared(results)
        number += step


def _compared(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Results of which the last is that of the change made whole: what is neither old nor new."""
    new = results[-1]["state"]
    for one in results:
        state = one.pop("state")
        if one["is"] == "new" and state != new:
            one["is"] = {key: [state[key], new[key]] for key in new if state[key] != new[key]}
    return results


def made(connection: Any, name: str, change: list[Any], options: dict[str, Any]) -> None:
    """Make a change."""
    apply(planned(connection, name, change, options))


def life(
    connection: Any, what: str, argument: str, number: int, when: str, blow: Blow
) -> dict[str, Any]:
    """A domain defined (by its XML), started or undefined (by its name), and struck."""
    host = Host(connection)
    match what:
        case "define":
            plan: Any = plan_definition(host, Domain.from_text(argument)).plan
        case "start":
            plan = plan_start(host.domain(argument))
        case _:
            plan = plan_undefine(host.domain(argument))
    door = blows()
    door.only_changes = True
    said: str | None = None
    with door.armed(number, when, blow):
        try:
            apply(plan)
        except ChangeError as error:
            said = error.state
        except BaseException as error:
            said = type(error).__name__
    return {"said": said, "call": door.made[number - 1] if door.is_met else None}


def doctored_all(connection: Any) -> dict[str, Any]:
    """What the doctor mends of all domains, and what is left then; domains and placeholders."""
    host = Host(connection)
    treated = treat(host, agreed=lambda _: False)
    return {
        "mended": [one.ailment.kind for one in treated.found if one.outcome == "mended"],
        "left": [one.ailment.message for one in treated.left],
        "again": [one.message for one in examine(host) if one.is_wrong],
        "domains": {one.name: one.state for one in host.domains()},
        "files": sorted(os.listdir(host.placeholder_directory)),
    }
