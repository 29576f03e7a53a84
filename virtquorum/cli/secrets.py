"""``--secret``, ``--secrets-dir``, ``--tls-dir`` …: what a translation is provided with."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import UUID

from virtquorum.errors import UnreadableError, UsageError
from virtquorum.qemu.provided import Provided, SecretFile, SecretObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.qemu.provided import Lookup

__all__ = ["provided", "secret", "write_secrets"]

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
        return key, SecretFile(path=value, base64=kind == "base64")
    if _ID.fullmatch(value) is None:
        raise UsageError(f"'{value}' is no id that an object of QEMU's can have")
    return key, SecretObject(id=value)


def provided(
    secrets: Sequence[str],
    tls_dir: str | None,
    tls_secret: str | None,
    secrets_dir: str | None,
    lookup: Lookup | None,
) -> Provided:
    """What the options provide; raises UsageError."""
    if secrets_dir is not None and not os.path.isdir(secrets_dir):
        raise UsageError(f"--secrets-dir: '{secrets_dir}' is no directory; make it, for yourself")
    more = {"tls_directory": tls_dir} if tls_dir is not None else {}
    return Provided(
        secrets=dict(secret(one) for one in secrets),
        tls_secret=_uuid(tls_secret) if tls_secret is not None else None,
        secrets_directory=os.path.abspath(secrets_dir) if secrets_dir is not None else None,
        lookup=lookup,
        **more,
    )


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
