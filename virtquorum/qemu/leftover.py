"""What of a disk is in no argument: what is libvirt's to do, is void, or nobody understood.

Nothing is dropped without a word: the first is named so that somebody does
it, the others so that a mistake is seen.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import TranslationError
from virtquorum.model.disk import UsbAddress
from virtquorum.model.image import Image, Quorum
from virtquorum.model.node import (
    Described,
    ForeignAttribute,
    ForeignElement,
    Malformed,
    Node,
    StrayText,
)
from virtquorum.model.quorum_words import WORDS, word_meant
from virtquorum.model.source import LocalSource
from virtquorum.model.sources.nvme import NvmeSource
from virtquorum.model.sources.volume import VolumeSource
from virtquorum.xml.document import Element
from virtquorum.xml.plan import SPELL, disk_plan, fields_of

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk
    from virtquorum.model.node import Unmodelled
    from virtquorum.model.parts import Auth, Seclabel

__all__ = ["check_quorum_words", "left_to_libvirt", "not_understood", "without_effect"]

#: libvirt's own notes in its status files.
_NOTES: Final = frozenset({"diskSecretsPlacement", "privateData"})


def left_to_libvirt(disk: Disk) -> list[str]:
    """What a disk says for libvirt alone: no argument of QEMU's does it."""
    words = []
    if disk.snapshot is not None:
        words.append(f"snapshot='{disk.snapshot}'")
    if disk.domain_name is not None:
        words.append(f"<backenddomain name='{disk.domain_name}'>, which is Xen's")
    for image in disk.image.walk():
        source = image.source
        if isinstance(source, LocalSource):
            if source.startup_policy is not None:
                words.append(f"startupPolicy='{source.startup_policy}'")
            words += [_label(one) for one in source.seclabels]
        if isinstance(source, NvmeSource) and source.managed is True:
            words.append("managed='yes', which binds the controller to vfio-pci")
        elif isinstance(source, NvmeSource) and isinstance(source.managed, Malformed):
            words.append(f"managed='{source.managed}'")
    return words


def _label(one: Seclabel) -> str:
    said = [f" {name}='{value}'" for name in ("model", "label") if (value := getattr(one, name))]
    said += [
        f" {name}='{SPELL['yes-no'](value)}'"
        for name in ("relabel", "labelskip")
        if (value := getattr(one, name)) is not None
    ]
    return f"<seclabel{''.join(said)}>"


def not_understood(disk: Disk) -> list[str]:
    """What the model has no field for, each with its place: ``line 3: <driver foo='1'>``."""
    found = []
    known = disk_plan(disk.quorum is not None).children
    for node, one in _unmodelled(disk):
        name = ".".join([_element(node), *one.at])
        place = f" (line {node.location.line})" if node.location is not None else ""
        match one:
            case ForeignAttribute():
                value = "…" if _is_private(name, one.name) else one.value
                found.append(f"{one.name}='{value}' of <{name}>{place}")
            case ForeignElement() if one.name not in _NOTES:
                again = "another " if one.name in known else ""
                found.append(f"{again}<{one.name}> in <{name}>{place}")
            case StrayText():
                found.append(f"text in <{name}>{place}")
    return found


def _is_private(element: str, attribute: str) -> bool:
    """Whether a value may be a password that stands in the wrong place."""
    words = element.split(".")
    return bool({"auth", "secret", "cookie", "cookies"} & set(words)) or "pass" in attribute.lower()


def check_quorum_words(disk: Disk) -> None:
    """Refuse a quorum's word that is misspelled or misplaced: it would protect nothing.

    Raises TranslationError.
    """
    for image in disk.image.walk():
        quorum = image.source
        if (
            isinstance(quorum, Quorum)
            and quorum.threshold is not None
            and quorum.threshold_element not in (None, quorum.threshold)
        ):
            raise TranslationError(
                f"the threshold is '{quorum.threshold}' by the attribute and "
                f"'{quorum.threshold_element}' by the element",
                location=quorum.location,
                disk=disk.name,
                remedy="remove the <threshold> element",
            )
    for node, one in _unmodelled(disk):
        element = ".".join([_element(node), *one.at])
        names = []
        if isinstance(one, ForeignAttribute):
            names = [one.name]
        elif isinstance(one, ForeignElement):
            element = one.name
            names = [name for name, _ in one.attributes]
        for name in names:
            word = word_meant(name, near=bool(disk.quorums))
            if word is not None:
                raise TranslationError(
                    f"'{name}' on <{element}> says nothing there",
                    location=node.location,
                    disk=disk.name,
                    remedy=f"it is {word}='…', {WORDS[word]}",
                )


def without_effect(disk: Disk) -> list[str]:
    """Policies that QEMU takes and that do nothing; words that libvirt and QEMU pass over."""
    ignored = ["<auth> says nothing to a volume, whose pool has the login"]
    found = ignored * len(_ignored_auth(disk)) + [
        f"{name} does nothing with read_pattern='fifo', which votes on nothing"
        for quorum in disk.quorums
        if quorum.read_pattern == "fifo"
        for name in ("rewrite_corrupted", "blkverify")
        if getattr(quorum, name) is True
    ]
    reservations = [getattr(one.source, "reservations", None) for one in disk.image.walk()]
    for one in reservations:
        if one is not None and (one.reconnect_enabled, one.reconnect_timeout) != (None, None):
            found.append(
                "<reconnect> says nothing: QEMU has its own way to reach a qemu-pr-helper again"
            )
    if isinstance(disk.address, UsbAddress) and disk.address.device is not None:
        found.append(f"device='{disk.address.device}' says nothing in the address of a USB disk")
    return found


def _ignored_auth(disk: Disk) -> list[Auth]:
    """The logins that stand with volumes: libvirt takes the pool's, or none."""
    sources = [image.source for image in disk.image.walk()]
    found = [one.auth for one in sources if isinstance(one, VolumeSource)]
    if isinstance(disk.image.source, VolumeSource):
        found.append(disk.auth)
    return [one for one in found if one is not None]


def _element(node: Described) -> str:
    if isinstance(node.location, Element):
        return node.location.name
    return "backingStore" if isinstance(node, Image) else type(node).__name__.lower()


def _unmodelled(disk: Disk) -> list[tuple[Described, Unmodelled]]:
    """Everything unmodelled in a disk and in what it holds, in no deeper recursion."""
    found: list[tuple[Described, Unmodelled]] = []
    rest: list[object] = [disk]
    while rest:
        one = rest.pop()
        if isinstance(one, tuple):
            rest.extend(reversed(one))
        elif isinstance(one, Node):
            if isinstance(one, Described) and one.unmodelled:
                found.extend((one, left) for left in one.unmodelled)
            cls: Any = type(one)
            for name in _nested(cls):
                below = getattr(one, name)
                if below is not None and below != ():
                    rest.append(below)
    return found


@cache
def _nested(cls: Any) -> tuple[str, ...]:  # mypy finds no class of nodes hashable
    """The fields of a class of nodes that can hold nodes, the last first."""
    kinds = {name: one.kind for name, one in fields_of(cls).items()}
    leaves = ("attribute", "text", "flag")
    return tuple(
        name
        for name in reversed(cls.compared())
        if name != "unmodelled" and kinds.get(name) not in leaves
    )
