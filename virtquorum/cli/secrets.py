"""``--secret``, ``--secrets-dir``, ``--tls-dir`` …: what a translation is provided with."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias
from uuid import UUID

import typer

from virtquorum.errors import HostError, UnreadableError, UsageError
from virtquorum.qemu.objects import Secret as SecretData
from virtquorum.qemu.objects import TlsCredsX509
from virtquorum.qemu.provided import Provided, SecretFile, SecretObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from virtquorum.cli.streams import Streams
    from virtquorum.model.image import AnySource
    from virtquorum.model.parts import Secret
    from virtquorum.model.sources.volume import VolumeSource
    from virtquorum.qemu.build import Built
    from virtquorum.qemu.objects import QemuObject
    from virtquorum.qemu.provided import Lookup

__all__ = [
    "SecretOptions",
    "files_not_here",
    "hand_out",
    "provided",
    "secret",
    "secrets_without_use",
    "write_secrets",
]


class SecretOptions:
    """The options that say where secrets are, of a QEMU that libvirt starts."""

    Secret: TypeAlias = Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="UUID=file:PATH",
            help="Where the value of a libvirt secret is, on the machine that QEMU runs on: "
            "file:PATH, or base64:PATH. Or by usage. May be repeated.",
            show_default=False,
        ),
    ]
    Directory: TypeAlias = Annotated[
        str | None,
        typer.Option(
            "--secrets-dir",
            metavar="DIR",
            help="Write there, readable for you alone, what no argument may hold: cookies, and "
            "secrets that libvirt is asked for.",
            show_default=False,
        ),
    ]
    Tls: TypeAlias = Annotated[
        str | None,
        typer.Option(
            "--tls-dir",
            metavar="DIR",
            help="The certificates for TLS; /etc/pki/qemu, as for libvirt.",
            show_default=False,
        ),
    ]
    TlsSecret: TypeAlias = Annotated[
        str | None,
        typer.Option(
            "--tls-secret",
            metavar="UUID",
            help="The secret that opens the key of the certificates, if it is encrypted.",
            show_default=False,
        ),
    ]


_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


def secret(word: str) -> tuple[str, SecretFile | SecretObject]:
    """The key and the value of ``--secret KEY=file:PATH``; raises UsageError.

    The key is a UUID, in any spelling, or else a usage.
    """
    # A usage may hold '='.
    found = re.fullmatch(r"(.+?)=(file|base64|object):(.+)", word, re.DOTALL)
    if found is None:
        raise UsageError(
            f"--secret is UUID=file:PATH, UUID=base64:PATH or UUID=object:ID, not '{word}'; "
            "a usage may stand for the UUID"
        )
    key, kind, value = found.groups()
    with suppress(ValueError):
        key = str(UUID(key))
    if kind != "object":
        return key, SecretFile(path=os.path.abspath(value), base64=kind == "base64")
    if _ID.fullmatch(value) is None:
        raise UsageError(f"'{value}' is no id that an object of QEMU's can have")
    return key, SecretObject(id=value)


class Unasked:
    """A lookup for what takes disks away: that needs no secret's value, but may need volumes."""

    def __init__(self, lookup: Lookup | None) -> None:
        self._lookup = lookup

    def volume(self, source: VolumeSource) -> AnySource:
        """What a volume of a pool really is; raises HostError."""
        if self._lookup is None:
            raise HostError(
                f"only libvirt knows where the volume '{source.volume}' of the pool "
                f"'{source.pool}' is; have it asked, --connect URI"
            )
        return self._lookup.volume(source)

    def secret(self, secret: Secret) -> bytes:
        """No value."""
        return b""


def provided(
    secrets: Sequence[str],
    tls_dir: str | None,
    tls_secret: str | None,
    secrets_dir: str | None,
    lookup: Lookup | None,
    *,
    undo: bool = False,
) -> Provided:
    """What the options provide; for ``undo`` no secret has to be known.  Raises UsageError."""
    if secrets_dir is not None and not os.path.isdir(secrets_dir):
        raise UsageError(f"--secrets-dir: '{secrets_dir}' is no directory; make it, for yourself")
    more = {"tls_directory": tls_dir} if tls_dir is not None else {}
    if undo:
        secrets_dir, lookup = secrets_dir or "/", Unasked(lookup)
    return Provided(
        secrets=dict(secret(one) for one in secrets),
        tls_secret=_uuid(tls_secret) if tls_secret is not None else None,
        secrets_directory=os.path.abspath(secrets_dir) if secrets_dir is not None else None,
        lookup=lookup,
        **more,
    )


def hand_out(
    graphs: Iterable[Built],
    given: Provided,
    streams: Streams,
    *,
    write: bool = True,
    all_disks: bool = True,
) -> None:
    """Write the secrets' files, and say which other files are wanted or were given in vain.

    What was given in vain is only known of ``all_disks``.
    """
    built = list(graphs)
    files = [file for one in built for file in one.files]
    objects = [made for one in built for made in one.objects]
    if write:
        write_secrets(files)
    for path in files_not_here(objects, [path for path, _ in files]):
        streams.note(f"QEMU will read '{path}', and there is no such file on this machine")
    if all_disks:
        for key in secrets_without_use(given, objects):
            streams.note(f"no disk needs the secret '{key}'")


def files_not_here(objects: Iterable[QemuObject], written: Iterable[str]) -> list[str]:
    """The files that QEMU will want for objects and that this machine lacks."""
    wanted = [
        one.file if isinstance(one, SecretData) else os.path.join(one.dir, "ca-cert.pem")
        for one in objects
        if isinstance(one, SecretData | TlsCredsX509)
    ]
    there = set(written)
    return [one for one in dict.fromkeys(wanted) if one not in there and not os.path.exists(one)]


def secrets_without_use(given: Provided, objects: Iterable[QemuObject]) -> Iterator[str]:
    """The keys of the secrets in files that no disk needs."""
    used = {one.file for one in objects if isinstance(one, SecretData)}
    for key, value in given.secrets.items():
        if isinstance(value, SecretFile) and value.path not in used:
            yield key


def _uuid(word: str) -> str:
    try:
        return str(UUID(word))
    except ValueError:
        raise UsageError(f"--tls-secret: '{word}' is no UUID of a secret") from None


def write_secrets(files: Sequence[tuple[str, bytes]]) -> None:
    """Write files that nobody but their owner can read; all of them, or none that is new.

    Raises UnreadableError.
    """
    made: list[str] = []
    try:
        for path, data in files:
            new = not os.path.lexists(path)
            _write(path, data)
            if new:
                made.append(path)
    except OSError as error:
        for path in made:
            with suppress(OSError):
                os.unlink(path)
        raise UnreadableError(
            f"cannot be written: {(error.strerror or str(error)).lower()}", file=path
        ) from None


def _write(path: str, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path))  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
