"""A quorum with a ``<source>``, which nobody would open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtquorum.check.changes import element_removed
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Repair, Rule
from virtquorum.model.image import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    for source in position.element.elements("source"):
        said = _said(source)
        if source.children or (said and not _is_member(position, said)):
            fix = None
        else:
            fix = partial(_removed, source, "repeats a member" if said else "says nothing")
        yield Problem(
            source,
            "a quorum has no <source>: its data is in its members",
            expected="a <backingStore> for each image that is to vote, and no <source>",
            fix=fix,
        )


def _said(source: Element) -> dict[str, str]:
    return {name: value for name, value in source.attributes.items() if name != "index"}


def _is_member(position: Position, said: dict[str, str]) -> bool:
    """Whether a member is written with the same attributes and nothing else."""
    return any(
        not source.children and _said(source) == said
        for member in position.quorum.members
        if isinstance(member, Image)
        for source in member.location.elements("source")  # type: ignore[union-attr]
    )


def _removed(source: Element, why: str) -> Repair:
    return Repair(f"remove the <source>, which {why}", (element_removed(source),))


RULE = Rule(
    code="VQ201",
    name="quorum-source",
    severity=Severity.ERROR,
    title="a quorum has a source besides its members",
    documentation="""
A quorum keeps no data of its own: QEMU's quorum driver has `children` and no `file` ("Block format
'quorum' does not support the option 'file'"). What a `<source>` beside the members names is never
opened.

Where the image is meant to vote, make it a member: `<backingStore type='file'>` with its
`<format>` and `<source>`. A `<source>` that says nothing, or that repeats one of the members, is
removed by `--fix`.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <source file='/srv/rack-a/root.raw'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="quorum",
    check=check,
    fixable=True,
)
