"""``virtquorum args --connect``: the QEMU command line of a whole domain, as libvirt has it."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Final

from virtquorum.cli.inputs import one_domain
from virtquorum.errors import EditError, LibvirtError
from virtquorum.host.native import needs
from virtquorum.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.cli.streams import Streams
    from virtquorum.host.native import CommandLine, Native
    from virtquorum.host.session import Host
    from virtquorum.xml.document import Limits
    from virtquorum.xml.domain import Domain

__all__ = ["named_domain", "notes", "printed", "whole_domain"]

#: libvirt's VIR_ERR_NO_DOMAIN.
_NO_DOMAIN: Final = 42
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*=)(.*)", re.DOTALL)


def whole_domain(word: str | None, host: Host, streams: Streams, limits: Limits) -> Domain:
    """The domain of a file (``-`` is standard input), or else the host's domain of that name.

    Of one that runs it is the live XML, as ``virsh domxml-to-native --domain``
    takes it, with its passwords, because QEMU is told whether there are any.
    """
    if word is None or word == "-" or "/" in word or os.path.isfile(word):
        found = one_domain(word, streams, limits, "arguments")
    else:
        found = named_domain(word, host)
    root = found.document.root
    if root.name != "domain":
        raise EditError(
            f"{found.name}: its root element is <{root.name}>, and a command line is that of a "
            "<domain>; --disks-only prints the arguments of the disks in it"
        )
    return found


def named_domain(word: str, host: Host) -> Domain:
    """The host's domain of a name, as libvirt has it; raises LibvirtError."""
    try:
        return host.domain(word).text(secure=True)
    except LibvirtError as error:
        if error.code != _NO_DOMAIN:
            raise
        raise LibvirtError(
            f"'{word}' is no file", code=error.code, text=error.text, remedy=error.remedy
        ) from None


def notes(found: Native) -> Iterator[str]:
    """What a person should know of the line, and who starts QEMU with it."""
    for one in found.lowerings:
        for remark in one.remarks:
            yield f"{one.disk.location}: disk '{one.disk.name}' {remark}"
    if brought := needs(found.line):
        yield f"libvirt would bring, and QEMU does not start without: {', '.join(brought)}"
    if "-netdev" in found.line.arguments:
        yield "libvirt translates each <interface> as a tap device, whatever its type"
    if "-S" in found.line.arguments:
        yield "QEMU waits for 'cont' on its monitor (-S)"


def printed(line: CommandLine, shape: str) -> bytes:
    """The output's bytes."""
    match shape:
        case "json":
            text = json_text(list(line.words)) + "\n"
        case "nul":
            text = "".join(f"{word}\0" for word in line.words)
        case "oneline":
            text = " ".join(_lines(line)) + "\n"
        case _:
            text = " \\\n".join(_lines(line)) + "\n"
    return text.encode()


def _lines(line: CommandLine) -> Iterator[str]:
    """For a shell: each variable, the program, and each option with its value."""
    for one in line.environment:
        found = _ASSIGNMENT.fullmatch(one)
        assert found is not None
        yield found[1] + (shlex.quote(found[2]) if found[2] else "")
    together = [line.program]
    for word in line.arguments:
        if word.startswith("-"):
            yield shlex.join(together)
            together = []
        together.append(word)
    yield shlex.join(together)
