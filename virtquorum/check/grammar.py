"""Which grammar a document is checked with, and where libvirt's own is.

The grammar of a domain is ``schemas/domain-quorum.rng``, put on top of the
libvirt that is installed.  Snapshots and checkpoints hold domains, so what it
adds is added to the domains in theirs as well.  Where libvirt's grammar is
not installed, ``schemas/quorum-disk.rng`` is what disks can be checked with.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from virtquorum.errors import InputError
from virtquorum.model.node import Node, node
from virtquorum.schema_files import schema_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["RELIED_ON", "GrammarText", "find_libvirt_schemas", "grammar_for"]

#: The definitions of libvirt's grammar that domain-quorum.rng refers to or adds to.
RELIED_ON: Final = (
    "disk",
    "diskBackingChain",
    "diskFormat",
    "diskSource",
    "diskspec",
    "driverFormat",
    "storageFormat",
)

#: Where libvirt's schemas are below a directory of shared data.
_BELOW: Final = os.path.join("libvirt", "schemas")
#: Directories of shared data, beside those of XDG_DATA_DIRS: distributions and self-built
#: packages, Homebrew, NixOS.
_DATA_DIRECTORIES: Final = (
    "/usr/local/share",
    "/usr/share",
    "/opt/homebrew/share",
    "/opt/local/share",
    "/run/current-system/sw/share",
)

_OVERLAY: Final = "domain-quorum.rng"
_SELF_CONTAINED: Final = "quorum-disk.rng"
#: What the overlay, as it lies on disk, says of libvirt's grammar.
_INSTALLED: Final = b'href="file:///usr/share/libvirt/schemas/domain.rng"'

#: The roots whose grammar has libvirt's domain in it, and the file that it is.
_WITH_DOMAIN: Final = {
    "domainsnapshot": "domainsnapshot.rng",
    "domaincheckpoint": "domaincheckpoint.rng",
}
#: The other roots of libvirt's documents.
_PLAIN: Final = {
    "capabilities": "capability.rng",
    "cpu": "cpu.rng",
    "device": "nodedev.rng",
    "domainCapabilities": "domaincaps.rng",
    "domainbackup": "domainbackup.rng",
    "filter": "nwfilter.rng",
    "filterbinding": "nwfilterbinding.rng",
    "interface": "interface.rng",
    "network": "network.rng",
    "networkport": "networkport.rng",
    "pool": "storagepool.rng",
    "secret": "secret.rng",
    "storagepoolCapabilities": "storagepoolcaps.rng",
    "volume": "storagevol.rng",
}

_INCLUDE: Final = re.compile(rb"""<(?:\w+:)?include\s+href\s*=\s*["']([^"':]+)["']""")
#: How libvirt's grammars of snapshots and checkpoints take in the domain.
_DOMAIN_INCLUDE: Final = re.compile(
    rb"""<include\s+href\s*=\s*["']((?:domain|inactiveDomain)\.rng)["']\s*/>"""
)

_END: Final = b"</grammar>"
_LIBRARY: Final = b'datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes" '

_REMARK: Final = (
    "libvirt's grammar is not installed, so nothing but the disks was checked"
    " (Debian and Ubuntu have it in the package libvirt0, Fedora and openSUSE in libvirt-libs;"
    " --libvirt-schemas names another place)"
)
_REMEDY: Final = (
    "check the disks with '--grammar xsd' until then, and report it with the version of libvirt"
)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class GrammarText(Node):
    """A RELAX NG grammar, found but not compiled.

    ``path`` is the absolute path of its main file, by which its includes are
    resolved.  ``texts`` maps absolute paths to the bytes that take the place
    of files: there need be no file at ``path``, but all that it includes are
    files.  ``whole`` is False where it is a grammar of the disks alone, and
    ``remark`` then says so, in a sentence for the summary.
    """

    path: str
    texts: Mapping[str, bytes]
    whole: bool
    remark: str | None = None


def find_libvirt_schemas(given: str | None = None) -> str | None:
    """The absolute path of the directory of libvirt's schemas; None if there is none.

    ``given`` is where the user says that they are.  Raises InputError if
    they are not there.
    """
    if given is not None:
        directory = os.path.abspath(given)
        if not os.path.isfile(os.path.join(directory, "domain.rng")):
            raise InputError(
                "no domain.rng in this directory, so libvirt's schemas are not here",
                file=given,
                remedy="give the directory that holds it, on most systems"
                " '/usr/share/libvirt/schemas', or leave --libvirt-schemas away",
            )
        return directory
    for data in (*os.environ.get("XDG_DATA_DIRS", "").split(":"), *_DATA_DIRECTORIES):
        # The base directory specification has relative ones ignored.
        if os.path.isabs(data):
            directory = os.path.join(os.path.normpath(data), _BELOW)
            if os.path.isfile(os.path.join(directory, "domain.rng")):
                return directory
    return None


