"""The QEMU command line of a whole domain: libvirt's own translation, with the quorums in it.

libvirt translates the lowered domain.  What it writes for the placeholders is
taken out again: their devices are the quorums' already, and nothing else asks
for them.
"""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError
from virtquorum.host.connection import asking
from virtquorum.host.kept import with_kept
from virtquorum.model.node import Node, node
from virtquorum.qemu.provided import NOTHING, Provided
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lowerings, with_lowerings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from virtquorum.host.session import Host
    from virtquorum.qemu.qapi import Version
    from virtquorum.stock.lower import Lowering
    from virtquorum.xml.domain import Domain

__all__ = ["CommandLine", "Native", "native", "needs"]

#: Where the placeholders are said to be; nobody opens them, and no stock disk is there.
_NOWHERE: Final = "/virtquorum/no-such-file"
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
#: libvirt's word for a driver that cannot do something, NO_SUPPORT.
_REMEDIES: Final = {
    3: "only its QEMU driver translates domains, so connect to that, 'qemu:///system' say"
}
#: The directory that libvirt makes for a domain that it starts; -1 is the id of one that is not.
_OWN_DIRECTORY: Final = re.compile(r"(.*/domain--1-[^/]*)(?:/.*)?", re.DOTALL)


@node(frozen=True, kw_only=True, slots=True)
class CommandLine(Node):
    """A command line: ``NAME=value`` words of its environment, the program, its arguments."""

    environment: tuple[str, ...]
    program: str
    arguments: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All words in order, as env(1) takes them."""
        return (*self.environment, self.program, *self.arguments)

    @classmethod
    def from_text(cls, text: str) -> CommandLine:
        """A command line as libvirt writes it for a shell; between words are blanks alone."""
        lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
        lexer.whitespace, lexer.whitespace_split, lexer.commenters = " ", True, ""
        words = list(lexer)
        count = next((at for at, one in enumerate(words) if not _ASSIGNMENT.match(one)), None)
        if count is None:
            raise HostError("libvirt's command line names no program")
        return cls(
            environment=tuple(words[:count]),
            program=words[count],
            arguments=tuple(words[count + 1 :]),
        )


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Native(Node):
    """A domain's command line, and what became of its quorum disks for it."""

    line: CommandLine
    lowerings: tuple[Lowering, ...]


def native(
    host: Host,
    domain: Domain,
    *,
    provided: Provided = NOTHING,
    version: Version | None = None,
) -> Native:
    """The command line with which a host's libvirt would start QEMU for a domain.

    The domain may have quorum disks, be lowered, or neither; no file is
    opened.  Secrets that a lowered domain knows are taken from it, after
    those that are provided.  Raises LibvirtError for what libvirt does not
    translate, TranslationError for a quorum disk that cannot be lowered,
    LoweredError for a lowered domain that was changed by hand, HostError for
    a libvirt that has no quorums.
    """
    lifted = lift(domain)
    files = {
        one.name: f"{_NOWHERE}-{number}"
        for number, one in enumerate(lifted.machine_disks)
        if one.name is not None
    }
    found = lowerings(lifted, files=files, provided=with_kept(provided, domain), version=version)
    if found:
        host.need_qemu()
    root = with_lowerings(lifted, found).document.root
    # Without the declaration: libvirt is given UTF-8, whatever the document was.
    xml = root.document.data[root.start : root.stop].decode("utf-8")
    with asking(domain.name, _REMEDIES):
        text = str(host.connection.domainXMLToNative("qemu-argv", xml))
    line = CommandLine.from_text(text)
    _check(line, found)
    kept = _without_nodes(line.arguments, {one.file for one in found})
    line = CommandLine(environment=line.environment, program=line.program, arguments=tuple(kept))
    return Native(line=line, lowerings=tuple(found))


def needs(line: CommandLine) -> list[str]:
    """What a command line asks for that libvirt brings when it starts a domain, in words."""
    found = [f"the directory '{one}'" for one in dict.fromkeys(_own_directories(line))]
    for option, value in _pairs(line.arguments):
        said = _object(value)
        name = said.get("id", value)
        if name == "masterKey0" and "file" in said:
            found.append(f"a key of 32 bytes in the file '{said['file']}'")
        if said.get("keyid") == "masterKey0":
            found.append(f"the secret '{name}' without the key that libvirt made up for it")
        found += [f"the open file {one} of {option} '{name}'" for one in _descriptors(said)]
    return found


def _check(line: CommandLine, found: Sequence[Lowering]) -> None:
    """See that each quorum has got its device, which an old libvirt would leave to the placeholder.

    Raises HostError.
    """
    devices = [_object(value) for option, value in _pairs(line.arguments) if option == "-device"]
    drives = {one.get("id"): one.get("drive") for one in devices}
    for one in found:
        if drives.get(one.alias) != one.drive:
            raise HostError(
                f"libvirt has not pointed the device '{one.alias}' of the disk '{one.disk.name}' "
                f"at the quorum '{one.drive}', but at '{drives.get(one.alias)}'"
            )


def _without_nodes(arguments: Sequence[str], files: Collection[str]) -> list[str]:
    """Arguments without the block nodes of some files, and those above them."""
    gone: set[str] = set()
    kept = list(arguments)
    at = 0
    while at < len(kept) - 1:
        said = _object(kept[at + 1]) if kept[at] == "-blockdev" else {}
        if said and any(one in files or one in gone for one in _texts(said)):
            gone.add(str(said.get("node-name")))
            del kept[at : at + 2]
        else:
            at += 1
    return kept


def _own_directories(line: CommandLine) -> Iterator[str]:
    texts = [one.partition("=")[2] for one in line.environment]
    for option, value in _pairs(line.arguments):
        if option not in ("-name", "-fw_cfg", "-smbios"):
            texts += _texts(_object(value))
    for text in texts:
        if found := _OWN_DIRECTORY.fullmatch(text):
            yield found[1]


def _descriptors(said: dict[str, Any]) -> list[str]:
    """The numbers and sets of file descriptors that an argument names."""
    numbers = [str(said[name]) for name in ("fd", "fds", "vhostfd", "vhostfds") if name in said]
    return numbers + [one for one in _texts(said) if one.startswith("/dev/fdset/")]


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option that has a value, with it."""
    for option, value in pairwise(arguments):
        if option.startswith("-") and not value.startswith("-"):
            yield option, value


def _object(value: str) -> dict[str, Any]:
    """What an argument says, by name: JSON, or ``type,name=value,…``."""
    if value.startswith("{"):
        try:
            said = json.loads(value)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}
    words = (one.replace("\0", ",") for one in value.replace(",,", "\0").split(","))
    return {name: text for name, _, text in (one.partition("=") for one in words)}


def _texts(value: object) -> Iterator[str]:
    """All texts in a JSON value, at any depth."""
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from _texts(one)
        case list():
            for one in value:
                yield from _texts(one)
