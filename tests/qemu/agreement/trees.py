"""Hypothesis strategies for disks over local storage, as XML; DIR, PORT, LOOPn are filled in later.

What is drawn is what QEMU opens: an image is used once, a quorum's members
are of one size, and nothing is asked for that virtquorum refuses.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.qemu.agreement.images import COUNTS, FORMATS, KEYS, LUKS_SLICE, OFFSET, SIZE

__all__ = ["SOURCES", "domains"]

#: The sources of which trees are made: types, and protocols.
SOURCES = frozenset({"file", "block", "dir", "quorum", "nbd"})

Draw = Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """An image: as a disk's own it is spelled otherwise than as a member."""

    type: str
    format: str | None
    source: str = ""
    below: str = ""
    threshold: int | None = None
    policy: str = ""
    inside_format: str = ""

    def member(self, nodename: str | None = None) -> str:
        """``<backingStore>``."""
        attributes = f" type='{self.type}'"
        if nodename is not None:
            attributes += f" nodename='{nodename}'"
        if self.threshold is not None:
            attributes += f" threshold='{self.threshold}'"
        format = self.format or "quorum"
        return (
            f"<backingStore{attributes}><format type='{format}'{self.policy}>"
            f"{self.inside_format}</format>{self.source}{self.below}</backingStore>"
        )

    def disk(self, device: str, driver: str, target: str, more: str) -> str:
        """``<disk>``."""
        threshold = "" if self.threshold is None else f" threshold='{self.threshold}'"
        format = self.format or "quorum"
        return (
            f"<disk type='{self.type}' device='{device}'{threshold}>"
            f"<driver name='qemu' type='{format}'{self.policy}{driver}>{self.inside_format}"
            f"</driver>{self.source}{self.below}{target}{more}</disk>"
        )


class Pool:
    """Which images are used already, over all disks of a domain."""

    def __init__(self) -> None:
        self.used: Counter[str] = Counter()
        self.nodes = 0

    def has(self, kind: str) -> bool:
        """Whether there is another image of a kind."""
        return self.used[kind] < COUNTS[kind]

    def take(self, kind: str) -> str:
        """The name of an image that was not used yet."""
        self.used[kind] += 1
        return f"{kind}-{self.used[kind] - 1}"

    def nodename(self) -> str:
        """A name for a node that no other has."""
        self.nodes += 1
        return f"member.{self.nodes}_{'x' * (self.nodes % 3 * 9)}"


def _file(name: str, inside: str = "") -> str:
    return f"<source file='DIR/{name}'>{inside}</source>"


def _nbd(name: str, host: str) -> str:
    return f"<source protocol='nbd' name='{name}'>{host}</source>"


_SOCKET = "<host transport='unix' socket='DIR/nbd.sock'/>"
_TCP = "<host name='127.0.0.1' port='PORT'/>"


def _slice(size: int) -> str:
    return f"<slices><slice type='storage' offset='{OFFSET}' size='{size}'/></slices>"


@st.composite
def _key(draw: Draw) -> str:
    uuid = draw(st.sampled_from(KEYS))
    return f"<encryption format='luks'><secret type='passphrase' uuid='{uuid}'/></encryption>"


@st.composite
def _leaves(draw: Draw, pool: Pool) -> Drawn:
    """An image with nothing below it."""
    kinds = [
        *["raw"] * 3, *["qcow2"] * 3, "luks", "encrypted", "slraw", "slqcow2", "slluks", "nbd",
        "tcp", "loop", *FORMATS,
    ]  # fmt: skip
    kind = draw(st.sampled_from([one for one in kinds if pool.has(one)]))
    name = pool.take(kind)
    match kind:
        case "raw":
            return Drawn(type="file", format="raw", source=_file(name))
        case "qcow2":
            return draw(_qcow2(name, draw(st.sampled_from(("", "<backingStore/>")))))  # type: ignore[no-any-return]
        case "luks":
            return Drawn(type="file", format="raw", source=_file(name, draw(_key())))
        case "encrypted":
            return Drawn(type="file", format="qcow2", source=_file(name, draw(_key())))
        case "slraw":
            return Drawn(type="file", format="raw", source=_file(name, _slice(SIZE)))
        case "slqcow2":
            return Drawn(type="file", format="qcow2", source=_file(name, _slice(SIZE)))
        case "slluks":
            inside = _slice(LUKS_SLICE) + draw(_key())
            return Drawn(type="file", format="raw", source=_file(name, inside))
        case "nbd":
            return Drawn(type="network", format="raw", source=_nbd(name, _SOCKET))
        case "tcp":
            return Drawn(type="network", format="raw", source=_nbd(name, _TCP))
        case "loop":
            number = name.removeprefix("loop-")
            return Drawn(type="block", format="raw", source=f"<source dev='LOOP{number}'/>")
    return Drawn(type="file", format=kind, source=_file(name))


