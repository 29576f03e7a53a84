"""What schemas/quorum-disk.xsd says against a disk, in virtquorum's words and places.

XSD 1.1 counts and excludes (``xs:assert``), which RELAX NG cannot.  The
validator is the xmlschema package; it gets a tree that is made of our own
elements, so nothing is read, located or fetched on behalf of a document.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from virtquorum.check.rule import Problem
from virtquorum.schema_files import schema_directory
from virtquorum.xml.document import Element

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element as Tree

    from xmlschema import XMLSchema11, XMLSchemaValidationError

__all__ = ["ASSERTIONS", "xsd_problems"]

_SCHEMA: Final = "quorum-disk.xsd"
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_XML: Final = "http://www.w3.org/XML/1998/namespace"

#: A chain is validated in pieces of so many levels: the validator works by recursion, and
#: an assertion looks at all that is below its element.
_PIECE: Final = 12
#: No valid element lies deeper below the <backingStore> or <dataStore> that it belongs to.
_DEEPEST: Final = 10

#: For each xs:assert, by its id without '-below' and '-in-mirror': the attribute that it is about,
#: what is wrong, and what should be.
ASSERTIONS: Final[dict[str, tuple[str | None, str, str | None]]] = {
    "threshold-missing": (
        None,
        "the quorum has no threshold",
        "threshold='N', the number of members that must agree",
    ),
    "threshold-above-members": (
        "threshold",
        "the threshold is larger than the number of members",
        "at most the number of <backingStore> members",
    ),
    "empty-member": (
        None,
        "a member of the quorum is empty",
        "a member with <format> and <source>",
    ),
    "blkverify-members": (
        "blkverify",
        "blkverify='on' takes exactly two members and threshold='2'",
        "two members and threshold='2', or blkverify='off'",
    ),
    "fifo-rewrite": (
        "rewrite_corrupted",
        "rewrite_corrupted='on' cannot be used with read_pattern='fifo', which votes on nothing",
        "no rewrite_corrupted, or no read_pattern",
    ),
    "fifo-blkverify": (
        "blkverify",
        "blkverify='on' cannot be used with read_pattern='fifo', which compares nothing",
        "no blkverify, or no read_pattern",
    ),
    "blkverify-rewrite": (
        "rewrite_corrupted",
        "rewrite_corrupted='on' cannot be used with blkverify='on'",
        "one of the two",
    ),
    "nodename-of-no-member": (
        "nodename",
        "only a member of a quorum can have a nodename",
        None,
    ),
    "format-missing": (None, "the backing store has no <format>", "<format type='…'/>"),
    "lun-location": (
        "device",
        "a disk with device='lun' must be of type 'block', 'volume' or 'network'",
        "'block', 'volume' or 'network'",
    ),
    "lun-only": ("rawio", "'rawio' and 'sgio' are for device='lun' only", None),
    "throttled-twice": (
        None,
        "<iotune> and <throttlefilters> exclude each other",
        "one of the two",
    ),
    "fdgroup-of-nothing": ("fdgroup", "'fdgroup' without 'file'", None),
    "ssh-login-twice": (None, "<auth> and <identity> exclude each other", "one of the two"),
    "ssh-key": (None, "a login needs one key", "either 'keyfile' or 'agentsock'"),
    "host-socket": (
        "transport",
        "a host over 'unix' has a socket, and neither name nor port",
        "socket='/path'",
    ),
    "host-name": (None, "a host has a name, and a socket only over transport='unix'", "name='…'"),
    "secret-name": (None, "a secret is named once", "either 'uuid' or 'usage'"),
    "encryption-secret-name": (None, "a secret is named once", "either 'uuid' or 'usage'"),
    "cipher-alone": (
        None,
        "<cipher> and <ivgen> go together, in this order, and with a <secret>",
        None,
    ),
    "cipher-mode": (None, "'mode' and 'hash' of a cipher go together", None),
    "seclabel-choice": (
        None,
        "a label of an image either has <label>, or relabel='no', or labelskip='yes'",
        None,
    ),
    "zpci-of-pci": (None, "<zpci> is for addresses of type='pci'", None),
    "ccw-whole": (None, "a ccw address is whole or empty", "'cssid', 'ssid' and 'devno'"),
    "mirror-job": (None, "the block job is not named", "job='copy' or job='active-commit'"),
    "mirror-file": ("file", "'file' is for a copy to a file, and no other job", None),
    "mirror-format": ("format", "'format' without 'file'", "a <format> element"),
    **{
        f"total-{one.replace('_', '-')}": (
            None,
            f"<total_{one}> excludes <read_{one}> and <write_{one}>",
            "the total, or reads and writes apart",
        )
        for one in (
            "bytes_sec",
            "iops_sec",
            "bytes_sec_max",
            "iops_sec_max",
            "bytes_sec_max_length",
            "iops_sec_max_length",
        )
    },
}

_TWO_POLICIES: Final = ("blkverify", "rewrite_corrupted")

_NOTHING: Final = "nothing"
#: What the values of a simple type are, by its name in the schema.
_VALUES: Final = {
    "nothing": _NOTHING,
    "vote": "a whole number from 1 to 2147483647",
    "unsigned-int": "a whole number from 0 to 4294967295",
    "unsigned-long": "a whole number from 0",
    "limit": "a whole number from 0",
    "positive": "a whole number from 1",
    "integer": "a whole number",
    "sixteen-bits": "a number from 0 to 65535, or hexadecimal as in '0x1f'",
    "thirty-two-bits": "a number from 0 to 4294967295, or hexadecimal as in '0x1f'",
    "pci-bus": "a number from 0 to 255, or hexadecimal as in '0x1f'",
    "pci-slot": "a number from 0 to 31, or hexadecimal as in '0x1f'",
    "pci-function": "a number from 0 to 7",
    "ccw-cssid": "a number from 0 to 254, or hexadecimal as in '0xfe'",
    "ccw-ssid": "a number from 0 to 3",
    "ccw-devno": "a number from 0 to 65535, or hexadecimal as in '0x1f'",
    "two-digits": "a number of one or two digits",
    "drive-unit": "a number of at most five digits",
    "usb-bus": "a hexadecimal number of at most three digits",
    "usb-port": "at most four numbers with dots between them, as in '1.2'",
    "spapr-register": "a hexadecimal number of at most eight digits",
    "isa-iobase": "a hexadecimal number as in '0x1f0'",
    "isa-irq": "a hexadecimal number as in '0x5'",
    "hexadecimal": "a hexadecimal number in lower case, as in '0x1f'",
    "unit": "a unit such as 'bytes', 'KiB' or 'MB'",
    "word": "letters, digits, '_', '+' and '-'",
    "line": "a text of one line",
    "pool": "a name without '/'",
    "volume": "a file name without '/'",
    "path": "an absolute path",
    "path-or-vmware": "an absolute path, or VMware's '[datastore] path'",
    "path-or-device": "an absolute path or the name of a device",
    "uuid": "a UUID",
    "target-dev": "a name such as 'vda', 'sda', 'hda' or 'fda'",
    "loadparm": "at most eight letters, digits, dots and spaces",
    "alias-name": "letters, digits, '_', '-' and '.'",
    "serial": "letters, digits, spaces, '_', '.', '+' and '-'",
    "wwn": "16 hexadecimal digits",
    "vendor": "at most 8 printable ASCII characters",
    "product": "at most 40 printable ASCII characters",
    "cookie-name": "a cookie's name by RFC 6265",
    "cookie-value": "a cookie's value by RFC 6265",
    "host-name": "a host name or an IP address",
}

#: The attributes by which the schema chooses the type of their element (xs:alternative).
_KINDS: Final = {
    ("disk", "type"),
    ("backingStore", "type"),
    ("mirror", "type"),
    ("dataStore", "type"),
    ("address", "type"),
    ("source", "protocol"),
}

_Prefixes = dict[str, str]

#: How the validator names the attribute that an error is about.
_ATTRIBUTE: Final = re.compile(r"attribute ([^\s=]+)=")
#: What Python takes for white space or a digit, and with it the validator, but XML does not.
_STRANGE: Final = re.compile(r"(?![ \t\r\n0-9])[\s\d]")
_NAMED: Final = re.compile(r"'([^']*)'")
_LONGEST: Final = 60


def xsd_problems(disks: Sequence[Element]) -> list[Problem]:
    """What the XSD says against ``<disk>`` elements, in the order of the document.

    Each problem is at the element, the attribute or the text that it is
    about.
    """
    found: list[_Error] = []
    for disk in disks:
        for piece in _pieces(disk):
            found += [(one.element, one) for one in piece.problems]
            for error in _schema().iter_errors(piece.tree):
                element = piece.elements.get(id(error.elem))
                if element is not None:
                    found.append((element, _problem(error, element, piece)))
    return sorted(_once(found), key=lambda one: one.element.start)


#: The element that the validator found to be invalid, and the problem, which may be further down.
_Error = tuple[Element, Problem]


def _once(errors: list[_Error]) -> list[Problem]:
    """Without what follows from something else that is said.

    One value can break a pattern, be no number, and be too large, all three;
    and where the attribute is wrong that says what an element may have,
    nothing that it has can be right.
    """
    values: dict[object, Problem] = {}
    unknown: set[int] = set()
    for element, one in errors:
        if one.message.startswith("value "):
            values.setdefault((id(one.element), one.attribute, one.text), one)
            if (element.name, one.attribute) in _KINDS:
                unknown.add(id(element))
    others = {
        (id(one.element), one.attribute, one.text, one.message): one
        for element, one in errors
        if id(element) not in unknown and (id(one.element), one.attribute, one.text) not in values
    }
    return [*values.values(), *others.values()]


@lru_cache(maxsize=1)
def _schema() -> XMLSchema11:
    from xmlschema import XMLSchema11

    return XMLSchema11(os.path.join(schema_directory(), _SCHEMA))


# The tree that is validated


class _Piece:
    """A tree for the validator, which of its elements is which of ours, and what is wrong already.

    Elements that are not the document's, but hold a piece together, are in
    no one's way: they are valid, and have no entry.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.elements: dict[int, Element] = {}
        self.problems: list[Problem] = []


