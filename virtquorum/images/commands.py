"""qemu-img's commands for an image: the new one, and what is copied into it.

File names are absolute, so none is an option or a protocol; what is opened
with all that lies below it is a graph in JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.images.opened import driver_of, graph, json_name, local_path, one_image
from virtquorum.images.options import SECRET_ID

if TYPE_CHECKING:
    from virtquorum.images.opened import Spelled
    from virtquorum.images.plan import Planned
    from virtquorum.images.secrets import KeyFile
    from virtquorum.images.survey import Found
    from virtquorum.model.image import Image

__all__ = ["container_commands", "copy_command", "create_command"]


def create_command(planned: Planned, path: str) -> list[str]:
    """The arguments that make a blank image at ``path``."""
    found = planned.found
    assert found.driver is not None
    words = ["create", "-q"]
    own = id(found.image)
    if own in planned.keys:
        words += _secret(SECRET_ID, planned.keys[own])
    words += ["-f", found.driver]
    for option in planned.options:
        words += ["-o", option]
    if planned.backing is not None:
        # -u: what is below was looked at as the document says, not as its header does.
        words += ["-u", "-b", planned.backing.name, "-F", planned.backing.driver]
    return [*words, path, str(planned.size)]


def copy_command(planned: Planned, path: str, container: str | None = None) -> list[str] | None:
    """The arguments that fill the blank image at ``path``; None if it stays blank.

    ``container`` is the file with the bytes of the image inside the vote.
    """
    names = {image: f"virtquorum-{number}" for number, image in enumerate(planned.keys)}
    source = _content(planned, names, container)
    if source is None:
        return None
    driver = planned.found.driver
    assert driver is not None
    words = ["convert", "-p", "-n", "-t", "writeback"]  # flushed at the end
    # Else zeros are written: those below may hold something, and what was never
    # written to LUKS is read as noise.
    if planned.backing is None and driver != "luks":
        words.append("--target-is-zero")
    for image, name in names.items():
        words += _secret(name, planned.keys[image])
    target = _chain(planned.found, names, path)
    return [*words, "-O", driver, json_name(source), json_name(target)]


def _content(planned: Planned, names: dict[int, str], container: str | None) -> Spelled | None:
    """The graph of what an image is filled with; None if it stays blank."""
    if container is not None:
        return {"driver": "raw", "file": {"driver": "file", "filename": container}}
    if planned.source is not None:
        return _chain(planned.source, names)
    if planned.zeroed:
        return {"driver": "null-co", "size": planned.size, "read-zeroes": True}
    return None


def container_commands(planned: Planned, path: str) -> list[list[str]]:
    """The arguments that make the image inside the vote, as the bytes that are voted on."""
    return [
        ["create", "-q", "-f", "qcow2", path, str(planned.contained)],
        ["resize", "-q", "-f", "raw", path, str(planned.size)],
    ]


def _chain(found: Found, names: dict[int, str], path: str | None = None) -> Spelled:
    """An image with all that the document says to be below it; ``path`` is where it is for now."""

    def spell(image: Image) -> Spelled:
        driver, own = driver_of(found.disk, image), local_path(image)
        assert driver is not None
        assert own is not None
        if image is found.image and path is not None:
            own = path
        return one_image(image, driver, own, names.get(id(image)))

    return graph(found.image, spell)


def _secret(name: str, file: KeyFile) -> list[str]:
    """A secret is named by its file; a comma in a name is doubled."""
    form = ",format=base64" if file.base64 else ""
    return ["--object", f"secret,id={name}{form},file={file.path.replace(',', ',,')}"]
