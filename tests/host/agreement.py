"""A disk's graph and what it leans on, ours and libvirt's, in one shape without names.

Each object is put in the place where it is named.  A secret's value libvirt
encrypts with a key of the domain's own, which it keeps in a file when the
domain is started; we have the value in a file.  So where nothing is started,
what is seen of a secret is how many blocks of 16 bytes it takes.
"""

from __future__ import annotations

import base64
import json
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.host.definitions import domain
from virtquorum.host.lookup import connect
from virtquorum.qemu.build import build
from virtquorum.qemu.graph import options
from virtquorum.qemu.names import domain_names
from virtquorum.qemu.objects import object_options
from virtquorum.qemu.provided import Provided
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.qemu.build import Built

__all__ = ["blocks", "libvirts", "native", "our_own", "ours", "theirs"]

Values = dict[str, bytes]


def ours(
    daemon: str, xml: str, tls_secret: str | None = None
) -> tuple[Built, list[dict[str, Any]], Values]:
    """Our graph of a disk, its objects, and the secrets by the ids of their objects."""
    (model,) = Domain.from_text(domain(xml)).disks
    (names,) = domain_names([model])
    with connect(daemon) as lookup:
        provided = Provided(lookup=lookup, secrets_directory="/secrets", tls_secret=tls_secret)
        built = build(model, names, provided)
    objects = [json.loads(json.dumps(object_options(one))) for one in built.objects]
    files = dict(built.files)
    secrets = [one for one in objects if one["qom-type"] == "secret"]
    assert files.keys() == {one["file"] for one in secrets}
    return built, objects, {one["id"]: files[one["file"]] for one in secrets}


def theirs(words: list[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What libvirt writes: its nodes, one in the other, and its objects."""
    found: dict[str, list[dict[str, Any]]] = {"-blockdev": [], "-object": []}
    for option, word in pairwise(words):
        if option in found and word.startswith("{"):
            found[option].append(json.loads(word))
    nodes = {one["node-name"]: one for one in found["-blockdev"]}
    objects = [one for one in found["-object"] if one["qom-type"] != "memory-backend-ram"]
    return nested(found["-blockdev"][-1], nodes), objects


def nested(node: dict[str, Any], nodes: dict[str, Any]) -> dict[str, Any]:
    return {
        key: nested(nodes[one], nodes) if key in ("file", "backing") and one in nodes else one
        for key, one in node.items()
    }


def leaning(
    told: Any, objects: list[dict[str, Any]], seen: Callable[[dict[str, Any]], Any]
) -> tuple[Any, set[str]]:
    """A tree with its objects where they are named, and without names; and what is not named."""
    known = {one["id"]: one for one in objects}
    used = set()

    def inlined(one: Any, key: str = "") -> Any:
        if isinstance(one, dict):
            kept = {name: below for name, below in one.items() if name not in ("node-name", "id")}
            return {name: inlined(below, name) for name, below in kept.items()}
        if isinstance(one, str) and one in known and key in NAMING:
            used.add(one)
            found = known[one]
            return seen(found) if found["qom-type"] == "secret" else inlined(found)
        return one

    return inlined(told), known.keys() - used


#: The properties that name objects.
NAMING = {
    "key-secret", "password-secret", "cookie-secret", "tls-creds", "passwordid", "pr-manager",
}  # fmt: skip


def blocks(size: int) -> int:
    """How long so many bytes are encrypted with AES: padded to whole blocks, by at least one."""
    return size // 16 + 1


def native(connection: Any, xml: str) -> list[str]:
    line = connection.domainXMLToNative("qemu-argv", domain(xml))
    return shlex.split(line.replace("\\\n", " "))


def encrypted_blocks(one: dict[str, Any]) -> tuple[str, int]:
    """The length of a secret of libvirt's."""
    assert (one["keyid"], one["format"]) == ("masterKey0", "base64")
    assert len(base64.b64decode(one["iv"])) == 16
    return "secret", len(base64.b64decode(one["data"])) // 16


def our_own(daemon: str, xml: str, tls_secret: str | None = None) -> tuple[Any, set[str]]:
    """What we make of a disk."""
    built, objects, values = ours(daemon, xml, tls_secret)
    return leaning(
        options(built.top), objects, lambda one: ("secret", blocks(len(values[one["id"]])))
    )


def libvirts(connection: Any, xml: str) -> tuple[Any, set[str]]:
    """What libvirt makes of a disk, without its master key."""
    tree, objects = theirs(native(connection, xml))
    assert objects.pop(0)["id"] == "masterKey0"
    return leaning(tree, objects, encrypted_blocks)