def grammar_for(root: str, directory: str | None) -> GrammarText | None:
    """The grammar of documents whose root element is ``root``.

    ``directory`` is what find_libvirt_schemas found.  Where it is None, the
    documents that hold disks ('domain', 'disk', 'domainsnapshot',
    'domaincheckpoint') get the grammar of disks alone, with a remark, and
    the others None.  None as well is what a root gets that libvirt has no
    grammar for ('domstatus', 'svg').

    Raises InputError if libvirt's grammar lacks what virtquorum builds on.
    """
    if directory is None:
        if root in ("domain", "disk") or root in _WITH_DOMAIN:
            path = os.path.join(schema_directory(), _SELF_CONTAINED)
            return GrammarText(path=path, texts={}, whole=False, remark=_REMARK)
        return None
    name = _PLAIN.get(root)
    if name is not None:
        path = os.path.join(directory, name)
        if not os.path.isfile(path):
            return None
        return GrammarText(path=path, texts={}, whole=True)
    if root in ("domain", "disk"):
        _check_names(directory)
        start = b'<ref name="disk"/>' if root == "disk" else None
        path = os.path.join(directory, _OVERLAY)
        return GrammarText(path=path, texts={path: _overlay(start)}, whole=True)
    name = _WITH_DOMAIN.get(root)
    if name is not None and os.path.isfile(path := os.path.join(directory, name)):
        _check_names(directory)
        return GrammarText(path=path, texts={path: _with_overlay(path)}, whole=True)
    return None


def _overlay(start: bytes | None) -> bytes:
    """domain-quorum.rng as a file beside libvirt's domain.rng, maybe with another start."""
    with open(os.path.join(schema_directory(), _OVERLAY), "rb") as file:
        text = file.read()
    text = text.replace(_INSTALLED, b'href="domain.rng"')
    if start is None:
        return text
    include = b'<include href="domain.rng"/>'
    started = b'<include href="domain.rng"><start>%s</start></include>' % start
    return text.replace(include, started, 1)


def _with_overlay(path: str) -> bytes:
    """What libvirt has for documents that hold domains, with quorums allowed in these."""
    with open(path, "rb") as file:
        text = file.read()
    overlay = _overlay(None)
    body = overlay[overlay.index(b">", overlay.index(b"<grammar")) + 1 : overlay.rindex(_END)]
    # libvirt's file may name no library, and libxml2 overlooks one on a <div> around all this.
    body = body.replace(b"<data ", b"<data " + _LIBRARY)
    text, count = _DOMAIN_INCLUDE.subn(
        lambda found: body.replace(b'href="domain.rng"', b'href="%s"' % found[1]), text
    )
    if not count:
        raise InputError(
            "libvirt's grammar no longer includes 'domain.rng' where it takes in the domain:"
            " this libvirt is newer than virtquorum knows",
            file=path,
            remedy=_REMEDY,
        )
    return text


def _check_names(directory: str) -> None:
    """Raise InputError if libvirt's grammar lacks a definition that the overlay builds on.

    A RELAX NG compiler would not tell: what is gone in libvirt's grammar,
    the overlay's combine="choice" would then define by itself.
    """
    missing = set(RELIED_ON)
    for text in _texts(directory):
        missing = {
            name
            for name in missing
            if not re.search(rb"""define\s+name\s*=\s*["']%s["']""" % name.encode(), text)
        }
        if not missing:
            return
    names = ", ".join(f"'{name}'" for name in sorted(missing))
    raise InputError(
        f"libvirt's grammar defines no {names}, which virtquorum's builds on:"
        " this libvirt is newer (or far older) than virtquorum knows",
        file=os.path.join(directory, "domain.rng"),
        remedy=_REMEDY,
    )


def _texts(directory: str) -> Iterator[bytes]:
    """domain.rng and the files that it includes, those of the disks first where libvirt has them.

    Which files there are is libvirt's affair; only the order is guessed.
    """
    rest = ["domain.rng", "storagecommon.rng", "domaincommon.rng"]
    seen: set[str] = set()
    while rest:
        name = rest.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            with open(os.path.join(directory, name), "rb") as file:
                text = file.read()
        except OSError:
            continue  # one that is needed will be missed by the grammar's compiler
        yield text
        # Searched only when the next one is asked for: a start-up has no time for it.
        rest[:0] = [os.fsdecode(found) for found in _INCLUDE.findall(text)]
