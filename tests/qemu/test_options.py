"""Single properties of block nodes, without a QEMU."""

from __future__ import annotations

from typing import Any

import pytest

from virtquorum.qemu.build import build
from virtquorum.qemu.graph import options
from virtquorum.qemu.names import domain_names
from virtquorum.xml.domain import Domain

#: How libvirt scales sizes: KB is a thousand, K and KiB are 1024, the case of letters is nothing.
SIZES = {
    None: 1,
    "b": 1,
    "byte": 1,
    "bytes": 1,
    "k": 1024,
    "K": 1024,
    "KiB": 1024,
    "kib": 1024,
    "KB": 1000,
    "kb": 1000,
    "M": 1024**2,
    "MiB": 1024**2,
    "MB": 1000**2,
    "G": 1024**3,
    "GiB": 1024**3,
    "GB": 1000**3,
    "TiB": 1024**4,
    "TB": 1000**4,
}


def graph_of(disk: str) -> Any:
    (model,) = Domain.from_text(disk).disks
    (names,) = domain_names([model])
    return options(build(model, names).top)


def metadata_cache(unit: str | None) -> str:
    attribute = "" if unit is None else f" unit='{unit}'"
    return f"<metadata_cache><max_size{attribute}>3</max_size></metadata_cache>"


@pytest.mark.parametrize("unit", SIZES)
def test_metadata_cache_of_a_disk(unit: str | None) -> None:
    top = graph_of(
        f"<disk type='file'><driver type='qcow2'>{metadata_cache(unit)}</driver>"
        "<source file='/a'/><target dev='vda'/></disk>"
    )
    assert top["driver"] == "qcow2"
    assert top["cache-size"] == 3 * SIZES[unit]


@pytest.mark.parametrize("unit", SIZES)
def test_metadata_cache_of_a_member(unit: str | None) -> None:
    plain = "<backingStore type='file'><format type='qcow2'/><source file='/b'/></backingStore>"
    top = graph_of(
        "<disk type='quorum' threshold='1'><driver type='quorum'/><backingStore type='file'>"
        f"<format type='qcow2'>{metadata_cache(unit)}</format><source file='/a'/></backingStore>"
        f"{plain}<target dev='vda'/></disk>"
    )
    one, two = top["children"]
    assert one["cache-size"] == 3 * SIZES[unit]
    assert "cache-size" not in two


@pytest.mark.parametrize("format", ["raw", "qcow2"])
@pytest.mark.parametrize(
    ("driver", "above"),
    [
        ("", {}),
        ("discard='unmap'", {"discard": "unmap"}),
        ("discard='ignore'", {"discard": "ignore"}),
        ("detect_zeroes='on'", {"detect-zeroes": "on"}),
        ("detect_zeroes='on' discard='unmap'", {"detect-zeroes": "on", "discard": "unmap"}),
        ("detect_zeroes='unmap' discard='unmap'", {"detect-zeroes": "unmap", "discard": "unmap"}),
        # Without discard='unmap' libvirt turns 'unmap' into 'on'.
        ("detect_zeroes='unmap'", {"detect-zeroes": "on"}),
    ],
)
def test_discard_passes_a_quorum_below_a_format(
    format: str, driver: str, above: dict[str, str]
) -> None:
    """The format's node has what the driver says; the quorum below lets discards through."""
    member = "<backingStore type='file'><format type='raw'/><source file='/{}'/></backingStore>"
    top = graph_of(
        f"<disk type='quorum' threshold='1'><driver type='{format}' {driver}/>"
        f"{member.format('a')}{member.format('b')}<target dev='vda'/></disk>"
    )
    assert top["driver"] == format
    assert {key: top[key] for key in ("discard", "detect-zeroes") if key in top} == above
    quorum = top["file"]
    assert quorum["driver"] == "quorum"
    assert quorum["discard"] == "unmap"
    assert "detect-zeroes" not in quorum
