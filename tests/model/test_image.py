"""Images, quorums and disks: what lies where."""

from __future__ import annotations

import pytest

from virtquorum.model import sources
from virtquorum.model.disk import Disk, Target
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import ForeignElement, Malformed
from virtquorum.model.source import ForeignSource
from virtquorum.model.sources import SOURCES, FileSource, NbdSource, source_class


def file(name: str, backing: Image | Terminator | None = None) -> Image:
    return Image(source=FileSource(file=name), backing=backing)


_BASE = file("/base")
_NEAR = file("/near", _BASE)
_INNER = Image(source=Quorum(threshold=1, members=(file("/x"), Terminator())))
_OVERLAY = file("/overlay", _INNER)
_TOP = Quorum(threshold=2, members=(_NEAR, _OVERLAY, Terminator()))
_DISK = Disk(image=Image(source=_TOP), target=Target(dev="vda"))


def test_below_are_the_members_or_the_backing_image() -> None:
    assert _DISK.image.below == _TOP.members
    assert _NEAR.below == (_BASE,)
    assert _BASE.below == ()
    assert file("/end", Terminator()).below == (Terminator(),)


def test_walk_goes_down_each_chain_before_the_next_and_leaves_terminators_out() -> None:
    assert list(_DISK.image.walk()) == [
        _DISK.image, _NEAR, _BASE, _OVERLAY, _INNER, file("/x"),
    ]  # fmt: skip


def test_quorums_are_all_of_them_the_outer_ones_first() -> None:
    assert _DISK.quorums == (_TOP, _INNER.source)
    assert _DISK.quorum is _TOP


def test_a_quorum_below_an_overlay_is_not_the_disk_s_own() -> None:
    disk = Disk(image=_OVERLAY)
    assert disk.quorum is None
    assert disk.quorums == (_INNER.source,)


def test_a_disk_is_called_by_its_target() -> None:
    assert _DISK.name == "vda"
    assert Disk(image=_BASE).name is None
    assert Disk(image=_BASE, target=Target()).name is None


def test_the_threshold_is_that_of_the_attribute_before_that_of_the_element() -> None:
    assert Quorum(threshold=2).vote_threshold == 2
    assert Quorum(threshold_element=3).vote_threshold == 3
    assert Quorum(threshold=2, threshold_element=3).vote_threshold == 2
    assert Quorum(threshold=Malformed("x"), threshold_element=3).vote_threshold == Malformed("x")
    assert Quorum().vote_threshold is None


def test_a_foreign_source_says_its_protocol() -> None:
    element = ForeignElement(name="source", attributes=(("protocol", "pigeon"),))
    assert ForeignSource(type="network", element=element).protocol == "pigeon"
    assert ForeignSource(type="network").protocol is None
    assert ForeignSource(type="x", element=ForeignElement(name="source")).protocol is None


@pytest.mark.parametrize(("type", "protocol"), list(SOURCES))
def test_every_source_is_found_by_its_type_and_protocol(type: str, protocol: str | None) -> None:
    cls = source_class(type, protocol)
    assert cls is not None
    assert cls.__name__ == SOURCES[type, protocol]
    assert (cls.type, cls.protocol) == (type, protocol)
    assert getattr(sources, cls.__name__) is cls
    assert cls.__name__ in sources.__all__


def test_a_protocol_counts_for_network_sources_alone() -> None:
    assert source_class("file", "nbd") is FileSource
    assert source_class("network", "nbd") is NbdSource
    assert source_class("network", None) is None
    assert source_class("network", "NBD") is None
    assert source_class("quorum", None) is None
    assert source_class("", "") is None


def test_there_is_no_other_source() -> None:
    with pytest.raises(AttributeError, match="no attribute 'TapeSource'"):
        sources.TapeSource  # noqa: B018
