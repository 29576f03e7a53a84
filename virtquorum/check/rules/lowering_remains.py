"""What is left of a lowering whose record is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import EXAMPLE, domains
from virtquorum.check.rule import Problem, Rule
from virtquorum.xml.record import (
    Record,
    alias_in,
    machine_elements,
    overrides,
    qemu_arguments,
)
from virtquorum.xml.troubles import node_name, troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.xml.document import Element

__all__ = ["RULE"]

_ALIAS: Final = "ua-vq-"
_NODE: Final = "vq-"
_ENDING: Final = ".placeholder"
_WAY_OUT: Final = "the record in <metadata>, or nothing of the lowering"


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    for domain in domains(root):
        record = Record.of(domain)
        kinds = {one.kind for one in troubles(domain)}
        if not kinds & {"record", "newer"}:
            yield from _placeholders(domain, record)
            yield from _overrides(domain, record)
            if "argument" not in kinds:
                yield from _arguments(domain, record)


def _placeholders(domain: Element, record: Record | None) -> Iterator[Problem]:
    known = {one.alias for one in record.disks} if record is not None else set()
    for disk in machine_elements(domain, "disk"):
        alias = alias_in(disk) or ""
        files = [one.attributes.get("file", "") for one in disk.elements("source")]
        is_ours = alias.startswith(_ALIAS) and any(one.endswith(_ENDING) for one in files)
        if is_ours and alias not in known:
            yield Problem(
                disk,
                "this is the placeholder of a quorum disk, and there is no record of that disk",
                expected=_WAY_OUT,
            )


def _overrides(domain: Element, record: Record | None) -> Iterator[Problem]:
    known = {one.alias for one in record.disks} if record is not None else set()
    for alias, property in overrides(domain):
        said = property.attributes
        is_ours = said.get("name") == "drive" and said.get("value", "").startswith(_NODE)
        if is_ours and alias not in known:
            yield Problem(
                property,
                f"the device '{alias}' is pointed at a quorum, and there is no record of its disk",
                attribute="value",
                expected=_WAY_OUT,
            )


def _arguments(domain: Element, record: Record | None) -> Iterator[Problem]:
    """The first argument, and how many there are: they come by the dozen."""
    known = {text for one in record.disks for text in one.arguments} if record is not None else ()
    left = [
        one
        for one in qemu_arguments(domain)
        if node_name(one).startswith(_NODE) and one.digest not in known
    ]
    if left:
        count = f"{len(left)} arguments make" if len(left) > 1 else "an argument makes"
        yield Problem(
            left[0].value,
            f"{count} nodes of a quorum, and there is no record of its disk",
            attribute="value",
            expected=_WAY_OUT,
            severity=Severity.WARNING,
        )


RULE = Rule(
    code="VQ607",
    name="lowering-remains",
    severity=Severity.ERROR,
    title="a placeholder, an override or arguments of a quorum disk have no record",
    documentation="""
The record in `<metadata>` says which placeholder, which override and which arguments belong to
which quorum disk. Where a part of a lowering is there without it, the metadata were lost (by a
program that writes domains anew), or a quorum disk was taken out by hand and not all of it went.
The guest may run as before. But nothing shows its quorum disk any more, a placeholder without
override and guard is an empty disk to it, and arguments that nothing uses keep the members open.

Where the record was lost, put it back from a backup, or lower the quorum domain anew if its file is
still there. Where the disk was meant to go, take out the placeholder, the `<qemu:device>` of its
alias, and the arguments whose node names begin with `vq-`. The next time, `virtquorum patch DOMAIN
detach TARGET` or `virtquorum edit DOMAIN` does it all.
""",
    failing=EXAMPLE.replace(
        EXAMPLE[EXAMPLE.index("  <metadata>") : EXAMPLE.index("  <memory")], ""
    ),
    passing=EXAMPLE,
    subject="lowered",
    check=check,
    hint=b"vq-",
)
