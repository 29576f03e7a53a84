"""What a live change is about to do, written down where it outlives this process.

The intention is the first thing that a change writes and the last that it
takes away.  Whoever finds one knows that a change was cut short, between which
two graphs, and whether the guest ran:

    <metadata>
      <vqchange:change xmlns:vqchange='urn:virtquorum:change:1.0' version='1' kind='swap'
                       alias='ua-vq-vda' ran='yes' old='[{…}]' new='[{…}]'/>
    </metadata>

It is in the live XML alone, so it goes when QEMU does.  ``old`` and ``new``
are JSON: the flat lists of nodes (BlockdevOptions), null for a disk that is
not there.  ``by`` is the process that makes the change; ``more`` is what else
changes with the graph, in JSON.

A start writes one as well, of the kind 'start' and with ``by`` alone.  It is
in the definition, from which libvirt takes it into the live XML, so a guest
that is started paused has it from its first moment.  Then the live one gets
the ``id`` of the running domain, and the definition's goes: a domain that
somebody else starts from a definition with a note has not its own id in it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, cast

from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.author import Author
from virtquorum.json_text import json_text
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from virtquorum.host.monitor import Monitor
    from virtquorum.json_text import Json

__all__ = [
    "NAMESPACE",
    "NEW",
    "PREFIX",
    "START",
    "VERSION",
    "Flat",
    "Intent",
    "Intention",
    "Kind",
    "MetadataIntent",
    "is_start",
    "start_text",
    "words_of",
]

NAMESPACE: Final = "urn:virtquorum:change:1.0"
#: Its prefix in libvirt's XML.
PREFIX: Final = "vqchange"
#: The kind of a start's note.
START: Final = "start"
#: The version of the notes that are written and understood here.
VERSION: Final = "1"
#: QEMU's word for the state of a guest that has not run yet.
NEW: Final = "prelaunch"
#: libvirt's VIR_ERR_NO_DOMAIN_METADATA.
_NO_METADATA: Final = 80

Kind: TypeAlias = Literal["swap", "attach", "detach"]
_KINDS: Final = ("swap", "attach", "detach")
#: A graph as a flat list of nodes, those below first; None for none.
Flat: TypeAlias = "list[dict[str, Json]] | None"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Intention(Node):
    """A live change that is under way.

    ``ran`` is whether the guest ran before it, ``alias`` the frontend's;
    ``old`` and ``new`` are the graphs as JSON text.  ``by`` is the process
    that makes it (author.Author as text), '' where that is not known;
    ``more`` is a JSON object of what else changes:

    - ``target``: the disk's, 'vdb';
    - ``record``: the old and the new record of quorum disks, null for none;
    - ``definition``: the old and the new disk in the definition, null for
      none, and the target of the disk that follows it in each, null for none;
      it is there only if the definition changes as well;
    - ``closed``: nodes that are in the way of the new graph, not of the old.
    """

    kind: Kind
    alias: str
    ran: bool
    old: str
    new: str
    by: str = ""
    more: str = "{}"

    @classmethod
    def of(cls, kind: Kind, alias: str, *, ran: bool, old: Flat, new: Flat) -> Intention:
        """The intention to go from one graph to another."""
        texts = [json_text(cast("Json", one), ascii_only=True) for one in (old, new)]
        return cls(kind=kind, alias=alias, ran=ran, old=texts[0], new=texts[1])

    @property
    def graphs(self) -> tuple[Flat, Flat]:
        """The old and the new graph."""
        return json.loads(self.old), json.loads(self.new)

    @property
    def known(self) -> dict[str, Any]:
        """What else changes; nothing where a later virtquorum spelled it otherwise."""
        try:
            found = json.loads(self.more)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Intent(Protocol):
    """Where the intention of a domain is kept; all methods may raise HostError."""

    def write(self, intention: Intention) -> None:
        """Keep it, in place of another."""

    def clear(self) -> None:
        """Forget it, if there is one."""

    def read(self) -> Intention | None:
        """The one that is kept, None if there is none."""


class MetadataIntent:
    """The intention in libvirt's metadata of the running domain.

    The note of a start whose guest has run is none, if nobody is at it any
    more: it was missed, and a change takes its place.  Raises LibvirtError,
    and HostError for a note that this version cannot read.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def write(self, intention: Intention) -> None:
        """Keep it, in place of another; a start's goes out of the definition as well."""
        text = self._text()
        if text is not None and is_start(text):
            self._forget_start()
        self._set(_spelled(intention))

    def clear(self) -> None:
        """Forget it, if there is one."""
        if self._text() is not None:
            self._set(None)

    def read(self) -> Intention | None:
        """The one that is kept, None if there is none."""
        text = self._text()
        if text is None or self._is_over(text):
            return None
        return _read(text, self._monitor.name)

    def _is_over(self, text: str) -> bool:
        """Whether it is the note of a start that nobody is at, and its guest runs or has run."""
        if not is_start(text):
            return False
        author = Author.of(words_of(text).get("by", ""))
        if author is not None and author.is_at_work:
            return False
        return bool(self._monitor.command("query-status")["status"] != NEW)

    def _forget_start(self) -> None:
        """Take the note of a start out of the definition, where it can be written."""
        import libvirt

        config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        with suppress(LibvirtError):
            if is_start(str(self._call("read its metadata", "metadata", NAMESPACE, where=config))):
                self._call(
                    "write its metadata", "setMetadata", None, PREFIX, NAMESPACE, where=config
                )

    def _text(self) -> str | None:
        try:
            return str(self._call("read its metadata", "metadata", NAMESPACE))
        except LibvirtError as error:
            if error.code == _NO_METADATA:
                return None
            raise

    def _set(self, text: str | None) -> None:
        self._call("write its metadata", "setMetadata", text, PREFIX, NAMESPACE)

    def _call(self, what: str, name: str, *arguments: object, where: int | None = None) -> Any:
        """Ask it of the live XML, or ``where`` (VIR_DOMAIN_AFFECT_CONFIG)."""
        import libvirt

        call: Callable[..., Any] = getattr(self._monitor.domain, name)
        element = libvirt.VIR_DOMAIN_METADATA_ELEMENT
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE if where is None else where
        return self._monitor.asked(what, lambda: call(element, *arguments, flags))


