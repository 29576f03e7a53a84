"""What is to be made of what is missing: sizes, backing files, copies; decided before any is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from virtquorum.errors import ImageError
from virtquorum.images.copies import check_known, member_named
from virtquorum.images.formats import creatable
from virtquorum.images.notes import notes_of
from virtquorum.images.opened import encryption_of, graph, json_name, one_image
from virtquorum.images.options import encryption_options
from virtquorum.images.outvoting import outvoting
from virtquorum.images.overlays import overlays_of
from virtquorum.images.secrets import KeyFile, Secrets
from virtquorum.images.sizes import Sizes
from virtquorum.images.survey import Found, Survey, key_of, place_of, problem
from virtquorum.model.image import Image, Quorum
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from virtquorum.images.opened import Spelled
    from virtquorum.images.program import QemuImg
    from virtquorum.model.disk import Disk
    from virtquorum.model.parts import Encryption

__all__ = ["NO_PLAN", "Header", "Plan", "Planned", "Request", "plan_images"]

#: QEMU's buffers for a backing file's name.
_LONGEST_NAME: Final = 1023


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Request(Node):
    """What was asked for; ``size`` in bytes, ``copy_from`` a member's name, place or path.

    ``blank`` is whether blank members may outvote those that are there.
    """

    size: int | None = None
    preallocation: str = "off"
    copy_from: str | None = None
    secrets: Secrets = Secrets({})
    blank: bool = False


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Header(Node):
    """The backing file that an image's header is to name, and QEMU's driver for its format."""

    name: str
    driver: str


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Planned(Node):
    """An image that is to be made.

    ``size`` is its virtual size in bytes.  ``options`` go to ``-o``.
    ``keys`` are the files with the passphrases of encrypted images, of this
    one and of what is opened for it, by the images' identity.  ``source`` is
    the member whose content it gets; ``contained`` is the size (bytes) of the
    qcow2 image that is to lie in the bytes voted on.
    """

    found: Found
    size: int
    keys: Mapping[int, KeyFile]
    options: tuple[str, ...] = ()
    backing: Header | None = None
    source: Found | None = None
    contained: int | None = None

    @property
    def zeroed(self) -> bool:
        """Whether zeros must be written into it.

        What was never written to LUKS is read as noise, another in each
        image, so that members would not agree.
        """
        blank = self.source is None and self.contained is None
        return blank and self.found.driver == "luks" and bool(self.found.disk.quorums)

    @property
    def path(self) -> str:
        """Where it is to be."""
        assert self.found.path is not None
        return self.found.path


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Plan(Node):
    """What there is, what is to be made (each behind what is below it), and what is in the way."""

    every: tuple[Found, ...]
    images: tuple[Planned, ...]
    problems: tuple[ImageError, ...]
    notes: tuple[str, ...]


#: Where nothing could be looked at.
NO_PLAN: Final = Plan(every=(), images=(), problems=(), notes=())


def plan_images(
    disks: Sequence[Disk], request: Request, qemu_img: QemuImg, document: Sequence[Disk]
) -> Plan:
    """Look at the disks' images and decide what is to be made; nothing is made.

    ``document`` are all disks that may share files with these: what is needed
    by an image of theirs is not made blank.

    Raises UsageError for a ``copy_from`` that means no member, or several.
    """
    return _Planner(disks, request, qemu_img, document).plan()


class _Planner:
    def __init__(
        self,
        disks: Sequence[Disk],
        request: Request,
        qemu_img: QemuImg,
        document: Sequence[Disk],
    ) -> None:
        survey = Survey(qemu_img)
        self.disks = disks
        self.request = request
        self.every = survey.of(disks)
        self.by_image = {id(one.image): one for one in self.every}
        self.problems = survey.problems
        self.qemu_img = qemu_img
        self.source: Found | None = None
        if request.copy_from is not None:
            one_disk = len(disks) == 1
            self.source = member_named(self.every, request.copy_from, one_disk=one_disk)
        copied = {id(one.image) for one in self.every if self._is_copy(one)}
        self.overlays = overlays_of(document, copied)
        self.sizes = Sizes(self.every, request.size, qemu_img, self.problems)

    def plan(self) -> Plan:
        made: dict[str, Planned] = {}
        refused: set[str] = set()  # said once, whatever else the file is
        for found in self.every:
            if found.state != "missing" or found.path is None:
                continue
            key = key_of(found.path)
            if key in made:
                self._check_shared(made[key], found)
            elif key not in refused:
                try:
                    made[key] = self._planned(found)
                except ImageError as error:
                    refused.add(key)
                    self.problems.append(error)
        self._check_containers()
        images = tuple(made.values())
        if not self.request.blank and not self.problems:
            self.problems += outvoting(self.disks, self.every, images)
        return Plan(
            every=tuple(self.every), images=images, problems=tuple(_in_order(self.problems)),
            notes=tuple(notes_of(self.every, images, self.source, whole=not self.problems)),
        )  # fmt: skip

    def _planned(self, found: Found) -> Planned:
        """What is to be made of a missing image; raises ImageError."""
        source = self.source if self._is_copy(found) else None
        self._check_makeable(found, copied=source is not None)
        size = self.sizes.of(found)
        backing = self._header(found)
        encryption = encryption_of(found.disk, found.image)
        options = encryption_options(found, encryption) if encryption is not None else ()
        contained = None
        if found.group.container is not None and source is None:
            contained = self.sizes.contained(found)
        return Planned(
            found=found, size=size, backing=backing, source=source,
            options=(*found.format.options, *self._preallocation(found), *options),
            keys=self._keys(found, source), contained=contained,
        )  # fmt: skip

    # Copies

    def _is_copy(self, found: Found) -> bool:
        source = self.source
        return source is not None and found.role == "member" and found.group is source.group

    def _keys(self, found: Found, source: Found | None) -> dict[int, KeyFile]:
        """The passphrases' files: for a blank image its own, for a copy of all that is opened."""
        keys = {}
        for one in [found] if source is None else self._opened(found, source):
            encryption = encryption_of(one.disk, one.image)
            if encryption is not None:
                keys[id(one.image)] = self._key(one, encryption)
        return keys

    def _opened(self, found: Found, source: Found) -> list[Found]:
        """What is opened to copy one image into another; raises ImageError if it must not be."""
        images = [*found.image.walk(), *source.image.walk()]
        opened = [self.by_image[id(one)] for one in images if id(one) in self.by_image]
        if any(one.path is None or one.driver is None for one in opened):
            raise problem(found, "what lies below it, or below what is copied, is not of this host",
                          "copy it yourself: qemu-img convert")  # fmt: skip
        _check_votes(found, found.image)
        _check_votes(source, source.image)
        for one in opened:
            check_known(one, self.qemu_img)
        return opened

    def _key(self, found: Found, encryption: Encryption) -> KeyFile:
        file = self.request.secrets.file_of(encryption)
        if file is None:
            raise problem(found, "it is encrypted, and its secret is not given",
                          _secret_remedy(self.request.secrets.names_of(encryption)))  # fmt: skip
        return file

    # Checks

    def _check_makeable(self, found: Found, *, copied: bool) -> None:
        if not found.format.creatable:
            raise problem(
                found, f"qemu-img makes no images of the format '{found.image.format}'",
                f"formats that can be made: {creatable()}",
            )  # fmt: skip
        if getattr(found.image.source, "slices", ()):
            raise problem(
                found, "a slice is a part of a file that is there, and this file is missing",
                "make the file first, or leave the slice out",
            )  # fmt: skip
        assert found.path is not None
        overlay = self.overlays.get(key_of(found.path))
        if overlay is not None and not copied:
            whose = "" if overlay.disk is found.disk else f" of the disk '{overlay.disk.name}'"
            raise problem(
                found, f"its overlay '{overlay.path}'{whose} {overlay.state}, so a blank backing "
                "image would be one whose data are lost", "bring the image back from a backup",
            )  # fmt: skip
        words = os.path.basename(found.path) + self._backing_path(found)
        if found.driver == "vmdk" and any(one in words for one in '"\r\n'):
            raise problem(
                found, "a VMDK keeps names in lines and quotes, and here a name holds one",
                "choose a name without quotes and line ends",
            )  # fmt: skip

    def _backing_path(self, found: Found) -> str:
        below = found.image.backing
        return str(getattr(below.source, "file", "") or "") if isinstance(below, Image) else ""

    def _check_shared(self, first: Planned, found: Found) -> None:
        """Whether one missing file in two places is one backing image."""
        same = (
            first.found.role == found.role == "backing"
            and first.found.driver == found.driver
            and first.found.image.backing == found.image.backing
        )
        if not same:
            self.problems.append(
                problem(found, f"the same file is to be another image, of line "
                        f"{_line(first.found)}, as well", "give each a file of its own")
            )  # fmt: skip

    def _check_containers(self) -> None:
        """A format above a quorum is made on blank members only, or copied with the others."""
        for found in self.every:
            if found.group.container is None or found.state != "missing" or self._is_copy(found):
                continue
            if any(one.group is found.group and one.state == "there" for one in self.every):
                self.problems.append(
                    problem(found, "the other members hold a qcow2 image together, which a blank "
                            "one would disagree with", "copy one of them with --from")
                )  # fmt: skip

    # Parts

    def _header(self, found: Found) -> Header | None:
        """The backing file to be named in the header; raises ImageError if it cannot be."""
        below = found.image.backing
        if not isinstance(below, Image):
            return None
        _check_votes(found, below)
        if isinstance(below.source, Quorum):
            header = Header(name=json_name(graph(below, self._spelled(found))), driver="quorum")
            if below.format not in (None, "quorum"):
                raise problem(found, "a quorum with a format above it is no backing image here")
        else:
            own = self.by_image[id(below)]
            if own.path is None or own.driver is None:
                raise problem(
                    found, "its backing image is not of this host",
                    "make the overlay yourself: qemu-img create -f "
                    f"{found.driver} -F FORMAT -b URI FILE",
                )  # fmt: skip
            header = Header(name=own.path, driver=own.driver)
        if found.driver == "vmdk" and header.driver != "vmdk":
            raise problem(
                found, "a VMDK's backing image is a VMDK", "choose 'qcow2' for one of them"
            )
        length = len(header.name.encode())
        if length > _LONGEST_NAME:
            raise problem(
                found, f"its header has room for a backing file's name of {_LONGEST_NAME} bytes, "
                f"and this one has {length}", "choose shorter paths",
            )  # fmt: skip
        return header

    def _spelled(self, above: Found) -> Callable[[Image], Spelled]:
        def spell(image: Image) -> Spelled:
            found = self.by_image[id(image)]
            if found.path is None or found.driver is None:
                raise problem(above, "a member of its backing quorum is not of this host, and its "
                              "header could not name it", "make the overlay yourself")  # fmt: skip
            return one_image(image, found.driver, found.path)

        return spell

    def _preallocation(self, found: Found) -> tuple[str, ...]:
        mode = self.request.preallocation
        if mode == "off":
            return ()
        modes = found.format.preallocation
        if found.driver == "luks":
            modes = ("off", "falloc", "full")
        if isinstance(found.image.backing, Image):
            raise problem(found, "an image with a backing image cannot be preallocated",
                          "leave --preallocation out, or choose disks with --disk")  # fmt: skip
        if mode not in modes:
            raise problem(
                found, f"the format '{found.image.format or 'raw'}' has no preallocation '{mode}'",
                f"it has: {', '.join(modes)}",
            )  # fmt: skip
        return (f"preallocation={mode}",)


def _check_votes(found: Found, top: Image) -> None:
    """Whether QEMU could open the quorums below; raises ImageError."""
    for image in top.walk():
        if isinstance(image.source, Quorum):
            threshold, members = image.source.vote_threshold, len(image.source.members)
            if not isinstance(threshold, int) or not 1 <= threshold <= members:
                raise problem(
                    found, "the quorum below it has no threshold that QEMU takes",
                    f"write one from 1 to {members}",
                )  # fmt: skip


def _line(found: Found) -> str:
    location = place_of(found)
    return str(location.line) if location is not None else "?"


def _secret_remedy(names: Sequence[str]) -> str:
    name = names[0] if names else "UUID"
    return f"--secret {name}=file:PATH names a file that holds the passphrase"


def _in_order(problems: Sequence[ImageError]) -> list[ImageError]:
    """Problems in the order of the document."""

    def place(error: ImageError) -> tuple[int, int]:
        return (error.location.line, error.location.column) if error.location else (0, 0)

    return sorted(problems, key=place)
