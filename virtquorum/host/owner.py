"""QEMU's user, by what libvirt says of it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.connection import asking

if TYPE_CHECKING:
    from virtquorum.host.session import Host

__all__ = ["qemu_owner"]


def qemu_owner(host: Host) -> tuple[int, int] | None:
    """The user and group (ids) that a file for QEMU can be given to, None where it cannot be.

    Only root gives files away, and only of this machine.
    """
    if os.geteuid() != 0 or not host.is_local:
        return None
    with suppress(HostError):
        return _base_label(host)
    return None


def _base_label(host: Host) -> tuple[int, int] | None:
    from virtquorum.xml.document import Document

    with asking(host.where):
        xml = str(host.connection.getCapabilities())
    for machine in Document.from_text(xml, "libvirt's capabilities").root.elements("host"):
        for model in machine.elements("secmodel"):
            if [one.text for one in model.elements("model")] != ["dac"]:
                continue
            for label in model.elements("baselabel"):
                user, _, group = label.text.replace("+", "").partition(":")
                if user.isdigit() and group.isdigit():
                    return int(user), int(group)
    return None
