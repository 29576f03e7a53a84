"""The test's side of a holder: programs that run under it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["REPOSITORY", "Holder", "holder"]

#: Where `tests` is imported from.
REPOSITORY: Final = Path(__file__).parents[2]
_PROGRAM = Path(__file__).with_name("holder.py")


class Holder:
    """A process whose descendants end with it; what it starts, and what it says of the ends."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._folder = folder
        self._rest = b""
        self._ended: dict[int, int] = {}
        self._count = 0

    def start(
        self,
        argv: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        input: str | Path = os.devnull,
        output: str | Path = os.devnull,
        errors: str | Path = os.devnull,
    ) -> int:
        """Start a program in a session of its own; its id.  Output is appended to files."""
        said = self._ask(
            "started",
            start=[str(one) for one in argv],
            environment=dict(environment or {}),
            input=str(input),
            output=str(output),
            errors=str(errors),
        )
        self._ended.pop(said, None)
        return int(said)

    def signal(self, pid: int, number: int) -> bool:
        """Send a signal to what runs here; whether it was still there."""
        return bool(self._ask("signalled", signal=pid, number=int(number)))

    def wait(self, pid: int, timeout: float = 60) -> int:
        """Wait for the end of what runs here, a guest too; minus the signal that ended it."""
        deadline = time.monotonic() + timeout
        while pid not in self._ended:
            self._listen(deadline, f"process {pid} goes on")
        return self._ended[pid]

    def runs(self, pid: int) -> bool:
        """Whether something has not ended."""
        return self.signal(pid, 0)

    def run(
        self,
        argv: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        input: str = "",
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, as subprocess.run does with text."""
        self._count += 1
        given, out, err = (
            self._folder / f"{self._count}.{name}" for name in ("stdin", "stdout", "stderr")
        )
        given.write_text(input)
        pid = self.start(argv, environment, input=given, output=out, errors=err)
        status = self.wait(pid, timeout)
        words = [str(one) for one in argv]
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())

    def _ask(self, answer: str, **asked: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        deadline = time.monotonic() + 60
        while True:
            said = self._listen(deadline, "the holder says nothing")
            if answer in said:
                return said[answer]

    def _listen(self, deadline: float, otherwise: str) -> dict[str, Any]:
        """The holder's next line."""
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            ready, _, _ = select.select([source], [], [], max(0, deadline - time.monotonic()))
            assert ready, otherwise
            more = os.read(source, 65536)
            assert more, f"the holder has ended; {otherwise}"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        if "ended" in said:
            self._ended[said["ended"]] = said["status"]
        return said


@contextmanager
def holder(folder: Path, places: Sequence[str] = ()) -> Iterator[Holder]:
    """Hold what is started until the block ends; then all of it and ``folder`` are gone.

    ``places`` are covered, for what is started, by directories below ``folder``.
    """
    argv = [sys.executable, str(_PROGRAM), str(folder), *places]
    if places:
        argv = ["unshare", "--mount", "--propagation", "private", "--", *argv]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY,
        start_new_session=True,
        env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
    )  # fmt: skip
    with process:
        held = Holder(process, folder)
        try:
            held._listen(time.monotonic() + 60, "the holder does not come up")
            yield held
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)
    assert not folder.exists()
