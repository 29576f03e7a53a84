"""What the definition of a domain says already of secrets and certificates.

A domain is lowered anew whenever it changes; where its secrets are has been
said once, and stands in its arguments.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from virtquorum.qemu.provided import TLS_DIRECTORY, Provided, SecretFile
from virtquorum.xml.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.xml.domain import Domain

__all__ = ["with_kept"]


def with_kept(provided: Provided, lowered: Domain) -> Provided:
    """What is provided, and where it says nothing, what a lowered domain's arguments say."""
    record = Record.of(lowered.document.root)
    objects = list(_objects(record)) if record is not None else []
    if not objects:
        return provided
    files = {key: file for one in objects for key, file in _secret(one)}
    tls = [one for one in objects if one["qom-type"] == "tls-creds-x509"]
    directory = provided.tls_directory
    if tls and directory == TLS_DIRECTORY:
        directory = str(tls[0]["dir"])
    return Provided(
        secrets={**files, **provided.secrets},
        tls_directory=directory,
        tls_secret=provided.tls_secret or _tls_secret(tls),
        secrets_directory=provided.secrets_directory or _directory(objects),
        lookup=provided.lookup,
    )


def _objects(record: Record) -> Iterator[Mapping[str, Any]]:
    """The objects of our own arguments."""
    for one in record.own_arguments():
        if one.option.attributes.get("value") != "-object":
            continue
        with suppress(ValueError):
            found = json.loads(one.value.attributes.get("value", ""))
            if isinstance(found, dict) and "qom-type" in found and "id" in found:
                yield found


def _secret(one: Mapping[str, Any]) -> Iterator[tuple[str, SecretFile]]:
    """The key (UUID or usage) of a secret's object, and its file."""
    if one["qom-type"] != "secret" or "file" not in one:
        return
    id, file = str(one["id"]), SecretFile(path=one["file"], base64=one.get("format") == "base64")
    if id.startswith("vq-secret-"):
        yield id.removeprefix("vq-secret-"), file
    elif id.startswith("vq-usage-"):
        with suppress(ValueError):
            yield bytes.fromhex(id.rpartition("-")[2]).decode("utf-8", "surrogatepass"), file


def _tls_secret(tls: list[Mapping[str, Any]]) -> str | None:
    for one in tls:
        password = str(one.get("passwordid", ""))
        if password.startswith("vq-secret-"):
            return password.removeprefix("vq-secret-")
    return None


def _directory(objects: list[Mapping[str, Any]]) -> str | None:
    """Where cookies have been written."""
    for one in objects:
        if str(one["id"]).endswith("-cookies") and "file" in one:
            return os.path.dirname(str(one["file"]))
    return None
