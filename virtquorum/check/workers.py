"""Many documents over processes that can be stopped.

Each process takes its share of the files, screens them, and checks those that
are not clean.  One that does not answer while it screens is killed (see
``screen.py``), and another goes on behind the file, which is then checked
without libxml2.  Files are read where they are checked.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import struct
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.check.engine import Checked, Checker, unread
from virtquorum.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from virtquorum.check.engine import Options
    from virtquorum.check.screen import Screen

__all__ = ["Item", "check_items", "read_file"]

#: Seconds that libxml2 may take for one file before its process is killed.
PATIENCE: Final = 1.0
#: So many files are worth another process.
_SHARE: Final = 24
_HEAD: Final = struct.Struct("=cI")
_CLEAN, _FOUND, _BEGUN, _FAILED = b"C", b"F", b"B", b"X"
_NOTHING: Final = Checked([])


class Item(NamedTuple):
    """A document to check: its name, and its bytes if it is no file of that name."""

    name: str
    raw: bytes | None = None


def read_file(path: str, size: int) -> bytes:
    """The bytes of a file, at most one more than ``size``; raises UnreadableError."""
    try:
        with open(path, "rb", buffering=0) as file:
            parts = []
            left = size + 1
            while left > 0 and (part := file.read(left)):
                parts.append(part)
                left -= len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)
    except OSError as error:
        raise UnreadableError.of(error, path) from None


def check_items(
    items: Sequence[Item],
    options: Options,
    *,
    processes: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Checked]:
    """Check documents; the results come in the order of the items.

    ``processes`` is how many work at once, as many as there are cores unless
    given; ``progress`` is called with the number of results so far.  Raises
    InputError for a grammar that cannot be used.
    """
    if processes is None:
        processes = len(os.sched_getaffinity(0))
    count = max(1, min(processes, len(items) // _SHARE))
    checker = Checker(options)
    screen = _screen(checker)
    if screen is not None and count > 1:
        screen.prepare("domain")
    shares = [_Share(range(number, len(items), count)) for number in range(count)]
    work = _Work(items, checker, screen)
    try:
        for share in shares:
            share.start(work)
        results: dict[int, Checked] = {}
        for number in range(len(items)):
            while number not in results:
                _receive(shares, work, results)
            if progress is not None:
                progress(number + 1)
            yield results.pop(number)
    finally:
        for share in shares:
            share.stop()


def _screen(checker: Checker) -> Screen | None:
    options = checker.options
    if options.images or options.grammar != "rng":
        return None
    from virtquorum.check.screen import Screen

    return Screen(options, checker.rules)


class _Work(NamedTuple):
    """What a process inherits."""

    items: Sequence[Item]
    checker: Checker
    screen: Screen | None


class _Share:
    """The items of one process, and the process."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = numbers
        self.done = 0
        self.pipe = -1
        self.process = 0
        self.buffer = bytearray()
        self.since = 0.0
        self.screening = True

    @property
    def finished(self) -> bool:
        return self.done == len(self.numbers)

    def start(self, work: _Work, *, screened: bool = True) -> None:
        """Start a process on what is left; the first item without the screen where told."""
        mine, theirs = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(mine)
            _work(work, self.numbers[self.done :], theirs, screened=screened)
        os.close(theirs)
        self.pipe, self.process = mine, process
        self.buffer.clear()
        self.screening = screened
        self.since = time.monotonic()

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self.process:
            os.close(self.pipe)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            self.process = 0


def _work(work: _Work, numbers: Sequence[int], pipe: int, *, screened: bool) -> None:
    """The process: checks its items and writes the results; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for number in numbers:
            _check(work, work.items[number], pipe, screened=screened)
            screened = True
        code = 0
    except BrokenPipeError:
        pass
    except BaseException as error:
        with contextlib.suppress(OSError):
            _send(pipe, _FAILED, pickle.dumps(_portable(error)))
    finally:
        os._exit(code)


def _portable(error: BaseException) -> BaseException:
    """An exception that can go through a pipe."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _check(work: _Work, item: Item, pipe: int, *, screened: bool) -> None:
    try:
        size = work.checker.options.limits.size
        raw = item.raw if item.raw is not None else read_file(item.name, size)
    except UnreadableError as error:
        _send(pipe, _FOUND, pickle.dumps(unread(error)))
        return
    refused = None
    if screened and work.screen is not None:
        clean, refused = work.screen.look(raw)
        if clean:
            os.write(pipe, _HEAD.pack(_CLEAN, 0))
            return
    _send(pipe, _BEGUN, b"")
    _send(pipe, _FOUND, pickle.dumps(work.checker.check_bytes(raw, item.name, refused=refused)))


def _send(pipe: int, kind: bytes, body: bytes) -> None:
    data = memoryview(_HEAD.pack(kind, len(body)) + body)
    while data:
        data = data[os.write(pipe, data) :]


def _receive(shares: Sequence[_Share], work: _Work, results: dict[int, Checked]) -> None:
    """Wait for what the processes say, and for those that say nothing for too long."""
    busy = [share for share in shares if not share.finished]
    now = time.monotonic()
    waits = [share.since + PATIENCE - now for share in busy if share.screening]
    ready, _, _ = select.select(
        [share.pipe for share in busy], [], [], max(0.0, min(waits)) if waits else None
    )
    for share in busy:
        if share.pipe in ready:
            _read(share, work, results)
        elif share.screening and time.monotonic() - share.since >= PATIENCE:
            share.stop()
            share.start(work, screened=False)


def _read(share: _Share, work: _Work, results: dict[int, Checked]) -> None:
    data = os.read(share.pipe, 1 << 16)
    if not data:
        share.stop()
        name = work.items[share.numbers[share.done]].name
        raise RuntimeError(f"the process that checked {name} ended without an answer")
    share.since = time.monotonic()
    buffer = share.buffer
    buffer += data
    at = 0
    while len(buffer) - at >= _HEAD.size:
        kind, size = _HEAD.unpack_from(buffer, at)
        if len(buffer) - at < _HEAD.size + size:
            break
        body = bytes(buffer[at + _HEAD.size : at + _HEAD.size + size])
        at += _HEAD.size + size
        if kind == _BEGUN:
            share.screening = False
            continue
        if kind == _FAILED:
            raise pickle.loads(body)  # noqa: S301 - from our own process
        share.screening = True
        results[share.numbers[share.done]] = (
            _NOTHING if kind == _CLEAN else pickle.loads(body)  # noqa: S301 - likewise
        )
        share.done += 1
    del buffer[:at]
