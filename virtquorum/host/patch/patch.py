"""A planned change of a quorum disk, and what is asked, said and refused of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from virtquorum.check.finding import Severity
from virtquorum.errors import HostError
from virtquorum.host.change import Plan
from virtquorum.model.node import node

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.patch.given import Given
    from virtquorum.qemu.provided import Provided

__all__ = ["ImagesError", "InvalidPatchError", "Options", "Patch"]


class Options(TypedDict, total=False):
    """What every change of a quorum disk can be told.

    ``live`` and ``config`` say what is changed: the running domain, its
    definition, or both; without either the running domain, or else the
    definition.  ``fill`` is whether new members are copied to, True if it is
    not given; without it they must hold the disk's data.  ``checks`` is
    whether it is looked at first if QEMU can use the new images (True).
    ``bad`` are words for members that are known to be bad: of the others
    enough must be left.  ``seconds`` is the patience with a guest that is to
    let go of a disk.  ``provided`` is where secrets are, and ``directory``
    where a new placeholder goes.  ``create`` has new images made that are
    missing: members as large as the disk, those of a new disk of ``size``
    (bytes).  ``given`` says for findings what the change was given with.
    """

    live: bool
    config: bool
    fill: bool
    checks: bool
    bad: Collection[str]
    seconds: float
    provided: Provided | None
    directory: str | None
    create: bool
    size: int | None
    given: Given


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Patch(Plan):
    """A plan to change a quorum disk.

    ``live`` and ``config`` say what of the domain it changes.  ``lost`` are
    sentences on what cannot be undone, or is unwise, and should be asked;
    ``notes`` are worth knowing; ``findings`` are what the rules say that they
    did not say before, placed where it was given (see ``given.at_given``), and
    ``results`` what was found of the images: neither has errors.
    """

    target: str
    live: bool
    config: bool
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    results: tuple[CheckResult, ...] = ()


class InvalidPatchError(HostError):
    """A change that would leave a domain with mistakes; ``findings`` are those that it makes."""

    def __init__(self, title: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        self.title = title
        first = next(one for one in findings if one.severity is Severity.ERROR)
        super().__init__(f"cannot {title}: {first.message} ({first.rule})")


class ImagesError(HostError):
    """A change for which images are not as they must be; ``results`` are what was found of them."""

    def __init__(self, title: str, results: Sequence[CheckResult]) -> None:
        self.results = tuple(results)
        first = next(one for one in results if one.severity is Severity.ERROR)
        super().__init__(f"cannot {title}: {first}")
