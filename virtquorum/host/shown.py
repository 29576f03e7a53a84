"""What a plan shows of a definition: the difference as people write it, and nobody's password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.host.definition import difference
from virtquorum.host.noted import without_note
from virtquorum.stock.lift import lift

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain
    from virtquorum.xml.domain import Domain

__all__ = ["shown_difference"]

#: What libvirt leaves out of a dump without --security-info: consoles' passwords, cookies.
_SECRET: Final = re.compile(r"""(\bpasswd=)(?:'[^']*'|"[^"]*")|(<cookie\b[^>]*>)[^<]*""")


def shown_difference(existing: HostDomain | None, new: Domain) -> str:
    """The lines of a diff between a definition and a new one, both with their quorum disks.

    '' for a first definition, which is the file that somebody has at hand,
    and where they agree.
    """
    if existing is None:
        return ""
    # With secrets on both sides: one that is left out would be a difference.
    old = lift(without_note(existing.text(inactive=True, secure=True)), force=True)
    found = difference(old.formatted().text, new.formatted().text, existing.name)
    return "\n".join(_SECRET.sub(_masked, line) for line in found.splitlines())


def _masked(found: re.Match[str]) -> str:
    return f"{found[1]}'…'" if found[1] is not None else f"{found[2]}…"
