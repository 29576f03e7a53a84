"""What a rule is, and what it is given to look at.

A rule is one file in ``rules/``: a function, and beside it all that is to be
said of it.  The function gets a disk, an image, a quorum, or all disks of a
domain, and yields ``Problem``s.  It may run on a document whose places are
not known (only whether there is a problem is asked then), so whatever needs
offsets belongs into the ``fix`` function of the problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from virtquorum.check.finding import Severity
from virtquorum.model.image import Image
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.model.image import Quorum
    from virtquorum.xml.document import Element

__all__ = ["Change", "Position", "Problem", "Repair", "Rule", "Subject", "positions"]

#: What a rule's function is called with: 'document' the root Element, 'lowered' as well, where
#: anything of a lowering may be in the document, 'disks' all Disks of a domain, 'disk' one Disk,
#: 'image' a Position, 'quorum' a Position whose image is a quorum.  'images' rules run with
#: --check-images only; 'input' has no function: the reading or the grammar finds it.
Subject = Literal["document", "lowered", "disks", "disk", "image", "quorum", "images", "input"]


class Change(NamedTuple):
    """Other text between two offsets of the document's UTF-8."""

    start: int
    stop: int
    text: str


class Repair(NamedTuple):
    """A safe fix: what it does ('write the threshold as an attribute'), and the changes."""

    description: str
    changes: tuple[Change, ...]


class Problem(NamedTuple):
    """What a rule found.

    The place is ``element``'s start tag, or that of its ``attribute`` (name
    and value) where one is named and there, or the text of the element with
    ``text``.  ``expected`` says what should stand there.  ``severity`` is
    the rule's own unless it is given here.  ``fix`` is called only when the
    problem is reported.
    """

    element: Element
    message: str
    attribute: str | None = None
    text: bool = False
    expected: str | None = None
    severity: Severity | None = None
    fix: Callable[[], Repair] | None = None


class Position(NamedTuple):
    """An image, and where in its disk it lies.

    ``role`` is 'disk' for the disk's own image, 'member' for a member of a
    quorum, 'backing' for an image below an image.  ``parent`` is the
    position above it.
    """

    disk: Disk
    image: Image
    role: Literal["disk", "member", "backing"]
    parent: Position | None

    @property
    def quorum(self) -> Quorum:
        """The image's source, for rules whose subject is 'quorum'."""
        return self.image.source  # type: ignore[return-value]

    @property
    def element(self) -> Element:
        """The ``<disk>`` or ``<backingStore>``."""
        node = self.disk if self.role == "disk" else self.image
        return node.location  # type: ignore[return-value]

    @property
    def format_element(self) -> Element | None:
        """The ``<driver>`` or ``<format>``, on which format and policies stand; None without it."""
        found = self.element.elements("driver" if self.role == "disk" else "format")
        return found[0] if found else None


Check: TypeAlias = (
    "Callable[[Element], Iterable[Problem]] | Callable[[Sequence[Disk]], Iterable[Problem]]"
    " | Callable[[Disk], Iterable[Problem]] | Callable[[Position], Iterable[Problem]]"
)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Rule(Node):
    """A rule and its page.

    ``title`` is a line in lower case that says what is wrong;
    ``documentation`` is Markdown, in paragraphs, that says what happens
    (and in which program) and what to do.  ``failing`` and ``passing`` are
    XML, a whole ``<domain>`` or a bare ``<disk>``: the first has the problem
    and the second is the same without it.  ``fixable`` says that the rule
    offers a fix for its failing example.  ``hint`` is for 'document'
    and 'lowered' rules: a document without these bytes has none of their problems.
    """

    code: str
    name: str
    severity: Severity
    title: str
    documentation: str
    failing: str
    passing: str
    subject: Subject
    check: Check | None = None
    fixable: bool = False
    hint: bytes = b""


def positions(disk: Disk) -> list[Position]:
    """The disk's image and every image below it, each before those below it, in document order."""
    found: list[Position] = []
    rest = [Position(disk, disk.image, "disk", None)]
    while rest:
        one = rest.pop()
        found.append(one)
        below = one.image.below
        if below:
            role: Literal["member", "backing"] = (
                "member" if one.image.source.type == "quorum" else "backing"
            )
            rest.extend(
                Position(disk, image, role, one)
                for image in reversed(below)
                if isinstance(image, Image)
            )
    return found
