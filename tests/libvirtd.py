"""A libvirtd of the test's own, which leaves nothing behind."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.host.private_libvirtd import PLACES
from tests.servers.process import lacks, program

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["libvirtd", "missing_for_libvirtd", "root_of"]

_PROGRAM = Path(__file__).parent / "host" / "private_libvirtd.py"


def missing_for_libvirtd() -> str | None:
    """Why no libvirtd can be started here, None where one can."""
    if find_spec("libvirt") is None:
        return "libvirt-python is not installed"
    if os.geteuid() != 0:
        return "a private libvirtd is started as root"
    programs = lacks("libvirtd", "unshare", "mount")
    if programs:
        return f"not installed: {', '.join(programs)}"
    places = [place for place in PLACES if not Path(place).is_dir()]
    if places:
        return f"no libvirt lives here: there is no {', '.join(places)}"
    return None


def root_of(uri: str) -> Path:
    """The directory below which the places of a libvirtd of ours are."""
    return Path(uri.partition("socket=")[2]).parent


@contextmanager
def libvirtd() -> Iterator[str]:
    """Run a libvirtd until the block ends; its URI.

    It listens on a unix socket in a directory of its own and on nothing else.
    """
    # Not in pytest's directory: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="vq-libvirtd-") as folder:
        root, log = Path(folder), Path(folder) / "output.log"
        place = root / "libvirt-sock"
        argv = [
            "unshare", "--mount", "--propagation", "private", "--",
            sys.executable, str(_PROGRAM), folder,
        ]  # fmt: skip
        with program(argv, log, lambda: _answers(place)):
            yield f"qemu:///system?socket={place}"


def _answers(path: Path) -> bool:
    """Whether somebody listens at a socket; its file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(str(path))
        except OSError:
            return False
    return True
