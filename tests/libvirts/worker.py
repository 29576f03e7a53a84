"""Run as a program, ``-m tests.libvirts.worker SOCKET URI``: functions called with a connection.

Its one client sends a JSON object a line, ``{"function": "module:name",
"arguments": [...]}``; the function is called with the connection and the
arguments, and what it returns goes back as ``{"returned": ...}``, or what it
raises as ``{"raised": class, "text", "code", "trace"}``, where the code is
libvirt's number of an error.  The process ends with the client's connection.

A process of its own, because libvirt takes one root for an embedded driver in
the life of a process; and so that it can be killed.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any

import libvirt


def main() -> None:
    """Serve until the client goes."""
    place, uri = sys.argv[1:]
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_run_events, daemon=True).start()
    connection = libvirt.open(uri)
    _settle(connection)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{place}.new")
        server.listen(1)
        os.rename(f"{place}.new", place)
        client, _ = server.accept()
    with client, client.makefile("rwb") as lines:
        for line in lines:
            lines.write(json.dumps(_answer(connection, json.loads(line))).encode() + b"\n")
            lines.flush()
    connection.close()


def _settle(connection: Any) -> None:
    """Wait until libvirt has found its running guests again, after a start of the driver.

    It does so in threads; a guest that is destroyed meanwhile ends, and the call fails.
    A question to QEMU waits for its turn.
    """
    for one in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        with suppress(libvirt.libvirtError):
            one.memoryStats()


def _run_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def _answer(connection: Any, asked: dict[str, Any]) -> dict[str, Any]:
    module, _, name = asked["function"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        return {"returned": function(connection, *asked["arguments"])}
    except Exception as error:
        code = error.get_error_code() if isinstance(error, libvirt.libvirtError) else None
        return {
            "raised": type(error).__name__,
            "text": str(error),
            "code": getattr(error, "code", None) if code is None else code,
            "trace": traceback.format_exc(),
        }


if __name__ == "__main__":
    main()
