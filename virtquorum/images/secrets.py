"""The secrets of encrypted images: handed to qemu-img as files, never as text."""

from __future__ import annotations

import os
from base64 import b64decode
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from virtquorum.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.parts import Encryption

__all__ = ["KeyFile", "Secrets"]

#: How much of a passphrase's file is looked at (bytes).
_LONGEST: Final = 1024**2


class KeyFile(NamedTuple):
    """The file that holds a passphrase, as it is or in base64."""

    path: str
    base64: bool = False

    def ends_with_newline(self) -> bool:
        """Whether the passphrase does, as those do that an editor or ``echo`` has written."""
        try:
            with open(self.path, "rb") as file:
                data = file.read(_LONGEST)
            return (b64decode(data) if self.base64 else data).endswith(b"\n")
        except (OSError, ValueError):  # qemu-img says what is wrong with it
            return False


class Secrets:
    """Which file holds the value of which of libvirt's secrets, by UUID or by usage."""

    def __init__(self, files: Mapping[str, KeyFile]) -> None:
        """Take the files by UUID or usage; raises UsageError for one that cannot be read."""
        self._files: dict[str, KeyFile] = {}
        for name, file in files.items():
            path = os.path.abspath(file.path)
            if not os.path.isfile(path):
                raise UsageError(f"--secret: there is no file '{path}'")
            if not os.access(path, os.R_OK):
                raise UsageError(f"--secret: the file '{path}' cannot be read by this user")
            self._files[_key(name)] = KeyFile(path, file.base64)

    def names_of(self, encryption: Encryption) -> list[str]:
        """What the document calls an image's secret: its UUID, its usage, or both."""
        return [
            name
            for secret in encryption.secrets[:1]
            for name in (secret.uuid, secret.usage)
            if name
        ]

    def file_of(self, encryption: Encryption) -> KeyFile | None:
        """The file with an image's secret; None if it was not given."""
        found = (self._files.get(_key(name)) for name in self.names_of(encryption))
        return next((file for file in found if file is not None), None)


def _key(name: str) -> str:
    with suppress(ValueError):
        return str(UUID(name))
    return name
