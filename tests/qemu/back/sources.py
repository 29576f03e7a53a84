"""Hypothesis strategies for every source that QEMU has, with awkward texts where it takes any."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import strategies as st

from virtquorum.model.parts import (
    Auth,
    Cookie,
    Encryption,
    Host,
    PciAddress,
    Reservations,
    Seclabel,
    Secret,
    Slice,
)
from virtquorum.model.sources import SOURCES, source_class
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.file import FileSource
from virtquorum.qemu.provided import Provided, SecretFile

if TYPE_CHECKING:
    from virtquorum.model.sources.volume import VolumeSource

__all__ = [
    "PROVIDED",
    "SOURCE_KEYS",
    "Draw",
    "Pool",
    "Volumes",
    "maybe",
    "secrets",
    "sources",
    "texts",
]

Draw = Any

UUIDS = ("11111111-2222-4333-8444-555555555555", "a0b1c2d3-0000-4000-8000-00000000000f")
USAGES = ("client.admin secret", "iqn.2013-07.com.example:a, b", "é")
#: Sources that QEMU has; a vhost-user server is no image.
SOURCE_KEYS = [
    key for key in SOURCES if key[1] not in ("sheepdog", "tftp", "vxhs") and key[0] != "vhostuser"
]
_HOSTILE = (
    "a", "a b", "a,b", "a=b", "a,,b", "x:y", "json:{}", "nbd:h:1", "'", '"', "\\", "a\\,b", "%20",
    "%", "$HOME", "`id`", "é", "東", "\U0001f9ea", "a\tb", "-a", "?q", "#f", "on", "0", "[x]", "{",
    "",
)  # fmt: skip
texts = st.sampled_from(_HOSTILE) | st.text("abc,=:/%é '\"\\{}[]", max_size=8)
_hosts = st.sampled_from(("h", "h.example.org", "10.0.0.1", "::1", "fe80::2", "H-1"))


class Volumes:
    """What is asked of a running libvirt."""

    def volume(self, source: VolumeSource) -> Any:
        """A file or a device, by the pool."""
        kept: dict[str, Any] = {"slices": source.slices, "encryption": source.encryption}
        if source.pool == "lvm":
            return BlockSource(dev=f"/dev/lvm/{source.volume}", **kept)
        return FileSource(file=f"/pool/{source.volume}", **kept)

    def secret(self, secret: Secret) -> bytes:
        """No secret is asked for."""
        raise AssertionError


PROVIDED = Provided(
    secrets={key: SecretFile(path=f"/keys/{at}") for at, key in enumerate((*UUIDS, *USAGES))},
    secrets_directory="/secrets",
    lookup=Volumes(),
)


class Pool:
    """What is given out once in a domain: images, names of nodes, targets, addresses."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.targets: set[str] = set()

    def number(self, what: str) -> int:
        """A number that nobody else has."""
        self.count[what] += 1
        return self.count[what]


@st.composite
def secrets(draw: Draw, word: str, free: bool = False) -> Secret:
    types = (None, word, "anything") if free else (None, word)
    type = draw(st.sampled_from(types))
    if draw(st.booleans()):
        uuid = draw(st.sampled_from(UUIDS))
        return Secret(type=type, uuid=draw(st.sampled_from((uuid, uuid.upper(), UUID(uuid).hex))))
    return Secret(type=type, usage=draw(st.sampled_from(USAGES)))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _ports(draw: Draw, default: int | None) -> int | None:
    given: int | None = draw(st.sampled_from((None, default, 1, 65535, 8443)))
    return given


# Sources


@st.composite
def sources(draw: Draw, pool: Pool, *, writable: bool, key: Any = None, quorum: bool = True) -> Any:
    """A source of any kind; a directory where nobody writes."""
    keys = [one for one in SOURCE_KEYS if one[0] != "dir" or not writable]
    type, protocol = draw(st.sampled_from(keys)) if key is None else key
    cls = source_class(type, protocol)
    assert cls is not None
    name = f"{draw(texts)}{pool.number('image')}"
    own: dict[str, Any] = draw(_MAKERS[protocol or type](name))
    if type != "dir" and not draw(st.integers(0, 3)):
        offset, size = draw(st.integers(0, 2**40)), draw(st.integers(0, 2**62))
        own["slices"] = (Slice(type="storage", offset=offset, size=size),)
    if protocol is None and not draw(st.integers(0, 3)):
        own["startup_policy"] = draw(st.sampled_from(("mandatory", "optional")))
        own["seclabels"] = (Seclabel(model="dac", relabel=False),)
    made = cls(**own)
    assert made.type == type
    return made


@st.composite
def _file(draw: Draw, name: str) -> dict[str, Any]:
    reservations = Reservations(
        managed=draw(st.sampled_from((None, False))), source_type="unix", path=f"/pr,{name}.sock",
        mode=draw(st.sampled_from((None, "client"))),
    )  # fmt: skip
    given = reservations if not draw(st.integers(0, 5)) else None
    return {"file": draw(st.sampled_from(("/i/", "", "./"))) + name, "reservations": given}


@st.composite
def _block(draw: Draw, name: str) -> dict[str, Any]:
    found = draw(_file(name))
    return {"dev": f"/dev/{name}", "reservations": found["reservations"]}


