"""The namespaces in scope, and names in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.name_class import join_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OUTERMOST", "attribute_name", "declares", "element_name", "entered"]

#: Prefix to namespace, '' for the default one, where nothing has been declared.
OUTERMOST: Final[Mapping[str, str]] = {"xml": "http://www.w3.org/XML/1998/namespace"}


def declares(attribute: str) -> bool:
    """Whether an attribute is a declaration of a namespace."""
    return attribute.startswith("xmlns") and attribute[5:6] in {"", ":"}


def entered(scope: Mapping[str, str], attributes: Mapping[str, str]) -> Mapping[str, str]:
    """The scope in an element."""
    found: dict[str, str] | None = None
    for name, value in attributes.items():
        if declares(name):
            if found is None:
                found = dict(scope)
            found[name[6:]] = value
    return scope if found is None else found


def element_name(raw: str, scope: Mapping[str, str]) -> str:
    """The name of an element that is written ``raw``."""
    prefix, _, local = raw.rpartition(":")
    return join_name(scope.get(prefix, ""), local)


def attribute_name(raw: str, scope: Mapping[str, str]) -> str:
    """The name of an attribute that is written ``raw``: no prefix is no namespace."""
    prefix, colon, local = raw.rpartition(":")
    return join_name(scope.get(prefix, ""), local) if colon else raw
