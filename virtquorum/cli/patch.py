"""``virtquorum patch``: a domain's quorum disks changed, while it runs and in its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import Connect
from virtquorum.cli.patch_disks import attach, detach
from virtquorum.cli.patch_members import add, remove, reorder, replace
from virtquorum.cli.patch_options import Asked
from virtquorum.cli.patch_set import set_

if TYPE_CHECKING:
    from virtquorum.cli.streams import Streams

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
_members = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def command(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="Its name, UUID or id.", show_default=False)
    ],
    connect: Connect = None,
) -> None:
    """Change a domain's quorum disks.

    The running domain is changed with --live, its definition with --config,
    and both with both: then they change together or not at all. Without
    either it is the running domain, or the definition of one that is off.

    A quorum is named by its disk's target, and one inside another by the way
    to it: vda/1 is the quorum that is the member 1 of vda. A member is named
    by its number, its node's name, or where it is, as 'virtquorum list' says.

    \b
      virtquorum patch web attach disk.xml --live --config
      virtquorum patch web detach vdb
      virtquorum patch web set vda --threshold 3 --read-pattern fifo
      virtquorum patch web member add vda --file /c/web.raw --format raw
      virtquorum patch web member replace vda 1 member.xml --dry-run

    Exit codes: 0 changed, or so already, 1 refused or failed, 2 usage, 3 input
    that cannot be read, no such domain, or no connection to libvirt.
    """
    streams: Streams = context.obj
    context.obj = Asked(name=name, connect=connect, streams=streams)


@_members.callback()
def _of_members() -> None:
    """Change the members of a quorum.

    \b
      virtquorum patch web member add vda --file /c/web.raw --format raw
      virtquorum patch web member remove vda 2
      virtquorum patch web member replace vda /b/web.raw member.xml
      virtquorum patch web member reorder vda 2 0 1
    """


app.command("attach", short_help="Plug a quorum disk in.")(attach)
app.command("detach", short_help="Take a quorum disk out.")(detach)
app.command("set", short_help="Set a quorum's threshold and policies.")(set_)
_members.command("add", short_help="Give a quorum a member more.")(add)
_members.command("remove", short_help="Take a member out.")(remove)
_members.command("replace", short_help="Put an image in a member's place.")(replace)
_members.command("reorder", short_help="Bring the members into another order.")(reorder)
app.add_typer(_members, name="member", short_help="Change a quorum's members.")
