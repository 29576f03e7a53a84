"""Domains with their quorum disks, for people as a table, for programs as JSON.

The schema is ``schemas/list.schema.json``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import Node, node
from virtquorum.printable import printable
from virtquorum.report.location import where
from virtquorum.report.tree import quorum_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.json_text import Json
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage

__all__ = ["VERSION", "Listed", "Unfinished", "list_json", "list_text"]

#: The version of the schema; it changes when a program that reads it must.
VERSION = 1
_HEAD = ("Id", "Name", "State", "Disk", "Quorum", "Members")


class Unfinished(Protocol):
    """A change that a domain has a note of; as text it is a sentence on it."""

    def to_json(self) -> Json:
        """As the schema has it."""


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Listed(Node):
    """A domain of libvirt's as it is listed.

    ``id`` is None for one that does not run; ``disks`` are those with a
    quorum, ``nodes`` their nodes in QEMU and ``placeholders`` the files that
    stand for them, in the same order; ``troubles`` are what somebody has
    changed by hand; ``change`` is one of its disks that is not finished.
    """

    name: str
    uuid: str
    id: int | None
    state: str
    persistent: bool
    disks: tuple[Disk, ...] = ()
    nodes: tuple[str | None, ...] = ()
    placeholders: tuple[str | None, ...] = ()
    troubles: tuple[str, ...] = ()
    change: Unfinished | None = None


def list_json(uri: str, domains: Sequence[Listed]) -> Json:
    """The domains of a connection."""
    return {"version": VERSION, "uri": uri, "domains": [_domain(one) for one in domains]}


def _domain(one: Listed) -> Json:
    disks = zip(one.disks, one.nodes, one.placeholders, strict=True)
    return {
        "name": one.name,
        "uuid": one.uuid,
        "id": one.id,
        "state": one.state,
        "persistent": one.persistent,
        "disks": [
            {
                "target": disk.name,
                "bus": disk.target.bus if disk.target is not None else None,
                "node": node,
                "placeholder": placeholder,
                "image": _image(disk.image),
            }
            for disk, node, placeholder in disks
        ],
        "troubles": list(one.troubles),
        "change": one.change.to_json() if one.change is not None else None,
    }


def _image(top: Image) -> Json:
    """An image and those below it; chains may be deep, so this is no recursion."""
    done: dict[int, Json] = {}
    for image in reversed(list(top.walk())):
        source = image.source
        own: dict[str, Json] = {
            "type": source.type,
            "format": image.format,
            "nodename": image.nodename,
            "where": where(source),
        }
        if isinstance(source, Quorum):
            own |= {
                "threshold": source.vote_threshold,
                "read_pattern": source.read_pattern,
                "rewrite_corrupted": source.rewrite_corrupted,
                "blkverify": source.blkverify,
                "members": [_below(one, done) for one in source.members],
            }
        else:
            own["backing"] = None if image.backing is None else _below(image.backing, done)
        done[id(image)] = own
    return done[id(top)]


def _below(image: AnyImage, done: dict[int, Json]) -> Json:
    return "end" if isinstance(image, Terminator) else done[id(image)]


def list_text(domains: Sequence[Listed]) -> str:
    """A table with a line for each member; only its head for no domains."""
    rows = [_HEAD, *(row for one in domains for row in _rows(one))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "".join(f"{line}\n" for line in lines)


def _rows(one: Listed) -> Iterator[tuple[str, ...]]:
    """The lines of a domain; what a line says again is left out."""
    number = "-" if one.id is None else str(one.id)
    state = one.state if one.change is None else f"{one.state} *"
    head: tuple[str, ...] = (number, printable(one.name), state)
    for disk in one.disks:
        quorum = next(iter(disk.quorums))
        words = quorum_words(quorum)[0].removeprefix("quorum ")
        column = (printable(disk.name or "?"), words)
        for count, member in enumerate(quorum.members):
            yield (*head, *column, f"[{count}] {_member(member)}")
            head, column = ("", "", ""), ("", "")
        if column[0]:  # a quorum without members
            yield (*head, *column, "")
            head = ("", "", "")
    if one.change is not None and head[0]:  # its first quorum disk, which it has not yet
        yield (*head, "", "", "")


def _member(member: AnyImage) -> str:
    """A member in a few words: 'qcow2 /srv/a.qcow2', 'quorum 2 of 3'."""
    if isinstance(member, Terminator):
        return "none"
    if isinstance(member.source, Quorum):
        return quorum_words(member.source)[0]
    format = "" if member.format is None else f"{member.format} "
    return printable(f"{format}{where(member.source) or '?'}")
