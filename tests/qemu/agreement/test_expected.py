"""The judge of agreement sees what differs: nothing that QEMU reports may be altered unseen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.qemu.agreement.expected import agreement
from tests.qemu.agreement.images import KEYS, LUKS_SLICE, OFFSET, SIZE
from tests.qemu.agreement.monitor import NO_QEMU
from tests.qemu.agreement.opening import STYLES, Disks, Style, built, opened, spelled
from virtquorum.qemu import graph
from virtquorum.qemu.objects import Secret, ThrottleGroup, ThrottleLimits
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.qemu.agreement.images import Store
    from virtquorum.qemu.build import Built

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")


def member(name: str, source: str, format: str = "raw", below: str = "", type: str = "file") -> str:
    return (
        f"<backingStore type='{type}' nodename='{name}'><format type='{format}'/>{source}{below}"
        "</backingStore>"
    )


def file(name: str, inside: str = "") -> str:
    return f"<source file='DIR/{name}'>{inside}</source>"


KEY = (
    f"<encryption format='luks'><secret type='passphrase' uuid='{KEYS[0]}'/></encryption>"
)  # fmt: skip
NBD = "<source protocol='nbd' name='nbd-0'><host transport='unix' socket='DIR/nbd.sock'/></source>"
TCP = "<source protocol='nbd' name='tcp-0'><host name='127.0.0.1' port='PORT'/></source>"
SLICE = f"<slices><slice type='storage' offset='{OFFSET}' size='{{size}}'/></slices>"
CHAIN = member("lower", file("golden-0"))
DOMAIN = (
    "<domain><devices><disk type='quorum' threshold='2'>"
    "<driver type='quorum' rewrite_corrupted='on' cache='none' detect_zeroes='on' discard='unmap'/>"
    + member("chain", file("based-0"), "qcow2", CHAIN)
    + member("end", file("qcow2-0"), "qcow2", "<backingStore/>")
    + member("far", NBD, type="network")
    + member("tcp", TCP, type="network")
    + member("part", file("slraw-0", SLICE.format(size=SIZE)))
    + member("key", file("slluks-0", SLICE.format(size=LUKS_SLICE) + KEY))
    + member("locked", file("encrypted-0", KEY), "qcow2")
    + "<target dev='vda'/>"
    "<iotune><total_bytes_sec>9000000</total_bytes_sec><read_iops_sec>500</read_iops_sec></iotune>"
    "</disk></devices></domain>"
)


def altered(block: graph.Block, name: str, change: Callable[[Any], Any]) -> Any:
    """A graph in which one node, by its name, is another one."""
    changes: dict[str, Any] = {}
    for field, property in properties(type(block)).items():
        value = getattr(block, field)
        if property.kind == "child" and isinstance(value, graph.Block):
            changes[field] = altered(value, name, change)
        elif property.kind == "children":
            changes[field] = tuple(altered(one, name, change) for one in value)
    block = replace(block, **changes)
    return change(block) if block.node_name == name else block


def says(**changes: Any) -> Callable[[Any], Any]:
    return lambda block: replace(block, **changes)


#: Which node is altered, and how.
ALTERATIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "threshold": ("vq-vda", says(vote_threshold=3)),
    "read pattern": ("vq-vda", says(read_pattern="fifo")),
    "rewriting": ("vq-vda", says(rewrite_corrupted=None)),
    "blkverify": ("vq-vda", says(blkverify=True)),
    "order of members": ("vq-vda", lambda one: replace(one, children=one.children[::-1])),
    "a member less": ("vq-vda", lambda one: replace(one, children=one.children[:-1])),
    "a member twice": ("vq-vda", lambda one: replace(one, children=one.children[:1] * 7)),
    "detect zeroes": ("vq-vda", says(detect_zeroes=None)),
    "node name": ("end-s", says(node_name="other")),
    "read only": ("lower", says(read_only=False)),
    "not read only": ("end", says(read_only=True)),
    "cache": ("end-s", says(cache=graph.Cache(direct=False, no_flush=False))),
    "flushes": ("end", says(cache=graph.Cache(direct=True, no_flush=True))),
    "another driver": ("far", lambda one: graph.Bochs(**fields(one, "offset", "size"))),
    "file": ("end-s", says(filename="/nowhere")),
    "file of a backing image": ("lower-s", says(filename="/nowhere")),
    "another backing image": ("chain", lambda one: replace(one, backing=one.file)),
    "no backing image": ("chain", says(backing=None)),
    "export": ("far-s", says(export="nbd-1")),
    "socket": ("far-s", says(server=graph.UnixServer(path="/nowhere"))),
    "host": ("tcp-s", says(server=graph.InetAddress(host="localhost", port="1"))),
    "TLS": ("tcp-s", says(tls_creds="tls")),
    "beginning of a slice": ("part", says(offset=512)),
    "length of a slice": ("part", says(size=512)),
    "no slice": ("part", says(offset=None, size=None)),
    "slice below a format": ("key-l", says(offset=512)),
    "key": ("key", says(key_secret="other")),  # noqa: S106
    "no encryption": ("locked", says(encrypt=None)),
    "key in a format": ("locked", says(encrypt=graph.QcowLuks(key_secret="other"))),  # noqa: S106
}


def fields(block: graph.Block, *but: str) -> dict[str, Any]:
    return {name: getattr(block, name) for name in properties(type(block)) if name not in but}


def rebuilt(disks: Disks, change: Callable[[Built], Built]) -> Disks:
    return Disks(disks.style, [replace(one, built=change(built(one))) for one in disks.every])


def alterations(style: Style) -> Iterator[tuple[str, Callable[[Built], Built]]]:
    for what, (name, change) in ALTERATIONS.items():
        yield (
            what,
            lambda one, name=name, change=change: replace(  # type: ignore[misc]
                one, top=altered(one.top, name, change)
            ),
        )
    yield "limits", lambda one: replace(one, throttle=limited(one, bps_total=1))
    yield "another limit", lambda one: replace(one, throttle=limited(one, iops_total_max=900))
    yield "no limits", lambda one: replace(one, throttle=None)
    yield "no object", lambda one: replace(one, objects=())
    yield (
        "file of a secret",
        lambda one: replace(one, objects=(Secret(id=one.objects[0].id, file="/nowhere"),)),
    )
    if style != "drive":
        yield "group", lambda one: replace(one, throttle=replace(limited(one), id="other"))


def limited(one: Built, **limits: int) -> ThrottleGroup:
    assert one.throttle is not None
    assert one.throttle.limits is not None
    assert isinstance(one.throttle.limits, ThrottleLimits)
    return replace(one.throttle, limits=replace(one.throttle.limits, **limits))


@pytest.mark.parametrize("style", STYLES)
def test_what_is_altered_is_seen(style: Style, images: Store) -> None:
    disks = spelled(images.filled_in(DOMAIN), style, images.provided)
    unseen = []
    with opened(disks, images.folder) as running:
        assert list(agreement(disks, running)) == []
        for what, change in alterations(style):
            other = rebuilt(disks, change)
            if not list(agreement(other, running)):
                unseen.append(what)
    assert unseen == []
