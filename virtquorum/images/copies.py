"""What ``--from`` copies: which member it means, and whether all that is read for it is known."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from virtquorum.errors import ImageError, UsageError
from virtquorum.images.opened import json_name, one_image
from virtquorum.images.survey import key_of, problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.images.program import QemuImg
    from virtquorum.images.survey import Found

__all__ = ["check_known", "member_named"]


def member_named(every: Sequence[Found], name: str, *, one_disk: bool) -> Found:
    """The member that is to be copied, by its node name, path, or place in its one disk.

    Raises UsageError if there is none, or several, or if it is not there.
    """
    members = [one for one in every if one.role == "member"]
    matched = _matches(members, name, one_disk=one_disk)
    if not matched:
        known = ", ".join(f"'{_called(one)}'" for one in members) or "none"
        raise UsageError(f"--from: there is no member '{name}'; members are: {known}")
    if len({one.group for one in matched}) > 1:
        raise UsageError(f"--from: '{name}' is a member of several disks; choose one with --disk")
    source = matched[0]
    if source.state == "missing":
        raise UsageError(
            f"--from: the member '{_called(source)}' is missing itself; name one that is there"
        )
    if source.path is None:
        raise UsageError(
            f"--from: the member '{_called(source)}' is no file or block device of this host; "
            "name another, or copy it yourself: qemu-img convert"
        )
    return source


def _matches(members: Sequence[Found], name: str, *, one_disk: bool) -> list[Found]:
    by_name = [one for one in members if one.image.nodename == name]
    if by_name:
        return by_name
    key = key_of(os.path.join(os.getcwd(), name))
    by_path = [one for one in members if one.path is not None and key_of(one.path) == key]
    if by_path or not name.isdecimal() or not name.isascii() or len(name) > 9:
        return by_path
    by_place = [one for one in members if one.number == int(name)]
    if by_place and not one_disk:
        raise UsageError("--from: a number is a member's place in one disk; choose it with --disk")
    return by_place


def _called(found: Found) -> str:
    place = str(found.number) if found.number is not None else "?"
    return found.image.nodename or found.path or place


def check_known(found: Found, qemu_img: QemuImg) -> None:
    """Whether all that QEMU opens for an image is named with its format; raises ImageError.

    Where the document does not end a chain, QEMU goes on as the headers say,
    and where these name no format it would guess one, from bytes that a guest
    may have written.
    """
    if found.state != "there" or found.driver is None or found.path is None:
        return
    chain = found.image.backing is None and found.format.backing
    name = json_name(one_image(found.image, found.driver, found.path))
    try:
        looked = qemu_img.info(name, found.path, chain=chain)
    except ImageError as error:
        raise problem(
            found, "cannot be read with all that its header names to be below it: "
            f"{error.message.replace(name, found.path).rstrip('.')}",
            "bring back what is missing there, or write the chain into the XML, as a "
            "<backingStore> with a <format>",
        ) from None  # fmt: skip
    for info in looked:
        specific: Any = info.get("format-specific") or {}
        data = (specific.get("data") or {}).get("data-file")
        if data is not None:
            raise problem(
                found, f"its data are in another file, '{data}', which only its header names",
                "copy it yourself: qemu-img convert",
            )  # fmt: skip
        below = info.get("backing-filename")
        if chain and below is not None and not info.get("backing-filename-format"):
            raise problem(
                found, f"the backing image '{below}' is named in a header, without its format",
                "write it into the XML, as a <backingStore> with a <format>",
            )  # fmt: skip
