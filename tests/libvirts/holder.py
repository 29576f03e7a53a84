"""Run as a program: it starts others, and ends whatever they leave.

``holder.py FOLDER [PLACE …]`` reads a JSON object a line and answers so:

=============================================  ==========================
``{"start": [argv], "environment": {},``       ``{"started": pid}``
``"input": path, "output": path,``
``"errors": path}``
``{"signal": pid, "number": n}``               ``{"signalled": true}``; false
                                               if it is no child, or over
(nothing)                                      ``{"ended": pid, "status": n}``
=============================================  ==========================

All that its programs leave behind becomes its child (it is a "subreaper"),
however they daemonize; so libvirt does not wait for a slow init when a guest
ends, and at the end of the input everything is killed by its id, and FOLDER
removed.  Each PLACE is first covered by a directory below FOLDER, and with
them /dev by one with the same devices, but for KVM: then the program must have
been started in a mount namespace of its own.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
#: What is read when Python and libvirt begin.
_EARLY = ("PYTHON", "LIBVIRT_LOG", "LIBVIRT_DEBUG", "LANG", "LC_")
#: What the first Python program was given of it; and a second item from the second one on.
_first: list[dict[str, str]] = []


def main() -> None:
    """Hold until the input ends."""
    folder, *places = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    for place in places:
        _cover(Path(folder), place)
    if places:
        _cover_devices(Path(folder))
    try:
        _hold()
    finally:
        _end()
        shutil.rmtree(folder, ignore_errors=True)


def _cover(folder: Path, place: str) -> None:
    own = folder / place.removeprefix("/")
    own.mkdir(parents=True)
    subprocess.run(["mount", "--bind", own, place], check=True)


def _cover_devices(folder: Path) -> None:
    """Mount a /dev without KVM, which root may use here and QEMU's user may not.

    A libvirt of 9.0 asks QEMU as that user but with root's rights over files;
    so it finds what it then cannot use, and asks again at each turn.
    """
    own = folder / "dev"
    own.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", own], check=True)
    _copy_devices(Path("/dev"), own)
    for one in ("pts", "shm"):
        if (Path("/dev") / one).is_mount():
            (own / one).mkdir()
            subprocess.run(["mount", "--bind", Path("/dev") / one, own / one], check=True)
    subprocess.run(["umount", "--recursive", "--lazy", "/dev"], check=True)
    subprocess.run(["mount", "--move", own, "/dev"], check=True)


def _copy_devices(place: Path, own: Path) -> None:
    for one in place.iterdir():
        found = one.lstat()
        if one.is_symlink():
            (own / one.name).symlink_to(one.readlink())
        elif one.is_dir() and not one.is_mount():
            (own / one.name).mkdir()
            _copy_devices(one, own / one.name)
        elif (one.is_char_device() or one.is_block_device()) and one != Path("/dev/kvm"):
            os.mknod(own / one.name, found.st_mode, found.st_rdev)
            (own / one.name).chmod(found.st_mode & 0o7777)
            os.chown(own / one.name, found.st_uid, found.st_gid)


def _hold() -> None:
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(awake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    _say({"holding": os.getpid()})
    rest = b""
    while True:
        ready, _, _ = select.select([0, awake], [], [])
        if awake in ready:
            with suppress(BlockingIOError):
                os.read(awake, 4096)
            _reap()
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                return
            *lines, rest = (rest + more).split(b"\n")
            for line in lines:
                _say(_answer(json.loads(line)))


def _say(what: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(what).encode() + b"\n")


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    match asked:
        case {"start": argv}:
            return {"started": _start(argv, asked)}
        case {"signal": pid, "number": number}:
            return {"signalled": _signal(pid, number)}
    return {"unknown": asked}


def _start(argv: list[str], asked: dict[str, Any]) -> int:
    with (
        open(asked["input"], "rb") as input,
        open(asked["output"], "ab") as output,
        open(asked["errors"], "ab") as errors,
    ):
        if _forks(argv, asked["environment"]):
            from tests.libvirts.warm import fork

            return fork(argv[2], argv[3:], asked["environment"], (input, output, errors))
        process = subprocess.Popen(
            argv, stdin=input, stdout=output, stderr=errors, start_new_session=True,
            env={**os.environ, **asked["environment"]},
        )  # fmt: skip
    process.returncode = 0  # it is reaped here, and not by subprocess
    return process.pid


def _forks(argv: list[str], environment: dict[str, str]) -> bool:
    """Whether a program begins as a fork of this process: a Python module, from the second on.

    Not if its environment has what is read when Python and libvirt begin, and
    other than the first one's was.
    """
    if argv[:2] != [sys.executable, "-m"]:
        return False
    early = {name: value for name, value in environment.items() if name.startswith(_EARLY)}
    if not _first:
        _first.append(early)
        return False
    if early != _first[0]:
        return False
    if len(_first) == 1:
        _first.append({})
        os.environ.update(early)
        sys.path[0] = os.getcwd()
        from tests.libvirts.warm import warm_up

        warm_up()
    return True


def _signal(pid: int, number: int) -> bool:
    """Only a child that was not yet reaped surely has its id."""
    if not _is_child(Path(f"/proc/{pid}")):
        return False
    os.kill(pid, number)
    return True


def _reap() -> bool:
    """Reap what has ended; whether there are children still."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        _say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _children() -> list[int]:
    every = (one for one in Path("/proc").iterdir() if one.name.isdigit())
    return [int(one.name) for one in every if _is_child(one)]


def _is_child(one: Path) -> bool:
    with suppress(OSError):
        words = (one / "stat").read_text().rpartition(")")[2].split()
        return int(words[1]) == os.getpid()
    return False


def _end() -> None:
    """Kill all children, and what becomes a child by that."""
    while True:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not _reap():
            return
        time.sleep(0.005)


if __name__ == "__main__":
    main()
