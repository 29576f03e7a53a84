"""Run as a program: what the installed libvirt makes of domains, as QEMU arguments.

``stock_arguments.py ROOT < [xml, …]`` prints a JSON array: for each domain its
``-blockdev`` objects, or what libvirt has against it.  With ``OPTION…`` behind
the root it is instead the words behind each of these options, by the option.
A process of its own, because libvirt takes one root for an embedded driver in
the life of a process.
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
    """Read domains, write their block nodes or options."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    # libvirt asks QEMU for its capabilities through the event loop.
    threading.Thread(target=run_events, daemon=True).start()
    root, *options = sys.argv[1:]
    connection = libvirt.open(f"qemu:///embed?root={root}")
    every: list[object] = []
    for xml in json.load(sys.stdin):
        try:
            line = connection.domainXMLToNative("qemu-argv", xml)
        except libvirt.libvirtError as error:
            every.append(str(error))
            continue
        words = shlex.split(line.replace("\\\n", " "))
        pairs = list(pairwise(words))
        if options:
            every.append(
                {name: [value for option, value in pairs if option == name] for name in options}
            )
        else:
            every.append([json.loads(value) for option, value in pairs if option == "-blockdev"])
    print(json.dumps(every), flush=True)
    connection.close()


if __name__ == "__main__":
    main()
