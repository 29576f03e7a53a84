"""The definition's half of a change: the steps by which libvirt gets another one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.define import placeholder_files, plan_definition
from virtquorum.host.definition import (
    Define,
    MakePlaceholder,
    VerifyDefinition,
    WriteFile,
    difference,
)
from virtquorum.host.kept import with_kept
from virtquorum.host.patch.fill import fill
from virtquorum.host.patch.half import Half
from virtquorum.images.opened import local_path
from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource
from virtquorum.stock.lift import lift

if TYPE_CHECKING:
    from virtquorum.host.change import Step
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.edit import Change
    from virtquorum.qemu.provided import Provided

__all__ = ["ConfigHalf"]


class ConfigHalf(Half):
    """A domain's definition before and after a change.

    ``create`` is whether new members are made where their files are missing.
    """

    def __init__(
        self,
        domain: HostDomain,
        change: Change,
        provided: Provided,
        directory: str | None,
        *,
        create: bool = False,
    ) -> None:
        self._create = create
        text = domain.text(inactive=True, secure=True)
        provided = with_kept(provided, text)
        super().__init__(domain, change, text, lift(text), provided, directory)

    @property
    def is_changed(self) -> bool:
        """Whether there is a difference, or a member is made anew in the place of its lost file."""
        return super().is_changed or self._is_made_anew

    @property
    def _is_made_anew(self) -> bool:
        if not self._create or self.domain.is_active or not self.domain.host.is_local:
            return False
        files = [one for one in self.edited.members if isinstance(one, Image)]
        paths = [local_path(one) for one in files if isinstance(one.source, FileSource)]
        return any(path is not None and not os.path.lexists(path) for path in paths)

    def steps(self) -> tuple[list[Step], list[str], set[str]]:
        """The steps, what is worth knowing, and the placeholders of the new definition."""
        definition = plan_definition(
            self.domain.host,
            self.after,
            provided=self.provided,
            directory=self.directory,
            checked=True,
        )
        found: list[Step] = []
        for step in definition.plan.steps:
            match step:
                case WriteFile():
                    found.append(step)
                case MakePlaceholder() if step.placeholders.state(step.path) != "there":
                    found.append(step)
                case Define():
                    step.shown = self._difference()
                    found.append(step)
                case VerifyDefinition():
                    found.append(_Verified(step.host, step.name, step.disks))
        files = set(placeholder_files(definition.lowered).values())
        # What stays and what goes of placeholders is not for a definition alone to say.
        notes = [one for one in definition.notes if not one.startswith("the placeholder ")]
        return found, notes, files

    def _difference(self) -> str:
        """The difference as people write it: of the quorum domain, without passwords."""
        before = self.domain.lifted(inactive=True)
        after = self.change.edit(before).domain
        return difference(before.text, after.text, self.domain.name)

    def fills(self) -> list[Step]:
        """Copies onto new members of a domain that is off; or HostError is raised."""
        places = self.places()
        if places is None or not self.edited.members:
            return []
        host = self.domain.host
        if not host.is_local:
            raise HostError(
                f"the new member is on '{host.name}', and what it is to hold cannot be copied from "
                "here while the domain is off; start it and change it then, or copy it there and "
                "say --no-copy"
            )
        members = [one for one in self.edited.members if isinstance(one, Image)]
        return [fill(places[0], one) for one in members]


class _Verified(VerifyDefinition):
    """As the step before it: other steps come, and all may be undone."""

    final = False
