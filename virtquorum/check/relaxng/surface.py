"""The XML of a grammar: its elements, attributes and names, without the annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.check.relaxng.grammar_error import wrong
from virtquorum.check.relaxng.name_class import (
    AnyName,
    Name,
    NameChoice,
    NameClass,
    NsName,
    join_name,
)
from virtquorum.xml.document import SPACE, Element

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.check.relaxng.node import Scope

__all__ = ["NAMES", "RNG", "XML", "Around", "Surface"]

RNG: Final = "http://relaxng.org/ns/structure/1.0"
XML: Final = "http://www.w3.org/XML/1998/namespace"
_XMLNS: Final = "http://www.w3.org/2000/xmlns"

#: The attributes that elements have beside ns and datatypeLibrary; whether they need them.
_ATTRIBUTES: Final[dict[str, dict[str, bool]]] = {
    "element": {"name": False},
    "attribute": {"name": False},
    "ref": {"name": True},
    "parentRef": {"name": True},
    "define": {"name": True, "combine": False},
    "start": {"combine": False},
    "data": {"type": True},
    "value": {"type": False},
    "param": {"name": True},
    "include": {"href": True},
    "externalRef": {"href": True},
}
NAMES: Final = frozenset({"name", "anyName", "nsName", "choice"})
_TEXTS: Final = frozenset({"name", "value", "param"})


class Around(NamedTuple):
    """What an element of a grammar has from those around it."""

    ns: str
    library: str
    prefixes: Mapping[str, str]
    scope: Scope | None


class Surface:
    """Reads what the elements of a grammar say by themselves."""

    def entered(self, element: Element, around: Around) -> Around:
        """What the content of an element has around it."""
        attributes = element.attributes
        if not attributes:
            return around
        ns, library, prefixes, scope = around
        for name, value in attributes.items():
            if name == "ns":
                ns = value
            elif name == "datatypeLibrary":
                library = value
            elif name.startswith("xmlns") and name[5:6] in {"", ":"}:
                prefixes = {**prefixes, name[6:]: value}
        return Around(ns, library, prefixes, scope)

    def kind(self, element: Element, around: Around) -> str | None:
        """The element's name in RELAX NG; None for an annotation."""
        prefix, _, local = element.name.rpartition(":")
        return local if around.prefixes.get(prefix, "") == RNG else None

    def inner(self, element: Element, around: Around) -> Iterator[tuple[str, Element, Around]]:
        """The child elements that are RELAX NG: name, element, and what it has around its content.

        Their attributes have been checked.
        """
        kept = self.kind(element, around) in _TEXTS
        for child in element.children:
            if child.__class__ is str:
                if not kept and child.strip(SPACE):
                    raise wrong(
                        element,
                        f"<{element.name}> must not hold the text '{child.strip()}'",
                        "remove it",
                    )
            elif child.__class__ is Element:
                within = self.entered(child, around)
                kind = self.kind(child, within)
                if kind is not None:
                    self.check_attributes(kind, child, within)
                    yield kind, child, within

    def check_attributes(self, kind: str, element: Element, around: Around) -> None:
        """Refuse an attribute that the element does not have, and the lack of one that it needs."""
        known = _ATTRIBUTES.get(kind, {})
        for name in element.attributes:
            if name in known or name in {"ns", "datatypeLibrary", "xmlns"}:
                continue
            prefix, colon, _ = name.partition(":")
            if colon and (prefix == "xmlns" or around.prefixes.get(prefix) != RNG):
                continue
            raise wrong(
                element,
                f"attribute '{name}' is not allowed on <{kind}>",
                f"it has {', '.join((*known, 'ns', 'datatypeLibrary'))}",
                attribute=name,
            )
        for name, needed in known.items():
            if needed and name not in element.attributes:
                raise wrong(element, f"<{kind}> lacks attribute '{name}'", f"write {name}='…'")

    def nothing_in(self, element: Element, around: Around) -> None:
        """Refuse any element of RELAX NG in an element."""
        for kind, child, _ in self.inner(element, around):
            raise wrong(child, f"<{kind}> is not allowed in <{element.name}>", "remove it")

    def name(self, written: str, element: Element, around: Around, ns: str) -> Name:
        """The name that a text stands for; ``ns`` is its namespace if it has no prefix."""
        prefix, colon, local = written.strip(SPACE).rpartition(":")
        if colon:
            if prefix not in around.prefixes:
                raise wrong(
                    element,
                    f"the prefix of the name '{written}' is not declared",
                    f"write xmlns:{prefix}='…' on the <grammar>",
                )
            ns = around.prefixes[prefix]
        if not local or any(sign in SPACE for sign in local):
            raise wrong(element, f"'{written}' is no name", "write a name as elements have it")
        return Name(join_name(ns, local))

    def name_class(self, kind: str, element: Element, around: Around) -> NameClass:
        """The name class of an element of that kind."""
        inner = list(self.inner(element, around))
        if kind == "name":
            return self.name(element.text, element, around, around.ns)
        if kind == "choice":
            for one, child, _ in inner:
                if one not in NAMES:
                    raise wrong(
                        child,
                        f"<{one}> is not allowed in a choice of names",
                        f"it has {', '.join(sorted(NAMES))}",
                    )
            if not inner:
                raise wrong(element, "a choice of names is empty", "it needs at least one")
            return NameChoice([self.name_class(*one) for one in inner])
        but: NameClass | None = None
        if inner:
            one, child, within = inner[0]
            parts = list(self.inner(child, within))
            if one != "except" or len(inner) > 1 or not parts:
                raise wrong(child, f"<{kind}> has at most one <except> in it, which is not empty")
            for name, part, _ in parts:
                if name not in NAMES or name == "anyName" or (kind == name == "nsName"):
                    raise wrong(part, f"<{name}> is not allowed in the <except> of <{kind}>")
            but = NameChoice([self.name_class(*part) for part in parts])
        return AnyName(but) if kind == "anyName" else NsName(around.ns, but)

    def check_attribute_names(self, name_class: NameClass, element: Element) -> None:
        """Refuse xmlns as the name of an attribute."""
        rest: list[NameClass] = [name_class]
        while rest:
            one = rest.pop()
            if isinstance(one, NameChoice):
                rest += one.classes
            elif (isinstance(one, Name) and one.name == "xmlns") or (
                (isinstance(one, Name) and one.name.startswith(f"{{{_XMLNS}"))
                or (isinstance(one, NsName) and one.namespace.startswith(_XMLNS))
            ):
                raise wrong(
                    element,
                    "an attribute pattern must not name xmlns",
                    "a declaration of a namespace is no attribute",
                )
