"""A disk's source tree, drawn for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import Malformed
from virtquorum.report.location import where

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage

__all__ = ["Paint", "draw_disk", "quorum_words"]

Role = Literal["target", "quorum", "format", "line", "odd", "place"]
#: How a role's text is coloured; a plain one returns the text.
Paint = "Callable[[str, Role], str]"

_UNICODE = ("├── ", "└── ", "│   ", "    ")
_ASCII = ("|-- ", "`-- ", "|   ", "    ")


def draw_disk(disk: Disk, paint: Callable[[str, Role], str], *, ascii_only: bool = False) -> str:
    """The disk's line and below it the tree of its images, each line with its end."""
    head = [paint(disk.name or "(no target)", "target" if disk.name else "odd")]
    if disk.device not in (None, "disk"):
        head.append(disk.device or "")
    if disk.target is not None and disk.target.bus is not None:
        head.append(disk.target.bus)
    lines = ["  ".join([*head, *_describe(disk.image, paint, disk)]) + "\n"]
    branch, last_branch, through, empty = _ASCII if ascii_only else _UNICODE
    rest: list[tuple[AnyImage, str, bool, str | None]] = []
    _push(rest, disk.image, "")
    while rest:
        image, indent, last, label = rest.pop()
        words = _describe(image, paint, None)
        lead = f"[{label}] " if label is not None else "backing: "
        lines.append(
            paint(indent + (last_branch if last else branch), "line")
            + lead
            + "  ".join(words)
            + "\n"
        )
        if isinstance(image, Image):
            _push(rest, image, indent + (empty if last else through))
    return "".join(lines)


def _push(rest: list[tuple[AnyImage, str, bool, str | None]], image: Image, indent: str) -> None:
    below = image.below
    numbered = isinstance(image.source, Quorum)
    width = len(str(len(below) - 1))
    for number in range(len(below) - 1, -1, -1):
        label = f"{number:{width}}" if numbered else None
        rest.append((below[number], indent, number == len(below) - 1, label))


def _describe(image: AnyImage, paint: Callable[[str, Role], str], disk: Disk | None) -> list[str]:
    """Format, type and location of an image, and what else is said of it."""
    if isinstance(image, Terminator):
        return [paint("none: the chain ends here", "line")]
    source = image.source
    words = []
    if isinstance(source, Quorum):
        if image.format not in (None, "quorum"):
            words += [paint(image.format or "", "format"), "over"]
        words.append(paint(quorum_words(source), "quorum"))
        words += _policy(source)
        if not source.members:
            words.append(paint("no members", "odd"))
    else:
        default = "raw" if disk is not None else None
        format = image.format or default
        words.append(paint(format, "format") if format else paint("no format", "odd"))
        words.append(source.protocol or source.type)
        place = where(source)
        if place is not None:
            words.append(paint(place, "place"))
        elif disk is not None and disk.device in ("cdrom", "floppy"):
            words.append("no medium")
        else:
            words.append(paint("no source", "odd"))
    if image.nodename is not None:
        words.append(f"node '{image.nodename}'")
    if disk is not None:
        words += _flags(disk)
    return words


def quorum_words(quorum: Quorum) -> str:
    """'quorum 2 of 3', and what is odd about it."""
    threshold = quorum.vote_threshold
    if threshold is None:
        said = "quorum, no threshold, of"
    elif isinstance(threshold, Malformed):
        said = f"quorum '{threshold}' of"
    else:
        said = f"quorum {threshold} of"
    words = f"{said} {len(quorum.members)}"
    if quorum.threshold is None and quorum.threshold_element is not None:
        words += " (by a <threshold> element)"
    return words


def _policy(quorum: Quorum) -> list[str]:
    words = []
    if quorum.read_pattern not in (None, "quorum"):
        words.append(f"reads {quorum.read_pattern}")
    for name, value in (
        ("rewrite-corrupted", quorum.rewrite_corrupted),
        ("blkverify", quorum.blkverify),
    ):
        if value is True:
            words.append(name)
        elif value not in (None, False):
            words.append(f"{name}='{value}'")
    return words


def _flags(disk: Disk) -> list[str]:
    driver = disk.driver
    words = []
    if driver.cache is not None:
        words.append(f"cache={driver.cache}")
    for name in ("readonly", "shareable"):
        if getattr(disk, name):
            words.append(name)
    if disk.transient is not None:
        words.append("transient")
    return words
