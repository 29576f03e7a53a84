"""Every call to libvirt and to QEMU, counted at libvirt's own door, and one of them struck.

libvirt-python calls functions of a C module; here a stand-in for that module
counts the calls of the main thread, and strikes the n-th: fails it, before it
is made or after it, ends this process or QEMU there, or sends a signal.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import libvirt
import libvirt_qemu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Blow", "Blows", "blows"]

#: ``error`` fails one call; ``cut`` all from there on, as for a process that is gone, or has no
#: libvirt any more; ``kill`` is SIGKILL to this process; ``qemu`` ends the guest's QEMU; else a
#: signal's name.
Blow = Literal["error", "cut", "kill", "qemu", "SIGINT", "SIGTERM", "none"]

#: What libvirt-python needs for itself, and what no libvirt is asked for.
_INNER = re.compile(
    r"vir(Event|.*Free$|.*LastError|Conn(ResetLast|GetLast)|Initialize|Stream"
    r"|DomainGet(Name|UUIDString|Connect|ID)$|ConnectGet(URI|Type)$)"
)
#: What changes nothing.
_QUESTION = re.compile(
    r"vir\w+?(Get|Is|Lookup|List|Num|Has|MemoryStats|XMLDesc|BaselineCPU)|virStoragePoolRefresh"
)
_ASKED = re.compile("query-|x-debug-query|qom-get|qom-list")


class Blows:
    """The calls while ``armed``: how many, and which of them change something.

    ``only_changes`` counts those alone.
    """

    def __init__(self, module: Any, qemu_module: Any) -> None:
        self.modules = module, qemu_module
        self.made: list[str] = []
        self.only_changes = True
        self._number = 0
        self._when = "before"
        self._blow: Blow = "none"
        self._is_armed = False
        self._is_cut = False
        self._pid = 0

    @contextmanager
    def armed(self, number: int, when: str, blow: Blow, pid: int = 0) -> Iterator[None]:
        """Strike at the n-th call inside the block; ``pid`` is QEMU's."""
        self.made, self._number, self._when, self._blow, self._pid = [], number, when, blow, pid
        self._is_armed = True
        try:
            yield
        finally:
            self._is_armed = self._is_cut = False

    @property
    def is_met(self) -> bool:
        """Whether there was such a call."""
        return len(self.made) >= self._number

    def call(self, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Make one call, or not."""
        if not self._is_armed or threading.current_thread() is not threading.main_thread():
            return function(*arguments)
        if self._is_cut:
            raise _error("the connection is cut")
        what = _what(name, arguments)
        if what is None and self.only_changes:
            return function(*arguments)
        self.made.append(what or name)
        if len(self.made) != self._number:
            return function(*arguments)
        if self._when == "before":
            self._strike(what or name)
            return function(*arguments)
        answer = function(*arguments)
        self._strike(what or name)
        return answer

    def _strike(self, what: str) -> None:
        match self._blow:
            case "error":
                raise _error(f"a blow at {what}")
            case "cut":
                self._is_cut = True
                raise _error(f"cut at {what}")
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "qemu":
                os.kill(self._pid, signal.SIGKILL)
            case "SIGINT" | "SIGTERM":
                signal.raise_signal(signal.Signals[self._blow])


def _what(name: str, arguments: tuple[Any, ...]) -> str | None:
    """What a call changes, in a word; None if nothing."""
    if name == "virDomainQemuMonitorCommand":
        command = str(json.loads(arguments[1])["execute"])
        return None if _ASKED.match(command) else command
    if name == "virDomainSetMetadata":
        return f"metadata of {arguments[4]}"
    return None if _QUESTION.match(name) else name


def _error(text: str) -> libvirt.libvirtError:
    error = libvirt.libvirtError(text)
    error.err = (38, 7, text, 2, "", "", "", -1, -1)
    return error


class _Module:
    def __init__(self, module: Any, blows: Blows) -> None:
        self._module = module
        self._blows = blows

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._module, name)
        if not name.startswith("vir") or _INNER.match(name):
            return function
        return lambda *arguments: self._blows.call(name, function, arguments)


_FOUND: list[Blows] = []


def blows() -> Blows:
    """The one of this process."""
    if not _FOUND:
        found = Blows(libvirt.libvirtmod, libvirt_qemu.libvirtmod_qemu)
        libvirt.libvirtmod = _Module(libvirt.libvirtmod, found)
        libvirt_qemu.libvirtmod_qemu = _Module(libvirt_qemu.libvirtmod_qemu, found)
        _FOUND.append(found)
    return _FOUND[0]
