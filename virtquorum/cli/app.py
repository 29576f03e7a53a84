"""The command line by typer: finds the command that is asked for, parses its options, runs it.

Only the asked command's module is imported; ``--help`` and shell completion
import all.
"""

from __future__ import annotations

import os
import re
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Final

import typer
from typer.exceptions import TyperException

from virtquorum import __version__
from virtquorum.cli.main import COMMANDS, SHORT
from virtquorum.cli.streams import Exit, Streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer import Context

__all__ = ["command_line", "run"]

_HELP = """Quorum disks for libvirt's users: check, show, format and translate domain XML with
<disk type='quorum'>.

\b
  virtquorum validate domain.xml            is it right? where not, and why
  virtquorum explain VQ106                  what that finding means
  virtquorum show domain.xml                what the disks are made of
  virtquorum format --check domains/        is it as libvirt would write it?
  virtquorum args domain.xml                the arguments for QEMU
  virtquorum from-args -hda disk.qcow2      arguments back into XML
  virtquorum create --size 10G domain.xml   the missing images
  virtquorum lower domain.xml               a domain that stock libvirt runs
  virtquorum lift domain.xml                the quorum domain behind it

On a libvirt (--connect URI; virsh's own if left out):

\b
  virtquorum define domain.xml              it becomes one of libvirt's
  virtquorum edit web                       its XML, with the quorum disks
  virtquorum start web                      with a look at the images before
  virtquorum list --all                     what there is, and its members
  virtquorum diff web web.xml               is the file what libvirt has?
  virtquorum patch web detach vdb --live    disks, policies and members
  virtquorum convert web vda --back         a stock disk of a quorum, or back
  virtquorum doctor web                     what a crash has left, mended
  also: dumpxml, shutdown, destroy, undefine

Exit codes: 0 clean, 1 findings or differences, 2 usage or configuration,
3 input that cannot be read or is no domain XML.
"""


def run(argv: Sequence[str], streams: Streams) -> int:
    """Parse a command line and run its command; returns the exit code."""
    completing = "_VIRTQUORUM_COMPLETE" in os.environ
    argv = argv if completing else _with_domain(argv)
    names = [argv[0]] if argv and argv[0] in COMMANDS and not completing else COMMANDS
    try:
        code = command_line(names)(
            _set_apart(argv), prog_name="virtquorum", standalone_mode=False, obj=streams
        )
    except TyperException as error:
        return _usage(error, streams)
    return int(code or Exit.CLEAN)


#: The commands of 'patch', each with its own.
_OF_PATCH: Final = {
    "attach": (), "detach": (), "set": (), "member": ("add", "remove", "replace", "reorder"),
}  # fmt: skip


def _with_domain(argv: Sequence[str]) -> list[str]:
    """A question for the help of a command of 'patch' with a word where the domain stands."""
    match list(argv):
        case ["patch", first, "--help"] if first in _OF_PATCH:
            return ["patch", "DOMAIN", first, "--help"]
        case ["patch", first, second, "--help"] if second in _OF_PATCH.get(first, ()):
            return ["patch", "DOMAIN", first, second, "--help"]
        case _:
            return list(argv)


def _set_apart(argv: Sequence[str]) -> list[str]:
    """A command line with '--' before QEMU's own arguments, which begin with one dash."""
    if list(argv[:1]) != ["from-args"]:
        return list(argv)
    for at, word in enumerate(argv):
        if word == "--":
            break
        if re.match("-[^-]", word) and argv[at - 1] != "--domain":
            return [*argv[:at], "--", *argv[at:]]
    return list(argv)


def command_line(names: Sequence[str]) -> typer.Typer:
    """The parser of the commands of these names."""
    app = typer.Typer(
        help=_HELP, rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False
    )
    app.callback()(_root)
    for name in names:
        module = import_module(f"virtquorum.cli.{name.replace('-', '_')}")
        if hasattr(module, "app"):  # a command of several
            app.add_typer(module.app, name=name, short_help=SHORT[name])
        else:
            app.command(name, short_help=SHORT[name])(module.command)
    return app


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        typer.echo(f"virtquorum {__version__}")
        raise typer.Exit


def _usage(error: TyperException, streams: Streams) -> int:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":  # the message is the help
        streams.err.write(message + "\n")
        return Exit.USAGE
    message = message.removeprefix("Invalid value: ").rstrip(".").replace(". Did", "; did")
    message = message[:1].lower() + message[1:]
    if message.startswith("no such command") and not message.endswith("?"):
        message += _way_out(context)
    name = context.command_path if context is not None else "virtquorum"
    name = re.sub(r"\{(\w+)\}", r"\1", name)  # what stands for an argument
    end = " " if message.endswith("?") else "; "
    streams.say(f"{message}{end}see '{name} --help'")
    return Exit.USAGE


def _way_out(context: Context | None) -> str:
    """What to say to a command that there is not."""
    known = set(getattr(context.command, "commands", COMMANDS) if context else COMMANDS)
    first = context.params.get("name") if context is not None else None
    if first in known:  # it was taken for the domain
        return f"; the domain stands before the command: patch DOMAIN {first}"
    listed = COMMANDS if known == set(COMMANDS) else sorted(known)
    return f"; commands are: {', '.join(listed)}"
