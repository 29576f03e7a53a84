"""What the translation of a source needs of the disk around it, and of the outside."""

from __future__ import annotations

import re
from os.path import join
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError, TranslationError
from virtquorum.model.node import Malformed
from virtquorum.model.parts import Secret
from virtquorum.qemu import graph
from virtquorum.qemu.objects import PrManagerHelper, QemuObject, TlsCredsX509
from virtquorum.qemu.objects import Secret as SecretData
from virtquorum.qemu.provided import SecretObject, secret_id
from virtquorum.xml.plan import fields_of

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnySource, Image
    from virtquorum.model.location import Location
    from virtquorum.model.node import Node
    from virtquorum.model.parts import Auth, Encryption, Host
    from virtquorum.model.sources.network import NetworkSource
    from virtquorum.model.sources.volume import VolumeSource
    from virtquorum.qemu.provided import Provided

__all__ = ["Context", "properties_of"]

#: What no name of a host holds, and what would change the meaning of what is made of it.
_NO_HOST: Final = re.compile(r"[\s/?#@,;\\\"'<>\x00-\x20\x7f]")


def properties_of(node: Node) -> dict[str, Any]:
    """What a description says to be QEMU's properties as they are, by the graph's names.

    A switch that is off is left out: it is QEMU's default.
    """
    return {
        spelling.qemu.replace("-", "_"): value
        for field, spelling in fields_of(type(node)).items()
        if spelling.qemu is not None and (value := getattr(node, field)) not in (None, False)
    }


