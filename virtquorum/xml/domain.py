"""A domain's document: its disks as models, its bytes as they were written.

``Domain`` is immutable.  An edit returns a new Domain in which only the bytes
of the changed element differ; comments, unknown elements, odd indentation and
line ends elsewhere stay as they are.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from virtquorum.errors import EditError, InputError, WrongRootError
from virtquorum.model.disk import Disk
from virtquorum.model.image import LARGEST_THRESHOLD, Image, Quorum, Terminator
from virtquorum.xml.document import DEFAULT_LIMITS, Document, Element, Limits
from virtquorum.xml.layout import Splice, fitted, indentation, joined, line_end, lines_of, own_line
from virtquorum.xml.parse import INDENT, parse_disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.model.image import AnyImage
    from virtquorum.xml.policy import Policy

__all__ = ["ROOTS", "Domain"]

#: The root elements of documents that hold disks: a domain, a disk as virsh attach-device takes
#: it, and what holds a domain (domstatus: libvirt's status files).
ROOTS: Final = ("domain", "disk", "domainsnapshot", "domaincheckpoint", "domstatus")
_DOMAINS: Final = ("domain", "inactiveDomain")
_BEFORE_MEMBERS: Final = ("format", "driver", "auth", "threshold")
_BEFORE_DISKS: Final = ("emulator",)


class Domain:
    """A document that holds disks: a ``<domain>``, what holds one, or a bare ``<disk>``."""

    __slots__ = ("_disks", "_end", "document")

    def __init__(self, document: Document) -> None:
        """Take a parsed document; raises WrongRootError if it holds no domain and no disk."""
        root = document.root
        if root.name not in ROOTS:
            *names, last = (f"<{name}>" for name in ROOTS)
            raise WrongRootError(
                f"the root element is <{root.name}>",
                root=root.name,
                file=document.name,
                line=root.line,
                column=root.column,
                remedy=f"expected is {', '.join(names)} or {last}",
            )
        self.document = document
        self._disks: tuple[Disk, ...] | None = None
        self._end: str | None = None

    @classmethod
    def from_bytes(
        cls, raw: bytes, name: str = "<bytes>", limits: Limits = DEFAULT_LIMITS
    ) -> Domain:
        """Read the bytes of a file; ``name`` is what messages call it.

        Raises an InputError with the place where it is not such a document.
        """
        return cls(Document.from_bytes(raw, name, limits))

    @classmethod
    def from_text(cls, text: str, name: str = "<text>", limits: Limits = DEFAULT_LIMITS) -> Domain:
        """Read a text; ``to_bytes`` writes it in the encoding that its declaration names."""
        return cls(Document.from_text(text, name, limits))

    @property
    def name(self) -> str:
        """The name under which the document was given."""
        return self.document.name

    @property
    def domain_name(self) -> str | None:
        """What the (first) domain calls itself."""
        for domain in self._domain_elements():
            for name in domain.elements("name"):
                return name.text.strip() or None
        return None

    @property
    def disks(self) -> tuple[Disk, ...]:
        """The disks, in document order."""
        if self._disks is None:
            self._disks = tuple(parse_disk(one) for one in self._disk_elements())
        return self._disks

    @property
    def machine_disks(self) -> tuple[Disk, ...]:
        """The disks of the (first) domain, which are those of one machine.

        A snapshot can hold a second one, ``<inactiveDomain>``.
        """
        if self.document.root.name == "disk":
            return self.disks
        first = next(iter(self._domain_elements()), None)
        devices = [] if first is None else first.elements("devices")
        return self.disks[: sum(len(one.elements("disk")) for one in devices)]

    def disk(self, target: str) -> Disk:
        """The (first) disk whose target is ``target``, "vda" say; raises EditError if none is."""
        for one in self.disks:
            if one.name == target:
                return one
        known = ", ".join(f"'{one.name}'" for one in self.disks if one.name) or "none"
        raise EditError(f"{self.name} has no disk '{target}'; its disks are: {known}")

    def to_bytes(self) -> bytes:
        """The document in its own encoding: as it was read, but for the edits."""
        decoded = self.document.decoded
        return decoded.raw if decoded.raw is not None else decoded.encode(self.document.data)

    @property
    def text(self) -> str:
        """The document as text, line ends as they are."""
        return self.document.data.decode("utf-8")

    def _disk_elements(self) -> list[Element]:
        root = self.document.root
        if root.name == "disk":
            return [root]
        return [
            disk
            for domain in self._domain_elements()
            for devices in domain.elements("devices")
            for disk in devices.elements("disk")
        ]

    def _domain_elements(self) -> list[Element]:
        root = self.document.root
        if root.name == "domain":
            return [root]
        return [one for one in root.elements() if one.name in _DOMAINS]

    # Formatting

    def format(self, *, disks_only: bool = False) -> bytes:
        """The document as libvirt would write it, or only its disks, in its own encoding.

        What stands before and after the root element stays as it is.  Raises
        EditError for what cannot be written.
        """
        data = self._formatted(disks_only=disks_only)
        return self.to_bytes() if data == self.document.data else self.document.decoded.encode(data)

    def formatted(self, *, disks_only: bool = False) -> Domain:
        """What ``format`` writes, read again."""
        return self.with_data(self._formatted(disks_only=disks_only))

    def _formatted(self, *, disks_only: bool) -> bytes:
        from virtquorum.xml.format import format_disk, write_tree

        elements = self._disk_elements()
        if disks_only:
            pads = [indentation(self.document, one.start) for one in elements]
            return joined(
                self.document.data,
                [
                    (one.start, one.stop, self._fitted(format_disk(disk, pad), pad))
                    for one, disk, pad in zip(elements, self.disks, pads, strict=True)
                ],
            )
        document = self.document
        root = document.root
        out: list[str] = []
        pad = {"domain": INDENT * 2, "disk": ""}.get(root.name, INDENT * 3)
        special = {
            id(element): format_disk(disk, pad)
            for element, disk in zip(elements, self.disks, strict=True)
        }
        write_tree(out, root, "", special)
        before = document.data[: root.start].decode("utf-8").replace("\r\n", "\n")
        after = document.data[root.stop :].decode("utf-8").replace("\r\n", "\n")
        return (before + "".join(out) + after.removeprefix("\n")).encode()

    # Edits

    def replace(self, old: Disk | AnyImage, new: Disk | AnyImage) -> Domain:
        """Put a disk in the place of a disk, or an image in that of a member or backing image."""
        fits = (Disk,) if isinstance(old, Disk) else (Image, Terminator)
        if not isinstance(new, fits):
            raise EditError("a disk goes in the place of a disk, an image in the place of an image")
        element = self._element(old)
        pad = indentation(self.document, element.start)
        text = self._fitted(self._written(new, pad), pad)
        edited = self._spliced([(element.start, element.stop, text)])
        gone = int(old == new)
        if isinstance(old, Image) and not isinstance(new, Disk):
            gone += _below(old, new)
        return edited._holding(new, self, element.start, gone)

    def remove(self, node: Disk | AnyImage) -> Domain:
        """Take out a disk, or a member or backing image."""
        element = self._element(node)
        if not isinstance(element.parent, Element):
            raise EditError(f"{element}: the root element cannot be removed")
        return self._spliced([(*lines_of(element), "")])

    def insert(self, disk: Disk, *, before: Disk | None = None) -> Domain:
        """Add a disk, before another one or behind all others."""
        if not isinstance(disk, Disk):
            raise EditError(f"a disk is inserted, not a {type(disk).__name__}")
        root = self.document.root
        if root.name == "disk":
            raise EditError(f"{self.name} is a bare <disk>: it has no place for another one")
        if before is not None:
            return self._beside(self._element(before), disk, behind=False)
        elements = self._disk_elements()
        if elements:
            return self._beside(elements[-1], disk, behind=True)
        domain = root if root.name == "domain" else next(iter(root.elements("domain")), None)
        devices = domain.elements("devices") if domain is not None else []
        if not devices:
            raise EditError(f"{self.name} has no <devices> to put a disk into")
        return self._into(devices[0], disk, _BEFORE_DISKS)

    def set_threshold(self, quorum: Disk | Image | Quorum, threshold: int) -> Domain:
        """Change how many members must agree; a ``<threshold>`` element of 2014 goes.

        ``threshold`` is from 1 to 2147483647; there may be fewer members, yet.
        """
        element = self._quorum_element(quorum)
        if type(threshold) is not int or not 1 <= threshold <= LARGEST_THRESHOLD:
            raise EditError(
                f"a threshold is a number from 1 to {LARGEST_THRESHOLD}, not {threshold!r}"
            )
        splices = [(*lines_of(one), "") for one in element.elements("threshold")]
        spans = element.attribute_spans()
        if "threshold" in spans:
            _, start, stop = spans["threshold"]
            quote = self.document.data[start : start + 1].decode()
            splices.append((start, stop, f"{quote}{threshold}{quote}"))
        else:
            stop = spans["type"][2]
            splices.append((stop, stop, f" threshold='{threshold}'"))
        return self._spliced(splices)

    def set_policy(
        self, quorum: Disk | Image | Quorum, name: Policy, value: str | bool | None
    ) -> Domain:
        """Change a quorum's policy, or take it out (None); see QEMU's quorum driver.

        'read_pattern' is 'quorum' or 'fifo', 'rewrite_corrupted' and
        'blkverify' are switches; any other value is an EditError.
        """
        from virtquorum.xml.policy import policy_splices

        return self._spliced(policy_splices(self._quorum_element(quorum), name, value))

    def add_member(
        self, quorum: Disk | Image | Quorum, member: AnyImage, *, before: int | None = None
    ) -> Domain:
        """Add a member, before the member of that number or behind all others."""
        if not isinstance(member, (Image, Terminator)):
            raise EditError(f"a member is an image, not a {type(member).__name__}")
        element = self._quorum_element(quorum)
        members = element.elements("backingStore")
        if before is not None and not 0 <= before <= len(members):
            raise EditError(
                f"{element}: the quorum has {len(members)} members; {before} is none of them"
            )
        if before is not None and before < len(members):
            return self._beside(members[before], member, behind=False)
        if members:
            return self._beside(members[-1], member, behind=True)
        return self._into(element, member, _BEFORE_MEMBERS)

    def reorder_members(self, quorum: Disk | Image | Quorum, order: Sequence[int]) -> Domain:
        """Put the members into another order; ``order`` names each by its present number."""
        element = self._quorum_element(quorum)
        members = element.elements("backingStore")
        if Counter(order) != Counter(range(len(members))):
            raise EditError(
                f"{element}: the new order must name each of the {len(members)} members once"
            )
        data = self.document.data
        return self._spliced(
            [
                (place.start, place.stop, data[members[number].start : members[number].stop])
                for place, number in zip(members, order, strict=True)
            ]
        )

    def _element(self, node: Disk | AnyImage | Quorum) -> Element:
        """The element of a node of this very document."""
        element = node.location
        if not isinstance(element, Element) or element.document is not self.document:
            raise EditError(
                f"this {type(node).__name__.lower()} is not one of {self.name}, or of an earlier "
                "version of it; take it from the document that is to be edited"
            )
        if isinstance(node, Image) and element.name != "backingStore":
            raise EditError(f"{element}: the disk's own image; edit the disk")
        return element

    def _quorum_element(self, node: Disk | Image | Quorum) -> Element:
        quorum = (
            node.quorum
            if isinstance(node, Disk)
            else node.source
            if isinstance(node, Image)
            else node
        )
        if not isinstance(quorum, Quorum):
            raise EditError(f"{node.location}: this {type(node).__name__.lower()} is no quorum")
        return self._element(quorum)

    def _written(self, new: Disk | AnyImage, pad: str) -> str:
        from virtquorum.xml.format import format_disk, format_image

        return format_disk(new, pad) if isinstance(new, Disk) else format_image(new, pad)

    def _beside(self, element: Element, new: Disk | AnyImage, *, behind: bool) -> Domain:
        """Insert before or behind an element, on lines of its own if that has them."""
        pad = indentation(self.document, element.start)
        text = self._fitted(self._written(new, pad), pad)
        between = self._ending + pad if own_line(self.document, element.start) else ""
        if behind:
            at = element.stop
            splice = (at, at, between + text)
        else:
            at = element.start
            splice = (at, at, text + between)
        return self._spliced([splice])._holding(new, self, splice[0])

    def _into(self, parent: Element, new: Disk | AnyImage, behind: tuple[str, ...]) -> Domain:
        """Insert into an element that has none of its kind, behind children of these names."""
        outer = indentation(self.document, parent.start)
        pad = outer + INDENT
        text = self._fitted(self._written(new, pad), pad)
        line_end = self._ending
        earlier = [one for one in parent.elements() if one.name in behind]
        if earlier:
            at = earlier[-1].stop
            splice = (at, at, line_end + indentation(self.document, earlier[-1].start) + text)
        elif parent.close == parent.start:
            start, stop = parent.start, parent.stop
            tag = self.document.data[start:stop].decode("utf-8").removesuffix("/>").rstrip()
            splice = (start, stop, f"{tag}>{line_end}{pad}{text}{line_end}{outer}</{parent.name}>")
        elif parent.elements():
            at = parent.content
            splice = (at, at, line_end + pad + text)
        else:
            at = parent.content
            rest = self.document.data[at : parent.close]
            end = "" if b"\n" in rest else line_end + outer
            splice = (at, at, line_end + pad + text + end)
        return self._spliced([splice])._holding(new, self, splice[0])

    def _fitted(self, text: str, pad: str) -> str:
        return fitted(text, pad, self._ending)

    @property
    def _ending(self) -> str:
        if self._end is None:
            self._end = line_end(self.document)
        return self._end

    def _spliced(self, splices: Sequence[Splice]) -> Domain:
        """The document with other bytes in some places, read again."""
        return self.with_data(joined(self.document.data, splices))

    def with_data(self, data: bytes) -> Domain:
        """The document with other text, in the same encoding."""
        if data == self.document.data:
            return self
        decoded = self.document.decoded
        if decoded.raw is not None and decoded.encode(decoded.data) != decoded.raw:
            raise EditError(
                f"{self.name}: its encoding {decoded.encoding} does not give the same bytes again; "
                "save the file as UTF-8 before editing it"
            )
        try:
            return Domain(self.document.edited(data))
        except InputError as error:
            raise EditError(
                f"{self.name}: the edited document cannot be read again: {error.message}"
            ) from error

    def _holding(self, new: Disk | AnyImage, before: Domain, at: int, gone: int = 0) -> Domain:
        """This document, once it is sure that it holds one more of what was put in.

        ``at`` is the offset of the edit, ``gone`` of them went with what was replaced.
        """
        if self._count(new, at) != before._count(new, at) - gone + 1:
            raise EditError(
                f"{self.name}: what was written does not read back as the same "
                f"{'disk' if isinstance(new, Disk) else 'image'}"
            )
        return self

    def _count(self, node: Disk | AnyImage, at: int) -> int:
        """How many disks, or images below others, are equal to one, other than around ``at``.

        An image can be put into one that equals it, which then does so no longer.
        """
        if isinstance(node, Disk):
            return sum(node == disk for disk in self.disks)
        return sum(_below(disk.image, node, at) for disk in self.disks)


def _below(top: Image, node: AnyImage, at: int | None = None) -> int:
    """How many images below one are equal to another, other than those around an offset."""
    found = [below for image in top.walk() for below in image.below if node == below]
    return len(found) if at is None else sum(not _around(one, at) for one in found)


def _around(node: AnyImage, at: int) -> bool:
    """Whether the element of an image begins before an offset and ends behind it."""
    element = node.location
    return isinstance(element, Element) and element.start < at < element.stop
