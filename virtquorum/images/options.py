"""The options of encrypted images for ``qemu-img create``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.images.survey import problem

if TYPE_CHECKING:
    from virtquorum.images.survey import Found
    from virtquorum.model.parts import Encryption

__all__ = ["SECRET_ID", "encryption_options"]

#: The id of the new image's secret in qemu-img's command.
SECRET_ID: Final = "virtquorum-new"  # noqa: S105 - a name, no secret
_WORD: Final = re.compile(r"[A-Za-z0-9-]+")


def encryption_options(found: Found, encryption: Encryption) -> tuple[str, ...]:
    """What ``-o`` says of an encrypted image; raises ImageError for what cannot be made."""
    format = found.image.format or "raw"
    if encryption.format != "luks" or encryption.engine == "librbd":
        raise problem(
            found, f"the encryption '{encryption.format}' is not made here",
            "encryption format='luks' with QEMU's engine is",
        )  # fmt: skip
    if format not in ("raw", "qcow2"):
        raise problem(
            found, f"an image of the format '{format}' cannot be encrypted", "choose raw or qcow2"
        )
    prefix = "encrypt." if format == "qcow2" else ""
    options = [f"{prefix}key-secret={SECRET_ID}"]
    if prefix:
        options.insert(0, "encrypt.format=luks")
    return (*options, *(f"{prefix}{one}" for one in _cipher(found, encryption)))


def _cipher(found: Found, encryption: Encryption) -> list[str]:
    """The cipher, where the document chooses one; libvirt's and QEMU's words are the same."""
    name, size = encryption.cipher_name, encryption.cipher_size
    words = {
        "cipher-alg": f"{name}-{size}" if name and size else name,
        "cipher-mode": encryption.cipher_mode,
        "hash-alg": encryption.cipher_hash,
        "ivgen-alg": encryption.ivgen_name,
        "ivgen-hash-alg": encryption.ivgen_hash,
    }
    for word in words.values():
        if word is not None and _WORD.fullmatch(word) is None:
            raise problem(found, f"'{word}' is no name of a cipher, mode or hash", "correct it")
    return [f"{option}={word}" for option, word in words.items() if word is not None]
