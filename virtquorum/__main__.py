"""``python -m virtquorum`` and the ``virtquorum`` command."""

from __future__ import annotations

import sys

_UNHEARD = (
    "standard output is closed, and what is to be said there would be lost, so nothing was done; "
    "send it to a file, or to /dev/null"
)


def run() -> None:
    """The entry point of the command: runs it and leaves with its exit code."""
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:  # nothing else is imported
        from virtquorum import __version__

        print(f"virtquorum {__version__}")
        return
    try:
        from virtquorum.cli.main import main
        from virtquorum.cli.streams import Exit, Streams

        streams = Streams.standard()
        if not streams.is_heard:
            streams.say(_UNHEARD)
            sys.exit(Exit.UNREADABLE)
        code = main(sys.argv[1:], streams)
    except KeyboardInterrupt:  # while modules are imported, or the interpreter ends
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