class Context:
    """One disk's translation: its common words, the objects that it comes to need.

    ``writable`` are the images, by identity of their sources, that are written to;
    ``objects`` are by their ids, in the order in which they were needed;
    ``files`` are what must be written before QEMU starts, by path.
    """

    def __init__(
        self,
        disk: Disk,
        provided: Provided,
        *,
        cache: graph.Cache | None,
        aio: graph.Aio | None,
        discard: graph.Discard | None,
        detect_zeroes: graph.DetectZeroes | None,
    ) -> None:
        self.disk = disk
        self.provided = provided
        self.cache = cache
        self.aio = aio
        self.discard = discard
        self.detect_zeroes = detect_zeroes
        self.writable: set[int] = set()
        self.objects: dict[str, QemuObject] = {}
        self.files: dict[str, bytes] = {}
        self._volumes: dict[int, AnySource] = {}
        #: The quorums, by identity, whose members were compared with those of a quorum above.
        self.voted: set[int] = set()

    def refused(
        self, message: str, place: Location | None, remedy: str | None = None
    ) -> TranslationError:
        """The error for a part of this disk."""
        return TranslationError(
            message, location=place or self.disk.location, disk=self.disk.name, remedy=remedy
        )

    def common(self, name: str) -> dict[str, Any]:
        """What every storage node has, as libvirt writes it."""
        return {
            "node_name": name,
            "auto_read_only": True,
            "discard": "unmap",
            "cache": self.cache,
        }

    def number(self, what: str, value: object, place: Location | None) -> int | None:
        """A whole number from 0, or None; raises TranslationError for anything else."""
        if value is None or (isinstance(value, int) and value >= 0):
            return value
        raise self.refused(f"{what} is '{value}', which is no number from 0", place)

    def switch(self, what: str, value: object, place: Location | None) -> bool | None:
        """A switch, or None; raises TranslationError for any other word."""
        if isinstance(value, Malformed):
            raise self.refused(f"{what}='{value}' is neither 'yes' nor 'no'", place)
        assert value is None or isinstance(value, bool)
        return value

    def auth(self, source: AnySource) -> Auth | None:
        """Who logs in to a source: its own ``<auth>``, or the disk's for the disk's own source."""
        found: Auth | None = self._own_or_disks(source, "auth")
        return found

    def encryption(self, source: AnySource) -> Encryption | None:
        """How a source is encrypted: by its own ``<encryption>``, or the disk's for its own."""
        found: Encryption | None = self._own_or_disks(source, "encryption")
        return found

    def _own_or_disks(self, source: AnySource, name: str) -> Any:
        own = getattr(source, name, None)
        if source is not self.disk.image.source:
            return own
        disks = getattr(self.disk, name)
        if own is not None and disks is not None:
            raise self.refused(
                f"<{name}> stands in <disk> and in <source>", disks.location, "remove one of them"
            )
        return disks if own is None else own

    def source(self, image: Image) -> Any:
        """An image's source; for a volume of a pool, what it is by a running libvirt."""
        source: Any = image.source
        if source.type != "volume":
            return source
        if id(image) not in self._volumes:
            self._volumes[id(image)] = self._volume(source, source.location or image.location)
        return self._volumes[id(image)]

    def _volume(self, source: VolumeSource, place: Location | None) -> AnySource:
        lookup = self.provided.lookup
        if not source.pool or not source.volume:
            raise self.refused(
                "the volume is not named", place, "write <source pool='…' volume='…'/>"
            )
        if lookup is None:
            raise self.refused(
                f"only libvirt knows where the volume '{source.volume}' of the pool "
                f"'{source.pool}' is",
                place,
                "have it asked, --connect URI, or name the file or device that it is",
            )
        try:
            return lookup.volume(source)
        except HostError as error:
            raise self.refused(str(error), place) from None

    # Hosts

    def one_host(self, source: NetworkSource) -> Host:
        """The only host of a source."""
        if len(source.hosts) != 1:
            raise self.refused(
                f"{source.protocol} takes one <host>, here are {len(source.hosts)}",
                source.location,
                "it is <host name='…'/>, and no more",
            )
        return source.hosts[0]

    def tcp_host(self, source: NetworkSource, host: Host) -> str:
        """The name of a host that is reached over TCP."""
        if host.transport not in (None, "tcp"):
            raise self.refused(
                f"QEMU reaches no {source.protocol} server over '{host.transport}'",
                host.location,
                "transport is 'tcp'",
            )
        if host.socket is not None:
            raise self.refused(
                "the host has a socket, and is reached over TCP",
                host.location,
                "add transport='unix', or remove the socket",
            )
        if not host.name:
            raise self.refused(
                "the host has no name", host.location, "say where the server is: name='…'"
            )
        if _NO_HOST.search(host.name):
            _, at, name = host.name.rpartition("@")
            shown = f"…@{name}" if at else name
            remedy = "a login is said by <auth>" if at else None
            raise self.refused(f"'{shown}' is no name of a host", host.location, remedy)
        return host.name

    def port(self, source: NetworkSource, host: Host) -> int:
        """A host's port, or the protocol's own; 0 where the protocol has none, as libvirt says."""
        port = (source.default_port or 0) if host.port is None else host.port
        if isinstance(port, Malformed) or not (1 <= port <= 65535 or host.port is None):
            raise self.refused(f"the port '{port}' is no number from 1 to 65535", host.location)
        return port

    def inet(self, source: NetworkSource, host: Host) -> graph.InetAddress:
        """A TCP port as QAPI has it."""
        return graph.InetAddress(
            host=self.tcp_host(source, host), port=str(self.port(source, host))
        )

    def server(self, source: NetworkSource, host: Host) -> graph.InetAddress | graph.UnixServer:
        """A TCP port or a unix socket."""
        if host.transport == "unix":
            if not host.socket:
                raise self.refused(
                    "a host with transport='unix' needs a socket",
                    host.location,
                    "name its path: socket='…'",
                )
            if host.name is not None or host.port is not None:
                raise self.refused(
                    "a host with transport='unix' has a socket, and no name or port",
                    host.location,
                    "remove them, or the transport",
                )
            return graph.UnixServer(path=host.socket)
        if host.transport not in (None, "tcp"):
            raise self.refused(
                f"QEMU reaches no {source.protocol} server over '{host.transport}'",
                host.location,
                "transport is 'tcp' or 'unix'",
            )
        return self.inet(source, host)

    # Objects

    def password(self, auth: Auth, source: NetworkSource) -> str:
        """The id of the object that holds what a user logs in with.

        libvirt has it as a secret for Ceph, or else for iSCSI, http as well.
        """
        type = "ceph" if source.protocol == "rbd" else "iscsi"
        word = type if source.protocol in ("rbd", "iscsi") else None
        return self.secret(auth.secret, "<auth>", auth.location, type, word)

    def secret(
        self,
        secret: Secret | None,
        what: str,
        place: Location | None,
        type: str,
        word: str | None = None,
    ) -> str:
        """The id of the object that holds a secret; ``what`` is what it is for.

        ``type`` is libvirt's for such secrets, ``word`` what the XML has to call it.
        """
        if secret is None:
            raise self.refused(
                f"{what} names no secret", place, "it is <secret type='…' uuid='…'/>"
            )
        place = secret.location or place
        if word is not None and secret.type not in (None, word):
            raise self.refused(
                f"the secret of {what} is of type '{secret.type}'",
                place,
                f"it is type='{word}'",
            )
        if secret.uuid is not None and secret.usage is not None:
            raise self.refused(
                f"the secret of {what} is named by UUID and by usage", place, "remove one of them"
            )
        asked = Secret(type=type, uuid=secret.uuid, usage=secret.usage)
        id = secret_id(asked)
        if id is None:
            raise self.refused(
                f"the secret of {what} has no UUID that is one, and no usage",
                place,
                "it is <secret type='…' uuid='…'/>",
            )
        key = id.removeprefix("vq-secret-") if secret.uuid is not None else secret.usage
        assert key is not None
        given = self.provided.secrets.get(key)
        if isinstance(given, SecretObject):
            return given.id
        if given is not None:
            format = "base64" if given.base64 else None
            self.objects[id] = SecretData(id=id, file=given.path, format=format)
            return id
        self.objects[id] = SecretData(id=id, file=self._looked_up(asked, id, key, what, place))
        return id

    def _looked_up(
        self, secret: Secret, id: str, key: str, what: str, place: Location | None
    ) -> str:
        provided = self.provided
        if provided.lookup is None or provided.secrets_directory is None:
            # A Ceph key is told in base64, and QEMU wants the bytes that this stands for.
            form = "base64" if secret.type == "ceph" else "file"
            given = f"--secret {quote(f'{key}={form}:PATH')}"
            raise self.refused(
                f"{what} needs the secret '{key}', whose value is not known here",
                place,
                f"name a file that holds it, {given}, or have libvirt asked, --connect URI "
                "--secrets-dir DIR"
                if provided.lookup is None
                else f"say where it may be written, --secrets-dir DIR, or name a file, {given}",
            )
        try:
            value = provided.lookup.secret(secret)
        except HostError as error:
            raise self.refused(f"the secret '{key}': {error}", place) from None
        path = join(provided.secrets_directory, id)
        self.files[path] = value
        return path

    def passphrase(self, encryption: Encryption) -> str:
        """The id of the object that opens an encrypted image."""
        if len(encryption.secrets) != 1:
            raise self.refused(
                f"encryption takes one <secret>, here are {len(encryption.secrets)}",
                encryption.location,
                "it is <secret type='passphrase' uuid='…'/>",
            )
        secret = encryption.secrets[0]
        return self.secret(secret, "<encryption>", encryption.location, "volume", "passphrase")

    def cookies(self, text: str, name: str, place: Location | None) -> str:
        """The id of the object that holds cookies, which are as good as a password."""
        directory = self.provided.secrets_directory
        if directory is None:
            raise self.refused(
                "cookies let anybody in who sees them, so they stand in no argument",
                place,
                "say where a file with them may be written: --secrets-dir DIR",
            )
        id = f"{name}-cookies"
        path = join(directory, id)
        self.files[path] = text.encode("utf-8", "surrogatepass")
        self.objects[id] = SecretData(id=id, file=path)
        return id

    def tls(self, place: Location | None) -> str:
        """The id of the object with the certificates."""
        id = "vq-tls"
        provided = self.provided
        key = None
        if provided.tls_secret is not None:
            key = self.secret(Secret(uuid=provided.tls_secret), "the TLS key", place, "tls")
        self.objects[id] = TlsCredsX509(
            id=id,
            dir=provided.tls_directory,
            endpoint="client",
            verify_peer=True,
            passwordid=key,
        )
        return id

    def reservations(self, path: str, name: str) -> str:
        """The id of the object that speaks to a qemu-pr-helper."""
        id = f"{name}-pr"
        self.objects[id] = PrManagerHelper(id=id, path=path)
        return id
