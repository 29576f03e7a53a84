"""What of a disk is not in its block graph: the device's part, and what nobody understood.

Nothing is dropped without a word: the first is named so that it can be given
to ``-device``, the second so that a misspelling is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import TranslationError
from virtquorum.model.image import Image, Quorum
from virtquorum.model.node import Described, ForeignAttribute, ForeignElement, Node, StrayText
from virtquorum.model.quorum_words import WORDS, word_meant
from virtquorum.xml.document import Element
from virtquorum.xml.plan import SPELL, disk_plan, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtquorum.model.disk import Disk
    from virtquorum.model.node import Unmodelled

__all__ = ["check_quorum_words", "for_the_device", "not_understood", "without_effect"]

#: Fields of a disk and its driver that say how the guest sees it.
_DEVICE: Final = (
    "model", "rawio", "sgio", "boot", "serial", "wwn", "vendor", "product", "geometry", "blockio",
    "shareable", "alias", "acpi_index", "address",
)  # fmt: skip
_DRIVER: Final = (
    "ioeventfd", "event_idx", "iothread", "queues", "queue_size", "iommu", "ats", "packed",
    "page_per_vq",
)  # fmt: skip
_TARGET: Final = ("removable", "rotation_rate", "tray")
#: libvirt's own notes in its status files.
_NOTES: Final = frozenset({"diskSecretsPlacement", "privateData"})


def for_the_device(disk: Disk) -> list[str]:
    """What a ``-device`` would have to say, as ``name='value'`` or the name of an element."""
    said = ["device"] if disk.device not in (None, "disk") else []
    words = [*_worded(disk, [*said, *_DEVICE]), *_worded(disk.driver, _DRIVER)]
    if disk.target is not None:
        words += _worded(disk.target, _TARGET)
    return words


def _worded(node: Node, names: Iterable[str]) -> list[str]:
    """The fields of these names that are set, as a person would say them."""
    codecs = {name: spelling.codec for name, spelling in fields_of(type(node)).items()}
    words = []
    for name in names:
        value = getattr(node, name)
        if value is None or (value is False and codecs[name] == "text"):
            continue
        if isinstance(value, Node):
            inside = _worded(value, fields_of(type(value)))
            words.append(f"{name} ({', '.join(inside)})" if inside else name)
        elif value is True and codecs[name] == "text":  # an element whose presence says yes
            words.append(name)
        else:
            words.append(f"{name}='{SPELL[codecs[name]](value)}'")
    return words


def not_understood(disk: Disk) -> list[str]:
    """What the model has no field for, each with its place: ``line 3: <driver foo='1'>``."""
    found = []
    known = disk_plan(disk.quorum is not None).children
    for node, one in _unmodelled(disk):
        name = ".".join([_element(node), *one.at])
        place = f" (line {node.location.line})" if node.location is not None else ""
        match one:
            case ForeignAttribute():
                found.append(f"{one.name}='{one.value}' of <{name}>{place}")
            case ForeignElement() if one.name not in _NOTES:
                again = "another " if one.name in known else ""
                found.append(f"{again}<{one.name}> in <{name}>{place}")
            case StrayText():
                found.append(f"text in <{name}>{place}")
    return found


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
    """Policies that QEMU takes and that do nothing."""
    return [
        f"{name} does nothing with read_pattern='fifo', which votes on nothing"
        for quorum in disk.quorums
        if quorum.read_pattern == "fifo"
        for name in ("rewrite_corrupted", "blkverify")
        if getattr(quorum, name) is True
    ]


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
            if isinstance(one, Described):
                found.extend((one, left) for left in one.unmodelled)
            rest.extend(
                getattr(one, name) for name in reversed(one.compared()) if name != "unmodelled"
            )
    return found
