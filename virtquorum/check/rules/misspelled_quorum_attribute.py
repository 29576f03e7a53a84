"""A quorum's attribute that is spelled as QEMU or another language has it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtquorum.check.changes import attribute_renamed
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Repair, Rule
from virtquorum.check.words import stray_words
from virtquorum.model.quorum_words import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    for element, name, word, certain in stray_words(position):
        if name != word:
            yield Problem(
                element,
                f"'{name}' on <{element.name}> is not understood",
                attribute=name,
                expected=f"{word}='…' {WORDS[word]}",
                fix=partial(_renamed, element, name, word) if certain else None,
            )


def _renamed(element: Element, name: str, word: str) -> Repair:
    return Repair(f"rename '{name}' to '{word}'", (attribute_renamed(element, name, word),))


RULE = Rule(
    code="VQ113",
    name="misspelled-quorum-attribute",
    severity=Severity.ERROR,
    title="an attribute of quorums is misspelled",
    documentation="""
QEMU's options have hyphens (`rewrite-corrupted`, `read-pattern`, `vote-threshold`, `node-name`);
libvirt's XML, and so this language, writes `rewrite_corrupted`, `read_pattern`, `blkverify`,
`threshold` and `nodename`. An attribute of another name is not read: libvirt 9.0 drops it without a
word, `virtquorum args` refuses it.

The fix renames the attribute. It is offered where the attribute is on the right element, and only
one word can be meant; what is misplaced as well has to be moved by hand. In a disk without a quorum
only names that differ in separators and case are reported.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' rewrite-corrupted='on'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' rewrite_corrupted='on'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
    fixable=True,
)
