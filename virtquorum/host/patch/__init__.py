"""Changes of a domain's quorum disks: plugged in, taken out, set otherwise, other members.

Each function plans one change, of the running domain (``live``), of its
definition (``config``), or of both, which then change together or not at all;
without either the running domain is changed if it runs, and the definition if
not.  Nothing is done until the plan is applied::

    with virtquorum.host.connect() as host:
        plan = set_quorum(host.domain("web"), "vda", {"threshold": 3}, live=True, config=True)
        apply(plan)

A plan says in ``lost`` what cannot be undone and should be asked before.
"""

from __future__ import annotations

from virtquorum.host.change import apply
from virtquorum.host.patch.disks import attach, detach
from virtquorum.host.patch.edit import NothingToChangeError
from virtquorum.host.patch.members import (
    add_member,
    remove_member,
    reorder_members,
    replace_member,
)
from virtquorum.host.patch.patch import (
    ImagesError,
    InvalidPatchError,
    Options,
    Patch,
)
from virtquorum.host.patch.settings import SETTINGS, Settings, set_quorum

__all__ = [
    "SETTINGS",
    "ImagesError",
    "InvalidPatchError",
    "NothingToChangeError",
    "Options",
    "Patch",
    "Settings",
    "add_member",
    "apply",
    "attach",
    "detach",
    "remove_member",
    "reorder_members",
    "replace_member",
    "set_quorum",
]
