"""Name classes: which names an element or attribute pattern takes.

A name is written as one string: 'local' without a namespace, '{uri}local'
with one.  No URI check is made, so the last '}' parts the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AnyName",
    "Name",
    "NameChoice",
    "NameClass",
    "NsName",
    "join_name",
    "overlap",
    "split_name",
]


def join_name(namespace: str, local: str) -> str:
    """The name as one string."""
    return f"{{{namespace}}}{local}" if namespace else local


def split_name(name: str) -> tuple[str, str]:
    """Namespace and local part of a name."""
    if not name.startswith("{"):
        return "", name
    namespace, _, local = name[1:].rpartition("}")
    return namespace, local


class Name:
    """One name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def contains(self, name: str) -> bool:
        """Whether the class takes a name."""
        return name == self.name

    def names(self) -> list[str]:
        """The names that the class spells out."""
        return [self.name]

    @property
    def open(self) -> bool:
        """Whether the class takes names that it does not spell out."""
        return False


class AnyName:
    """Every name but those of ``but``."""

    __slots__ = ("but",)

    def __init__(self, but: NameClass | None = None) -> None:
        self.but = but

    def contains(self, name: str) -> bool:
        """See Name, likewise below."""
        return self.but is None or not self.but.contains(name)

    def names(self) -> list[str]:
        """See Name, likewise below."""
        return []

    @property
    def open(self) -> bool:
        """See Name, likewise below."""
        return True


class NsName:
    """Every name of a namespace but those of ``but``."""

    __slots__ = ("but", "namespace")

    def __init__(self, namespace: str, but: NameClass | None = None) -> None:
        self.namespace = namespace
        self.but = but

    def contains(self, name: str) -> bool:
        """See Name."""
        if split_name(name)[0] != self.namespace:
            return False
        return self.but is None or not self.but.contains(name)

    def names(self) -> list[str]:
        """See Name."""
        return []

    @property
    def open(self) -> bool:
        """See Name."""
        return True


class NameChoice:
    """The names of any of some classes."""

    __slots__ = ("classes",)

    def __init__(self, classes: Sequence[NameClass]) -> None:
        self.classes = tuple(classes)

    def contains(self, name: str) -> bool:
        """See Name."""
        return any(one.contains(name) for one in self.classes)

    def names(self) -> list[str]:
        """See Name."""
        return [name for one in self.classes for name in one.names()]

    @property
    def open(self) -> bool:
        """See Name."""
        return any(one.open for one in self.classes)


NameClass: TypeAlias = Name | AnyName | NsName | NameChoice

#: Parts of names that no grammar spells out: they stand for all others.
_OTHER = "\0"


def overlap(one: NameClass, other: NameClass) -> bool:
    """Whether some name is in both classes (section 7.3 of the specification).

    It is enough to try the names that occur, one other of each namespace that
    occurs, and one of another namespace.
    """
    tried = set(_tried(one)) | set(_tried(other))
    return any(one.contains(name) and other.contains(name) for name in tried)


def _tried(given: NameClass) -> list[str]:
    match given:
        case Name(name=name):
            return [name]
        case AnyName(but=but):
            return [join_name(_OTHER, _OTHER), *(_tried(but) if but else ())]
        case NsName(namespace=namespace, but=but):
            return [join_name(namespace, _OTHER), *(_tried(but) if but else ())]
        case NameChoice(classes=classes):
            return [name for one in classes for name in _tried(one)]
