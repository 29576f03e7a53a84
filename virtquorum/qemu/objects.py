"""QEMU's objects that disks lean on (``-object``, ``object-add``), typed as the block graph is.

An object is named by its ``id``.  What is secret is never in one of them: a
secret names the file that holds it, or is an object that the user makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from virtquorum.model.node import node
from virtquorum.qemu.qapi import Struct, choice, integer, json_of, struct, switch, text

if TYPE_CHECKING:
    from virtquorum.json_text import Json

__all__ = [
    "OBJECTS",
    "IoThread",
    "PrManagerHelper",
    "QemuObject",
    "Secret",
    "ThrottleGroup",
    "ThrottleLimits",
    "TlsCredsX509",
    "object_options",
]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class QemuObject(Struct):
    """What every object has."""

    qom_type: ClassVar[str]

    id: str = text(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Secret(QemuObject):
    """A secret in a file; with format 'base64' QEMU decodes what it reads there."""

    qom_type: ClassVar[str] = "secret"

    file: str = text(required=True)
    format: str | None = choice("raw", "base64")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class TlsCredsX509(QemuObject):
    """Certificates and keys, in files of fixed names in ``dir``.

    ``passwordid`` is the secret that opens the key, where it is encrypted.
    """

    qom_type: ClassVar[str] = "tls-creds-x509"

    dir: str = text(required=True)
    endpoint: str = choice("client", "server", required=True)
    verify_peer: bool | None = switch()
    passwordid: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class PrManagerHelper(QemuObject):
    """The socket of a qemu-pr-helper, which reserves SCSI units for QEMU."""

    qom_type: ClassVar[str] = "pr-manager-helper"

    path: str = text(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ThrottleLimits(Struct):
    """Bytes and requests a second, bursts, their lengths in seconds; 'size' in bytes."""

    bps_total: int | None = integer()
    bps_read: int | None = integer()
    bps_write: int | None = integer()
    iops_total: int | None = integer()
    iops_read: int | None = integer()
    iops_write: int | None = integer()
    bps_total_max: int | None = integer()
    bps_read_max: int | None = integer()
    bps_write_max: int | None = integer()
    iops_total_max: int | None = integer()
    iops_read_max: int | None = integer()
    iops_write_max: int | None = integer()
    bps_total_max_length: int | None = integer()
    bps_read_max_length: int | None = integer()
    bps_write_max_length: int | None = integer()
    iops_total_max_length: int | None = integer()
    iops_read_max_length: int | None = integer()
    iops_write_max_length: int | None = integer()
    iops_size: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ThrottleGroup(QemuObject):
    """Limits that the disks of a group share."""

    qom_type: ClassVar[str] = "throttle-group"

    limits: ThrottleLimits | None = struct(ThrottleLimits)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class IoThread(QemuObject):
    """A thread that serves disks."""

    qom_type: ClassVar[str] = "iothread"


OBJECTS: dict[str, type[QemuObject]] = {
    cls.qom_type: cls for cls in (Secret, TlsCredsX509, PrManagerHelper, ThrottleGroup, IoThread)
}


def object_options(one: QemuObject) -> dict[str, Json]:
    """An object's ObjectOptions, in JSON types."""
    return {"qom-type": one.qom_type, **json_of(one, lambda _: None)}