@st.composite
def _qcow2(draw: Draw, name: str, below: str) -> Drawn:
    sizes = ("", "", "<max_size unit='KiB'>512</max_size>", "<max_size>2097152</max_size>")
    size = draw(st.sampled_from(sizes))
    cache = f"<metadata_cache>{size}</metadata_cache>" if size else ""
    return Drawn(type="file", format="qcow2", source=_file(name), below=below, inside_format=cache)


@st.composite
def _insides(draw: Draw, pool: Pool) -> Drawn:
    """An image that holds the bytes of a qcow2 image."""
    kind = draw(st.sampled_from([one for one in ("inside", "insidenbd") if pool.has(one)]))
    name = pool.take(kind)
    if kind == "insidenbd":
        return Drawn(type="network", format="raw", source=_nbd(name, _SOCKET))
    return Drawn(type="file", format="raw", source=_file(name))


@st.composite
def _images(draw: Draw, pool: Pool, depth: int, *, writable: bool) -> Drawn:
    """Any image; ``writable`` says whether it is written to where it stands."""
    kinds = ["leaf", "leaf"]
    if depth:
        kinds += ["quorum"]
        if pool.has("based"):
            kinds += ["chain", "end"]
        if pool.used["inside"] + 4 <= COUNTS["inside"] and pool.has("insidenbd"):
            kinds += ["above"]
    match draw(st.sampled_from(kinds)):
        case "chain":
            name = pool.take("based")
            if draw(st.integers(0, 4)):
                below = draw(_images(pool, depth - 1, writable=False))
            else:  # an image on which several stand
                below = Drawn(type="file", format="raw", source=_file("golden-0"))
            return draw(_qcow2(name, below.member(draw(_nodenames(pool)))))  # type: ignore[no-any-return]
        case "end":
            return draw(_qcow2(pool.take("based"), "<backingStore/>"))  # type: ignore[no-any-return]
        case "quorum":
            return draw(_quorums(pool, depth, writable=writable))  # type: ignore[no-any-return]
        case "above":
            members = [draw(_insides(pool)) for _ in range(draw(st.integers(1, 3)))]
            return draw(_voting(pool, members, "qcow2", writable=writable))  # type: ignore[no-any-return]
    return draw(_leaves(pool))  # type: ignore[no-any-return]


@st.composite
def _quorums(draw: Draw, pool: Pool, depth: int, *, writable: bool) -> Drawn:
    members = [
        draw(_images(pool, depth - 1, writable=writable)) for _ in range(draw(st.integers(1, 3)))
    ]
    format = draw(st.sampled_from((None, None, None, "raw")))
    return draw(_voting(pool, members, format, writable=writable))  # type: ignore[no-any-return]


@st.composite
def _voting(
    draw: Draw, pool: Pool, members: list[Drawn], format: str | None, *, writable: bool
) -> Drawn:
    threshold = draw(st.integers(1, len(members)))
    policies = ["", "", " read_pattern='fifo'", " rewrite_corrupted='off' blkverify='off'"]
    if writable:
        policies += [" rewrite_corrupted='on'", " read_pattern='quorum' rewrite_corrupted='on'"]
    if (len(members), threshold) == (2, 2):
        policies += [" blkverify='on'", " blkverify='on' read_pattern='fifo'"]
    return Drawn(
        type="quorum",
        format=format,
        below="".join(one.member(draw(_nodenames(pool))) for one in members),
        threshold=threshold,
        policy=draw(st.sampled_from(policies)),
    )


