"""``virtquorum schema``: the schemas that virtquorum brings along."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from virtquorum.cli.streams import Exit, Streams
from virtquorum.schema_files import schema_directory, schema_names

__all__ = ["command"]


def command(
    context: typer.Context,
    list_all: Annotated[
        bool, typer.Option("--list", help="List the schemas (the default).")
    ] = False,
    print_name: Annotated[
        str | None,
        typer.Option("--print", metavar="NAME", help="Print one.", autocompletion=schema_names),
    ] = None,
    path_name: Annotated[
        str | None,
        typer.Option(
            "--path", metavar="NAME", help="Say where one is.", autocompletion=schema_names
        ),
    ] = None,
) -> int:
    """List, print or locate the schemas that come with virtquorum.

    \b
      virtquorum schema
      virtquorum schema --print show.schema.json
      virtquorum schema --path show.schema.json

    Exit codes: 0 clean, 2 usage.
    """
    streams: Streams = context.obj
    if sum((list_all, print_name is not None, path_name is not None)) > 1:
        raise typer.BadParameter("--list, --print and --path exclude each other")
    names = schema_names()
    name = print_name if print_name is not None else path_name
    if name is None:
        streams.out.write("".join(f"{one}\n" for one in names))
        return Exit.CLEAN
    if name not in names:
        raise typer.BadParameter(f"there is no schema '{name}'; there are: {', '.join(names)}")
    file = os.path.join(schema_directory(), name)
    if print_name is not None:
        with open(file, "rb") as opened:
            streams.write_bytes(opened.read())
    else:
        streams.out.write(f"{file}\n")
    return Exit.CLEAN
