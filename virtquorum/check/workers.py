"""Many documents over several processes; files are read where they are checked."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
from typing import TYPE_CHECKING, Final

from virtquorum.check.engine import Checked, Checker, unread
from virtquorum.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from virtquorum.check.libxml2 import Verdicts
    from virtquorum.check.options import Item, Options

__all__ = ["check_items"]

#: So many files are worth another process.
_SHARE: Final = 40
_HEAD: Final = struct.Struct("=cI")
_CLEAN, _FOUND, _FAILED = b"C", b"F", b"X"


def check_items(
    items: Sequence[Item],
    options: Options,
    *,
    verdicts: Verdicts | None = None,
    processes: int | None = None,
) -> Iterator[Checked]:
    """Check documents; the results come in the order of the items.

    ``verdicts`` says which of them libxml2 accepts, and spares the explainer
    there.  ``processes`` is how many work at once, as
    many as there are cores unless given.  Raises InputError for a grammar
    that cannot be used.
    """
    if processes is None:
        processes = len(os.sched_getaffinity(0))
    count = min(processes, len(items) // _SHARE)
    checker = Checker(options)
    if count < 2:
        for item in items:
            yield _checked(item, checker, verdicts)
        return
    checker.prepare("domain")  # once, before there are several processes
    shares = [_Share(range(number, len(items), count)) for number in range(count)]
    try:
        for share in shares:
            share.start(items, checker)
        results: dict[int, Checked] = {}
        for number in range(len(items)):
            while number not in results:
                _receive(shares, items, results)
            yield results.pop(number)
    finally:
        for share in shares:
            share.stop()


def _checked(item: Item, checker: Checker, verdicts: Verdicts | None = None) -> Checked:
    # Asked for each document, whether it is needed or not: verdicts come in order.
    ask = None if verdicts is None else _once(verdicts)
    try:
        raw = item.read(checker.options.limits.size)
        return checker.check_bytes(raw, item.name, libxml2=ask)
    except UnreadableError as error:
        return unread(error)
    finally:
        if ask is not None:
            ask()


def _once(verdicts: Verdicts) -> Callable[[], bool]:
    """A function that takes the next verdict when it is first called, and says it again later."""
    found: list[bool] = []

    def ask() -> bool:
        if not found:
            found.append(verdicts.next())
        return found[0]

    return ask


class _Share:
    """The items of one process, and the process."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = numbers
        self.done = 0
        self.pipe = -1
        self.process = 0
        self.buffer = bytearray()

    def start(self, items: Sequence[Item], checker: Checker) -> None:
        """Start the process."""
        mine, theirs = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(mine)
            _work([items[number] for number in self.numbers], checker, theirs)
        os.close(theirs)
        self.pipe, self.process = mine, process

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self.process:
            os.close(self.pipe)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            self.process = 0


def _work(items: Sequence[Item], checker: Checker, pipe: int) -> None:
    """The process: checks its items and writes the results; never returns."""
    import pickle

    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for item in items:
            checked = _checked(item, checker)
            if checked.clean:
                os.write(pipe, _HEAD.pack(_CLEAN, 0))
            else:
                _send(pipe, _FOUND, pickle.dumps(checked))
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
    import pickle

    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _send(pipe: int, kind: bytes, body: bytes) -> None:
    data = memoryview(_HEAD.pack(kind, len(body)) + body)
    while data:
        data = data[os.write(pipe, data) :]


def _receive(shares: Sequence[_Share], items: Sequence[Item], results: dict[int, Checked]) -> None:
    """Wait for what the processes say."""
    busy = [share for share in shares if share.done < len(share.numbers)]
    ready, _, _ = select.select([share.pipe for share in busy], [], [])
    for share in busy:
        if share.pipe in ready:
            _read(share, items, results)


def _read(share: _Share, items: Sequence[Item], results: dict[int, Checked]) -> None:
    import pickle

    data = os.read(share.pipe, 1 << 16)
    if not data:
        name = items[share.numbers[share.done]].name
        raise RuntimeError(f"the process that checked {name} ended without an answer")
    buffer = share.buffer
    buffer += data
    at = 0
    while len(buffer) - at >= _HEAD.size:
        kind, size = _HEAD.unpack_from(buffer, at)
        if len(buffer) - at < _HEAD.size + size:
            break
        body = bytes(buffer[at + _HEAD.size : at + _HEAD.size + size])
        at += _HEAD.size + size
        if kind == _FAILED:
            raise pickle.loads(body)  # noqa: S301 - from our own process
        number = share.numbers[share.done]
        results[number] = Checked([]) if kind == _CLEAN else pickle.loads(body)  # noqa: S301
        share.done += 1
    del buffer[:at]
