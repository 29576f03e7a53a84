"""What libvirt's XML says, and should not, or says no more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.change import Plan
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.doctor.redefine import steps_to
from virtquorum.host.nodes import differences, nosave_name
from virtquorum.host.patch.record import WriteRecord, written_record
from virtquorum.host.swap import Side
from virtquorum.stock.lift import lift
from virtquorum.stock.placeholder import OWN_ALIAS
from virtquorum.xml.record import Record, alias_in, machine_elements, overrides, qemu_arguments
from virtquorum.xml.troubles import node_name, troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.doctor.view import View
    from virtquorum.xml.domain import Domain
    from virtquorum.xml.record import Lowered
    from virtquorum.xml.troubles import Trouble

__all__ = ["definition", "live_xml"]

_EXPLAIN: Final = "'virtquorum explain {rule}' says what can be done"
_BY_HAND: Final = "somebody has edited the domain with virsh or another program"


def definition(view: View) -> Iterator[Ailment]:
    """What somebody has changed by hand of the definition."""
    text, record = view.definition, view.definition_record
    if text is None:
        return
    if record is None:
        yield from _without_record(view, text, "definition")
        return
    lost = {one.target: one for one in record.disks if _is_lost(record, one)}
    others = [one for one in troubles(text.document.root) if not _is_of(one, lost)]
    for one in lost.values():
        found = _taken_out(view, one)
        # To write it anew would throw away what else was changed by hand.
        yield found if not others else replace(found, mending=None, asks=False, plan=None)
    yield from (_changed(view, one, "the definition") for one in others)


def live_xml(view: View) -> Iterator[Ailment]:
    """What somebody has changed by hand of the running domain's XML."""
    if view.live is None:
        return
    if view.record is None:
        yield from _without_record(view, view.live, "running domain")
        return
    for one in view.live_troubles:
        if one.kind != "placeholder" or "is gone" not in one.message:
            yield _changed(view, one, "the running domain")


def _changed(view: View, one: Trouble, where: str) -> Ailment:
    kind = "newer" if one.kind == "newer" else "changed"
    return Ailment(
        kind=kind,
        severity=Severity.ERROR,
        domain=view.name,
        message=f"{where}: {one.message}; expected: {one.expected}",
        cause=None if kind == "newer" else _BY_HAND,
        ways=() if kind == "newer" else (*_ways(view, one, where),),
    )


def _ways(view: View, one: Trouble, where: str) -> Iterator[str]:
    if one.kind != "record" and where == "the definition":
        yield (
            f"'virtquorum edit --force {view.name}' edits it as its record has it, and drops what "
            "was changed against it"
        )
    yield _EXPLAIN.format(rule=one.rule)


def _is_lost(record: Record, one: Lowered) -> bool:
    """Whether a disk's placeholder is gone, and nothing has its target."""
    return record.placeholder(one) is None and one.target not in record.by_target


def _is_of(one: Trouble, lost: dict[str, Lowered]) -> bool:
    """Whether a trouble is one of a disk that was taken out, which is told as a whole."""
    if one.kind not in ("placeholder", "override", "argument"):
        return False
    words = [word for disk in lost.values() for word in (disk.target, disk.alias)]
    return any(f"'{word}'" in one.message for word in words)


def _taken_out(view: View, one: Lowered) -> Ailment:
    return Ailment(
        kind="detached",
        severity=Severity.ERROR,
        domain=view.name,
        disk=one.target,
        message=f"the definition has no disk '{one.target}' any more, and its quorum's arguments "
        "and its record are left",
        cause=f"it was taken out by virsh ('virsh detach-disk --config'); 'virtquorum patch "
        f"{view.name} detach {one.target} --config' takes all of it",
        mending="the quorum disk goes out of the definition; its images stay, and are members "
        "of nothing",
        asks=True,
        ways=(
            "keep the disk: 'virsh dumpxml --inactive DOMAIN | virtquorum lift --force - | "
            "virtquorum define -' puts it back".replace("DOMAIN", view.name),
        ),
        plan=lambda: _without(view, one.target),
    )


def _without(view: View, target: str) -> Plan:
    document = lift(view.domain.text(inactive=True, secure=True), force=True)
    disk = next(one for one in document.machine_disks if one.name == target)
    steps = steps_to(view, document.remove(disk), target)
    title = f"take '{target}' out of the definition of '{view.name}'"
    return Plan(title=title, domain=view.name, steps=tuple(steps))


def _without_record(view: View, text: Domain, what: str) -> Iterator[Ailment]:
    """A document that looks as if it were lowered, and has no record."""
    is_live = text is view.live
    signs = list(_signs(text, view if is_live else None))
    if not signs:
        return
    known = _same_as_defined(view) if is_live else None
    other = view.definition if is_live else view.live
    ways = ["define it again from its file: 'virtquorum define FILE'"]
    if not is_live and other is not None and Record.of(other.document.root) is not None:
        ways.insert(
            0, f"'virtquorum dumpxml {view.name} > F', 'virtquorum define F' define what runs"
        )
    yield Ailment(
        kind="no-record",
        severity=Severity.ERROR,
        domain=view.name,
        message=f"the {what} has {signs[0]}, and no record of quorum disks in its metadata",
        cause=_BY_HAND,
        mending="the record is written: QEMU has what the definition says" if known else None,
        ways=() if known else tuple(ways),
        plan=(lambda: _recorded(view, known)) if known else None,
    )


def _signs(text: Domain, running: View | None) -> Iterator[str]:
    """What shows that a document was lowered.

    Of a ``running`` domain libvirt goes on showing the overrides and arguments
    with which it was started, for disks that QEMU has let go of as well.
    """
    root = text.document.root
    for disk in machine_elements(root, "disk"):
        if (alias_in(disk) or "").startswith(OWN_ALIAS):
            yield f"a disk with the alias '{alias_in(disk)}'"
    for alias, one in overrides(root):
        value = one.attributes.get("value", "")
        is_gone = running is not None and alias not in running.devices
        if one.attributes.get("name") == "drive" and value.startswith("vq-") and not is_gone:
            yield f"an override that points the device '{alias}' at '{value}'"
    for argument in qemu_arguments(root):
        name = node_name(argument)
        is_gone = running is not None and name not in {*running.nodes, *running.objects}
        if name.startswith("vq-") and not is_gone:
            yield f"an argument for '{name}'"


def _same_as_defined(view: View) -> str | None:
    """The definition's record, if QEMU has each of its disks as it says."""
    if view.definition is None or view.definition_record is None:
        return None
    made = view.lowered(view.definition)
    if isinstance(made, str) or not made:
        return None
    for one in made.values():
        if one.alias not in view.devices:
            return None
        if differences(view.monitor, one.alias, Side.of(one.built).nodes):
            return None
    changed = [name for name, one in made.items() if nosave_name(one.drive) in view.nodes]
    return written_record(view.definition, changed)


def _recorded(view: View, text: str) -> Plan:
    step = WriteRecord(view.monitor, None, text)
    return Plan(title=f"write the record of '{view.name}'", domain=view.name, steps=(step,))
