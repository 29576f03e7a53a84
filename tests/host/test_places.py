"""Where QEMU has a node's data: what is equal is not called different, and another place is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.live import graph
from tests.programs import missing, qemu
from tests.qemu.agreement.monitor import NO_QEMU
from tests.qemu.agreement.opening import built, opened, spelled
from tests.qemu.agreement.served import PLACES, SIZE
from virtquorum.host.places import node_differences
from virtquorum.qemu.graph import flat

if TYPE_CHECKING:
    from pathlib import Path

    from tests.qemu.agreement.opening import Disks, Style
    from tests.qemu.agreement.served import Served

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")

#: What tells where data is, and another such place.
OTHERS = {
    "url": "http://other.example.org/disk",
    "path": "/other",
    "export": "other",
    "target": "iqn.2020-01.org.example:other",
    "portal": "127.0.0.2:3260",
    "lun": 7,
    "server.host": "other.example.org",
    "server.port": "7",
    "server.path": "/other",
    "filename": "/other",
}


def quorum(style: Style, served: Served, slice: str = "") -> Disks:
    """A quorum of a served image alone."""
    source = served.source
    if slice:
        source = f"{source.removesuffix('</source>')}{slice}</source>"
    return spelled(
        "<domain><devices><disk type='quorum' threshold='1'><driver type='quorum'/>"
        f"<backingStore type='network'><format type='raw'/>{source}</backingStore>"
        "<target dev='vda'/><readonly/></disk></devices></domain>",
        style,
        served.provided,
    )


def others(one: dict[str, Any]) -> list[dict[str, Any]]:
    """A storage node with one thing of its place otherwise."""
    found = []
    for key, value in OTHERS.items():
        above, _, below = key.rpartition(".")
        if above and isinstance(one.get(above), dict) and below in one[above]:
            found.append({**one, above: {**one[above], below: value}})
        elif not above and key in one:
            found.append({**one, key: value})
    return found


@pytest.mark.parametrize("style", ["qmp", "blockdev"])
@pytest.mark.parametrize("name", PLACES)
def test_servers(name: str, style: Style, tmp_path: Path) -> None:
    place = PLACES[name]
    if lacking := place.missing():
        pytest.skip(f"not installed: {', '.join(lacking)}")
    (tmp_path / "client").mkdir()
    with place.serve(tmp_path, bytes(SIZE)) as served:
        disks = quorum(style, served)
        nodes: list[Any] = flat(built(disks.every[0]).top)
        with opened(disks, tmp_path / "client", served.reach) as running:
            there = running.nodes()
        for one in nodes:
            assert node_differences(one, there[one["node-name"]]) == []
        (storage,) = [one for one in nodes if one["driver"] == place.protocol]
        seen = there[storage["node-name"]]
        changed = others(storage)
        assert changed
        for one in changed:
            assert node_differences(one, seen), one


@pytest.mark.parametrize("name", ["nbd, tcp", "iscsi"])
def test_a_slice_of_it(name: str, tmp_path: Path) -> None:
    place = PLACES[name]
    if lacking := place.missing():
        pytest.skip(f"not installed: {', '.join(lacking)}")
    slice = "<slices><slice type='storage' offset='65536' size='131072'/></slices>"
    (tmp_path / "client").mkdir()
    with place.serve(tmp_path, bytes(SIZE)) as served:
        disks = quorum("qmp", served, slice)
        with opened(disks, tmp_path / "client", served.reach) as running:
            there = running.nodes()
    nodes: list[Any] = flat(built(disks.every[0]).top)
    assert all(node_differences(one, there[one["node-name"]]) == [] for one in nodes)
    (raw,) = [one for one in nodes if "offset" in one]
    for more in ({"offset": 0}, {"size": 65536}):
        assert node_differences({**raw, **more}, there[raw["node-name"]])


def seen(driver: str, **options: Any) -> dict[str, Any]:
    """A node as QEMU shows it, in 'json:{…}'."""
    return {"drv": driver, "ro": False, "file": f"json:{json.dumps({'driver': driver, **options})}"}


@pytest.mark.parametrize(
    ("wanted", "shown", "other"),
    [
        (
            {"driver": "rbd", "pool": "p", "image": "i", "conf": "/c",
             "server": [{"host": "a", "port": "1"}, {"host": "b", "port": "2"}]},
            {"pool": "p", "image": "i", "conf": "/c", "server.0.host": "a", "server.0.port": "1",
             "server.1.host": "b", "server.1.port": "2"},
            [{"pool": "q"}, {"image": "j"}, {"snapshot": "s"}, {"namespace": "n"},
             {"server.1.host": "c"}, {"server.2.host": "c"}],
        ),
        (
            {"driver": "gluster", "volume": "v", "path": "p",
             "server": [{"type": "inet", "host": "a", "port": "1"}]},
            {"volume": "v", "path": "p", "server.0.type": "inet", "server.0.host": "a",
             "server.0.port": "1"},
            [{"volume": "w"}, {"path": "q"}, {"server.0.host": "b"}],
        ),
    ],
)  # fmt: skip
def test_servers_that_are_not_had_here(
    wanted: dict[str, Any], shown: dict[str, Any], other: list[dict[str, Any]]
) -> None:
    wanted = {"node-name": "one", **wanted}
    driver = wanted["driver"]
    assert node_differences(wanted, seen(driver, **shown)) == []
    for more in other:
        assert node_differences(wanted, seen(driver, **{**shown, **more})), more


def test_what_is_said_of_it() -> None:
    wanted: dict[str, Any] = {"driver": "rbd", "node-name": "one", "pool": "p", "image": "i"}
    shown = seen("rbd", pool="p", image="j", snapshot="s")
    assert node_differences(wanted, shown) == [
        "image of the node 'one' is j, not i",
        "snapshot of the node 'one' is s, not none",
    ]
    assert node_differences(wanted, {**shown, "drv": "nbd"}) == [
        "the node 'one' is of the driver 'nbd', not 'rbd'"
    ]


def test_an_address_of_ipv6() -> None:
    server = {"type": "inet", "host": "::1", "port": "10809"}
    wanted: dict[str, Any] = {
        "driver": "nbd", "node-name": "one", "server": server, "export": "six"
    }  # fmt: skip
    shown = {"drv": "nbd", "ro": False, "file": "nbd://::1:10809/six"}
    assert node_differences(wanted, shown) == []
    assert node_differences({**wanted, "server": {**server, "host": "::2"}}, shown) == [
        "place of the node 'one' is nbd://::1:10809/six, not nbd://::2:10809/six"
    ]


def test_a_name_that_qemu_has_cut_is_not_compared() -> None:
    wanted: dict[str, Any] = {
        "driver": "rbd", "node-name": "one", "pool": "p", "image": "i" * 5000
    }  # fmt: skip
    shown = seen("rbd", pool="p", image="i" * 5000)
    assert node_differences(wanted, {**shown, "file": shown["file"][:4095]}) == []


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
def test_files_of_any_name(tmp_path: Path) -> None:
    for name in ("a b", "json:{}", "a:b", "q'u\"o", "ä,b=c"):
        (tmp_path / name).write_bytes(bytes(4096))
        nodes = graph(_member(tmp_path / name), threshold=1)
        with qemu([], tmp_path) as running:
            for one in nodes:
                running.command("blockdev-add", **one)
            there = running.nodes()
        for one in nodes:
            assert node_differences(one, there[one["node-name"]]) == []
        storage = {**nodes[0], "filename": f"{tmp_path}/other"}
        assert node_differences(storage, there[storage["node-name"]]) != [] or "json:" in name


def _member(path: Path) -> str:
    from virtquorum.xml.format import escape

    return (
        "<backingStore type='file'><format type='raw'/>"
        f"<source file='{escape(str(path))}'/></backingStore>"
    )