def _pieces(disk: Element) -> Iterator[_Piece]:
    """A disk as trees of bounded depth: where one is cut, a stub is left, and the rest follows."""
    rest: list[tuple[Element, _Prefixes]] = [(disk, {"xml": _XML})]
    while rest:
        top, outer = rest.pop()
        root, holder = (None, None) if top is disk else _holder(top)
        piece: _Piece | None = None
        inner: list[tuple[Element, _Prefixes, Tree | None, int, int]] = [(top, outer, holder, 0, 0)]
        while inner:
            one, prefixes, above, stores, depth = inner.pop()
            if one is not top and one.name in ("backingStore", "dataStore"):
                stores, depth = stores + 1, 0
                if stores > _PIECE and one.elements():
                    assert piece is not None
                    assert above is not None
                    piece.elements[id(_stub(one, above))] = one
                    rest.append((one, prefixes))
                    continue
            prefixes = _declared(one, prefixes)
            tree = _tree(one, prefixes, above)
            if piece is None:
                piece = _Piece(tree if root is None else root)
            piece.elements[id(tree)] = one
            piece.problems += _foreign_instructions(one, tree)
            if depth <= _DEEPEST:  # what is deeper lies in something that is wrong itself
                inner += [
                    (child, prefixes, tree, stores, depth + 1) for child in reversed(one.elements())
                ]
        assert piece is not None
        yield piece


