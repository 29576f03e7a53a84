"""Looking, mending, and looking again, until nothing is found that can be mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from virtquorum.check.finding import Severity
from virtquorum.errors import LibvirtError, VirtquorumError
from virtquorum.host.change import apply
from virtquorum.host.doctor.definition import definition, live_xml
from virtquorum.host.doctor.differing import differing
from virtquorum.host.doctor.files import orphans, placeholders, used_files
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.doctor.half_detached import half_detached
from virtquorum.host.doctor.leftovers import leftovers
from virtquorum.host.doctor.running import running_disks
from virtquorum.host.doctor.starting import starting
from virtquorum.host.doctor.unfinished import unfinished
from virtquorum.host.doctor.view import View
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from virtquorum.host.change import Observer
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.session import Host

__all__ = ["Outcome", "Treated", "Treatment", "examine", "treat"]

#: libvirt's VIR_ERR_NO_DOMAIN, and VIR_ERR_OPERATION_INVALID of one that has ended.
_NO_DOMAIN, _HAS_ENDED = 42, 55
#: How often a domain is looked at that changes under the look.
_LOOKS: Final = 3
#: Ailments with which a guest that has not run yet must not run.
_AT_DISKS: Final = (
    "placeholder-in-use", "stand-in", "elsewhere", "graph", "detached", "half-detached",
    "no-record", "changed", "newer", "untranslatable",
)  # fmt: skip
#: virDomainState and virDomainPausedReason.
_PAUSED, _IO_ERROR = 3, 5

#: What became of an ailment: 'asked' is one for which nobody agreed.
Outcome: TypeAlias = Literal["mended", "failed", "asked", "left"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Treatment(Node):
    """An ailment, and what became of it; ``error`` is why mending failed."""

    ailment: Ailment
    outcome: Outcome
    error: str | None = None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Treated(Node):
    """All that was found, in the order in which it was seen to; what is left comes last.

    ``signal`` is the number of one that came when a mending could not be
    stopped any more, and stopped the ones after it.
    """

    found: tuple[Treatment, ...]
    signal: int | None = None

    @property
    def left(self) -> list[Treatment]:
        """What is wrong still."""
        return [one for one in self.found if one.outcome != "mended" and one.ailment.is_wrong]


def examine(host: Host, domain: HostDomain | None = None) -> list[Ailment]:
    """What is wrong with a domain, or with all of a connection and its placeholders.

    Only looks.  Raises HostError.
    """
    if domain is not None:
        return _of_domain(host, domain)
    found = [one for each in host.domains() for one in _of_domain(host, each, alone=False)]
    return [*found, *_orphans(host, None)]


def treat(
    host: Host,
    domain: HostDomain | None = None,
    *,
    agreed: Callable[[Ailment], bool],
    observer: Observer | None = None,
) -> Treated:
    """Mend what can be mended, one after the other, looking anew after each.

    ``agreed`` is asked of what may lose something.  Raises HostError where
    nobody can be asked, Interrupted.
    """
    mended: list[Treatment] = []
    failed: dict[object, str] = {}
    refused: set[object] = set()
    while True:
        found = examine(host, domain)
        one = _next(found, {*failed, *refused, *(done.ailment.key for done in mended)})
        if one is None:
            return Treated(found=(*mended, *_left(found, failed, refused)))
        if one.asks and not agreed(one):
            refused.add(one.key)
            continue
        try:
            assert one.plan is not None
            late = apply(one.plan(), observer)
        except VirtquorumError as error:
            failed[one.key] = str(error)
            continue
        mended.append(Treatment(ailment=one, outcome="mended"))
        if late is not None:
            left = _left(examine(host, domain), failed, refused)
            return Treated(found=(*mended, *left), signal=late)


def _next(found: list[Ailment], seen: set[object]) -> Ailment | None:
    return next((one for one in found if one.plan is not None and one.key not in seen), None)


def _left(
    found: list[Ailment], failed: dict[object, str], refused: set[object]
) -> Iterator[Treatment]:
    for one in found:
        if one.key in failed:
            yield Treatment(ailment=one, outcome="failed", error=failed[one.key])
        else:
            yield Treatment(ailment=one, outcome="asked" if one.key in refused else "left")


def _of_domain(host: Host, domain: HostDomain, *, alone: bool = True) -> list[Ailment]:
    """What is wrong with one domain; one that ends meanwhile is looked at again."""
    for _ in range(_LOOKS):
        try:
            return list(_seen(host, View(domain), alone=alone))
        except VirtquorumError as error:
            if not host.is_alive():
                raise
            failure = error
            code = error.code if isinstance(error, LibvirtError) else None
            if code == _NO_DOMAIN and not alone:
                return []
            if code not in (_NO_DOMAIN, _HAS_ENDED):
                break
    return [_unseen(domain.name, f"it cannot be looked at: {failure}")]


def _seen(host: Host, view: View, *, alone: bool) -> Iterator[Ailment]:
    if view.live is not None and host.driver == "QEMU":
        begun = list(unfinished(view))
        if begun:
            yield from begun
            return  # what else there is, is seen when that is mended
        found = list(_running(view))
        # Before they are mended: while a start is noted, no disk is changed.
        yield from starting(view, whole=not any(one.kind in _AT_DISKS for one in found))
        yield from found
    elif host.driver == "QEMU":
        yield from starting(view)
    said = list(definition(view))
    yield from said
    if not said and not (view.live is not None and list(live_xml(view))):
        yield from differing(view)
    yield from placeholders(view)
    if alone:
        yield from _orphans(host, view.name)


def _orphans(host: Host, name: str | None) -> Iterator[Ailment]:
    """The placeholders that no domain has; none if of one domain it is not known what it has."""
    try:
        used = used_files(host)
    except LibvirtError as error:
        if not host.is_alive():
            raise
        yield _unseen(name, f"which placeholders are needed cannot be said: {error}")
    else:
        yield from orphans(host, used, name)


def _unseen(name: str | None, message: str) -> Ailment:
    return Ailment(
        kind="unseen",
        severity=Severity.ERROR,
        domain=name,
        message=message,
        ways=("take care of what is said, and call the doctor again",),
    )


def _running(view: View) -> Iterator[Ailment]:
    said = list(live_xml(view))
    yield from said
    if view.is_readable and not any(one.kind == "no-record" for one in said):
        yield from running_disks(view)
        yield from half_detached(view)
        yield from leftovers(view)
    yield from _paused(view)


def _paused(view: View) -> Iterator[Ailment]:
    """Notes on a guest that does not run."""
    state, reason = view.state
    if state != _PAUSED:
        return
    if reason == _IO_ERROR:
        yield _note(
            view,
            "the guest is paused because a disk could not be read or written: too few members "
            "agree, or their storage is full",
            f"'virsh domblkerror {view.name}' names the disk; when it is mended, 'virsh resume "
            f"{view.name}'",
        )
    elif view.status == "prelaunch":
        if any(starting(view)):
            return
        yield _note(
            view,
            "the guest was started paused and has not run yet",
            f"'virsh resume {view.name}' lets it run",
        )
    elif view.disks:
        yield _note(view, "the guest is paused", f"'virsh resume {view.name}' lets it run")


def _note(view: View, message: str, way: str) -> Ailment:
    return Ailment(
        kind="paused", severity=Severity.NOTE, domain=view.name, message=message, ways=(way,)
    )
