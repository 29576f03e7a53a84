"""What makes two images the same: the keys of sources, and the uses that exclude each other."""

from __future__ import annotations

import os
import time
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.check.sharing import Use, by_domain, clashes
from virtquorum.model.identity import Identity, identity
from virtquorum.model.sources import SOURCES
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from virtquorum.model.image import AnySource

NBD = "<source protocol='nbd'{}><host name='h'{}/></source>"
RBD = "<source protocol='rbd' name='vms/root'>{}</source>"
SSH = "<source protocol='ssh' name='a/b'><host name='h'/>{}</source>"
FILE = "<source file='{}'/>"
SLICED = "<source file='/a'><slices><slice type='storage' {}/></slices></source>"
NVME = "<source type='pci' namespace='{}'><address {}/></source>"


def source(type: str, text: str) -> AnySource:
    return Domain.from_text(f"<disk type='{type}'>{text}</disk>").disks[0].image.source


def key(type: str, text: str) -> Identity:
    found = identity(source(type, text))
    assert found is not None
    hash(found)
    return found


def files(*paths: str) -> list[tuple[str, str]]:
    return [("file", FILE.format(path)) for path in paths]


def hosts(protocol: str, name: str, *some: str) -> tuple[str, str]:
    inside = "".join(f"<host {one}/>" for one in some)
    return "network", f"<source protocol='{protocol}' name='{name}'>{inside}</source>"


SAME = {
    "paths": files(
        "/srv/a", "/srv//a", "//srv/a", "/srv/./a", "/srv/b/../a", "/srv/a/", "/../srv/a"
    ),
    "hidden names are names": files("/srv/.a", "/srv//.a"),
    "relative paths": files("a/b", "./a/b", "a//b"),
    "a device by its path": [
        ("file", FILE.format("/dev/vg/a")),
        ("block", "<source dev='/dev/vg//a'/>"),
    ],
    "a startup policy says nothing": [
        ("file", "<source file='/a'/>"),
        ("file", "<source file='/a' startupPolicy='optional' index='3'/>"),
    ],
    "volumes": [
        ("volume", "<source pool='p' volume='v'/>"),
        ("volume", "<source pool='p' volume='v' mode='host'/>"),
    ],
    "the namespaces of one controller": [
        ("nvme", NVME.format(1, "domain='0x0000' bus='0x0a' slot='0x00' function='0x0'")),
        ("nvme", NVME.format(1, "bus='10'")),
        ("nvme", NVME.format(1, "domain='0' bus='012' slot='00' function='0'")),
    ],
    "the default port": [
        ("network", NBD.format(" name='x'", "")),
        ("network", NBD.format(" name='x'", " port='10809'")),
        ("network", NBD.format(" name='x'", " port='0'")),
        ("network", NBD.format(" name='x' tls='no'", " transport='tcp'")),
    ],
    "the default export": [
        ("network", NBD.format("", "")),
        ("network", NBD.format(" name=''", "")),
    ],
    "the case of host names": [
        hosts("nbd", "x", "name='Rack-A.Example.ORG'"),
        hosts("nbd", "x", "name='rack-a.example.org.'"),
    ],
    "spellings of an IPv6 address": [
        hosts("nbd", "x", "name='fe80::1'"),
        hosts("nbd", "x", "name='FE80:0:0::0001'"),
        hosts("nbd", "x", "name='[fe80::1]'"),
    ],
    "unix sockets": [
        hosts("nbd", "x", "transport='unix' socket='/run/nbd'"),
        hosts("nbd", "x", "transport='unix' socket='/run//nbd'"),
    ],
    "monitors in any order": [
        hosts("rbd", "vms/root", "name='a'", "name='b' port='3300'"),
        hosts("rbd", "vms/root", "name='B' port='3300'", "name='a'"),
    ],
    "the configuration of a cluster": [
        ("network", RBD.format("")),
        ("network", RBD.format("<config file='/etc/ceph//ceph.conf'/>")),
    ],
    "a configuration beside monitors": [
        ("network", RBD.format("<host name='a'/>")),
        ("network", RBD.format("<host name='a'/><config file='/x.conf'/>")),
    ],
    "the servers of a gluster volume": [
        hosts("gluster", "v/a/b", "name='a'", "name='b' port='24007'"),
        hosts("gluster", "v//a/./b", "name='b'", "name='a' transport='rdma'"),
    ],
    "units": [
        hosts("iscsi", "iqn.2013-07.com.Example:a", "name='h'"),
        hosts("iscsi", "iqn.2013-07.com.example:a/0", "name='h' port='3260'"),
    ],
    "a path with or without its slash": [
        hosts("https", "/a/b", "name='h'"),
        hosts("https", "a/b", "name='h' port='443'"),
    ],
    "a query with or without its mark": [
        ("network", "<source protocol='http' name='a' query='?x=1'><host name='h'/></source>"),
        ("network", "<source protocol='http' name='a' query='x=1'><host name='h'/></source>"),
    ],
    "nfs": [hosts("nfs", "/a/b", "name='h'"), hosts("nfs", "/a//b/", "name='H'")],
    "ssh": [hosts("ssh", "/a/b", "name='h'"), hosts("ssh", "/a/./b", "name='h' port='22'")],
    "sheepdog's own host": [hosts("sheepdog", "a"), hosts("sheepdog", "a", "name='localhost'")],
    "vxhs": [hosts("vxhs", "u", "name='h'"), hosts("vxhs", "u", "name='h' port='9999'")],
    "ftp": [hosts("ftp", "a", "name='h'"), hosts("ftp", "/a", "name='h' port='21'")],
    "ftps": [hosts("ftps", "a", "name='h'"), hosts("ftps", "/a", "name='h' port='990'")],
    "tftp": [hosts("tftp", "a", "name='h'"), hosts("tftp", "/a", "name='h' port='69'")],
    "directories": [("dir", "<source dir='/a/'/>"), ("dir", "<source dir='/a'/>")],
    "a slice that is all there is": [
        ("file", SLICED.format("offset='0' size='512'")),
        ("file", SLICED.format("offset='000' size='512'")),
    ],
    "only a storage slice counts": [
        ("file", FILE.format("/a")),
        ("file", SLICED.format("offset='1' size='2'").replace("storage", "format")),
    ],
}


