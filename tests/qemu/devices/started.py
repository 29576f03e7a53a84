"""A case's disks on real images, translated, and a QEMU that has them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.programs import Qemu, qemu
from virtquorum.errors import TranslationError
from virtquorum.model.sources.file import FileSource
from virtquorum.qemu.blockdev import json_device_arguments, json_object_arguments
from virtquorum.qemu.translate import Style, Translated, arguments, commands, translate
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.qemu.devices.cases import Case

__all__ = ["at_start", "images", "started", "translated"]

SD_CARD = "an SD card is no device that could be named"


def images(domain: Domain, folder: Path) -> None:
    """A file for each of a domain that is meant to be in a folder."""
    for disk in domain.disks:
        for image in disk.image.walk():
            if isinstance(image.source, FileSource) and image.source.file:
                assert image.source.file.startswith(str(folder))
                with open(image.source.file, "wb") as file:
                    file.truncate(1474560 if disk.device == "floppy" else 4 * 1024 * 1024)


def translated(case: Case, style: Style, folder: Path) -> list[Translated]:
    """A case's disks; less those that cannot be plugged in where a running QEMU gets them."""
    domain = Domain.from_text(case.xml(str(folder)))
    images(domain, folder)
    found = []
    for one in translate(domain, style=style):
        if isinstance(one, TranslationError):
            assert style == "qmp" or one.message == SD_CARD, one
            assert "while it runs" in one.message or one.message == SD_CARD
        else:
            found.append(one)
    return found


def at_start(disks: Sequence[Translated]) -> list[str]:
    """The arguments for the controllers that a running QEMU would not take."""
    words: list[str] = []
    for one in disks:
        assert one.frontend is not None
        for place, _ in one.frontend.at_start:
            device = one.frontend.devices[place]
            for made in one.frontend.objects:
                if made.id == getattr(device, "iothread", None):
                    words += json_object_arguments(made)
            words += json_device_arguments(device)
        for driver, name, value in one.frontend.global_options:
            words += ["-global", f"{driver}.{name}={value}"]
    return words


@contextmanager
def started(case: Case, style: Style, disks: Sequence[Translated], folder: Path) -> Iterator[Qemu]:
    """A QEMU of the case's machine with its disks, given in a style; it runs no guest."""
    machine = ["-m", str(case.memory)]
    given = at_start(disks) if style == "qmp" else arguments(disks, style)
    with qemu([*machine, *given], folder, case.machine, case.program) as running:
        if style == "qmp":
            for one in commands(disks):
                running.command(str(one["execute"]), **one["arguments"])  # type: ignore[arg-type]
        yield running
