"""Python programs from a process that has imported what they need: they begin at once.

Most of what the tests of a libvirt start is ``python -m virtquorum …`` and the
worker, hundreds of times, and to import them takes longer than what they do.
So a holder imports it once, and each of them is a fork of it, with what a new
process has: arguments, environment, files, signals, and a session of its own.
"""

from __future__ import annotations

import atexit
import importlib
import os
import pkgutil
import runpy
import signal
import sys
import threading
import traceback
from typing import IO, TYPE_CHECKING, Final

import tests.libvirts
import virtquorum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["fork", "warm_up"]

_DOMAIN: Final = "<domain type='kvm'><name>warm</name></domain>"


def warm_up() -> None:
    """Import all that the programs may, and read libvirt's grammar, which is kept."""
    assert tests.libvirts.__file__
    for one in pkgutil.walk_packages(virtquorum.__path__, "virtquorum."):
        if one.name != "virtquorum.__main__":
            importlib.import_module(one.name)
    virtquorum.validate(_DOMAIN)


def fork(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    files: Sequence[IO[bytes]],
) -> int:
    """Run a module as ``python -m`` does; its process id.  ``files`` are its 0, 1 and 2."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number, handler in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGTERM, signal.SIG_DFL),
            (signal.SIGCHLD, signal.SIG_DFL),
        ):
            signal.signal(number, handler)
        os.setsid()
        for place, file in enumerate(files):
            os.dup2(file.fileno(), place)
        os.environ.update(environment)
        sys.argv = [module, *arguments]
        code = _run(module)
    finally:
        os._exit(code)


def _run(module: str) -> int:
    """Run it to its end, as the interpreter does; the exit code."""
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = _code(end.code)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _code(said: object) -> int:
    if said is None or isinstance(said, int):
        return int(said or 0) & 0xFF
    print(said, file=sys.stderr)
    return 1
