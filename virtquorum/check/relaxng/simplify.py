"""From the XML of a grammar to nodes: section 4 of the RELAX NG specification.

Annotations are dropped, ``ns`` and ``datatypeLibrary`` are handed down,
includes, external references and grammars in grammars are resolved, and
every short form is spelled with the few kinds that ``Node`` names.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.datatypes import DatatypeError, datatype
from virtquorum.check.relaxng.files import Files
from virtquorum.check.relaxng.grammar_error import GrammarError, wrong
from virtquorum.check.relaxng.node import Node, Scope
from virtquorum.check.relaxng.surface import NAMES, RNG, XML, Around, Surface
from virtquorum.xml.document import SPACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from virtquorum.check.relaxng.datatypes import Datatype
    from virtquorum.check.relaxng.name_class import NameClass
    from virtquorum.xml.document import Element

__all__ = ["simplify"]

_SEVERAL: Final = {
    "group": "group",
    "interleave": "interleave",
    "choice": "choice",
    "optional": "group",
    "zeroOrMore": "group",
    "oneOrMore": "group",
    "mixed": "group",
    "list": "group",
}
_LEAVES: Final = frozenset({"empty", "text", "notAllowed", "ref", "parentRef", "externalRef"})
_PATTERNS: Final = frozenset(
    {*_SEVERAL, *_LEAVES, "element", "attribute", "data", "value", "grammar"}
)
_GRAMMAR: Final = frozenset({"start", "define", "div", "include"})


class _Overrides:
    """The definitions that an ``<include>`` puts in the place of others."""

    def __init__(self) -> None:
        self.places: dict[str, Element] = {}
        self.seen: set[str] = set()


def simplify(path: str, texts: Mapping[str, bytes] | None) -> Node:
    """The pattern that a whole document must match; raises GrammarError."""
    return _Simplifier(Files(texts)).read(os.path.abspath(path))


class _Simplifier(Surface):
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
        around = Around("", "", {"xml": XML}, None)
        node = self.pattern(root, self.entered(root, around))
        self.resolve()
        return node

    def node(self, kind: str, place: Element, children: Sequence[Node] = ()) -> Node:
        self.number += 1
        return Node(kind, place, self.number, children)

    # Patterns.

    def pattern(self, element: Element, around: Around) -> Node:
        """The node of a pattern; ``around`` is what its content has around it."""
        kind = self.kind(element, around)
        if kind not in _PATTERNS:
            raise wrong(
                element,
                f"<{element.name}> is no pattern of RELAX NG",
                f"the root is one of {', '.join(sorted(_PATTERNS))} in the namespace {RNG}",
            )
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

    def patterns(self, element: Element, around: Around) -> list[Node]:
        return [self.within(*one, element) for one in self.inner(element, around)]

    def within(self, kind: str, child: Element, around: Around, parent: Element) -> Node:
        if kind not in _PATTERNS:
            raise wrong(
                child,
                f"<{kind}> is not allowed in <{parent.name}>",
                f"a pattern is expected: {', '.join(sorted(_PATTERNS))}",
            )
        return self.pattern(child, around)

    def several(self, kind: str, element: Element, around: Around) -> Node:
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

    def named(self, kind: str, element: Element, around: Around) -> Node:
        """An element or attribute pattern."""
        inner = list(self.inner(element, around))
        written = element.attributes.get("name")
        if written is not None:
            # An attribute's name has no namespace unless ns stands on the attribute itself.
            ns = around.ns if kind == "element" else element.attributes.get("ns", "")
            name_class: NameClass = self.name(written, element, around, ns)
        else:
            if not inner or inner[0][0] not in NAMES:
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

    def data(self, element: Element, around: Around) -> Node:
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
                raise wrong(
                    child,
                    f"<{kind}> is not allowed here in <data>",
                    "it has <param>s, and behind them one <except>",
                )
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

    def value(self, element: Element, around: Around) -> Node:
        self.nothing_in(element, around)
        name = element.attributes.get("type")
        library = "" if name is None else around.library
        node = self.node("value", element)
        node.datatype = self.datatype_of(element, library, name or "token", ())
        # The default namespace of a QName is what ns says.
        node.value = node.datatype.value(element.text, {**around.prefixes, "": around.ns})
        node.text = node.datatype.normal(element.text)
        if node.value is None:
            raise wrong(
                element,
                f"'{node.text}' is no value of the type '{node.datatype.name}'",
                "write a value of the type, or another type",
            )
        return node

    # Grammars.

    def grammar(self, element: Element, around: Around) -> Node:
        scope = Scope(around.scope, element)
        self.scopes.append(scope)
        self.components(element, around._replace(scope=scope), ())
        return self.to(element, scope, "")

    def reference(self, kind: str, element: Element, around: Around) -> Node:
        self.nothing_in(element, around)
        scope = around.scope
        if scope is not None and kind == "parentRef":
            scope = scope.parent
        if scope is None:
            raise wrong(
                element,
                f"<{kind}> has no <grammar> around it that it could name",
                "put it into one",
            )
        return self.to(element, scope, element.attributes["name"].strip(SPACE))

    def to(self, place: Element, scope: Scope, name: str) -> Node:
        node = self.node("ref", place)
        self.references.append((node, scope, name))
        return node

    def components(
        self, element: Element, around: Around, overrides: tuple[_Overrides, ...]
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
                raise wrong(
                    child,
                    f"<{kind}> is not allowed in <{element.name}>",
                    f"it has {', '.join(sorted(_GRAMMAR))}",
                )

    def define(
        self, kind: str, element: Element, around: Around, overrides: tuple[_Overrides, ...]
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
            raise wrong(
                element,
                f"<{kind}> has {'more than one' if content else 'no'} pattern in it",
                "it needs one",
            )
        assert around.scope is not None
        found = around.scope.definition(name)
        found.nodes.append(self.joined("group", element, content))
        found.places.append(element)
        combine = element.attributes.get("combine")
        if combine is None:
            found.plain += 1
            if found.plain > 1:
                raise wrong(
                    element,
                    f"{_called(name)} is here a second time without 'combine'",
                    f"the first is at {found.places[0]}; write combine='choice' or 'interleave'",
                )
        elif combine.strip(SPACE) not in {"choice", "interleave"}:
            raise wrong(
                element,
                f"the value '{combine}' of 'combine' is not allowed",
                "write 'choice' or 'interleave'",
                attribute="combine",
            )
        elif found.combine not in {None, combine.strip(SPACE)}:
            raise wrong(
                element,
                f"{_called(name)} is combined by '{found.combine}' elsewhere",
                f"write combine='{found.combine}'",
                attribute="combine",
            )
        else:
            found.combine = combine.strip(SPACE)

    def include(self, element: Element, around: Around, outer: tuple[_Overrides, ...]) -> None:
        path = self.files.target(element)
        self.enter(path, element)
        root = self.files.root(path)
        # ns goes down into what is included, datatypeLibrary and prefixes do not.
        within = self.entered(root, Around(around.ns, "", {"xml": XML}, around.scope))
        if self.kind(root, within) != "grammar":
            raise wrong(
                element,
                f"'{path}' is no grammar, but has the root <{root.name}>",
                "use <externalRef> for a pattern",
                attribute="href",
            )
        self.check_attributes("grammar", root, within)
        overrides = _Overrides()
        self.overridden(element, around, overrides)
        self.components(root, within, (*outer, overrides))
        self.open.pop()
        for name, place in overrides.places.items():
            if name not in overrides.seen:
                raise wrong(
                    place,
                    f"{_called(name)} overrides nothing: '{path}' has none",
                    "put it behind the <include>, not into it",
                )
        self.components(element, around, outer)

    def overridden(self, element: Element, around: Around, found: _Overrides) -> None:
        for kind, child, within in self.inner(element, around):
            if kind == "div":
                self.overridden(child, within, found)
            elif kind == "define":
                found.places[child.attributes["name"].strip(SPACE)] = child
            elif kind == "start":
                found.places[""] = child
            else:
                raise wrong(
                    child, f"<{kind}> is not allowed in <include>", "it has define, div and start"
                )

    def external(self, element: Element, around: Around) -> Node:
        self.nothing_in(element, around)
        path = self.files.target(element)
        self.enter(path, element)
        root = self.files.root(path)
        node = self.pattern(
            root, self.entered(root, Around(around.ns, "", {"xml": XML}, around.scope))
        )
        self.open.pop()
        return node

    def enter(self, path: str, element: Element) -> None:
        if path in self.open:
            raise wrong(
                element,
                f"the file '{path}' includes itself",
                f"the way is {' -> '.join((*self.open, path))}",
                attribute="href",
            )
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
