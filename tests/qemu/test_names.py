"""The laws of node names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.errors import TranslationError
from virtquorum.model.disk import Disk, Target
from virtquorum.model.identity import identity
from virtquorum.model.image import Image, Quorum
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.file import FileSource
from virtquorum.qemu.build import build
from virtquorum.qemu.graph import options
from virtquorum.qemu.names import NODE_NAME, domain_names

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1
)
PATHS = st.one_of(TEXT, st.sampled_from(["/a", "/b", "/c"]))
SOURCES = st.one_of(
    st.builds(FileSource, file=PATHS),
    st.builds(BlockSource, dev=PATHS),
)
NODE_NAMES = st.one_of(
    st.none(),
    st.from_regex(NODE_NAME, fullmatch=True),
    st.sampled_from(["vq-vda", "vq-vdb", "vq-vda-s", "vq-vda-q", "n" * 31, "n" * 29]),
)
LEAVES = st.builds(Image, source=SOURCES, format=st.sampled_from(["raw", "qcow2"]))


def above(images: st.SearchStrategy[Image]) -> st.SearchStrategy[Image]:
    return st.one_of(
        st.builds(Image, source=SOURCES, format=st.just("qcow2"), backing=images),
        st.builds(
            Image,
            source=st.builds(
                Quorum, threshold=st.just(1), members=st.lists(images, min_size=1).map(tuple)
            ),
            format=st.sampled_from([None, "quorum", "raw"]),
        ),
    )


IMAGES = st.recursive(LEAVES, above, max_leaves=8)
TARGETS = st.one_of(
    st.builds(Target, dev=TEXT),
    st.builds(Target, dev=st.sampled_from(["vda", "vdb", "a-very-long-target-1", "…", "disk1"])),
    st.none(),
)
DISKS = st.lists(st.builds(Disk, image=IMAGES, target=TARGETS), max_size=4)


def all_nodes(disks: Sequence[Disk]) -> list[str]:
    """The names of all nodes of a domain, and the ids of its drives."""
    found = []
    for disk, names in zip(disks, domain_names(disks), strict=True):
        found.append(names.drive)
        rest: list[object] = [options(build(disk, names).top)]
        while rest:
            one = rest.pop()
            if isinstance(one, dict):
                if "driver" in one:
                    found.append(str(one["node-name"]))
                rest.extend(one.values())
            elif isinstance(one, list):
                rest.extend(one)
    return found


def differ(disks: Sequence[Disk]) -> bool:
    """Whether no image is a member twice, which is refused."""
    images = [image for disk in disks for image in disk.image.walk()]
    places = [
        identity(one.source) or one.source for one in images if not isinstance(one.source, Quorum)
    ]
    return all(one not in places[:number] for number, one in enumerate(places))


@given(DISKS.filter(differ))
def test_names_are_valid_and_unique_in_the_domain(disks: list[Disk]) -> None:
    names = all_nodes(disks)
    assert len(set(names)) == len(names)
    assert all(NODE_NAME.fullmatch(name) for name in names)


@given(DISKS.filter(differ))
def test_names_are_the_same_every_time(disks: list[Disk]) -> None:
    assert all_nodes(disks) == all_nodes(disks)


@given(st.lists(IMAGES, min_size=1, max_size=5), st.data())
def test_a_member_keeps_its_name_when_others_come_and_go(
    members: list[Image], data: st.DataObject
) -> None:
    kept = data.draw(st.sampled_from(members))
    others = [*members, *data.draw(st.lists(IMAGES, max_size=3))]
    others = [one for one in others if not ({*map(leaf, kept.walk())} & {*map(leaf, one.walk())})]
    changed = data.draw(st.permutations([*others, kept]))
    assert name_of(kept, [kept]) == name_of(kept, changed)


def leaf(image: Image) -> object:
    return None if isinstance(image.source, Quorum) else image.source


def name_of(member: Image, members: Sequence[Image]) -> str:
    image = Image(source=Quorum(threshold=1, members=tuple(members)))
    (names,) = domain_names([Disk(image=image, target=Target(dev="vda"))])
    return names.of(member)


@given(IMAGES, st.lists(IMAGES, max_size=3))
def test_a_disk_keeps_its_names_when_other_disks_come(image: Image, others: list[Image]) -> None:
    disk = Disk(image=image, target=Target(dev="vda"))
    more = [
        Disk(image=one, target=Target(dev=f"vd{letter}"))
        for one, letter in zip(others, "bcd", strict=False)
    ]
    (alone,) = domain_names([disk])
    beside = domain_names([*more, disk])[-1]
    assert [alone.of(one) for one in image.walk()] == [beside.of(one) for one in image.walk()]


@given(st.tuples(NODE_NAMES, NODE_NAMES, NODE_NAMES))
def test_given_names_are_kept_and_made_ones_give_way(given: tuple[str | None, ...]) -> None:
    members = tuple(
        Image(source=FileSource(file=f"/{number}"), format="raw", nodename=name)
        for number, name in enumerate(given)
    )
    disks = [
        Disk(image=Image(source=Quorum(threshold=1, members=members)), target=Target(dev="vda")),
        Disk(image=Image(source=FileSource(file="/x"), format="raw"), target=Target(dev="vdb")),
    ]
    said = [name for name in given if name is not None]
    if len(set(said)) < len(said):
        with pytest.raises(TranslationError, match="is taken by another image"):
            all_nodes(disks)
        return
    names = domain_names(disks)[0]
    assert [names.of(one) for one in members if one.nodename is not None] == said
    nodes = all_nodes(disks)
    assert len(set(nodes)) == len(nodes)


def test_the_same_image_twice() -> None:
    """It would vote twice, so it is refused; its names would differ."""
    one = Image(source=FileSource(file="/a"), format="raw")
    two = replace(one)
    image = Image(source=Quorum(threshold=1, members=(one, two)))
    disks = [Disk(image=image, target=Target(dev="vda"))]
    (names,) = domain_names(disks)
    assert [names.of(one), names.of(two)] == ["vq-vda-bb4d9039", "vq-vda-bb4d9039.2"]
    with pytest.raises(TranslationError, match="is a member already, and would vote twice"):
        all_nodes(disks)


def test_a_base_below_two_members_is_two_nodes_that_keep_their_names() -> None:
    base = Image(source=FileSource(file="/base"), format="raw")
    members = [
        Image(source=FileSource(file=path), format="qcow2", backing=replace(base))
        for path in ("/a", "/b")
    ]

    def names_of(members: Sequence[Image]) -> dict[int, str]:
        image = Image(source=Quorum(threshold=1, members=tuple(members)))
        (names,) = domain_names([Disk(image=image, target=Target(dev="vda"))])
        return {id(one): names.of(one) for one in image.walk() if one is not image}

    assert names_of(members) == names_of(members[::-1])
    assert len(set(names_of(members).values())) == 4


def test_two_disks_of_one_target_and_long_targets() -> None:
    disks = [
        Disk(image=Image(source=FileSource(file="/x"), format="raw"), target=Target(dev=dev))
        for dev in ("vda", "vda", "a-very-long-target-1", "a-very-long-target-2", "disk5", "…")
    ]
    every = domain_names(disks)
    assert [names.drive for names in every] == [
        "drive-vda", "drive-disk1", "drive-a-very-long-target-1", "drive-a-very-long-target-2",
        "drive-disk5", "drive-disk5.2",
    ]  # fmt: skip
    assert [names.top for names in every] == [
        "vq-vda", "vq-vda.2", "vq-a-very-bef65", "vq-a-very-10881", "vq-disk5", "vq-disk5.2",
    ]  # fmt: skip
