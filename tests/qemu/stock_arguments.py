"""Run as a program: what the installed libvirt makes of domains, as QEMU arguments.

``stock_arguments.py ROOT < [xml, …]`` prints a JSON array: for each domain its
``-blockdev`` objects, or what libvirt has against it.  A process of its own,
because libvirt takes one root for an embedded driver in the life of a process.
"""

from __future__ import annotations

import json
import shlex
import sys
import threading
from itertools import pairwise

import libvirt


def run_events() -> None:
    """Run libvirt's event loop for ever."""
    while True:
        libvirt.virEventRunDefaultImpl()


def main() -> None:
    """Read domains, write their block nodes."""
    libvirt.virEventRegisterDefaultImpl()
    # libvirt asks QEMU for its capabilities through the event loop.
    threading.Thread(target=run_events, daemon=True).start()
    connection = libvirt.open(f"qemu:///embed?root={sys.argv[1]}")
    every: list[object] = []
    for xml in json.load(sys.stdin):
        try:
            line = connection.domainXMLToNative("qemu-argv", xml)
        except libvirt.libvirtError as error:
            every.append(str(error))
            continue
        words = shlex.split(line.replace("\\\n", " "))
        every.append(
            [json.loads(value) for option, value in pairwise(words) if option == "-blockdev"]
        )
    print(json.dumps(every), flush=True)
    connection.close()


if __name__ == "__main__":
    main()
