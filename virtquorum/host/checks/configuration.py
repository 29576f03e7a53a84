"""What libvirt's qemu.conf says of devices and files."""

from __future__ import annotations

import re
from typing import Final

from virtquorum.model.node import Node, node

__all__ = ["DEVICES", "Configuration"]

#: The devices that each guest has, if qemu.conf says nothing.
DEVICES: Final = (
    "/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/kvm",
)  # fmt: skip
_COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)
_LIST: Final = r"^\s*{name}\s*=\s*\[(.*?)\]"
_NUMBER: Final = r"^\s*{name}\s*=\s*([0-9]+)\s*$"
_TEXT: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Configuration(Node):
    """What a qemu.conf says, and libvirt's own choice where it says nothing.

    ``namespace`` is whether QEMU has a /dev of its own, ``devices`` what is in
    it for every guest; ``dynamic_ownership`` whether libvirt makes files
    QEMU's own.  ``read`` is whether the file could be read.
    """

    path: str
    namespace: bool = True
    devices: tuple[str, ...] = DEVICES
    dynamic_ownership: bool = True
    read: bool = True

    @classmethod
    def of(cls, path: str) -> Configuration:
        """Read a qemu.conf; one that is not there says nothing."""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = _COMMENT.sub("", file.read())
        except FileNotFoundError:
            return cls(path=path)
        except OSError:
            return cls(path=path, read=False)
        namespaces = _listed(text, "namespaces")
        devices = _listed(text, "cgroup_device_acl")
        owned = re.search(_NUMBER.format(name="dynamic_ownership"), text, re.MULTILINE)
        return cls(
            path=path,
            namespace=namespaces is None or "mount" in namespaces,
            devices=DEVICES if devices is None else devices,
            dynamic_ownership=owned is None or int(owned[1]) != 0,
        )


def _listed(text: str, name: str) -> tuple[str, ...] | None:
    """A list of a configuration; None if it is not there."""
    found = re.search(_LIST.format(name=name), text, re.MULTILINE | re.DOTALL)
    if found is None:
        return None
    return tuple(one[0] or one[1] for one in _TEXT.findall(found[1]))
