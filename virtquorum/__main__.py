"""``python -m virtquorum`` and the ``virtquorum`` command."""

from __future__ import annotations

import sys


def run() -> None:
    """The entry point of the command: runs it and leaves with its exit code."""
    if sys.argv[1:] == ["--version"]:  # asked by scripts, and often: nothing else is imported
        from virtquorum import __version__

        print(f"virtquorum {__version__}")
        return
    try:
        from virtquorum.cli.main import Streams, main

        code = main(sys.argv[1:], Streams.standard())
    except KeyboardInterrupt:  # while modules are imported, or the interpreter ends
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
