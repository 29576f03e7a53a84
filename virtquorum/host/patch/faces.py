"""A change tried on what runs, on the definition, or on both: what is wrong says with which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from virtquorum.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.host.patch.half import Half

__all__ = ["ALONE", "TAKEN", "Alone", "tried"]

_Live = TypeVar("_Live", bound="Half")
_Config = TypeVar("_Config", bound="Half")


class Alone(NamedTuple):
    """What is to be done where only the one, or only the other can be changed."""

    live: str
    config: str


ALONE: Final = Alone(
    live="'--live' alone changes the running domain",
    config="'--config' alone changes its definition",
)
TAKEN: Final = Alone(
    live="'--live' alone takes it from the running domain",
    config="'--config' alone takes it from its definition",
)


def tried(
    live: Callable[[], _Live] | None,
    config: Callable[[], _Config] | None,
    *,
    active: bool,
    alone: Alone = ALONE,
) -> tuple[_Live | None, _Config | None]:
    """Both halves of a change, None for what is not to be changed; ``active`` is whether it runs.

    Raises HostError, which says where, and what helps if the other one could
    be changed; what else an edit raises is raised as it comes.
    """
    both = live is not None and config is not None
    try:
        running = live() if live is not None else None
    except HostError as error:
        named = "the running domain" if both else None
        raise _said(error, named, config if both else None, alone.config) from None
    try:
        return running, config() if config is not None else None
    except HostError as error:
        named = "its definition" if active else None
        raise _said(error, named, live, alone.live) from None


def _said(
    error: HostError, where: str | None, other: Callable[[], object] | None, way: str
) -> HostError:
    if where is None or type(error) is not HostError:
        return error
    out = f"; {way}" if other is not None and _can(other) else ""
    return HostError(f"in {where}: {error}{out}")


def _can(other: Callable[[], object]) -> bool:
    try:
        other()
    except HostError:
        return False
    return True
