"""The ``virtquorum`` command: ``main(argv, streams) -> exit code`` is all there is to call.

A check of files, the call that CI makes most, needs no parser of options and
is done without one; for all else ``app.py`` has typer.
"""

from __future__ import annotations

import os
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import HostError, InputError, UsageError, VirtquorumError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "SHORT", "Streams", "main"]

#: The commands, each in the module of its name, in the order of --help, with a few words for it.
SHORT = {
    "validate": "Check domain XML against the grammars and the rules.",
    "explain": "Say what a rule finds, and why.",
    "show": "Draw what each disk is made of.",
    "format": "Write domain XML as libvirt writes it.",
    "args": "Print QEMU's arguments for the disks.",
    "from-args": "Read QEMU's arguments back into disks.",
    "create": "Make the images that are missing.",
    "lower": "Write a quorum domain for stock libvirt.",
    "lift": "Give the quorum domain back from that.",
    "define": "Define a quorum domain on a libvirt.",
    "dumpxml": "Print a domain's XML, with its quorum disks.",
    "edit": "Edit a domain's definition, with its quorum disks.",
    "patch": "Change a domain's quorum disks, while it runs too.",
    "convert": "Make a quorum of a stock disk, or the reverse.",
    "start": "Start a domain, its quorum disks looked at before.",
    "shutdown": "Ask a guest to shut down, and wait for it.",
    "destroy": "Switch a domain off.",
    "undefine": "Take a domain's definition away, and its placeholders.",
    "list": "List the domains with quorum disks.",
    "diff": "Show how a file differs from a domain.",
    "doctor": "Find and mend what a crash has left of a domain.",
    "schema": "List, print or locate the schemas.",
}
COMMANDS = tuple(SHORT)


def main(argv: Sequence[str], streams: Streams) -> int:
    """Run one command line (without the program's name); returns the exit code."""
    with redirect_stdout(streams.out), redirect_stderr(streams.err):
        try:
            code = _run(argv, streams)
            streams.out.flush()
            if code == Exit.INTERRUPTED:  # typer makes this of a KeyboardInterrupt
                streams.say("interrupted")
            return int(code or Exit.CLEAN)
        except UsageError as error:
            streams.say(str(error))
            return Exit.USAGE
        except VirtquorumError as error:
            streams.say(str(error))
            unreadable = isinstance(error, InputError | HostError)
            return Exit.UNREADABLE if unreadable else Exit.FINDINGS
        except BrokenPipeError:
            return _reader_gone(streams)
        except OSError as error:
            _reader_gone(streams)
            streams.say(f"the output cannot be written: {(error.strerror or str(error)).lower()}")
            return Exit.UNREADABLE
        except SystemExit as error:  # typer makes this of a BrokenPipeError
            if isinstance(error.__context__, BrokenPipeError):
                return _reader_gone(streams)
            raise
        except KeyboardInterrupt:
            streams.say("interrupted")
            return Exit.INTERRUPTED


def _run(argv: Sequence[str], streams: Streams) -> int:
    if _only_paths(argv):
        from virtquorum.cli.validation import Settings, validate

        return validate(list(argv[1:]), Settings(), streams)
    from virtquorum.cli.app import run

    return run(argv, streams)


def _only_paths(argv: Sequence[str]) -> bool:
    """Whether this is ``validate`` with paths and without an option."""
    return (
        argv[:1] == ["validate"]
        and len(argv) > 1
        and all(one == "-" or (one and not one.startswith("-")) for one in argv[1:])
        and "_VIRTQUORUM_COMPLETE" not in os.environ
    )


def _reader_gone(streams: Streams) -> int:
    """A pager or head has seen enough: what Python still holds must not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), streams.out.fileno())
    return Exit.CLEAN
