"""A quorum's attribute on something that is no quorum, or on the wrong element of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import policy_place
from virtquorum.check.words import stray_words
from virtquorum.model.image import Quorum
from virtquorum.model.quorum_words import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    image = position.image
    own = position.element
    is_quorum = isinstance(image.source, Quorum)
    if image.format == "quorum" and not is_quorum:
        place = policy_place(position)
        yield Problem(
            place,
            f"<{place.name}> has type='quorum', but the <{own.name}> is of type "
            f"'{image.source.type}'",
            attribute="type",
            expected=f"type='quorum' and a threshold on the <{own.name}>, or another format",
        )
    for element, name, word, _ in stray_words(position):
        if name == word:
            yield Problem(
                element,
                f"'{name}' on <{element.name}> has no effect there",
                attribute=name,
                expected=f"{name}='…' {WORDS[word]}",
            )
    if not is_quorum and (image.unmodelled or position.disk.unmodelled):
        for element in own.elements("threshold"):
            yield Problem(
                element,
                f"the <threshold> is in a <{own.name}> that is no quorum",
                expected=f"type='quorum' on the <{own.name}>, or no threshold",
            )


RULE = Rule(
    code="VQ112",
    name="misplaced-quorum-attribute",
    severity=Severity.ERROR,
    title="an attribute of quorums stands where nothing reads it",
    documentation="""
`threshold` belongs on the `<disk>` or `<backingStore>` that has `type='quorum'`; `read_pattern`,
`rewrite_corrupted` and `blkverify` on its `<driver>` or, further down, its `<format>`; `nodename`
on the `<backingStore>` of a member. Anywhere else nothing reads them: libvirt 9.0 drops them
without a word, and the disk lacks the protection that it seems to have. `virtquorum args` refuses
it.

A `<driver>` or `<format>` with `type='quorum'` does not make a quorum either. libvirt says "unknown
driver format value 'quorum'" or "unknown storage source format 'quorum'".

Write `type='quorum'` and the threshold on the element above, move the attribute to where it
belongs, or remove it.
""",
    failing="""\
<disk type='file' threshold='2' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='/srv/rack-a/root.raw'/>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='/srv/rack-a/root.raw'/>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
)
