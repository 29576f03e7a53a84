"""A new member of a quorum as a command line gives it: XML, or an image and its format."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

import typer

from virtquorum.cli.files import STDIN
from virtquorum.errors import UnreadableError, WrongRootError
from virtquorum.model.image import Image, Terminator
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.file import FileSource
from virtquorum.xml.document import DEFAULT_LIMITS, Document
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from virtquorum.cli.streams import Streams
    from virtquorum.xml.document import Element

__all__ = ["Block", "Create", "File", "Format", "NewMember", "new_member"]

File: TypeAlias = Annotated[
    str | None,
    typer.Option("--file", metavar="PATH", help="The image: a file.", show_default=False),
]
Block: TypeAlias = Annotated[
    str | None,
    typer.Option("--block", metavar="PATH", help="The image: a block device.", show_default=False),
]
Format: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="FORMAT", help="The format of --file or --block.", show_default=False
    ),
]
Create: TypeAlias = Annotated[
    bool, typer.Option("--create", help="Make the image if it is missing.")
]

_ROOT = "backingStore"


class NewMember(NamedTuple):
    """A new member, and what it was given by: words of the command line, or XML."""

    image: Image
    words: str
    element: Element | None = None


def new_member(
    path: str | None, file: str | None, block: str | None, format: str | None, streams: Streams
) -> NewMember:
    """The member that XML, or an image and its format, describes.

    Raises a usage error where it is not clear what is meant, InputError for
    what cannot be read.
    """
    if sum(one is not None for one in (path, file, block)) != 1:
        raise typer.BadParameter(
            "name the new member in one way: by a file with a <backingStore>, or by --file or "
            "--block with --format"
        )
    if path is not None:
        if format is not None:
            raise typer.BadParameter("--format goes with --file or --block; XML says its own")
        return _from_xml(path, streams)
    if format is None:
        raise typer.BadParameter(
            "--format is missing: raw, qcow2 or another; it is never guessed, since a guest can "
            "make its disk look like any format"
        )
    if file is not None:
        image = Image(source=FileSource(file=os.path.abspath(file)), format=format)
        return NewMember(image, f"--file {file}")
    assert block is not None
    image = Image(source=BlockSource(dev=os.path.abspath(block)), format=format)
    return NewMember(image, f"--block {block}")


def _from_xml(path: str, streams: Streams) -> NewMember:
    is_input = path == "-"
    path = STDIN if is_input else path
    try:
        if is_input:
            raw = streams.input.read(DEFAULT_LIMITS.size + 1)
        else:
            with open(path, "rb") as opened:
                raw = opened.read(DEFAULT_LIMITS.size + 1)
    except OSError as error:
        raise UnreadableError.of(error, path) from None
    document = Document.from_bytes(raw, path)
    root = document.root
    if root.name != _ROOT:
        raise WrongRootError(
            f"the root element is <{root.name}>, and a member is a <{_ROOT}>",
            root=root.name, file=path, line=root.line, column=root.column,
            remedy="give that of a quorum's member alone",
        )  # fmt: skip
    text = document.data[root.start : root.stop].decode("utf-8")
    around = Domain.from_text(f"<disk type='quorum' threshold='1'>{text}</disk>", path)
    quorum = around.disks[0].quorum
    assert quorum is not None
    member = quorum.members[0]
    if isinstance(member, Terminator):
        raise typer.BadParameter(f"{path}: an empty <{_ROOT}/> is no member")
    return NewMember(member, path, root)
