"""``qemu-img``, run without a shell, bounded where it only looks, and stopped by a signal."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from virtquorum.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType

__all__ = ["Interrupted", "QemuImg", "Signals", "find_qemu_img"]

#: How long a look at an image may take (seconds), with so much processor (seconds) and memory.
_TIMEOUT: Final = 20
_CPU_SECONDS: Final = 10
_MEMORY: Final = 2 * 1024**3
#: QEMU times its hashing for LUKS by the process's clock, and gives up where that has not moved:
#: a matter of luck where the clock is coarse, as on many virtual machines.
_UNLUCKY: Final = "Unable to get accurate CPU usage"
_TRIES: Final = 30
#: Signals that a user, a terminal or a service manager sends to have a program ended.
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_PERCENT: Final = re.compile(rb"\(([0-9]+)\.[0-9]+/100%\)")


class Interrupted(Exception):  # noqa: N818 - as KeyboardInterrupt is
    """A signal asked for an end; ``number`` is the signal's.

    ``left`` are paths of what was made and could not be removed.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.left: tuple[str, ...] = ()


class Signals:
    """Turns SIGINT, SIGTERM, SIGHUP and SIGQUIT into an end at a place of our choosing.

    A handler that raised could cut the making of a file from its being noted;
    this one notes the signal and ends the program that is waited for.
    ``check`` raises Interrupted.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._old: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        with suppress(ValueError):  # only the main thread may
            for number in _ENDING:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                    self._old[number] = signal.signal(number, self._catch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise Interrupted if a signal has come."""
        if self.caught is not None:
            raise Interrupted(self.caught)

    def wait_for(self, process: subprocess.Popen[bytes] | None) -> None:
        """Say which program ends when a signal comes; None for none."""
        self._process = process
        if process is not None and self.caught is not None:
            process.kill()

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.caught is None:
            self.caught = number
        if self._process is not None:
            self._process.kill()


def find_qemu_img() -> str:
    """Where qemu-img is; raises ImageError if it is not installed."""
    found = shutil.which("qemu-img")
    if found is None:
        raise ImageError(
            "qemu-img is not installed, or not in PATH",
            remedy="install the package qemu-utils (qemu-img on Fedora)",
        )
    return os.path.abspath(found)


class QemuImg:
    """Runs qemu-img, whose path ``program`` is."""

    def __init__(self, program: str, signals: Signals) -> None:
        self.program = program
        self._signals = signals

    def virtual_size(self, name: str, where: str) -> int:
        """The virtual size (bytes) of an image that is there; raises as ``info`` does."""
        return int(self.info(name, where)[0]["virtual-size"])

    def info(self, name: str, where: str, *, chain: bool = False) -> list[dict[str, Any]]:
        """What qemu-img says of an image that is there, and with ``chain`` of those below it.

        ``name`` is its graph as a file name, ``where`` its path.  Raises
        ImageError with qemu-img's own words.
        """
        words = ["info", "--output=json", "--force-share", name]
        if chain:
            words.insert(1, "--backing-chain")
        out = self._run(words, where, {}, bound=True)
        try:
            found = json.loads(out)
        except ValueError:
            raise ImageError("qemu-img says nothing of it", path=where) from None
        return found if isinstance(found, list) else [found]

    def run(
        self,
        arguments: Sequence[str],
        where: str,
        renamed: dict[str, str],
        progress: Callable[[int], None] | None = None,
    ) -> bytes:
        """Run one command to its end and return what it printed; ``where`` is the image made.

        ``progress`` is told how far it is, in whole percents.  In errors every
        key of ``renamed`` becomes the value.  Raises ImageError, or Interrupted.
        """
        for _ in range(_TRIES):
            try:
                return self._run(arguments, where, renamed, progress=progress)
            except ImageError as error:
                if _UNLUCKY not in error.message:
                    raise
        return self._run(arguments, where, renamed, progress=progress)

    def _run(
        self,
        arguments: Sequence[str],
        where: str,
        renamed: dict[str, str],
        *,
        bound: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> bytes:
        self._signals.check()
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(
                    [self.program, *arguments],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
                    env={**os.environ, "LC_ALL": "C.UTF-8"},
                )  # fmt: skip
            except OSError as error:
                raise ImageError(
                    f"qemu-img cannot be run: {(error.strerror or str(error)).lower()}", path=where
                ) from None
            try:
                self._signals.wait_for(process)
                out = _looked(process, where) if bound else _followed(process, progress)
            finally:
                self._signals.wait_for(None)
                process.kill()
                process.wait()
            self._signals.check()
            if process.returncode:
                said.seek(0)
                raise ImageError(_words(said.read(), process.returncode, renamed), path=where)
        return out


def _looked(process: subprocess.Popen[bytes], where: str) -> bytes:
    """The output of a look, which is bounded: an image may ask for any amount of work."""
    with suppress(OSError):  # it may be done already
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        return process.communicate(timeout=_TIMEOUT)[0]
    except subprocess.TimeoutExpired:
        raise ImageError(f"was not read within {_TIMEOUT} seconds", path=where) from None


def _followed(process: subprocess.Popen[bytes], progress: Callable[[int], None] | None) -> bytes:
    """The output of a command that takes as long as it takes."""
    assert process.stdout is not None
    parts = []
    while part := os.read(process.stdout.fileno(), 4096):
        parts.append(part)
        found = _PERCENT.findall(part)
        if found and progress is not None:
            progress(int(found[-1]))
    process.stdout.close()
    process.wait()
    return b"".join(parts)


def _words(said: bytes, code: int, renamed: dict[str, str]) -> str:
    """What qemu-img said, on one line, of the files by their own names."""
    text = "; ".join(line.strip() for line in os.fsdecode(said).splitlines() if line.strip())
    for old, new in renamed.items():
        text = text.replace(old, new)
    text = text.replace("qemu-img: ", "")
    if text:
        return f"qemu-img: {text}"
    return f"qemu-img ended by signal {-code}" if code < 0 else f"qemu-img failed with code {code}"