@pytest.mark.parametrize("name", SAME)
def test_one_key_for_all_spellings(name: str) -> None:
    assert len({key(*one) for one in SAME[name]}) == 1


def test_different_images_have_different_keys() -> None:
    others = [
        *files("/srv/b", "/srv/A", "a", "../a", "/srv/a..", "/srv/...a"),
        ("volume", "<source pool='p' volume='w'/>"),
        ("volume", "<source pool='q' volume='v'/>"),
        ("nvme", NVME.format(2, "bus='0x0a'")),
        ("nvme", NVME.format(1, "bus='0x0b'")),
        ("network", NBD.format(" name='y'", "")),
        ("network", NBD.format(" name='X'", "")),
        ("network", NBD.format(" name='x'", " port='10810'")),
        hosts("nbd", "x", "name='fe80::2'"),
        hosts("nbd", "x", "name='not:an:address'"),
        hosts("nbd", "x", "transport='unix' socket='/run/other'"),
        hosts("rbd", "vms/root", "name='a'", "name='b'"),
        hosts("rbd", "vms/boot", "name='a'"),
        ("network", RBD.format("<host name='a'/><snapshot name='s'/>")),
        ("network", RBD.format("<config file='/other.conf'/>")),
        hosts("gluster", "w/a/b", "name='a'", "name='b'"),
        hosts("iscsi", "iqn.2013-07.com.example:a/1", "name='h'"),
        hosts("iscsi", "iqn.2013-07.com.example:a/10", "name='h'"),
        hosts("http", "a/b", "name='h'"),
        hosts("http", "a//b", "name='h'"),
        ("network", "<source protocol='http' name='a' query='x=2'><host name='h'/></source>"),
        ("network", SSH.format("")),
        ("network", SSH.format("<auth username='u'/>")),
        ("file", SLICED.format("offset='512' size='512'")),
    ]  # fmt: skip
    keys = {key(*one) for one in others}
    assert len(keys) == len(others)
    assert not keys & {key(*some[0]) for some in SAME.values()}


