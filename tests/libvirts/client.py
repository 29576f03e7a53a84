"""The test's side of a worker: calls, and what they raise."""

from __future__ import annotations

import json
import select
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["CallError", "Client", "GoneError", "Pending"]


class CallError(Exception):
    """What a function raised in the worker: its class's name, its text, libvirt's number."""

    def __init__(self, raised: str, text: str, code: int | None, trace: str) -> None:
        super().__init__(raised, text)
        self.raised = raised
        self.text = text
        self.code = code
        self.trace = trace

    def __str__(self) -> str:
        return f"{self.raised}: {self.text}\n{self.trace}"


class GoneError(Exception):
    """The worker ended before it answered."""


class Pending:
    """A call that was begun."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def result(self, timeout: float = 60) -> Any:
        """What the function returned; raises CallError, GoneError."""
        return self._client.answer(timeout)


class Client:
    """A connection to a worker, which does one call after the other."""

    def __init__(self, place: Path) -> None:
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(place))

    def begin(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Pending:
        """Call a function of a module, by its name, with a connection and JSON."""
        name = f"{function.__module__}:{function.__qualname__}"
        line = json.dumps({"function": name, "arguments": arguments})
        self._socket.sendall(line.encode() + b"\n")
        return Pending(self)

    def answer(self, timeout: float) -> Any:
        """The next answer."""
        said = json.loads(self._line(time.monotonic() + timeout))
        if "raised" in said:
            raise CallError(said["raised"], said["text"], said["code"], said["trace"])
        return said["returned"]

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._rest:
            if self._socket.fileno() < 0:
                raise GoneError
            left = max(0, deadline - time.monotonic())
            ready, _, _ = select.select([self._socket], [], [], left)
            assert ready, "no answer from the worker"
            try:
                more = self._socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise GoneError
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def close(self) -> None:
        """Go; the worker ends then."""
        self._socket.close()
