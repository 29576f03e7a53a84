"""The graph that QEMU builds of the arguments is the graph that they were made of."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.programs import missing, nbd_server, qemu, qemu_img
from virtquorum.json_text import json_text
from virtquorum.qemu.build import build
from virtquorum.qemu.drive import as_json, dotted, drive_arguments
from virtquorum.qemu.graph import merged, options, uses_null
from virtquorum.qemu.names import domain_names
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from virtquorum.json_text import Json

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")

MIB = 1024 * 1024


def member(
    name: str, below: str = "", attributes: str = "", inside: str = "", format: str = ""
) -> str:
    format = format or ("qcow2" if name.endswith("qcow2") else "raw")
    source = f"<source file='DIR/{name}'>{inside}</source>"
    return (
        f"<backingStore type='file'{attributes}><format type='{format}'/>{source}{below}"
        "</backingStore>"
    )


THREE = member("a.raw") + member("b.qcow2") + member("c.raw")


def quorum(
    members: str = THREE,
    *,
    driver: str = "",
    type: str = "quorum",
    threshold: int = 2,
    more: str = "",
) -> str:
    return (
        f"<disk type='quorum' threshold='{threshold}' device='disk'>"
        f"<driver name='qemu' type='{type}' {driver}/>{members}"
        f"<target dev='vda' bus='virtio'/>{more}</disk>"
    )


def nested(members: str, threshold: int = 1, policy: str = "") -> str:
    return (
        f"<backingStore type='quorum' threshold='{threshold}'>"
        f"<format type='quorum' {policy}/>{members}</backingStore>"
    )


def stock(file: str, below: str = "", *, driver: str = "", inside: str = "", more: str = "") -> str:
    format = "qcow2" if ".qcow2" in file else "raw"
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='{format}' {driver}/>"
        f"<source file='DIR/{file}'>{inside}</source>{below}"
        f"<target dev='vda' bus='virtio'/>{more}</disk>"
    )


END = "<backingStore/>"
BASE = member("base.raw")
CHAIN = member("mid.qcow2", BASE)
SLICE = "<slices><slice type='storage' offset='65536' size='1048576'/></slices>"
NBD = (
    "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='e'>"
    "<host transport='unix' socket='DIR/nbd.sock'/></source></backingStore>"
)

#: Every shape of disk that can be had without a network.
SHAPES = {
    "plain": quorum(),
    "one member": quorum(member("a.raw"), threshold=1),
    "nested": quorum(member("a.raw") + nested(member("b.qcow2") + member("c.raw")) + NBD),
    "nested twice": quorum(nested(nested(member("a.raw"))) + member("c.raw"), threshold=1),
    "nested, repairs": quorum(
        member("a.raw") + nested(member("b.qcow2") + member("c.raw"), 2, "rewrite_corrupted='on'"),
        threshold=1,
    ),
    "chain": quorum(member("a.raw") + member("top.qcow2", CHAIN)),
    "chain to its end": quorum(
        member("a.raw") + member("top.qcow2", member("b.qcow2", END)) + member("top2.qcow2", END)
    ),
    "chain of stock": stock("top.qcow2", CHAIN),
    "chain of stock to its end": stock("top.qcow2", END),
    "one base below two members": quorum(
        member("top.qcow2", CHAIN) + member("top2.qcow2", CHAIN), threshold=1
    ),
    "overlay": stock("top.qcow2", nested(THREE, 2)),
    "overlay to its end": stock("top.qcow2", nested(member("a.raw") + member("b.qcow2", END))),
    "overlay in a member": quorum(member("top.qcow2", nested(THREE, 2)) + NBD),
    "format above": quorum(
        member("x.qcow2", format="raw") + member("y.qcow2", format="raw"),
        type="qcow2",
    ),
    "raw above": quorum(type="raw"),
    "slice": quorum(
        member("sliced.raw", inside=SLICE)
        + member("sliced-qcow2.raw", inside=SLICE, format="qcow2"),
        threshold=1,
    ),
    "nodename": quorum(
        member("a.raw", attributes=" nodename='near'")
        + member("c.raw", attributes=" nodename='vq-vda-s'")
        + member("b.qcow2", attributes=" nodename='a-name-of-just-thirty-one-char-'")
    ),
    "nodename of thirty-one": quorum(
        member("a.raw", attributes=" nodename='a-name-of-just-thirty-one-charY'")
        + member("c.raw", attributes=" nodename='a-name-of-just-thirty-one-charZ'")
    ),
    "fifo": quorum(driver="read_pattern='fifo'", threshold=1),
    "repairs": quorum(driver="rewrite_corrupted='on'"),
    "blkverify": quorum(member("a.raw") + member("c.raw"), driver="blkverify='on'"),
    "all off": quorum(driver="rewrite_corrupted='off' blkverify='off' read_pattern='quorum'"),
    **{
        f"cache {mode}": quorum(driver=f"cache='{mode}'")
        for mode in ("none", "directsync", "writeback", "writethrough", "unsafe", "default")
    },
    **{
        f"cache {mode} to its end": stock("top.qcow2", END, driver=f"cache='{mode}'")
        for mode in ("none", "unsafe", "writeback")
    },
    "shareable": quorum(more="<shareable/>"),
    "io threads": quorum(driver="io='threads'"),
    "io native": quorum(driver="io='native' cache='none'"),
    "discard": quorum(driver="discard='unmap'"),
    "discard to its end": stock("top.qcow2", END, driver="discard='unmap'"),
    "discard ignored": quorum(driver="discard='ignore'"),
    "detect zeroes": quorum(driver="detect_zeroes='on'"),
    "detect zeroes to its end": stock("top.qcow2", END, driver="detect_zeroes='on'"),
    "detect and unmap": quorum(driver="detect_zeroes='unmap' discard='unmap'"),
    "detect and unmap to its end": stock(
        "top.qcow2", END, driver="detect_zeroes='unmap' discard='unmap'"
    ),
    "detect and unmap without discard": quorum(driver="detect_zeroes='unmap'"),
    "detect zeroes above": quorum(type="raw", driver="detect_zeroes='unmap' discard='unmap'"),
    "copy on read": quorum(driver="copy_on_read='on' detect_zeroes='on'"),
    "copy on read to its end": stock(
        "top.qcow2",
        member("b.qcow2", END),
        driver="copy_on_read='on' cache='none' detect_zeroes='unmap' discard='unmap'",
    ),
    "read-only": quorum(more="<readonly/>"),
    "read-only to its end": stock("top.qcow2", END, more="<readonly/>"),
    "read-only chain": quorum(member("top.qcow2", CHAIN), threshold=1, more="<readonly/>"),
    "nbd": quorum(member("a.raw") + NBD, driver="cache='none' io='threads' discard='unmap'"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images that the shapes are made of."""
    folder = tmp_path_factory.mktemp("images")
    for name in ("a.raw", "c.raw", "base.raw", "nbd.raw"):
        qemu_img("create", "-q", "-f", "raw", folder / name, MIB)
    for name in ("b.qcow2", "top.qcow2", "top2.qcow2", "mid.qcow2", "x.qcow2", "y.qcow2"):
        qemu_img("create", "-q", "-f", "qcow2", folder / name, MIB)
    with (folder / "sliced.raw").open("wb") as file:
        file.truncate(MIB + 65536)
    qemu_img("create", "-q", "-f", "qcow2", folder / "inner.qcow2", MIB)
    inner = (folder / "inner.qcow2").read_bytes()
    (folder / "sliced-qcow2.raw").write_bytes(bytes(65536) + inner + bytes(MIB - len(inner)))
    return folder