def _spelled(intention: Intention) -> str:
    return _tag(
        kind=intention.kind,
        alias=intention.alias,
        ran="yes" if intention.ran else "no",
        old=intention.old,
        new=intention.new,
        by=intention.by,
        more=intention.more,
    )


def start_text(by: str, id: int | None = None) -> str:
    """The note of a start, as libvirt is handed it; ``by`` is the process that makes it.

    ``id`` is the number of the domain that it has started, None before.
    """
    return _tag(kind=START, by=by, **({"id": str(id)} if id is not None else {}))


def words_of(text: str) -> Mapping[str, str]:
    """The attributes of a note, as libvirt gives it back, without its namespace."""
    from virtquorum.xml.document import Document

    return Document.from_text(text, "the note").root.attributes


def is_start(text: str) -> bool:
    """Whether a note is that of a start, as this version writes it."""
    found = words_of(text)
    return (found.get("version"), found.get("kind")) == (VERSION, START)


def _tag(**attributes: str) -> str:
    from virtquorum.xml.format import escape

    words = (
        f"{name}='{escape(value)}'" for name, value in {"version": VERSION, **attributes}.items()
    )
    return f"<change {' '.join(words)}/>"


def _read(text: str, domain: str) -> Intention:
    """An intention as libvirt gives it back."""
    found = words_of(text)
    version, kind = found.get("version"), found.get("kind")
    if (version, kind) == (VERSION, START):
        raise HostError(
            f"domain '{domain}': its start was cut short, or goes on; wait for it, or run "
            f"'virtquorum doctor {domain}'"
        )
    if version != VERSION or kind not in _KINDS or not {"alias", "old", "new"} <= found.keys():
        raise HostError(
            f"domain '{domain}': the note of an unfinished change in its metadata, '{NAMESPACE}', "
            f"is of version '{version}' and kind '{kind}', which is not understood here; use the "
            "virtquorum that wrote it"
        )
    return Intention(
        kind=cast("Kind", kind),
        alias=found["alias"],
        ran=found.get("ran") == "yes",
        old=found["old"],
        new=found["new"],
        by=found.get("by", ""),
        more=found.get("more", "{}"),
    )
