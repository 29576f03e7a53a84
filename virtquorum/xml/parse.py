"""Elements to model: tolerant, and nothing is lost.

What a rule will report later is no error here: a missing threshold is None,
a value that is no number is ``Malformed``, and whatever has no field is kept
in the node's ``unmodelled``.  Nothing is guessed.  The reader keeps a stack
of its own, so a chain may be as long as the document is deep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from virtquorum.model.disk import Disk, Driver
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import (
    Comment,
    ForeignAttribute,
    ForeignElement,
    Instruction,
    StrayText,
    Unmodelled,
)
from virtquorum.model.source import ForeignSource
from virtquorum.model.sources import source_class
from virtquorum.xml.document import SPACE, Child, Element, Markup
from virtquorum.xml.plan import (
    BACKING_IMAGE,
    DISK,
    DISK_DRIVER,
    DISK_IMAGE,
    Plan,
    Step,
    backing_plan,
    disk_plan,
    node_plan,
    source_plan,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.model.image import AnyImage
    from virtquorum.model.node import Node

__all__ = ["INDENT", "is_layout", "parse_disk"]

#: What libvirt puts before each level of elements.
INDENT = "  "

Slots = list[dict[str, Any]]


def parse_disk(element: Element) -> Disk:
    """The disk that a ``<disk>`` describes."""
    frame = _Frame(element, "disk")
    _build(frame)
    return frame.disk()


class _Frame:
    """An image under construction: what is read of it, and which images lie below."""

    __slots__ = ("below", "built", "context", "element", "quorum", "slots")

    def __init__(self, element: Element, context: Literal["disk", "backingStore"]) -> None:
        self.element = element
        self.context: Literal["disk", "backingStore"] = context
        self.quorum = element.attributes.get("type") == "quorum"
        self.below: list[Element] = []
        self.built: list[AnyImage] = []
        self.slots: Slots
        if context == "disk":
            plan = disk_plan(self.quorum)
            self.slots = [{}, {}, {}, {}]
        else:
            plan = backing_plan(self.quorum)
            self.slots = [{}, {}]
        _read(element, plan, self.slots, self, always=True)

    def disk(self) -> Disk:
        """The disk, once all images below it are built."""
        own, driver = self.slots[DISK], self.slots[DISK_DRIVER]
        own["location"] = self.element
        if driver:
            driver.setdefault("location", self.element)
            own["driver"] = Driver(**driver)
        own["image"] = self._image(DISK_IMAGE)
        return Disk(**own)

    def image(self) -> Image:
        """The image of a backingStore, once all images below it are built."""
        return self._image(BACKING_IMAGE)

    def _image(self, slot: int) -> Image:
        own = self.slots[slot]
        own["location"] = self.element
        if self.quorum:
            quorum = self.slots[slot + 1]
            quorum["location"] = self.element
            own["source"] = Quorum(members=tuple(self.built), **quorum)
        else:
            if "source" not in own:
                own["source"] = self._empty_source()
            if self.built:
                own["backing"] = self.built[0]
        return Image(**own)

    def _empty_source(self) -> Any:
        """The source of an image that has no ``<source>``."""
        type = self.element.attributes.get("type", "file")
        cls = source_class(type, None)
        if cls is None:
            return ForeignSource(type=type, location=self.element)
        return cls(location=self.element)

    def take_source(self, element: Element, image: dict[str, Any]) -> bool:
        """Read the ``<source>``; False if it says nothing."""
        type = self.element.attributes.get("type", "file")
        cls = source_class(type, element.attributes.get("protocol"))
        if cls is None:
            image["source"] = ForeignSource(
                type=type, element=foreign_element(element), location=element
            )
            return True
        own: dict[str, Any] = {"location": element}
        says_which = cls.protocol is not None
        plan = source_plan(cls, self.context)
        if not _read(element, plan, [own, image], None, always=says_which) and not says_which:
            return False
        image["source"] = cls(**own)
        return True


def _read(
    element: Element, plan: Plan, slots: Slots, frame: _Frame | None, *, always: bool = False
) -> bool:
    """Read one element into the slots; whether any field was filled.

    Where none was, the caller keeps the element whole, and nothing of it goes
    into the slots, unless it is to be a node ``always``.
    """
    filled = False
    left: list[Unmodelled] = []
    reads = plan.reads
    for name, value in element.attributes.items():
        known = reads.get(name)
        if known is not None:
            slot, field, read = known
            slots[slot][field] = value if read is None else read(value)
            filled = True
        elif name not in reads:
            left.append(ForeignAttribute(name=name, value=value, at=plan.at))
    if plan.flag is not None:
        slots[plan.flag.slot][plan.flag.field] = filled = True
    children = element.children
    leaf = plan.text
    if leaf is not None and (not children or all(one.__class__ is str for one in children)):
        text = element.text
        slots[leaf.slot][leaf.field] = text if leaf.read is None else leaf.read(text)
        filled = True
    elif children:
        taken = _read_children(children, plan, slots, frame)
        filled = filled or bool(taken)
        if len(taken) < len(children):
            left += _left_over(children, taken, plan)
    if left and (filled or always):
        own = slots[plan.slot]
        kept = (*own.get("unmodelled", ()), *left)
        own["unmodelled"] = tuple(sorted(kept, key=_order_of_unmodelled))
    return filled


def _read_children(
    children: Sequence[Child], plan: Plan, slots: Slots, frame: _Frame | None
) -> list[int]:
    """Read the children that the plan knows; the numbers of those that were read."""
    known = plan.children
    taken = []
    seen = set()
    several: dict[str, list[Node]] = {}
    number = -1
    for one in children:
        number += 1
        if one.__class__ is not Element:
            continue
        name = one.name
        step = known.get(name)
        if step is None:
            continue
        if step.__class__ is Step and step.several:
            if step.kind == "images":
                if frame is not None:
                    frame.below.append(one)
            else:
                node = _parse_node(one, step.of)
                several.setdefault(name, []).append(node)
        elif name in seen:
            continue
        else:
            seen.add(name)
            if not _take(one, step, slots, frame):
                continue
        taken.append(number)
    for name, nodes in several.items():
        step = known[name]
        assert isinstance(step, Step)
        slots[step.slot][step.field] = tuple(nodes)
    return taken


def _take(element: Element, step: Plan | Step, slots: Slots, frame: _Frame | None) -> bool:
    """Read a child element of which there is one; False if it has to be kept as it is."""
    if isinstance(step, Plan):
        if not _read(element, step, slots, frame):
            return False
        if not step.at:  # a node's own element: <driver>
            slots[step.slot]["location"] = element
        return True
    if step.kind == "source":
        return frame is not None and frame.take_source(element, slots[step.slot])
    if step.kind == "image":
        if frame is not None:
            frame.below.append(element)
        return True
    if step.key is None:
        slots[step.slot][step.field] = _parse_node(element, step.of)
        return True
    cls = step.of.get(element.attributes.get(step.key, "")) if isinstance(step.of, dict) else None
    if cls is None:
        return False
    slots[step.slot][step.field] = _parse_node(element, cls, step.key)
    return True


def _build(frame: _Frame) -> None:
    """Build all images below a frame, the lowest first."""
    stack = [frame]
    while stack:
        top = stack[-1]
        if len(top.built) == len(top.below):
            stack.pop()
            if stack:
                stack[-1].built.append(top.image())
            continue
        element = top.below[len(top.built)]
        if "type" in element.attributes:
            stack.append(_Frame(element, "backingStore"))
        else:
            top.built.append(_terminator(element))


def _parse_node(element: Element, cls: Any, key: str | None = None) -> Node:
    """An element that is one node, with none below it that could go deep."""
    own: dict[str, Any] = {"location": element}
    _read(element, node_plan(cls, key), [own], None, always=True)
    node: Node = cls(**own)
    return node


def _terminator(element: Element) -> Terminator:
    node = _parse_node(element, Terminator)
    assert isinstance(node, Terminator)
    return node


def _left_over(children: Sequence[Child], taken: list[int], plan: Plan) -> list[Unmodelled]:
    """The children that were not taken, each with the number of modelled ones before it.

    A thing stays before the element that it stood before, in whatever order
    the elements are written: a comment belongs to what follows it.  Only an
    element that repeats one which was read stays behind that one, so that
    libvirt goes on reading the same.
    """
    positions = plan.positions
    ranked = sorted(taken, key=lambda number: (positions[children[number].name], number))  # type: ignore[union-attr]
    rank_of = {number: rank for rank, number in enumerate(ranked)}
    floor: dict[str, int] = {}
    for number, rank in rank_of.items():
        child = children[number]
        assert isinstance(child, Element)
        floor[child.name] = max(floor.get(child.name, 0), rank + 1)
    left: list[tuple[int, Child]] = []
    following = len(taken)
    for number in range(len(children) - 1, -1, -1):
        if number in rank_of:
            following = rank_of[number]
        else:
            left.append((following, children[number]))
    kept: list[Unmodelled] = []
    for following, child in reversed(left):
        before = following
        if isinstance(child, Element):
            if child.name in plan.children:
                before = floor[child.name] = max(before, floor.get(child.name, 0))
            kept.append(foreign_element(child, plan.at, before))
        elif isinstance(child, Markup):
            if child.target is None:
                kept.append(Comment(text=child.text, at=plan.at, before=before))
            else:
                kept.append(
                    Instruction(target=child.target, text=child.text, at=plan.at, before=before)
                )
        elif text := child.strip(SPACE):
            kept.append(StrayText(text=text, at=plan.at, before=before))
    return _texts_joined(kept)


def _texts_joined(kept: list[Unmodelled]) -> list[Unmodelled]:
    """What is kept, in the order in which it is written; texts that meet there are one."""
    joined: list[Unmodelled] = []
    for one in sorted(kept, key=_order_of_unmodelled):
        last = joined[-1] if joined else None
        if isinstance(one, StrayText) and isinstance(last, StrayText) and last.before == one.before:
            text = f"{last.text}\n{one.text}"
            joined[-1] = StrayText(text=text, at=one.at, before=one.before)
        else:
            joined.append(one)
    return joined


def _order_of_unmodelled(one: Unmodelled) -> tuple[tuple[str, ...], int]:
    return one.at, -1 if isinstance(one, ForeignAttribute) else one.before


def foreign_element(element: Element, at: tuple[str, ...] = (), before: int = 0) -> ForeignElement:
    """An element kept whole, for the model."""
    done: dict[int, Any] = {}
    order: list[Element] = []
    rest = [element]
    while rest:
        one = rest.pop()
        order.append(one)
        rest.extend(one.elements())
    for one in reversed(order):
        outermost = one is element
        done[id(one)] = ForeignElement(
            name=one.name,
            attributes=tuple(one.attributes.items()),
            children=_foreign_children(one, done),
            at=at if outermost else (),
            before=before if outermost else 0,
        )
    found: ForeignElement = done[id(element)]
    return found


def _foreign_children(
    element: Element, done: dict[int, ForeignElement]
) -> tuple[ForeignElement | Comment | Instruction | str, ...]:
    if not element.children:
        text = element.text
        return (text,) if text and not is_layout(text) else ()
    return tuple(
        done[id(one)]
        if isinstance(one, Element)
        else one
        if isinstance(one, str)
        else Comment(text=one.text)
        if one.target is None
        else Instruction(target=one.target, text=one.text)
        for one in element.children
    )


def is_layout(text: str) -> bool:
    """Whether the text of an element is only the end of a line and indentation."""
    return "\n" in text and not text.strip(SPACE)