class Expected:
    """What QEMU has to report of a graph, worked out from its BlockdevOptions."""

    def __init__(self, top: dict[str, Json]) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: set[tuple[str, str, str]] = set()
        self.policies: dict[str, dict[str, Any]] = {}
        rest: list[tuple[Any, bool]] = [(top, False)]
        while rest:
            one, above_read_only = rest.pop()
            read_only = one.get("read-only", above_read_only)
            name = one["node-name"]
            assert name not in self.nodes, "every node has a name of its own"
            cache = one.get("cache", {})
            self.nodes[name] = {
                "drv": one["driver"],
                "ro": read_only,
                "direct": cache.get("direct", False),
                "no-flush": cache.get("no-flush", False),
                "detect_zeroes": one.get("detect-zeroes", "off"),
            }
            if one["driver"] == "quorum":
                self.policies[name] = {
                    "vote-threshold": one["vote-threshold"],
                    **{
                        key: one[key]
                        for key in ("blkverify", "rewrite-corrupted", "read-pattern")
                        if key in one
                    },
                }
            children = [(key, one[key]) for key in ("file", "backing") if one.get(key)]
            children += [
                (f"children.{number}", child)
                for number, child in enumerate(one.get("children", []))
            ]
            for key, child in children:
                self.edges.add((name, key, child["node-name"]))
                rest.append((child, read_only))


