"""Disks as JSON, for programs; the schema is ``schemas/show.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import Described, Node
from virtquorum.model.source import ForeignSource
from virtquorum.report.location import where
from virtquorum.xml.plan import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.json_text import Json
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage
    from virtquorum.xml.domain import Domain

__all__ = ["VERSION", "file_json"]

#: The version of the schema; it changes when a program that reads it must.
VERSION = 1


def file_json(domain: Domain, nodes: Mapping[int, str] | None = None) -> dict[str, Json]:
    """A file and its disks; ``nodes`` are the images' node names, by their identity."""
    return {
        "path": domain.name,
        "root": domain.document.root.name,
        "domain": domain.domain_name,
        "disks": [_disk(one, nodes) for one in domain.disks],
    }


def _disk(disk: Disk, nodes: Mapping[int, str] | None) -> dict[str, Json]:
    target = disk.target
    return {
        **_place(disk),
        "target": disk.name,
        "bus": target.bus if target is not None else None,
        "device": disk.device,
        "readonly": bool(disk.readonly),
        "shareable": bool(disk.shareable),
        "transient": disk.transient is not None,
        "serial": disk.serial,
        "wwn": disk.wwn,
        "alias": disk.alias,
        "boot_order": disk.boot.order if disk.boot is not None else None,
        "auth": _fields(disk.auth) if disk.auth is not None else None,
        "encryption": _fields(disk.encryption) if disk.encryption is not None else None,
        "driver": _fields(disk.driver),
        "image": _image(disk.image, nodes),
    }


def _place(one: Described) -> dict[str, Json]:
    location = one.location
    if location is None:
        return {"path": None, "line": None, "column": None}
    return {"path": location.path, "line": location.line, "column": location.column}


def _image(top: Image, nodes: Mapping[int, str] | None) -> dict[str, Json]:
    """An image and all below it."""
    done: dict[int, dict[str, Json]] = {}
    for image in reversed(list(top.walk())):
        done[id(image)] = own = _own(image, done)
        if nodes is not None:
            own["node"] = nodes.get(id(image))
    return done[id(top)]


def _own(image: Image, done: dict[int, dict[str, Json]]) -> dict[str, Json]:
    source = image.source
    own: dict[str, Json] = {
        **_place(image),
        "type": source.type,
        "protocol": source.protocol,
        "format": image.format,
        "index": image.index,
        "nodename": image.nodename,
        "metadata_cache": _fields(image.metadata_cache) if image.metadata_cache else None,
        "where": where(source),
    }
    if isinstance(source, Quorum):
        own["quorum"] = {
            "threshold": source.vote_threshold,
            "threshold_by_element": source.threshold is None
            and source.threshold_element is not None,
            "format_above": None if image.format == "quorum" else image.format,
            "read_pattern": source.read_pattern,
            "rewrite_corrupted": source.rewrite_corrupted,
            "blkverify": source.blkverify,
            "members": [_below(one, done) for one in source.members],
        }
    else:
        own["source"] = _foreign(source) if isinstance(source, ForeignSource) else _fields(source)
        own["backing"] = None if image.backing is None else _below(image.backing, done)
    return own


def _foreign(source: ForeignSource) -> dict[str, Json]:
    """The attributes of a source that the model does not know."""
    element = source.element
    return {"attributes": dict(element.attributes) if element is not None else {}}


def _below(image: AnyImage, done: dict[int, dict[str, Json]]) -> Json:
    return "end" if isinstance(image, Terminator) else done[id(image)]


def _fields(one: Node) -> dict[str, Json]:
    """The fields of a node that are set, by the model's names; none of these nest deeply."""
    found: dict[str, Json] = {}
    for name in fields_of(type(one)):
        value = getattr(one, name)
        if value is None or value == ():
            continue
        found[name] = _value(value)
    return found


def _value(value: object) -> Json:
    if isinstance(value, tuple):
        return [_value(one) for one in value]
    if isinstance(value, Node):
        return _fields(value)
    assert isinstance(value, (bool, int, str))
    return value
