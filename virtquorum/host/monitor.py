"""QEMU's monitor, reached through libvirt: commands, what it shows of the block graph, waiting.

libvirt hands a command on and answers with QEMU's own JSON.  It tells nobody
when it does not know a node, a job or an event, so what has been asked for is
looked up again (``wait_until``); events would need a loop that runs.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError, LibvirtError, MonitorError
from virtquorum.host.connection import asking
from virtquorum.json_text import json_text
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from virtquorum.json_text import Json
    from virtquorum.qemu.qmp import Command

__all__ = ["Edge", "Frontend", "GoneError", "Monitor", "nothing", "wait_until"]

#: (parent, 'file' or 'backing' or 'children.0' …, child), all by node name.
Edge = tuple[str, str, str]

_PERIPHERAL: Final = "/machine/peripheral"
#: libvirt's VIR_ERR_INTERNAL_ERROR and VIR_ERR_SYSTEM_ERROR: a monitor's end is among them.
_NO_ANSWER: Final = (1, 38)
#: Seconds in which libvirt takes note of QEMU's end.
_MOMENT: Final = 5.0
#: Seconds between two looks, at first and at most: what takes long is looked at less often.
_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5


class GoneError(LibvirtError):
    """There is nobody left to ask: ``gone`` is 'domain' (its QEMU) or 'connection' (libvirt)."""

    def __init__(self, error: LibvirtError, gone: str) -> None:
        super().__init__(error.what, code=error.code, text=error.text, remedy=error.remedy)
        self.gone = gone


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Frontend(Node):
    """The guest's side of a disk: where QEMU has it, and the node that it reads and writes.

    ``path`` is that of the device that has the property 'drive'; ``node`` is
    None for a drive without a medium.
    """

    path: str
    node: str | None


class Monitor:
    """The monitor of a running domain (``domain`` is a virDomain).

    Every method raises MonitorError for what QEMU says no to, GoneError where
    QEMU or libvirt is not there any more, LibvirtError for the rest.
    """

    def __init__(self, domain: Any) -> None:
        self.domain = domain

    @property
    def name(self) -> str:
        """The domain's name."""
        return str(self.domain.name())

    def command(self, name: str, /, **arguments: Json) -> Any:
        """A command's return value."""
        sent: dict[str, Json] = {"execute": name}
        if arguments:
            sent["arguments"] = arguments
        answer = json.loads(self.asked(name, lambda: self._sent(json_text(sent, ascii_only=True))))
        if "error" in answer:
            error = answer["error"]
            raise MonitorError(sent, kind=error["class"], text=error["desc"])
        return answer["return"]

    def run(self, command: Command) -> Any:
        """The return value of a command as ``virtquorum.qemu.qmp`` spells it."""
        name, arguments = command["execute"], command.get("arguments") or {}
        assert isinstance(name, str)
        assert isinstance(arguments, dict)
        return self.command(name, **arguments)

    def _sent(self, text: str) -> str:
        import libvirt_qemu

        return str(libvirt_qemu.qemuMonitorCommand(self.domain, text, 0))

    def asked(self, what: str, call: Callable[[], Any]) -> Any:
        """What libvirt answers to a call about the domain; ``what`` is for the error."""
        try:
            with asking(f"domain '{self.name}': {what}"):
                return call()
        except LibvirtError as error:
            gone = self._gone(error)
            if gone is None:
                raise
            raise GoneError(error, gone) from None

    def has_ended(self) -> bool:
        """Whether there is no QEMU any more, as far as libvirt answers."""
        return self._gone(None) == "domain"

    def _gone(self, error: LibvirtError | None) -> str | None:
        """Who is not there any more, None if both answer.

        libvirt goes on for a moment to say that a QEMU runs which has just ended.
        """
        import libvirt

        try:
            if not self.domain.connect().isAlive():
                return "connection"
            is_silent = error is not None and error.code in _NO_ANSWER and not self._answers()
            if is_silent:
                wait_until(lambda: not self.domain.isActive(), _MOMENT)
            return None if self.domain.isActive() else "domain"
        except libvirt.libvirtError as failure:
            is_undefined = failure.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
            return "domain" if is_undefined else "connection"

    def _answers(self) -> bool:
        import libvirt

        try:
            self._sent('{"execute":"query-status"}')
        except libvirt.libvirtError:
            return False
        return True

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The block nodes by name, as query-named-block-nodes has them (sizes in bytes)."""
        found = self.command("query-named-block-nodes", flat=True)
        return {one["node-name"]: one for one in found}

    def edges(self) -> set[Edge]:
        """Which node is which child of which."""
        seen = self.command("x-debug-query-block-graph")
        names = {one["id"]: one["name"] for one in seen["nodes"] if one["type"] == "block-driver"}
        return {
            (names[edge["parent"]], edge["name"], names[edge["child"]])
            for edge in seen["edges"]
            if edge["parent"] in names
        }

    def is_used(self, name: str) -> bool:
        """Whether something stands on a node: another node, a disk of the guest, a job."""
        seen = self.command("x-debug-query-block-graph")
        names = {one["id"]: one["name"] for one in seen["nodes"] if one["type"] == "block-driver"}
        return any(names.get(edge["child"]) == name for edge in seen["edges"])

    def frontend(self, alias: str) -> Frontend | None:
        """The guest's side of the disk with an alias, None if QEMU has no such disk.

        ``query-block`` tells the path: a virtio disk has its drive one level
        deeper, a USB disk in a SCSI disk of its own.
        """
        top = f"{_PERIPHERAL}/{alias}"
        for one in self.command("query-block"):
            qdev = one.get("qdev") or ""
            if qdev in (alias, top) or qdev.startswith(f"{top}/"):
                path = qdev if qdev.startswith("/") else f"{_PERIPHERAL}/{qdev}"
                return Frontend(path=path, node=one.get("inserted", {}).get("node-name"))
        return None

    def needed_frontend(self, alias: str) -> Frontend:
        """The guest's side of a disk that must be there; raises HostError if it is not."""
        found = self.frontend(alias)
        if found is None:
            raise HostError(
                f"domain '{self.name}': QEMU has no disk with the alias '{alias}'; look at "
                f"'virsh dumpxml {self.name}', or run 'virtquorum doctor {self.name}'"
            )
        return found

    def devices(self) -> set[str]:
        """The ids of the devices that have one."""
        return self._below(_PERIPHERAL)

    def objects(self) -> set[str]:
        """The ids of the objects: secrets, certificates, throttle-groups."""
        return self._below("/objects")

    def _below(self, path: str) -> set[str]:
        listed = self.command("qom-list", path=path)
        return {one["name"] for one in listed if one["type"].startswith("child<")}

    def jobs(self) -> dict[str, Mapping[str, Any]]:
        """The jobs by id, as query-jobs has them (progress in bytes)."""
        return {one["id"]: one for one in self.command("query-jobs")}


def nothing() -> None:
    """The safe point of a wait that nothing interrupts."""


def wait_until(
    is_so: Callable[[], bool], seconds: float, safe_point: Callable[[], None] = nothing
) -> bool:
    """Look until it is so, or so many seconds have gone; whether it is so in the end.

    ``safe_point`` is called between two looks and may raise.
    """
    begin = time.monotonic()
    while not is_so():
        safe_point()
        waited = time.monotonic() - begin
        if waited > seconds:
            return False
        time.sleep(min(max(_PAUSE, waited / 20), _LONGEST_PAUSE))
    return True