@st.composite
def _volume(draw: Draw, name: str) -> dict[str, Any]:
    return {"pool": draw(st.sampled_from(("lvm", "dir"))), "volume": name}


@st.composite
def _nvme(draw: Draw, name: str) -> dict[str, Any]:
    number = draw(st.integers(0, 255))
    digits = "".join(one for one in name if one in "0123456789") or "0"
    return {
        "bus": draw(st.sampled_from((None, "pci"))),
        "managed": draw(st.sampled_from((None, True, False))),
        "namespace": int(digits[-5:]) + 1,
        "address": PciAddress(
            domain=draw(st.sampled_from((None, "0x0000", "1", "0xffffffff"))),
            bus=f"0x{number:x}", slot=str(number % 32),
            function=draw(st.sampled_from((None, "0x7"))),
        ),
    }  # fmt: skip


@st.composite
def _host(draw: Draw, default: int | None, *, unix: bool = False) -> Host:
    if unix and draw(st.booleans()):
        return Host(transport="unix", socket=f"/run/{draw(texts)}.sock")
    transport = draw(st.sampled_from((None, "tcp")))
    return Host(name=draw(_hosts), port=_ports(draw, default), transport=transport)


@st.composite
def _nbd(draw: Draw, name: str) -> dict[str, Any]:
    tls = draw(st.sampled_from((None, False, True)))
    return {
        "name": name, "hosts": (draw(_host(10809, unix=True)),), "tls": tls,
        "tls_hostname": draw(maybe(st.just("x.example.org"))) if tls else None,
    }  # fmt: skip


@st.composite
def _auth(draw: Draw, word: str, *, free: bool = False) -> Auth:
    user = draw(texts.filter(bool))
    type = draw(st.sampled_from((None, word)))
    return Auth(type=type, username=user, secret=draw(secrets(word, free)))


@st.composite
def _rbd(draw: Draw, name: str) -> dict[str, Any]:
    own: dict[str, Any] = {
        "name": f"pool/{name}",
        "hosts": tuple(draw(st.lists(_host(None), max_size=3))),
        "snapshot": draw(maybe(st.sampled_from(("s", "s@1", "a,b")))),
        "config": draw(maybe(st.sampled_from(("/etc/ceph/ceph.conf", "/c,d")))),
        "auth": draw(maybe(_auth("ceph"))),
    }
    if not draw(st.integers(0, 3)):
        own["encryption"] = Encryption(
            format=draw(st.sampled_from(("luks", "luks2"))), engine="librbd",
            secrets=(draw(secrets("passphrase")),),
        )  # fmt: skip
    return own


@st.composite
def _iscsi(draw: Draw, name: str) -> dict[str, Any]:
    target = "iqn.2013-07.com.example:" + (name.replace("/", "_"))
    unit = draw(st.sampled_from(("", "/0", "/7", "/007")))
    return {
        "name": target + unit, "hosts": (draw(_host(3260)),), "auth": draw(maybe(_auth("iscsi"))),
        "initiator": draw(maybe(st.just("iqn.b:c,d"))),
    }  # fmt: skip


@st.composite
def _gluster(draw: Draw, name: str) -> dict[str, Any]:
    hosts = draw(st.lists(_host(24007, unix=True), min_size=1, max_size=3))
    return {"name": f"volume/{name}", "hosts": tuple(hosts)}


def _curl(default: int, *, query: bool, ssl: bool) -> Any:
    @st.composite
    def made(draw: Draw, name: str) -> dict[str, Any]:
        own: dict[str, Any] = {
            "name": draw(st.sampled_from(("/", "", "/a b/"))) + name,
            "hosts": (draw(_host(default)),),
            "auth": draw(maybe(_auth("iscsi", free=True))),
            "readahead": draw(maybe(st.integers(0, 2**31))),
            "timeout": draw(maybe(st.integers(0, 1000))),
        }
        if query:
            own["query"] = draw(maybe(st.sampled_from(("", "a=1&b=%20", "x?y"))))
            own["cookies"] = tuple(draw(st.lists(st.just(Cookie(name="c", value="v")), max_size=1)))
        if ssl:
            own["ssl_verify"] = draw(st.sampled_from((None, True, False)))
        return own

    return made


@st.composite
def _nfs(draw: Draw, name: str) -> dict[str, Any]:
    host = Host(name=draw(_hosts), transport=draw(st.sampled_from((None, "tcp"))))
    who = st.sampled_from((None, "root", "+7", "0"))
    return {"name": f"/export/{name}", "hosts": (host,), "user": draw(who), "group": draw(who)}


@st.composite
def _ssh(draw: Draw, name: str) -> dict[str, Any]:
    auth = draw(maybe(_auth("iscsi", free=True)))
    return {"name": name, "hosts": (draw(_host(22)),), "auth": auth}


_MAKERS: dict[str, Any] = {
    "file": _file,
    "block": _block,
    "dir": lambda name: st.just({"dir": f"/{name}"}),
    "volume": _volume,
    "nvme": _nvme,
    "nbd": _nbd,
    "rbd": _rbd,
    "iscsi": _iscsi,
    "gluster": _gluster,
    "http": _curl(80, query=True, ssl=False),
    "https": _curl(443, query=True, ssl=True),
    "ftp": _curl(21, query=False, ssl=False),
    "ftps": _curl(990, query=False, ssl=True),
    "nfs": _nfs,
    "ssh": _ssh,
}
