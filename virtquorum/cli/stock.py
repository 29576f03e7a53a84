"""What ``lower`` and ``lift`` share: one domain comes in, and its text goes out or is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from virtquorum.cli.difference import show_difference
from virtquorum.cli.inputs import one_domain
from virtquorum.cli.replace import replace
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import WrongRootError

if TYPE_CHECKING:
    from virtquorum.xml.document import Limits
    from virtquorum.xml.domain import Domain

__all__ = ["Diff", "Write", "put_out", "whole_domain"]

Write = typer.Option("--write", "-w", help="Change the file, at once or not at all.")
Diff = typer.Option("--diff", help="Show what would change, exit 1 if anything.")


def whole_domain(
    path: str | None, streams: Streams, limits: Limits, *, write: bool, diff: bool
) -> Domain:
    """The ``<domain>`` that a command line names.

    Raises a usage error for options that say nothing together, WrongRootError
    for a document of another kind.
    """
    if write and diff:
        raise typer.BadParameter("--write changes the file; --diff only looks")
    if write and path in (None, "-"):
        raise typer.BadParameter("--write needs a file; standard input has none to write to")
    domain = one_domain(path, streams, limits, "quorum disks", named=True)
    root = domain.document.root
    if root.name != "domain":
        inside = bool(root.elements("domain"))
        raise WrongRootError(
            f"the root element is <{root.name}>, and what libvirt runs is a <domain>",
            root=root.name,
            file=domain.name,
            line=root.line,
            column=root.column,
            remedy="give the <domain> in it alone" if inside else "give the domain that it is of",
        )
    return domain


def put_out(
    domain: Domain, new: Domain, streams: Streams, what: str, *, write: bool, diff: bool
) -> int:
    """Print the new text, write it, or show what changed; ``what`` is 'lowered' or 'lifted'."""
    changed = new.to_bytes() != domain.to_bytes()
    if diff:
        if changed:
            show_difference(streams, domain.name, domain.text, new.text, what)
        return Exit.FINDINGS if changed else Exit.CLEAN
    if not write:
        streams.write_bytes(new.to_bytes())
    elif changed:
        replace(domain.name, new.to_bytes(), domain.name)
        streams.say(f"{what} {domain.name}")
    return Exit.CLEAN
