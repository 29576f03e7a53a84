"""What was planned, done: all of it, or nothing is left of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from virtquorum.errors import ImageError
from virtquorum.images.commands import container_commands, copy_command, create_command
from virtquorum.images.opened import json_name, one_image
from virtquorum.images.place import Workplace
from virtquorum.images.program import Interrupted
from virtquorum.images.size import human_size
from virtquorum.images.survey import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.images.plan import Plan, Planned
    from virtquorum.images.program import QemuImg, Signals
    from virtquorum.images.survey import Group

__all__ = ["commands", "make"]

#: QEMU's words for a passphrase that opens no key of a LUKS image.
_WRONG_KEY: Final = "Invalid password"


def commands(plan: Plan) -> list[list[str]]:
    """The commands that make the plan's images, as they would be with nobody else about.

    In truth each image is made in a directory of its own beside its place,
    and brought there when it is whole.
    """
    words: list[list[str]] = []
    containers: dict[Group, str] = {}
    for one in plan.images:
        group = one.found.group
        if one.contained is not None and group not in containers:
            name = f".virtquorum-voted-{len(containers)}"
            containers[group] = os.path.join(os.path.dirname(one.path), name)
            words += container_commands(one, containers[group])
        words.append(create_command(one, one.path))
        container = containers.get(group) if one.contained is not None else None
        copy = copy_command(one, one.path, container)
        if copy is not None:
            words.append(copy)
    return [["qemu-img", *one] for one in words] + [["rm", one] for one in containers.values()]


def make(
    plan: Plan,
    qemu_img: QemuImg,
    signals: Signals,
    progress: Callable[[Planned, int | None], None],
    workplace: Workplace | None = None,
) -> list[str]:
    """Make the plan's images, each whole before it is seen at its place.

    ``progress`` is told of each image, with whole percents while one is
    copied; ``workplace`` knows whose they are, and can undo it afterwards.
    Returns the directories of its own that could not be removed.  Raises
    ImageError or Interrupted; what was made is removed then.
    """
    return _Maker(plan.images, qemu_img, signals, progress, workplace or Workplace()).make()


class _Maker:
    def __init__(
        self,
        images: Sequence[Planned],
        qemu_img: QemuImg,
        signals: Signals,
        progress: Callable[[Planned, int | None], None],
        workplace: Workplace,
    ) -> None:
        self.images = images
        self.qemu_img = qemu_img
        self.signals = signals
        self.progress = progress
        self.workplace = workplace
        self.containers: dict[Group, str] = {}

    def make(self) -> list[str]:
        try:
            for one in self.images:
                self.signals.check()
                self._image(one)
            self.signals.check()
        except BaseException as error:
            left = self.workplace.undo()
            if left and isinstance(error, ImageError):
                error.remedy = f"remove by hand what could not be removed: {', '.join(left)}"
            if isinstance(error, Interrupted):
                error.left = tuple(left)
            raise
        return self.workplace.clear()

    def _image(self, one: Planned) -> None:
        self.progress(one, None)
        try:
            temporary = self.workplace.temporary(one.path)
            container = self._container(one)
            self._run(one, create_command(one, temporary), temporary)
            self._check_size(one, temporary)
            copy = copy_command(one, temporary, container)
            if copy is not None:
                self._run(one, copy, temporary)
            self.signals.check()
            self.workplace.put(one.path)
        except FileExistsError:
            raise problem(
                one.found, "somebody else has made this file meanwhile; it was left as it is",
                "look at it, and run this again",
            ) from None  # fmt: skip
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise problem(one.found, f"cannot be made: {said}") from None

    def _container(self, one: Planned) -> str | None:
        """The file of the bytes voted on, made when the first member is."""
        if one.contained is None:
            return None
        group = one.found.group
        if group not in self.containers:
            path = self.workplace.scratch(one.path)
            for command in container_commands(one, path):
                self._run(one, command, path)
            self.containers[group] = path
        return self.containers[group]

    def _run(self, one: Planned, command: list[str], temporary: str) -> None:
        try:
            self.qemu_img.run(
                command, one.path, {temporary: one.path}, lambda done: self.progress(one, done)
            )
        except ImageError as error:
            remedy = _key_remedy(one) if _WRONG_KEY in error.message else None
            raise problem(one.found, f"could not be made: {error.message}", remedy) from None

    def _check_size(self, one: Planned, temporary: str) -> None:
        """Whether the format has taken the size as it was given: members of two sizes are none."""
        assert one.found.driver is not None
        name = json_name(one_image(one.found.image, one.found.driver, temporary))
        size = self.qemu_img.virtual_size(name, one.path)
        if size != one.size:
            raise problem(
                one.found,
                f"the format '{one.found.image.format}' made {human_size(size)} of "
                f"{human_size(one.size)}", "choose a size that it takes",
            )  # fmt: skip


def _key_remedy(one: Planned) -> str:
    """The way out where a passphrase does not open an image."""
    paths = {file.path: None for file in one.keys.values() if file.ends_with_newline()}
    if not paths:
        return "look whether --secret names the passphrase that the image was made with"
    said = ", ".join(f"'{path}'" for path in paths)
    return (
        f"the passphrase in {said} ends with a newline, which is a part of it; "
        "if the image was made without: head -c -1 FILE > NEW, and name that"
    )
