"""Which images the disks are made of, which of them are there, and how large those are."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from virtquorum.errors import ImageError
from virtquorum.images.formats import FORMATS, Format, creatable
from virtquorum.images.opened import driver_of, json_name, local_path, one_image
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.images.program import QemuImg
    from virtquorum.model.disk import Disk
    from virtquorum.model.location import Location

__all__ = ["Found", "Group", "Role", "State", "Survey", "key_of", "place_of", "problem"]

Role: TypeAlias = Literal["disk", "member", "backing"]
State: TypeAlias = Literal["there", "missing", "elsewhere"]

_FORMAT_REMEDY: Final = (
    "name it: <format type='raw'/>, or what 'qemu-img info' says of an image you trust"
)


class Group:
    """The images that hold the same bytes: a quorum's members, or one image alone.

    ``above`` is the group whose backing this one is.  ``container`` is the
    format that lies in these bytes, where a quorum has a format above it.
    """

    __slots__ = ("above", "container")

    def __init__(self, above: Group | None, container: Format | None = None) -> None:
        self.above = above
        self.container = container


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Found(Node):
    """One image of a disk, as it was found.

    ``path`` is absolute, None for what is no file or block device of this
    host.  ``size`` is the virtual size (bytes) of an image that is there.
    ``above`` is the image whose backing this one is or is a member of.
    ``number`` is a member's place in its disk's outermost quorum, from 0.
    """

    disk: Disk
    image: Image
    role: Role
    group: Group
    state: State
    above: Found | None = None
    number: int | None = None
    path: str | None = None
    driver: str | None = None
    size: int | None = None

    @property
    def format(self) -> Format:
        """The image's format; only of images whose driver is known."""
        return FORMATS[self.image.format or "raw"]


def problem(found: Found, message: str, remedy: str | None = None) -> ImageError:
    """An error about one image."""
    return ImageError(
        message, location=place_of(found), disk=found.disk.name, path=found.path, remedy=remedy
    )


def place_of(found: Found) -> Location | None:
    """Where the document names an image: its source, or else what holds that."""
    return found.image.source.location or found.image.location or found.disk.location


def key_of(path: str) -> str:
    """What tells one file from another before it is there: links on the way are followed."""
    if os.path.lexists(path):
        return os.path.realpath(path)
    directory, base = os.path.split(path)
    return os.path.join(os.path.realpath(directory), base)


