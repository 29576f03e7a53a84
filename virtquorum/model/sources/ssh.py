"""An image reached over SSH."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import NetworkSource

__all__ = ["SshSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SshSource(NetworkSource):
    """A file reached over SSH; libvirt's parser takes it, its grammar only since 9.9."""

    protocol: ClassVar[str | None] = "ssh"
    default_port: ClassVar[int | None] = 22