@st.composite
def _nodenames(draw: Draw, pool: Pool) -> str | None:
    return None if draw(st.integers(0, 3)) else pool.nodename()


@st.composite
def _driver(draw: Draw, *, read_only: bool) -> str:
    """What ``<driver>`` says beside the format."""

    def maybe(*words: str) -> str | None:
        said: str | None = draw(st.sampled_from((None, None, *words)))
        return said

    cache = maybe("default", "none", "directsync", "writeback", "writethrough", "unsafe")
    aio = ("threads", "io_uring")
    if cache in ("none", "directsync"):
        aio += ("native",)  # type: ignore[assignment]
    said = {
        "cache": cache,
        "error_policy": maybe("stop", "report", "ignore", "enospace"),
        "rerror_policy": maybe("stop", "report", "ignore"),
        "io": maybe(*aio),
        "copy_on_read": maybe("off") if read_only else maybe("on", "off"),
        "discard": maybe("unmap", "ignore"),
        "detect_zeroes": maybe("off", "on", "unmap"),
    }
    return "".join(f" {name}='{value}'" for name, value in said.items() if value is not None)


#: The limits of a group that several disks of a domain share.
_SHARED = "<total_iops_sec>300</total_iops_sec><group_name>shared</group_name>"


@st.composite
def _iotune(draw: Draw) -> str:
    what = draw(st.sampled_from(("", "", "", "shared", "own", "named")))
    if not what:
        return ""
    if what == "shared":
        return f"<iotune>{_SHARED}</iotune>"
    limits: dict[str, int] = {}
    for unit in ("bytes", "iops"):
        kinds = draw(st.sampled_from(((), ("total",), ("read",), ("write", "read"))))
        for kind in kinds:
            name = f"{kind}_{unit}_sec"
            limits[name] = draw(st.integers(1000, 10**7))
            if draw(st.booleans()):
                limits[f"{name}_max"] = limits[name] + draw(st.integers(0, 10**6))
                if draw(st.booleans()):
                    limits[f"{name}_max_length"] = draw(st.integers(1, 50))
        if unit == "iops" and kinds and draw(st.booleans()):
            limits["size_iops_sec"] = draw(st.integers(1, 10**6))
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in limits.items())
    if what == "named" and inside:
        name = draw(st.sampled_from(("limits", "a b", "été,id=x", "vq-vda-limits")))
        inside += f"<group_name>{name}-TARGET</group_name>"
    return f"<iotune>{inside}</iotune>" if inside else ""


@st.composite
def _disks(draw: Draw, pool: Pool, target: str) -> str:
    device = draw(st.sampled_from(("disk", "disk", "disk", "disk", "cdrom", "floppy")))
    flag = draw(st.sampled_from(("", "", "", "<readonly/>", "<shareable/>")))
    read_only = device == "cdrom" or flag == "<readonly/>"
    tune = draw(_iotune()).replace("TARGET", target)
    image = draw(_images(pool, 3, writable=not read_only))
    if device != "cdrom" and flag == "<readonly/>" and not draw(st.integers(0, 9)):
        image = Drawn(type="dir", format="fat", source="<source dir='DIR/vvfat'/>")
    driver = draw(_driver(read_only=read_only))
    return image.disk(device, driver, f"<target dev='{target}'/>", f"{tune}{flag}")  # type: ignore[no-any-return]


@st.composite
def domains(draw: Draw) -> str:
    """A domain of one to three disks."""
    pool = Pool()
    targets = draw(
        st.lists(st.sampled_from(("vda", "sdb", "hdc", "fda", "vdz")), min_size=1, max_size=3,
                 unique=True)
    )  # fmt: skip
    disks = "".join(draw(_disks(pool, target)) for target in targets)
    return f"<domain><devices>{disks}</devices></domain>"