class Survey:
    """Looks at the images of disks; ``problems`` is what was wrong."""

    def __init__(self, qemu_img: QemuImg) -> None:
        self.problems: list[ImageError] = []
        self._qemu_img = qemu_img
        self._sizes: dict[str, int] = {}

    def of(self, disks: Sequence[Disk]) -> list[Found]:
        """The images of the disks, each behind those below it; quorums are none."""
        every: list[Found] = []
        for disk in disks:
            every += reversed(list(self._below(disk)))
        return every

    def _below(self, disk: Disk) -> Iterator[Found]:
        outermost = next(iter(disk.quorums), None)
        rest: list[tuple[Image, Role, Group, Found | None, int | None]] = [
            (disk.image, "disk", Group(None), None, None)
        ]
        while rest:
            image, role, group, above, number = rest.pop()
            if isinstance(image.source, Quorum):
                group = self._voting(disk, image, group)
                for place, member in enumerate(image.source.members):
                    if isinstance(member, Terminator):
                        self.problems.append(ImageError(
                            "an empty <backingStore/> is no member", disk=disk.name,
                            location=member.location or image.location, remedy="remove it",
                        ))  # fmt: skip
                        continue
                    own = place if image.source is outermost else None
                    rest.append((member, "member", group, above, own))
                continue
            found = self._look(
                Found(
                    disk=disk, image=image, role=role, group=group, above=above, number=number,
                    path=local_path(image), driver=driver_of(disk, image), state="elsewhere",
                )
            )  # fmt: skip
            yield found
            if isinstance(image.backing, Image):
                self._check_backing(found)
                rest.append((image.backing, "backing", Group(group), found, None))

    def _voting(self, disk: Disk, image: Image, group: Group) -> Group:
        """The group of a quorum's members: the quorum's own, unless a format lies between."""
        encrypted = image is disk.image and disk.encryption is not None
        if image.format in (None, "quorum", "raw") and not encrypted:
            return group
        if image.format == "qcow2" and not encrypted:
            return Group(group, FORMATS["qcow2"])
        what = "encryption" if encrypted else f"the format '{image.format}'"
        self.problems.append(ImageError(
            f"{what} above a quorum is not made", disk=disk.name,
            location=image.location or disk.location,
            remedy="the format 'qcow2' is, without encryption",
        ))  # fmt: skip
        return Group(group)

    def _check_backing(self, found: Found) -> None:
        format = FORMATS.get(found.image.format or "raw")
        if format is not None and not format.backing:
            names = ", ".join(sorted(name for name, one in FORMATS.items() if one.backing))
            self.problems.append(
                problem(
                    found,
                    f"an image of the format '{found.image.format or 'raw'}' has no backing image",
                    f"remove the <backingStore> below it; formats that have one: {names}",
                )
            )

    def _look(self, found: Found) -> Found:
        if found.path is None:
            return found
        if found.driver is None:
            self.problems.append(self._no_format(found))
            return found
        try:
            state = self._state(found, found.path)
            size = self._size(found, found.path) if state == "there" else None
        except ImageError as error:
            self.problems.append(error)
            return found
        return Found(
            disk=found.disk, image=found.image, role=found.role, group=found.group,
            above=found.above, number=found.number, path=found.path, driver=found.driver,
            state=state, size=size,
        )  # fmt: skip

    def _no_format(self, found: Found) -> ImageError:
        name = found.image.format
        if name is None:
            return problem(found, "the format is not given, and is never guessed", _FORMAT_REMEDY)
        return problem(
            found,
            f"QEMU has no driver for images of the format '{name}'",
            f"formats that can be made: {creatable()}",
        )

    def _state(self, found: Found, path: str) -> State:
        """Whether the image is there; raises ImageError for what is neither there nor missing."""
        block = found.image.source.type == "block"
        try:
            if os.fsencode(path) != path.encode():
                raise UnicodeEncodeError("utf-8", path, 0, 1, "another encoding")
            mode = os.stat(path).st_mode
        except UnicodeEncodeError:
            raise problem(
                found, "the file system's encoding is not UTF-8 here",
                "write an absolute path, and run it with LC_ALL=C.UTF-8",
            ) from None  # fmt: skip
        except FileNotFoundError:
            if block:
                raise problem(
                    found, "there is no such block device, and devices are not made",
                    "make it (lvcreate, say), or look at the name",
                ) from None  # fmt: skip
            _check_room(found, path)
            return "missing"
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise problem(found, f"cannot be looked at: {said}") from None
        if (stat.S_ISBLK if block else stat.S_ISREG)(mode):
            return "there"
        kind = "block device" if block else "regular file"
        raise problem(
            found, f"is no {kind} but a {_kind(mode)}", "look at the name and at the type"
        )

    def _size(self, found: Found, path: str) -> int:
        assert found.driver is not None
        parts: Any = getattr(found.image.source, "slices", ())
        if any(not isinstance(value, int) for one in parts for value in (one.offset, one.size)):
            raise problem(found, "its slice has no offset or no size", "write both, in bytes")
        name = json_name(one_image(found.image, found.driver, path))
        if name not in self._sizes:
            try:
                self._sizes[name] = self._qemu_img.virtual_size(name, path)
            except ImageError as error:
                said = error.message.replace(name, path).removeprefix("qemu-img: ")
                raise problem(
                    found,
                    f"is there, but cannot be opened as '{found.image.format or 'raw'}': "
                    f"qemu-img: {said}",
                    _unopened_remedy(found, said),
                ) from None
        return self._sizes[name]


def _unopened_remedy(found: Found, said: str) -> str:
    """The way out where qemu-img cannot open an image that is there."""
    if "Permission denied" in said:
        return "run it as a user who may read it"
    if found.role == "member":
        return (
            "look at the format, or at the file; if it is damaged, move it away, and have it "
            "made anew: create --from MEMBER, of one that is good"
        )
    return "look at the format, or at the file; if it is damaged, bring it back from a backup"


def _kind(mode: int) -> str:
    """What a file is, in a word."""
    kinds = {
        stat.S_IFDIR: "directory", stat.S_IFREG: "regular file", stat.S_IFBLK: "block device",
        stat.S_IFCHR: "character device", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "file of another kind")


def _check_room(found: Found, path: str) -> None:
    """Whether a file can come to be here; raises ImageError."""
    if os.path.islink(path):
        raise problem(
            found, f"is a symbolic link to '{os.readlink(path)}', which does not exist",
            "make what it leads to, or remove the link",
        )  # fmt: skip
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise problem(
            found, f"there is no directory '{directory}'",
            "make it (mkdir -p), or look whether its file system is mounted",
        )  # fmt: skip
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        raise problem(
            found, f"the file system of '{directory}' is mounted read-only",
            "mount it for writing (mount -o remount,rw)",
        )  # fmt: skip
    if not os.access(directory, os.W_OK | os.X_OK):
        raise problem(
            found, f"this user may not write to the directory '{directory}'",
            "run it as a user who may",
        )  # fmt: skip