def _declared(element: Element, prefixes: _Prefixes) -> _Prefixes:
    """The prefixes that hold inside an element; '' is the default namespace."""
    own = {
        name.partition(":")[2]: value
        for name, value in element.attributes.items()
        if name == "xmlns" or name.startswith("xmlns:")
    }
    return {**prefixes, **own} if own else prefixes


def _qualified(name: str, prefixes: _Prefixes, *, attribute: bool = False) -> str:
    """A name as ElementTree has it: '{namespace}local'."""
    prefix, _, local = name.rpartition(":")
    namespace = "" if attribute and not prefix else prefixes.get(prefix, prefix)
    return f"{{{namespace}}}{local}" if namespace else local


def _tree(element: Element, prefixes: _Prefixes, above: Tree | None) -> Tree:
    """One element for the validator, without its child elements."""
    from xml.etree import ElementTree

    name = _qualified(element.name, prefixes)
    attributes = {
        _qualified(attribute, prefixes, attribute=True): (
            _STRANGE.sub("\N{REPLACEMENT CHARACTER}", value)
        )
        for attribute, value in element.attributes.items()
        if attribute != "xmlns" and not attribute.startswith("xmlns:")
    }
    if above is None:
        tree = ElementTree.Element(name, attributes)
    else:
        tree = ElementTree.SubElement(above, name, attributes)
    tree.text = _STRANGE.sub("\N{REPLACEMENT CHARACTER}", element.text)
    return tree