@pytest.mark.parametrize(
    ("type", "text"),
    [
        ("file", ""),
        ("file", "<source/>"),
        ("file", "<source file=''/>"),
        ("file", "<source fdgroup='g'/>"),
        ("block", "<source dev=''/>"),
        ("dir", "<source/>"),
        ("volume", "<source pool='p'/>"),
        ("volume", "<source volume='v'/>"),
        ("nvme", "<source type='pci' namespace='1'/>"),
        ("nvme", "<source type='pci' namespace='x'><address bus='1'/></source>"),
        ("nvme", NVME.format(1, "bus='0xzz'")),
        ("nvme", NVME.format(1, "bus='09'")),
        ("vhostuser", "<source type='unix' path='/run/vhost'/>"),
        ("network", "<source protocol='nbd' name='x'/>"),
        ("network", NBD.format("", " port='many'")),
        hosts("nbd", "x", "port='1'"),
        hosts("nbd", "x", "transport='unix'"),
        ("network", "<source protocol='rbd'/>"),
        hosts("rbd", "vms/root", "port='1'"),
        hosts("gluster", "volume", "name='h'"),
        hosts("gluster", "/path", "name='h'"),
        ("network", "<source protocol='iscsi'><host name='h'/></source>"),
        ("network", "<source protocol='http'><host name='h'/></source>"),
        ("network", "<source protocol='nfs'><host name='h'/></source>"),
        ("network", "<source protocol='ssh'><host name='h'/></source>"),
        ("network", "<source protocol='sheepdog'/>"),
        ("network", "<source protocol='vxhs'><host name='h'/></source>"),
        ("network", "<source protocol='carrier-pigeon' name='x'/>"),
        ("network", "<source name='x'/>"),
        ("vhostvdpa", "<source dev='/dev/vhost-vdpa-0'/>"),
        ("vhostvdpa", "<source protocol='nbd' name='x'/>"),
        ("quorum", "<source file='/a'/>"),
        ("file", SLICED.format("offset='0'")),
        ("file", SLICED.format("offset='0' size='big'")),
    ],
)
def test_nobody_knows(type: str, text: str) -> None:
    assert identity(source(type, text)) is None


def test_every_source_of_the_table_is_tried() -> None:
    """A source that is added is to have a key, or to be among those that have none."""
    tried = set()
    for some in SAME.values():
        for one in some:
            found = source(*one)
            tried.add((found.type, found.protocol))
    assert tried == SOURCES.keys() - {("vhostuser", None)}


STEPS = st.lists(st.sampled_from(["", ".", "..", "a", "b", ".c", "..d", "e.", "é"]), max_size=8)


@given(STEPS)
def test_a_path_is_normalised_as_the_system_reads_it(steps: list[str]) -> None:
    path = "/" + "/".join(steps)
    found = key("file", FILE.format(path))
    kind, normal = found.key
    assert (kind, found.start, found.stop) == ("path", 0, inf)
    assert normal == os.path.normpath("/" + path.lstrip("/"))
    assert key("file", FILE.format(normal)) == found


def test_slices_of_one_file_overlap_or_not() -> None:
    first, next, both = (
        key("file", SLICED.format(f"offset='{offset}' size='{size}'"))
        for offset, size in ((0, 512), (512, 512), (511, 2))
    )
    whole, other = key("file", FILE.format("/a")), key("file", FILE.format("/b"))
    assert first.local
    assert not first.overlaps(next)
    assert not next.overlaps(first)
    assert first.overlaps(both)
    assert next.overlaps(both)
    assert whole.overlaps(next)
    assert not whole.overlaps(other)


# Uses


def use(path: str, user: object, start: int = 0, stop: float = inf, **flags: bool) -> Use:
    kind = "path" if path.startswith("/") else "nbd"
    return Use(SimpleNamespace(), Identity((kind, path), start, stop), user, **flags)  # type: ignore[arg-type]


def pairs(uses: list[Use], *, readers_clash: bool = False) -> list[tuple[int, int, str]]:
    numbers = {id(one): number for number, one in enumerate(uses)}
    return [
        (numbers[id(first)], numbers[id(again)], same)
        for first, again, same in clashes(uses, readers_clash=readers_clash)
    ]


