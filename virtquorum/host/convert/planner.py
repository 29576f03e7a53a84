"""What all conversions share: what they are told, and what is refused and said of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from virtquorum.check.finding import Severity
from virtquorum.errors import HostError
from virtquorum.host.connection import asking
from virtquorum.host.patch.faces import Alone
from virtquorum.host.patch.patch import InvalidPatchError, Patch
from virtquorum.host.patch.scope import Scope
from virtquorum.qemu.provided import Provided

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.host.change import Step
    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.half import Half

__all__ = ["CONVERTED", "Options", "Planner"]

#: Where only what runs, or only the definition can be converted.
CONVERTED: Final = Alone(
    live="'--live' alone converts the running domain",
    config="shut it down, and '--config' converts its definition",
)


class Options(TypedDict, total=False):
    """What a conversion can be told.

    ``live`` and ``config`` say what is converted: the running domain, its
    definition, or both; without either the running domain, or else the
    definition.  ``create`` has new members' images made that are missing.
    ``fill`` is whether new members are copied to (True); without it they must
    hold the disk's data.  ``compare`` is whether the member that stays is
    compared with the vote (True).  ``checks`` is whether it is looked at first
    if QEMU can use the images (True).  ``provided`` is where secrets are, and
    ``directory`` where a new placeholder goes.
    """

    live: bool
    config: bool
    create: bool
    fill: bool
    compare: bool
    checks: bool
    provided: Provided | None
    directory: str | None


class Planner:
    """What both conversions share."""

    title: str

    def __init__(self, domain: HostDomain, target: str, options: Options) -> None:
        self.domain = domain
        self.target = target
        self.options = options
        self.scope = Scope.of(
            domain, live=options.get("live", False), config=options.get("config", False)
        )
        self.provided = options.get("provided") or Provided(lookup=domain.host.lookup)
        self.directory = options.get("directory")
        if self.scope.config and not domain.is_active and domain.has_managed_save:
            raise HostError(
                f"{domain.where} has a saved state, with which it would go on with the disk as it "
                f"was; start it and shut it down, or 'virsh managedsave-remove {domain.name}' "
                "throws that away"
            )

    def _patch(
        self,
        steps: Sequence[Step],
        lost: Sequence[str],
        notes: Sequence[str],
        findings: Sequence[Finding],
        results: Sequence[CheckResult],
    ) -> Patch:
        return Patch(
            title=self.title,
            domain=self.domain.name,
            steps=tuple(steps),
            target=self.target,
            live=self.scope.live,
            config=self.scope.config,
            lost=tuple(dict.fromkeys(lost)),
            notes=tuple(dict.fromkeys(notes)),
            findings=tuple(findings),
            results=tuple(results),
        )

    def _findings(self, halves: Sequence[Half]) -> list[Finding]:
        """What the rules say newly, once; raises InvalidPatchError if there are errors."""
        found = {(one.rule, one.message): one for half in halves for one in half.findings()}
        if any(one.severity is Severity.ERROR for one in found.values()):
            raise InvalidPatchError(self.title, list(found.values()))
        return list(found.values())

    def _history(self) -> Iterator[str]:
        """What is worth knowing of a domain with snapshots, which know the disk as it was."""
        with asking(self.domain.where):
            handle = self.domain.handle
            known = {
                "snapshots": handle.snapshotNum(0),
                "checkpoints": len(handle.listAllCheckpoints(0)),
            }
        for what, number in known.items():
            if number:
                yield (
                    f"'{self.domain.name}' has {what}, which know the disk '{self.target}' as it "
                    "was; they do not go together with the disk as it becomes"
                )

    def _live_notes(self) -> Iterator[str]:
        if self.scope.config or not self.domain.is_persistent:
            return
        yield (
            f"the definition of '{self.domain.name}' stays as it is: that is what the next start "
            "takes; with --config as well it is converted, too"
        )