def _foreign_instructions(element: Element, tree: Tree) -> Iterator[Problem]:
    """Take away the attributes by which a document tells a validator what to do (xsi:type)."""
    names = [name for name in tree.attrib if name.startswith(_XSI)]
    for name in names:
        del tree.attrib[name]
        attribute = _spelled(name, element)
        yield Problem(element, f"attribute '{attribute}' is not allowed here", attribute)


def _is_quorum(element: Element) -> bool:
    return element.attributes.get("type", "").strip() == "quorum"


def _holder(top: Element) -> tuple[Tree, Tree]:
    """A valid disk that needs nothing but ``top``, and the element in it for ``top``."""
    from xml.etree.ElementTree import Element as Root
    from xml.etree.ElementTree import SubElement

    is_member = isinstance(top.parent, Element) and _is_quorum(top.parent)
    disk = Root("disk", {"type": "quorum", "threshold": "1"} if is_member else {})
    SubElement(disk, "target", {"dev": "vda"})
    return disk, SubElement(disk, "source") if top.name == "dataStore" else disk


def _stub(element: Element, above: Tree) -> Tree:
    """The least that stands for an element which is validated on its own."""
    from xml.etree.ElementTree import SubElement

    # What the element above says of its <backingStore> is that only members have a nodename.
    told = "nodename" in element.attributes and not _is_quorum(element)
    stub = SubElement(above, element.name, {"nodename": "x"} if told else {})
    SubElement(stub, "format", {"type": "raw"})
    return stub


# What the validator says


def _problem(error: XMLSchemaValidationError, element: Element, piece: _Piece) -> Problem:
    """What an error of the validator's says of an element, in our words."""
    from xmlschema import XMLSchemaChildrenValidationError
    from xmlschema.validators import XsdAssert

    if isinstance(error.validator, XsdAssert):
        return _assertion(element, str(error.validator.elem.get("id")))
    if isinstance(error, XMLSchemaChildrenValidationError):
        return _children(element, error, piece)
    reason = error.reason or "invalid"
    attribute = _ATTRIBUTE.match(reason)
    if attribute is not None:
        name = _spelled(attribute[1], element)
        value = _short(element.attributes.get(name, ""))
        return Problem(
            element,
            f"value '{value}' of attribute '{name}' is invalid",
            name,
            expected=_values(error, name),
        )
    named = _NAMED.search(reason)
    if "attribute not allowed" in reason and named is not None:
        name = _spelled(named[1], element)
        return Problem(element, f"attribute '{name}' is not allowed here", name)
    if "missing required attribute" in reason and named is not None:
        name = named[1]
        return Problem(
            element,
            f"<{element.name}> has no attribute '{name}'",
            expected=_with_name(name, _words(name)),
        )
    if "child elements" in reason and "between" not in reason:
        child = element.elements()[0]
        return Problem(child, f"<{child.name}> is not allowed in <{element.name}>")
    if "character data" in reason:
        return Problem(element, f"text is not allowed in <{element.name}>", text=True)
    if element.elements() or _values(error, element.name) == _NOTHING:
        return Problem(element, f"text is not allowed in <{element.name}>", text=True)
    return Problem(
        element,
        f"value '{_short(element.text)}' of <{element.name}> is invalid",
        text=True,
        expected=_values(error, element.name),
    )


def _assertion(element: Element, assertion: str) -> Problem:
    """The problem of an xs:assert, at the element that has what it is about."""
    name = assertion.removesuffix("-below").removesuffix("-in-mirror")
    attribute, message, expected = ASSERTIONS[name]
    if name == "nodename-of-no-member":
        element = next(
            one
            for one in element.elements("backingStore")
            if "nodename" in one.attributes and not _is_quorum(one)
        )
    elif name == "empty-member":
        element = next(
            one
            for one in element.elements("backingStore")
            if not one.attributes and not one.elements()
        )
    elif name == "blkverify-members":
        element = next(
            one
            for one in (*element.elements("driver"), *element.elements("format"))
            if "blkverify" in one.attributes
        )
    elif name == "threshold-above-members" and "threshold" not in element.attributes:
        element, attribute = element.elements("threshold")[0], "value"
    elif name == "blkverify-rewrite":
        # The rule of the same matter is at the later one too.
        attribute = [one for one in element.attributes if one in _TWO_POLICIES][-1]
    elif name == "lun-only" and "rawio" not in element.attributes:
        attribute = "sgio"
    return Problem(element, message, attribute, expected=expected)


