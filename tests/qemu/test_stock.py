"""For stock disks, our block graph is the one that the installed libvirt writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from virtquorum.qemu.build import build
from virtquorum.qemu.graph import options
from virtquorum.qemu.names import domain_names
from virtquorum.xml.domain import Domain

pytestmark = [
    pytest.mark.skipif(find_spec("libvirt") is None, reason="libvirt-python is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the embedded driver is tried as root"),
]


def disk(
    driver: str = "", source: str = "file='/i/a.img'", *, type: str = "file", format: str = "qcow2",
    inside: str = "", below: str = "", more: str = "", device: str = "disk",
    in_driver: str = "",
) -> str:  # fmt: skip
    target = "dev='sda' bus='sata'" if device == "cdrom" else "dev='vda' bus='virtio'"
    return (
        f"<disk type='{type}' device='{device}'>"
        f"<driver name='qemu' type='{format}' {driver}>{in_driver}</driver>"
        f"<source {source}>{inside}</source>{below}<target {target}/>{more}</disk>"
    )


BASE = "<backingStore type='file'><format type='raw'/><source file='/i/base.raw'/></backingStore>"
MID = (
    "<backingStore type='block'><format type='qcow2'/><source dev='/dev/mid'/>"
    f"{BASE}</backingStore>"
)
END = "<backingStore/>"
SLICE = "<slices><slice type='storage' offset='4096' size='1048576'/></slices>"

DISKS = {
    "file": disk(below=END),
    "raw": disk(format="raw"),
    "block": disk(source="dev='/dev/a'", type="block", below=END),
    "chain": disk(below=MID),
    "chain to its end": disk(below=MID.replace("</backingStore>", f"{END}</backingStore>", 1)),
    "nbd": disk(
        source="protocol='nbd' name='e'", type="network", format="raw",
        inside="<host name='h.example.org' port='10810'/>",
    ),
    "nbd, default port": disk(
        source="protocol='nbd'", type="network", format="raw", inside="<host name='h'/>"
    ),
    "nbd by socket": disk(
        source="protocol='nbd' name='a/b'", type="network", below=END,
        inside="<host transport='unix' socket='/run/s'/>",
    ),
    **{
        f"cache {mode}": disk(f"cache='{mode}'", below=MID)
        for mode in ("none", "directsync", "writeback", "writethrough", "unsafe", "default")
    },
    **{f"io {mode}": disk(f"io='{mode}'", below=END) for mode in ("threads", "io_uring")},
    "io native": disk("io='native' cache='none'", below=MID),
    "discard": disk("discard='unmap'", below=MID),
    "discard ignored": disk("discard='ignore'", below=END),
    "detect zeroes": disk("detect_zeroes='on'", below=MID),
    "detect and unmap": disk("detect_zeroes='unmap' discard='unmap'", below=END),
    "detect and unmap without discard": disk("detect_zeroes='unmap'", below=END),
    "copy on read": disk("copy_on_read='on' detect_zeroes='on'", below=MID),
    "read-only": disk(below=MID, more="<readonly/>"),
    "shareable": disk(format="raw", more="<shareable/>"),
    "shareable, read-only": disk(format="raw", more="<shareable/><readonly/>"),
    "cdrom": disk(format="raw", device="cdrom"),
    "slice": disk(inside=SLICE, below=END),
    "slice of raw": disk(inside=SLICE, format="raw"),
    "metadata cache": disk(
        in_driver="<metadata_cache><max_size unit='KiB'>64</max_size></metadata_cache>", below=END
    ),
    **{
        f"format {format}": disk(format=format, below=END if format in ("qed", "vmdk") else "")
        for format in ("vmdk", "qed", "vdi", "vpc", "vhd", "ploop", "bochs", "dmg", "cloop")
    },
}  # fmt: skip


def domain(disk: str) -> str:
    return (
        "<domain type='qemu'><name>d</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
        f"<emulator>/usr/bin/qemu-system-x86_64</emulator>{disk}</devices></domain>"
    )


@pytest.fixture(scope="session")
def stock() -> dict[str, list[dict[str, Any]]]:
    """For each disk, the block nodes that libvirt writes; seeding its root takes some seconds."""
    program = Path(__file__).with_name("stock_arguments.py")
    # Sockets lie in it, and their paths may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="vq-") as root:
        # As another user QEMU could not reach the root, and libvirt would ask it again each time.
        (Path(root) / "etc").mkdir()
        (Path(root) / "etc" / "qemu.conf").write_text('user = "root"\ngroup = "root"\n')
        done = subprocess.run(
            [sys.executable, program, root],
            input=json.dumps([domain(one) for one in DISKS.values()]),
            check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(DISKS, json.loads(done.stdout), strict=True))


def merged(value: Any, nodes: dict[str, Any]) -> Any:
    """The list of nodes that libvirt writes, as one tree."""
    return {
        key: merged(nodes[one], nodes) if key in ("file", "backing") and one in nodes else one
        for key, one in value.items()
        if key != "node-name"
    }


def bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: bare(one) for key, one in value.items() if key != "node-name"}
    return value


@pytest.mark.parametrize("name", DISKS)
def test_the_graph_is_libvirts(name: str, stock: dict[str, list[dict[str, Any]]]) -> None:
    (model,) = Domain.from_text(domain(DISKS[name])).disks
    (names,) = domain_names([model])
    assert not isinstance(stock[name], str), stock[name]
    nodes = {one["node-name"]: one for one in stock[name]}
    top = stock[name][-1]
    assert bare(options(build(model, names).top)) == merged(top, nodes)
