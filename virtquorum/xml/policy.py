"""The edit of a quorum's policies, which stand on its ``<driver>``, or ``<format>`` if nested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from virtquorum.errors import EditError
from virtquorum.xml.layout import indentation, line_end
from virtquorum.xml.parse import INDENT

if TYPE_CHECKING:
    from virtquorum.xml.document import Element
    from virtquorum.xml.layout import Splice

__all__ = ["POLICIES", "Policy", "policy_splices"]

Policy: TypeAlias = Literal["read_pattern", "rewrite_corrupted", "blkverify"]
_SWITCH: Final[dict[object, str]] = {True: "on", False: "off"}
#: The policies, and how their values are written.
POLICIES: Final[dict[Policy, dict[object, str]]] = {
    "read_pattern": {"quorum": "quorum", "fifo": "fifo"},
    "rewrite_corrupted": _SWITCH,
    "blkverify": _SWITCH,
}


def policy_splices(quorum: Element, name: Policy, value: str | bool | None) -> list[Splice]:
    """What gives a quorum's element (``<disk>``, ``<backingStore>``) a policy; None takes it out.

    Raises EditError for a value that the policy does not have.
    """
    known = POLICIES[name]
    if value is not None and value not in known:
        raise EditError(
            f"{value!r} is no value for {name}; values are: {', '.join(map(repr, known))}"
        )
    written = None if value is None else known[value]
    holders = quorum.elements("driver" if quorum.name == "disk" else "format")
    if not holders:
        return [] if written is None else [_holder(quorum, name, written)]
    return [splice for one in holders for splice in _attribute(one, name, written)]


def _attribute(holder: Element, name: str, written: str | None) -> list[Splice]:
    """An attribute of an element with another value, added, or taken out."""
    data = holder.document.data
    spans = holder.attribute_spans()
    if name in spans:
        begin, start, stop = spans[name]
        if written is not None:
            quote = data[start : start + 1].decode()
            return [(start, stop, f"{quote}{written}{quote}")]
        while data[begin - 1] in b" \t\r\n":
            begin -= 1
        return [(begin, stop, "")]
    if written is None:
        return []
    at = max((stop for _, _, stop in spans.values()), default=0)
    at = at or holder.start + len(f"<{holder.name}".encode())
    return [(at, at, f" {name}='{written}'")]


def _holder(quorum: Element, name: str, written: str) -> Splice:
    """A ``<driver>`` or ``<format>`` for a quorum that has none, as its first child."""
    document = quorum.document
    if quorum.name == "disk":
        text = f"<driver name='qemu' type='quorum' {name}='{written}'/>"
    else:
        text = f"<format type='quorum' {name}='{written}'/>"
    outer = indentation(document, quorum.start)
    ending = line_end(document)
    if quorum.close == quorum.start:
        tag = document.data[quorum.start : quorum.stop].decode("utf-8").removesuffix("/>").rstrip()
        whole = f"{tag}>{ending}{outer}{INDENT}{text}{ending}{outer}</{quorum.name}>"
        return quorum.start, quorum.stop, whole
    return quorum.content, quorum.content, f"{ending}{outer}{INDENT}{text}"