def _children(element: Element, error: Any, piece: _Piece) -> Problem:
    """A child too many, or one that is missing."""
    expected = [one.local_name for one in error.expected or () if getattr(one, "local_name", None)]
    words = " or ".join(f"<{one}>" for one in dict.fromkeys(expected)) or None
    if error.invalid_tag is None:
        if _is_quorum(element) and "backingStore" in expected:
            return Problem(element, "the quorum has no members", expected="<backingStore> members")
        missing = f"<{expected[0]}>" if len(expected) == 1 else "something"
        return Problem(element, f"{missing} is missing in <{element.name}>", expected=words)
    child = piece.elements[id(error.elem[error.index])]
    namespace = str(error.invalid_tag)[1:].rpartition("}")[0]
    if namespace:
        message = f"<{child.name}> of namespace '{_short(namespace)}' is not allowed here"
    elif any(one.name == child.name for one in element.elements() if one.start < child.start):
        message = f"a second <{child.name}> is not allowed in <{element.name}>"
    elif child.name == "source" and _is_quorum(element):
        message = "a quorum has no <source>: its data are in its members"
        words = "<backingStore> members"
    else:
        message = f"<{child.name}> is not allowed in <{element.name}>"
    return Problem(child, message, expected=words)


def _spelled(name: str, element: Element) -> str:
    """An attribute's name as the document spells it."""
    if not name.startswith("{"):
        return name
    namespace, _, local = name[1:].rpartition("}")
    prefixes: _Prefixes = {}
    one: object = element
    while isinstance(one, Element):
        prefixes = {**_declared(one, {}), **prefixes}
        one = one.parent
    prefixes.setdefault("xml", _XML)
    for prefix, declared in prefixes.items():
        if prefix and declared == namespace and f"{prefix}:{local}" in element.attributes:
            return f"{prefix}:{local}"
    return local


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"


def _values(error: XMLSchemaValidationError, name: str) -> str | None:
    """What a value of an attribute or of an element's text should be."""
    one: Any = error.validator
    choices = getattr(one, "enumeration", None)
    while one is not None:
        words = _VALUES.get(getattr(one, "local_name", None) or "")
        if words is not None:
            return words
        choices = choices or getattr(one, "enumeration", None)
        one = getattr(one, "parent", None)
    return (
        _choices(choices)
        if choices
        else _words(name, text=not _ATTRIBUTE.match(error.reason or ""))
    )


def _choices(choices: Sequence[object]) -> str:
    return ", ".join(f"'{one}'" for one in choices)


def _with_name(name: str, words: str | None) -> str:
    return f"{name}='…': {words}" if words else f"{name}='…'"


def _words(name: str, *, text: bool = False) -> str | None:
    """What values an attribute (or text an element) takes that has one type wherever it is."""
    types = _types()[text].get(name, {})
    if len(types) != 1:
        return None
    type = next(iter(types.values()))
    choices = getattr(type, "enumeration", None)
    return _choices(choices) if choices else _VALUES.get(type.local_name or "")


_SimpleTypes = dict[str, dict[str, Any]]


@lru_cache(maxsize=1)
def _types() -> tuple[_SimpleTypes, _SimpleTypes]:
    """The simple types of all attributes, and of all elements' texts, by their and its names."""
    attributes: _SimpleTypes = {}
    texts: _SimpleTypes = {}
    type: Any  # whether it is simple or complex, mypy cannot see
    for type in _schema().types.values():
        if type.is_complex():
            for name, attribute in type.attributes.items():
                own = attributes.setdefault(name or "", {})
                own[attribute.type.local_name or ""] = attribute.type
            if type.has_complex_content():
                for child in type.content.iter_elements():
                    simple = child.type.simple_type
                    if simple is not None:
                        texts.setdefault(child.local_name or "", {})[simple.local_name or ""] = (
                            simple
                        )
    return attributes, texts
