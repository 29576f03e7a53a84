"""From the XML of a grammar to nodes: section 4 of the RELAX NG specification.

Annotations are dropped, ``ns`` and ``datatypeLibrary`` are handed down,
includes, external references and grammars in grammars are resolved, and
every short form is spelled with the few kinds that ``Node`` names.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.check.relaxng.datatypes import DatatypeError, datatype
from virtquorum.check.relaxng.files import Files
from virtquorum.check.relaxng.grammar_error import GrammarError, wrong
from virtquorum.check.relaxng.name_class import (
    AnyName,
    Name,
    NameChoice,
    NameClass,
    NsName,
    join_name,
)
from virtquorum.check.relaxng.node import Node, Scope
from virtquorum.xml.document import SPACE, Element

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from virtquorum.check.relaxng.datatypes import Datatype

__all__ = ["RNG", "simplify"]

RNG: Final = "http://relaxng.org/ns/structure/1.0"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
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
_SEVERAL: Final = {
    "group": "group", "interleave": "interleave", "choice": "choice", "optional": "group",
    "zeroOrMore": "group", "oneOrMore": "group", "mixed": "group", "list": "group",
}  # fmt: skip
_LEAVES: Final = frozenset({"empty", "text", "notAllowed", "ref", "parentRef", "externalRef"})
_PATTERNS: Final = frozenset(
    {*_SEVERAL, *_LEAVES, "element", "attribute", "data", "value", "grammar"}
)
_NAMES: Final = frozenset({"name", "anyName", "nsName", "choice"})
_GRAMMAR: Final = frozenset({"start", "define", "div", "include"})
_TEXTS: Final = frozenset({"name", "value", "param"})


class _Around(NamedTuple):
    """What an element of a grammar has from those around it."""

    ns: str
    library: str
    prefixes: Mapping[str, str]
    scope: Scope | None


class _Overrides:
    """The definitions that an ``<include>`` puts in the place of others."""

    def __init__(self) -> None:
        self.places: dict[str, Element] = {}
        self.seen: set[str] = set()


def simplify(path: str, texts: Mapping[str, bytes] | None) -> Node:
    """The pattern that a whole document must match; raises GrammarError."""
    return _Simplifier(Files(texts)).read(os.path.abspath(path))


class _Simplifier:
    def __init__(self, files: Files) -> None:
        self.files = files
        self.number = 0
        #: The files that are being read, from the outermost on.
        self.open: list[str] = []
        self.scopes: list[Scope] = []
        self.references: list[tuple[Node, Scope, str]] = []

    def read(self, path: str) -> Node:
        root = self.files.root(path)
        self.open.append(path)
        around = _Around("", "", {"xml": _XML}, None)
        node = self.pattern(root, self.entered(root, around))
        self.resolve()
        return node

    # What stands around an element, and in it.

    def entered(self, element: Element, around: _Around) -> _Around:
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
        return _Around(ns, library, prefixes, scope)

    def kind(self, element: Element, around: _Around) -> str | None:
        """The element's name in RELAX NG; None for an annotation."""
        prefix, _, local = element.name.rpartition(":")
        return local if around.prefixes.get(prefix, "") == RNG else None

    def inner(self, element: Element, around: _Around) -> Iterator[tuple[str, Element, _Around]]:
        """The child elements that are RELAX NG: name, element, and what it has around its content.

        Their attributes have been checked.
        """
        kept = self.kind(element, around) in _TEXTS
        for child in element.children:
            if child.__class__ is str:
                if not kept and child.strip(SPACE):
                    raise wrong(element, f"<{element.name}> must not hold the text '{child.strip()}'",
                                "remove it")  # fmt: skip
            elif child.__class__ is Element:
                within = self.entered(child, around)
                kind = self.kind(child, within)
                if kind is not None:
                    self.check_attributes(kind, child, within)
                    yield kind, child, within

    def check_attributes(self, kind: str, element: Element, around: _Around) -> None:
        known = _ATTRIBUTES.get(kind, {})
        for name in element.attributes:
            if name in known or name in {"ns", "datatypeLibrary", "xmlns"}:
                continue
            prefix, colon, _ = name.partition(":")
            if colon and (prefix == "xmlns" or around.prefixes.get(prefix) != RNG):
                continue
            raise wrong(
                element, f"attribute '{name}' is not allowed on <{kind}>",
                f"it has {', '.join((*known, 'ns', 'datatypeLibrary'))}", attribute=name,
            )  # fmt: skip
        for name, needed in known.items():
            if needed and name not in element.attributes:
                raise wrong(element, f"<{kind}> lacks attribute '{name}'", f"write {name}='…'")

    def node(self, kind: str, place: Element, children: Sequence[Node] = ()) -> Node:
        self.number += 1
        return Node(kind, place, self.number, children)

    # Patterns.

    def pattern(self, element: Element, around: _Around) -> Node:
        """The node of a pattern; ``around`` is what its content has around it."""
        kind = self.kind(element, around)
        if kind not in _PATTERNS:
            raise wrong(
                element, f"<{element.name}> is no pattern of RELAX NG",
                f"the root is one of {', '.join(sorted(_PATTERNS))} in the namespace {RNG}",
            )  # fmt: skip
        if self.open and element.parent is element.document:
            self.check_attributes(kind, element, around)
        if kind in _SEVERAL:
            return self.several(kind, element, around)
        match kind:
            case "element" | "attribute":
                return self.named(kind, element, around)
            case "ref" | "parentRef":
                return self.reference(kind, element, around)
            case "data":
                return self.data(element, around)
            case "value":
                return self.value(element, around)
            case "externalRef":
                return self.external(element, around)
            case "grammar":
                return self.grammar(element, around)
        self.nothing_in(element, around)
        return self.node(kind, element)

    def nothing_in(self, element: Element, around: _Around) -> None:
        for kind, child, _ in self.inner(element, around):
            raise wrong(child, f"<{kind}> is not allowed in <{element.name}>", "remove it")

    def patterns(self, element: Element, around: _Around) -> list[Node]:
        return [self.within(*one, element) for one in self.inner(element, around)]

    def within(self, kind: str, child: Element, around: _Around, parent: Element) -> Node:
        if kind not in _PATTERNS:
            raise wrong(child, f"<{kind}> is not allowed in <{parent.name}>",
                        f"a pattern is expected: {', '.join(sorted(_PATTERNS))}")  # fmt: skip
        return self.pattern(child, around)

    def several(self, kind: str, element: Element, around: _Around) -> Node:
        children = self.patterns(element, around)
        if not children:
            raise wrong(element, f"<{kind}> is empty", "it needs at least one pattern")
        node = self.joined(_SEVERAL[kind], element, children)
        if kind in {"oneOrMore", "zeroOrMore"}:
            node = self.node("oneOrMore", element, (node,))
        if kind in {"optional", "zeroOrMore"}:
            return self.node("choice", element, (node, self.node("empty", element)))
        if kind == "mixed":
            return self.node("interleave", element, (node, self.node("text", element)))
        return self.node("list", element, (node,)) if kind == "list" else node

    def joined(self, kind: str, place: Element, children: Sequence[Node]) -> Node:
        return children[0] if len(children) == 1 else self.node(kind, place, children)

    def named(self, kind: str, element: Element, around: _Around) -> Node:
        """An element or attribute pattern."""
        inner = list(self.inner(element, around))
        written = element.attributes.get("name")
        if written is not None:
            # An attribute's name has no namespace unless ns stands on the attribute itself.
            ns = around.ns if kind == "element" else element.attributes.get("ns", "")
            name_class: NameClass = self.name(written, element, around, ns)
        else:
            if not inner or inner[0][0] not in _NAMES:
                raise wrong(element, f"<{kind}> has no name", "write name='…'")
            name_class = self.name_class(*inner.pop(0))
        content = [self.within(*one, element) for one in inner]
        if kind == "attribute" and not content:
            content = [self.node("text", element)]
        if not content or (kind == "attribute" and len(content) > 1):
            raise wrong(
                element,
                f"<{kind}> has {'no' if not content else 'more than one'} pattern in it",
                "write <empty/> for no content" if not content else "put them into one <choice>",
            )
        if kind == "attribute":
            self.check_attribute_names(name_class, element)
        node = self.node(kind, element, (self.joined("group", element, content),))
        node.name_class = name_class
        return node

    def check_attribute_names(self, name_class: NameClass, element: Element) -> None:
        rest: list[NameClass] = [name_class]
        while rest:
            one = rest.pop()
            if isinstance(one, NameChoice):
                rest += one.classes
            elif (isinstance(one, Name) and one.name == "xmlns") or (
                (isinstance(one, Name) and one.name.startswith(f"{{{_XMLNS}"))
                or (isinstance(one, NsName) and one.namespace.startswith(_XMLNS))
            ):
                raise wrong(element, "an attribute pattern must not name xmlns",
                            "a declaration of a namespace is no attribute")  # fmt: skip

    def data(self, element: Element, around: _Around) -> Node:
        parameters: list[tuple[str, str]] = []
        excepted: list[Node] = []
        for kind, child, within in self.inner(element, around):
            if kind == "param" and not excepted:
                self.nothing_in(child, within)
                parameters.append((child.attributes["name"].strip(SPACE), child.text))
            elif kind == "except" and not excepted:
                excepted = self.patterns(child, within)
                if not excepted:
                    raise wrong(child, "<except> is empty", "it needs at least one pattern")
            else:
                raise wrong(child, f"<{kind}> is not allowed here in <data>",
                            "it has <param>s, and behind them one <except>")  # fmt: skip
        node = self.node("data", element, excepted)
        node.datatype = self.datatype_of(
            element, around.library, element.attributes["type"], parameters
        )
        return node

    def datatype_of(
        self, element: Element, library: str, name: str, parameters: Sequence[tuple[str, str]]
    ) -> Datatype:
        try:
            return datatype(library, name.strip(SPACE), parameters)
        except DatatypeError as error:
            raise wrong(element, error.message, error.remedy) from None

    def value(self, element: Element, around: _Around) -> Node:
        self.nothing_in(element, around)
        name = element.attributes.get("type")
        library = "" if name is None else around.library
        node = self.node("value", element)
        node.datatype = self.datatype_of(element, library, name or "token", ())
        # The default namespace of a QName is what ns says.
        node.value = node.datatype.value(element.text, {**around.prefixes, "": around.ns})
        node.text = node.datatype.normal(element.text)
        if node.value is None:
            raise wrong(element, f"'{node.text}' is no value of the type '{node.datatype.name}'",
                        "write a value of the type, or another type")  # fmt: skip
        return node

    # Names.

    def name(self, written: str, element: Element, around: _Around, ns: str) -> Name:
        prefix, colon, local = written.strip(SPACE).rpartition(":")
        if colon:
            if prefix not in around.prefixes:
                raise wrong(element, f"the prefix of the name '{written}' is not declared",
                            f"write xmlns:{prefix}='…' on the <grammar>")  # fmt: skip
            ns = around.prefixes[prefix]
        if not local or any(sign in SPACE for sign in local):
            raise wrong(element, f"'{written}' is no name", "write a name as elements have it")
        return Name(join_name(ns, local))

    def name_class(self, kind: str, element: Element, around: _Around) -> NameClass:
        inner = list(self.inner(element, around))
        if kind == "name":
            return self.name(element.text, element, around, around.ns)
        if kind == "choice":
            for one, child, _ in inner:
                if one not in _NAMES:
                    raise wrong(child, f"<{one}> is not allowed in a choice of names",
                                f"it has {', '.join(sorted(_NAMES))}")  # fmt: skip
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
                if name not in _NAMES or name == "anyName" or (kind == name == "nsName"):
                    raise wrong(part, f"<{name}> is not allowed in the <except> of <{kind}>")
            but = NameChoice([self.name_class(*part) for part in parts])
        return AnyName(but) if kind == "anyName" else NsName(around.ns, but)

    # Grammars.

    def grammar(self, element: Element, around: _Around) -> Node:
        scope = Scope(around.scope, element)
        self.scopes.append(scope)
        self.components(element, around._replace(scope=scope), ())
        return self.to(element, scope, "")

    def reference(self, kind: str, element: Element, around: _Around) -> Node:
        self.nothing_in(element, around)
        scope = around.scope
        if scope is not None and kind == "parentRef":
            scope = scope.parent
        if scope is None:
            raise wrong(element, f"<{kind}> has no <grammar> around it that it could name",
                        "put it into one")  # fmt: skip
        return self.to(element, scope, element.attributes["name"].strip(SPACE))

    def to(self, place: Element, scope: Scope, name: str) -> Node:
        node = self.node("ref", place)
        self.references.append((node, scope, name))
        return node

    def components(
        self, element: Element, around: _Around, overrides: tuple[_Overrides, ...]
    ) -> None:
        """What stands in a ``<grammar>`` or ``<div>``."""
        for kind, child, within in self.inner(element, around):
            if kind == "div":
                self.components(child, within, overrides)
            elif kind == "include":
                self.include(child, within, overrides)
            elif kind in {"define", "start"}:
                self.define(kind, child, within, overrides)
            else:
                raise wrong(child, f"<{kind}> is not allowed in <{element.name}>",
                            f"it has {', '.join(sorted(_GRAMMAR))}")  # fmt: skip

    def define(
        self, kind: str, element: Element, around: _Around, overrides: tuple[_Overrides, ...]
    ) -> None:
        name = element.attributes["name"].strip(SPACE) if kind == "define" else ""
        overridden = False
        for one in overrides:
            if name in one.places:
                one.seen.add(name)
                overridden = True
        if overridden:
            return
        content = self.patterns(element, around)
        if not content or (kind == "start" and len(content) > 1):
            raise wrong(element, f"<{kind}> has {'more than one' if content else 'no'} pattern in it",
                        "it needs one")  # fmt: skip
        assert around.scope is not None
        found = around.scope.definition(name)
        found.nodes.append(self.joined("group", element, content))
        found.places.append(element)
        combine = element.attributes.get("combine")
        if combine is None:
            found.plain += 1
            if found.plain > 1:
                raise wrong(
                    element, f"{_called(name)} is here a second time without 'combine'",
                    f"the first is at {found.places[0]}; write combine='choice' or 'interleave'",
                )  # fmt: skip
        elif combine.strip(SPACE) not in {"choice", "interleave"}:
            raise wrong(element, f"the value '{combine}' of 'combine' is not allowed",
                        "write 'choice' or 'interleave'", attribute="combine")  # fmt: skip
        elif found.combine not in {None, combine.strip(SPACE)}:
            raise wrong(element, f"{_called(name)} is combined by '{found.combine}' elsewhere",
                        f"write combine='{found.combine}'", attribute="combine")  # fmt: skip
        else:
            found.combine = combine.strip(SPACE)

    def include(self, element: Element, around: _Around, outer: tuple[_Overrides, ...]) -> None:
        path = self.files.target(element)
        self.enter(path, element)
        root = self.files.root(path)
        # ns goes down into what is included, datatypeLibrary and prefixes do not.
        within = self.entered(root, _Around(around.ns, "", {"xml": _XML}, around.scope))
        if self.kind(root, within) != "grammar":
            raise wrong(element, f"'{path}' is no grammar, but has the root <{root.name}>",
                        "use <externalRef> for a pattern", attribute="href")  # fmt: skip
        self.check_attributes("grammar", root, within)
        overrides = _Overrides()
        self.overridden(element, around, overrides)
        self.components(root, within, (*outer, overrides))
        self.open.pop()
        for name, place in overrides.places.items():
            if name not in overrides.seen:
                raise wrong(place, f"{_called(name)} overrides nothing: '{path}' has none",
                            "put it behind the <include>, not into it")  # fmt: skip
        self.components(element, around, outer)

    def overridden(self, element: Element, around: _Around, found: _Overrides) -> None:
        for kind, child, within in self.inner(element, around):
            if kind == "div":
                self.overridden(child, within, found)
            elif kind == "define":
                found.places[child.attributes["name"].strip(SPACE)] = child
            elif kind == "start":
                found.places[""] = child
            else:
                raise wrong(child, f"<{kind}> is not allowed in <include>",
                            "it has define, div and start")  # fmt: skip

    def external(self, element: Element, around: _Around) -> Node:
        self.nothing_in(element, around)
        path = self.files.target(element)
        self.enter(path, element)
        root = self.files.root(path)
        node = self.pattern(
            root, self.entered(root, _Around(around.ns, "", {"xml": _XML}, around.scope))
        )
        self.open.pop()
        return node

    def enter(self, path: str, element: Element) -> None:
        if path in self.open:
            raise wrong(element, f"the file '{path}' includes itself",
                        f"the way is {' -> '.join((*self.open, path))}", attribute="href")  # fmt: skip
        self.open.append(path)

    def resolve(self) -> None:
        """Combine the definitions, and lead each reference to its own."""
        for scope in self.scopes:
            for definition in scope.definitions.values():
                kind = definition.combine or "group"
                definition.node = self.joined(kind, definition.places[0], definition.nodes)
        for node, scope, name in self.references:
            found = scope.definitions.get(name)
            if found is None:
                raise _undefined(node, scope, name)
            node.definition = found


def _called(name: str) -> str:
    return f"the definition of '{name}'" if name else "<start>"


def _undefined(node: Node, scope: Scope, name: str) -> GrammarError:
    if not name:
        return wrong(
            node.place, "the grammar has no <start>", "write <start> with its root element"
        )
    from difflib import get_close_matches

    near = get_close_matches(name, [one for one in scope.definitions if one], 1)
    remedy = f"did you mean '{near[0]}'?" if near else "write a <define> for it"
    return wrong(node.place, f"there is no definition of '{name}'", remedy, attribute="name")