def reported(nodes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What of QEMU's own words can be held against Expected."""
    return {
        name: {
            "drv": node["drv"],
            "ro": node["ro"],
            "direct": node["cache"]["direct"],
            "no-flush": node["cache"]["no-flush"],
            "detect_zeroes": node["detect_zeroes"],
        }
        for name, node in nodes.items()
    }


def word(value: object) -> str:
    """A value as dotted keys have it: QEMU reports options in the types that it was given."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def spelled(pairs: list[tuple[str, str]]) -> list[str]:
    pairs = [*pairs, ("if", "none"), ("id", "drive-vda")]
    return ["-drive", ",".join(f"{key}={value.replace(',', ',,')}" for key, value in pairs)]


@pytest.mark.parametrize(
    ("shape", "spelling"),
    [
        (shape, spelling)
        for shape, disk in SHAPES.items()
        for spelling in (as_json, dotted)
        if spelling is as_json or END not in disk  # dotted keys have no null
    ],
)
def test_qemu_reports_the_graph(
    folder: Path, shape: str, spelling: Callable[[dict[str, Json]], list[tuple[str, str]]]
) -> None:
    disk = SHAPES[shape].replace("DIR", str(folder))
    (model,) = Domain.from_text(disk).disks
    (names,) = domain_names([model])
    built = build(model, names)
    graph = built.top
    if spelling is (as_json if uses_null(graph) else dotted) and not merged(graph):
        option, value = drive_arguments(model, built, names.drive)
        value = re.sub(",cache.writeback=(on|off)", "", value)  # the drive's own
        assert [option, value] == spelled(spelling(options(graph)))
    expected = Expected(options(graph))
    with (
        nbd_server(folder / "nbd.raw", folder / "nbd.sock", export="e"),
        qemu(spelled(spelling(options(graph))), folder) as running,
    ):
        nodes = running.nodes()
        assert reported(nodes) == expected.nodes
        assert running.edges() == expected.edges
        for name, policy in expected.policies.items():
            words = json.loads(nodes[name]["image"]["filename"].removeprefix("json:"))
            said = {key: word(words.get(key, False)) for key in policy}
            assert said == {key: word(value) for key, value in policy.items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_graph_is_one_that_blockdev_takes(folder: Path, shape: str) -> None:
    """-drive is laxer than QMP in places; the graph is right for both."""
    (model,) = Domain.from_text(SHAPES[shape].replace("DIR", str(folder))).disks
    (names,) = domain_names([model])
    value = options(build(model, names).top)
    with (
        nbd_server(folder / "nbd.raw", folder / "nbd.sock", export="e"),
        qemu(["-blockdev", json_text(value)], folder) as running,
    ):
        assert running.edges() == Expected(value).edges


@pytest.mark.parametrize("discard", ["unmap", "ignore"])
def test_zeroes_written_with_unmap_free_the_members(tmp_path: Path, discard: str) -> None:
    """What discard='unmap' is for, through the quorum; 'ignore' keeps the blocks."""
    for name in ("a.raw", "c.raw"):
        (tmp_path / name).write_bytes(b"x" * MIB)
    disk = quorum(member("a.raw") + member("c.raw"), driver=f"discard='{discard}'")
    (model,) = Domain.from_text(disk.replace("DIR", str(tmp_path))).disks
    (names,) = domain_names([model])
    with qemu(drive_arguments(model, build(model, names), names.drive), tmp_path) as running:
        running.io("drive-vda", "write -z -u 0 1M")
    blocks = [(tmp_path / name).stat().st_blocks for name in ("a.raw", "c.raw")]
    assert [not one for one in blocks] == [discard == "unmap"] * 2
