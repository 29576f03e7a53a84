"""The fast way to "nothing to find": libxml2 for the grammar, and the rules without places.

A clean document is read once, by libxml2, validated by it, and the rules look
at disks made of its tree.  Whatever is not clean, or not plain enough to be
sure, is for ``engine.py``, which reads the document anew with all its places.

libxml2's validator takes exponential time on some documents, valid ones among
them, and cannot be interrupted: only a process that can be killed may ask it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from virtquorum.xml.document import Document, Element, Markup
from virtquorum.xml.domain import ROOTS
from virtquorum.xml.parse import parse_disk

if TYPE_CHECKING:
    from virtquorum.check.engine import Options, Rules

__all__ = ["Screen"]

_DECLARED: Final = re.compile(rb"<\?xml[^>]*\bencoding\s*=\s*['\"](?!utf-8['\"])", re.IGNORECASE)
#: What libxml2's parser may pass over and ours refuses, or what only the whole reading sees.
_NOT_PLAIN: Final = (b"<!DOCTYPE", b"virtquorum:", b"\0")
#: Such a document's disks are direct: no snapshot or status file around the domain.
_PLAIN: Final = {"domain": "devices/disk"}


class Screen:
    """Looks at documents in a hurry."""

    def __init__(self, options: Options, rules: Rules) -> None:
        from lxml import etree

        self._etree: Any = etree
        self._parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        self._options = options
        self._rules = rules
        self._grammars: dict[tuple[str, bool], Any] = {}
        self._disks: dict[str, Any] = {
            name: etree.ETXPath(f"/{name}/{path}") for name, path in _PLAIN.items()
        }
        # No element deeper than the bound: a path of that many steps finds nothing.
        self._too_deep = etree.XPath(f"boolean({'/*' * (options.limits.depth + 1)})")
        self._nowhere = _nowhere()

    def prepare(self, root: str) -> None:
        """Build the grammar for a root element now, before processes are parted."""
        self._grammar(root, quorum=False)
        self._grammar(root, quorum=True)

    def look(self, raw: bytes) -> tuple[bool, str | None]:
        """Whether a document is clean for sure, and what libxml2's grammar says against it."""
        if (
            raw[:2] in (b"\xff\xfe", b"\xfe\xff")
            or any(one in raw for one in _NOT_PLAIN)
            or _DECLARED.match(raw, 0, 200)
        ):
            return False, None
        try:
            root = self._etree.fromstring(raw, self._parser)
        except (self._etree.XMLSyntaxError, ValueError):
            return False, None
        limits = self._options.limits
        if (
            len(raw) > limits.size
            or raw.count(b"<") > limits.elements
            or (raw.count(b"</") >= limits.depth and self._too_deep(root.getroottree()))
        ):
            return False, None
        name = root.tag
        grammar = self._grammar(name, quorum=b"quorum" in raw)
        if grammar is None:
            return False, None
        if not grammar.validate(root):
            log = grammar.error_log
            return False, log[0].message if len(log) else "the document is not valid"
        if name not in ROOTS:
            return True, None
        found = self._disks.get(name)
        if found is None:
            return False, None
        disks = [parse_disk(_element(one, self._nowhere)) for one in found(root)]
        return next(self._rules.problems(None, raw, disks), None) is None, None

    def _grammar(self, root: str, *, quorum: bool) -> Any:
        """The grammar for a root element: libvirt's, with quorum disks where there may be one.

        None where the explainer decides.  What we add needs the word, and
        building the additions takes as long again as all of libvirt's.
        """
        key = "" if self._options.schema is not None else root, quorum
        if key not in self._grammars:
            self._grammars[key] = self._build(root, quorum=quorum)
        return self._grammars[key]

    def _build(self, root: str, *, quorum: bool) -> Any:
        etree = self._etree
        options = self._options
        if options.grammar != "rng" or options.images:
            return None
        path: str
        texts: dict[str, bytes] = {}
        if options.schema is not None:
            path = options.schema
        elif root == "domain" and not quorum and options.libvirt_schemas is not None:
            path = os.path.join(options.libvirt_schemas, "domain.rng")
        else:
            from virtquorum.check.grammar import grammar_for

            text = grammar_for(root, options.libvirt_schemas)
            if text is None or not text.whole:
                return None
            path, texts = text.path, dict(text.texts)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            tree = (
                etree.fromstring(texts[path], parser, base_url=path).getroottree()
                if path in texts
                else etree.parse(path, parser)
            )
            if len(texts) > 1 or tree.docinfo.internalDTD is not None:
                return None
            return etree.RelaxNG(tree)
        except (etree.LxmlError, OSError):
            return None  # our own reader says what is wrong with it


def _nowhere() -> Document:
    """A document for elements whose places are not known."""
    document = Document.__new__(Document)
    document.data = b""
    document.name = ""
    document._lines = [0]
    document._last = (0, 0, 1)
    document._counted = {}
    return document


def _element(top: Any, parent: Element | Document) -> Element:
    """An element of libxml2's tree and all below it as ours, without their places."""
    made = _bare(top, parent)
    rest = [(top, made)]
    while rest:
        one, own = rest.pop()
        children: list[Element | Markup | str] = []
        text = one.text
        leaf = not len(one)
        if text and (leaf or not text.isspace()):
            children.append(text)
        for below in one:
            if below.tag.__class__ is str:
                child = _bare(below, own)
                children.append(child)
                rest.append((below, child))
            else:
                children.append(Markup(None, below.text or ""))
            text = below.tail
            if text and not text.isspace():
                children.append(text)
        own.children = children
    return made


def _bare(one: Any, parent: Element | Document) -> Element:
    name = one.tag
    if name[0] == "{":
        name = name.partition("}")[2]
        name = f"{one.prefix}:{name}" if one.prefix else name
    return Element(name, dict(one.attrib), 0, parent)
