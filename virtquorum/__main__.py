"""``python -m virtquorum`` and the ``virtquorum`` command."""

from __future__ import annotations

import sys


def run() -> None:
    """The entry point of the command: runs it and leaves with its exit code."""
    if sys.argv[1:] == ["--version"]:  # asked by scripts, and often: nothing else is imported
        from virtquorum import __version__

        print(f"virtquorum {__version__}")
        return
    from virtquorum.cli.main import Streams, main

    sys.exit(main(sys.argv[1:], Streams.standard()))


if __name__ == "__main__":
    run()