def test_the_later_use_meets_the_first() -> None:
    uses = [use("/a", 0), use("/b", 1), use("/a", 2), use("/a", 3)]
    assert pairs(uses) == [(0, 2, "image"), (0, 3, "image")]


def test_one_user_may_use_an_image_twice() -> None:
    assert pairs([use("/a", 0), use("/a", 0)]) == []
    assert pairs([use("/a", 0), use("/a", 0), use("/a", 1)]) == [(0, 2, "image")]


def test_who_excludes_whom() -> None:
    writer = {"writes": True, "shares": False}
    sharer = {"writes": True, "shares": True}
    reader = {"writes": False, "shares": False}
    patient = {"writes": False, "shares": True}
    kinds = [writer, sharer, reader, patient]
    excluding = [(writer, writer), (writer, sharer), (writer, reader), (sharer, reader)]
    for one in kinds:
        for two in kinds:
            found = pairs([use("/a", 0, **one), use("/a", 1, **two)])
            assert bool(found) == ((one, two) in excluding or (two, one) in excluding)


def test_slices_of_a_file_are_locked_together_for_a_writer() -> None:
    slices = [(0, 10), (10, 20)]
    for kind, writes, expected in (
        ("/a", True, [(0, 1, "file")]),
        ("/a", False, []),
        ("export", True, []),
    ):
        uses = [use(kind, number, *one, writes=writes) for number, one in enumerate(slices)]
        assert pairs(uses, readers_clash=True) == expected


def test_empty_slices_hold_nothing() -> None:
    assert pairs([use("export", 0, 5, 5), use("export", 1, 0, 9)]) == []


SOME_USES = st.lists(
    st.tuples(
        st.sampled_from(["/a", "export"]), st.integers(0, 3), st.integers(0, 6),
        st.one_of(st.integers(1, 6), st.just(inf)), st.booleans(), st.booleans(),
    ),
    max_size=8,
)  # fmt: skip


@given(SOME_USES, st.booleans())
def test_as_if_each_were_held_against_each(some: list[Any], readers_clash: bool) -> None:
    uses = [
        use(path, user, start, start + size, writes=writes, shares=shares)
        for path, user, start, size, writes, shares in some
    ]
    writers = {one.identity.key for one in uses if one.writes and one.identity.local}

    def exclude(one: Use, two: Use) -> bool:
        clash = (one.writes and not two.shares) or (two.writes and not one.shares)
        overlap = one.identity.overlaps(two.identity)
        if one.identity.key == two.identity.key and one.identity.key in writers:
            overlap = True
        return overlap and one.user != two.user and (clash or readers_clash)

    found = pairs(uses, readers_clash=readers_clash)
    for first, again, same in found:
        assert first < again
        assert exclude(uses[first], uses[again])
        assert (same == "image") == uses[first].identity.overlaps(uses[again].identity)
    # Whoever excludes one that comes before it, by slices or else by place, is found once.
    expected = 0
    for number, one in enumerate(uses):
        begins = 0 if one.identity.key in writers else one.identity.start
        expected += any(
            exclude(one, two)
            for other, two in enumerate(uses)
            if ((0 if two.identity.key in writers else two.identity.start), other)
            < (begins, number)
        )
    assert len(found) == expected


def test_many_uses_of_one_file_take_no_time() -> None:
    began = time.process_time()
    slices = [use("export", number, number, number + 50) for number in range(20_000)]
    assert len(pairs(slices)) == len(slices) - 1
    readers = [use("/a", number, writes=False) for number in range(20_000)]
    assert pairs(readers) == []
    assert len(pairs([*readers, use("/a", -1)])) == 1
    assert time.process_time() - began < 5


def test_the_disks_of_a_snapshot_belong_to_two_domains() -> None:
    disk = "<disk type='file'><source file='/a'/></disk>"
    devices = f"<devices>{disk}{disk}</devices>"
    text = f"<domainsnapshot><domain>{devices}</domain><inactiveDomain>{devices}</inactiveDomain>"
    disks = Domain.from_text(f"{text}</domainsnapshot>").disks
    assert [[*one] for one in by_domain(disks)] == [[*disks[:2]], [*disks[2:]]]
    alone = Domain.from_text(disk).disks
    assert [[*one] for one in by_domain(alone)] == [[*alone]]
