"""What a translation needs and the XML does not hold: secrets, certificates, volumes.

A password never stands in an argument.  A secret is a file that its user
names, or an object that its user gives to QEMU; what has to be written into a
file first is handed back (``needed_files``) and not written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.image import AnySource
    from virtquorum.model.parts import Secret
    from virtquorum.model.sources.volume import VolumeSource

__all__ = [
    "NOTHING",
    "TLS_DIRECTORY",
    "Lookup",
    "Provided",
    "SecretFile",
    "SecretObject",
    "secret_id",
]

#: Where libvirt looks for certificates, if its qemu.conf does not say otherwise.
TLS_DIRECTORY = "/etc/pki/qemu"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SecretFile(Node):
    """A secret's value is in this file; ``base64`` if it has to be decoded first."""

    path: str
    base64: bool = False


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SecretObject(Node):
    """A secret is an object of this id, which QEMU is given otherwise."""

    id: str


class Lookup(Protocol):
    """What a running libvirt can be asked; both raise HostError."""

    def volume(self, source: VolumeSource) -> AnySource:
        """What a volume of a pool really is."""

    def secret(self, secret: Secret) -> bytes:
        """A secret's value; its type is libvirt's word for its usage: 'volume', 'ceph', 'tls'."""


class Provided:
    """What the user, or a running libvirt, provides.

    ``secrets`` are by UUID (as libvirt writes it) or by usage;
    ``tls_secret`` is the UUID of the one that opens the key of the certificates;
    ``secrets_directory`` is where looked-up secrets and cookies may be
    written, None if nowhere.
    """

    def __init__(
        self,
        *,
        secrets: Mapping[str, SecretFile | SecretObject] | None = None,
        tls_directory: str = TLS_DIRECTORY,
        tls_secret: str | None = None,
        secrets_directory: str | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self.secrets = dict(secrets or {})
        self.tls_directory = tls_directory
        self.tls_secret = tls_secret
        self.secrets_directory = secrets_directory
        self.lookup = lookup


NOTHING = Provided()


def secret_id(secret: Secret) -> str | None:
    """The id of the object for a libvirt secret; None if it names neither UUID nor usage.

    'vq-secret-' and the UUID, or 'vq-usage-', its type and the usage in hexadecimal
    digits of its UTF-8: an id takes letters, digits, '-', '.' and '_'.
    """
    if secret.uuid is not None:
        try:
            return f"vq-secret-{UUID(secret.uuid)}"
        except ValueError:
            return None
    if secret.usage:
        return f"vq-usage-{secret.type}-{secret.usage.encode('utf-8', 'surrogatepass').hex()}"
    return None
