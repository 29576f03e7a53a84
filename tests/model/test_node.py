"""Equality, hash, repr and immutability of the model's nodes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.strategies import described_classes, disks, values
from virtquorum.model.disk import BareAddress, Disk, Driver, Target
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.location import Location
from virtquorum.model.node import Comment, ForeignElement, Malformed
from virtquorum.model.sources import FileSource
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk
from virtquorum.xml.plan import fields_of

if TYPE_CHECKING:
    from virtquorum.model.spelling import Spelling

slowly = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Somewhere(Location):
    """A place that says nothing."""


def bare(cls: type[Any]) -> Any:
    """A node of a class with as little in it as it takes."""
    if cls is Disk:
        return Disk(image=bare(Image))
    return cls(source=FileSource()) if cls is Image else cls()


def different(spelling: Spelling) -> list[Any]:
    """Values that a field can have, no two of them the same; made anew with every call."""
    match spelling.kind, spelling.codec:
        case "flag", _:
            return [None, True]
        case "child", _:
            assert isinstance(spelling.of, type)
            return [None, bare(spelling.of), *(one for _, one in nodes_that_differ(spelling.of))]
        case "children", _:
            assert isinstance(spelling.of, type)
            one, two = (bare(spelling.of), nodes_that_differ(spelling.of)[0][1])
            return [(), (one,), (two,), (one, two), (two, one)]
        case "variants", _:
            return [None, *(BareAddress(type=key) for key in ("a", "b")), Target(dev="a")]
        case "source", _:
            return [FileSource(file="a"), FileSource(file="b"), Quorum(threshold=1)]
        case "image", _:
            return [None, Terminator(), *(Image(source=FileSource(file=one)) for one in "ab")]
        case "images", _:
            one, two = (Image(source=FileSource(file=name)) for name in "ab")
            return [(), (one,), (two,), (one, two), (two, one), (one, Terminator())]
        case _, "integer":
            return [None, 0, 1, 10**19, 10**19 + 1, Malformed("0"), Malformed("two")]
        case _, "yes-no" | "on-off":
            return [None, True, False, Malformed("maybe"), Malformed("")]
    return [None, *spelling.choices, "", "a", "b", " a"]


def nodes_that_differ(cls: type[Any]) -> list[tuple[str, Any]]:
    """A field of a class and a node with another value in it than a bare one, for every field."""
    return [
        (field, dataclasses.replace(bare(cls), **{field: different(spelling)[-1]}))
        for field, spelling in fields_of(cls).items()
    ]


@pytest.mark.parametrize("cls", described_classes(), ids=lambda cls: cls.__name__)
class TestEveryClass:
    """What holds for every class of the description table."""

    def test_is_frozen_and_slotted(self, cls: type[Any]) -> None:
        one = bare(cls)
        for field in dataclasses.fields(cls):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(one, field.name, None)
        assert not hasattr(one, "__dict__")

    def test_takes_keywords_only(self, cls: type[Any]) -> None:
        with pytest.raises(TypeError):
            cls(None)
        with pytest.raises(TypeError):
            cls(no_such_field=1)

    def test_location_makes_no_difference(self, cls: type[Any]) -> None:
        one = bare(cls)
        two = dataclasses.replace(one, location=Somewhere())
        assert one == two
        assert hash(one) == hash(two)
        assert repr(one) == repr(two)

    def test_every_other_field_does(self, cls: type[Any]) -> None:
        one = bare(cls)
        for field, spelling in fields_of(cls).items():
            other: Any = "x"
            if spelling.kind in ("child", "variants", "image"):
                other = Terminator()
            elif spelling.kind == "source":
                other = Quorum()
            elif spelling.kind in ("children", "images"):
                other = (Terminator(),)
            two = dataclasses.replace(one, **{field: other})
            assert one != two, field
            assert two == dataclasses.replace(one, **{field: other})
            assert field in repr(two)
        assert one != dataclasses.replace(one, unmodelled=(Comment(text="c"),))

    def test_two_values_of_a_field_make_two_nodes(self, cls: type[Any]) -> None:
        for field, spelling in fields_of(cls).items():
            # Each is made twice, so that nothing is equal for being the same.
            ones, twos = (
                [dataclasses.replace(bare(cls), **{field: value}) for value in different(spelling)]
                for _ in range(2)
            )
            for number, one in enumerate(ones):
                for other, two in enumerate(twos):
                    assert (one == two) == (number == other), f"{field}: {one!r}, {two!r}"
                    assert (one != two) == (number != other), f"{field}: {one!r}, {two!r}"
                assert hash(one) == hash(twos[number])

    def test_one_value_in_two_fields_makes_two_nodes(self, cls: type[Any]) -> None:
        nodes = nodes_that_differ(cls)
        for number, (field, one) in enumerate(nodes):
            assert all(one != two for _, two in nodes[number + 1 :]), field

    def test_is_not_equal_to_anything_else(self, cls: type[Any]) -> None:
        one = bare(cls)
        assert one != object()
        assert one != Comment(text="")
        assert one is not None
        assert (one == 1) is False

    def test_is_made_again_by_replace(self, cls: type[Any]) -> None:
        assert dataclasses.replace(bare(cls)) == bare(cls)

    def test_has_words_to_say_what_it_is(self, cls: type[Any]) -> None:
        doc = cls.__doc__ or ""
        assert doc
        assert not doc.startswith(f"{cls.__name__}(")  # what dataclass would write by itself


@slowly
@given(disks(), disks())
def test_equal_disks_are_those_that_are_written_the_same(one: Disk, two: Disk) -> None:
    assert (one == two) == (format_disk(one) == format_disk(two))
    if one == two:
        assert hash(one) == hash(two)
    assert (one != two) == (two != one)


def test_a_required_field_is_required() -> None:
    with pytest.raises(TypeError):
        Disk()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Image()


def test_a_number_a_switch_and_a_text_are_never_equal() -> None:
    assert Target(rotation_rate=1) != Target(rotation_rate=Malformed("1"))
    assert Driver(iommu=True) != Driver(iommu=Malformed("on"))
    assert Driver(queues=1) != Driver(queues=True)
    assert Malformed("x") == "x"  # it is a text, for whoever writes it
    assert repr(Malformed("x")) == "Malformed('x')"


def test_repr_names_what_is_set_and_does_not_go_deep() -> None:
    image = Image(format="raw", source=FileSource(file="/a"))
    disk = Disk(image=image, target=Target(dev="vda"), serial="S")
    assert repr(disk) == "Disk(image=Image(…), driver=Driver(…), target=Target(…), serial='S')"
    assert repr(image) == "Image(format='raw', source=FileSource(…))"
    quorum = Quorum(threshold=2, members=(image, Terminator()))
    assert repr(quorum) == "Quorum(threshold=2, members=(Image(…), Terminator(…)))"
    assert repr(ForeignElement(name="a", children=("t",))) == (
        "ForeignElement(name='a', children=('t'), before=0)"
    )
    assert repr(Terminator()) == "Terminator()"


def test_nodes_read_from_two_places_are_equal_and_know_their_own() -> None:
    text = "<domain><devices>{0}{0}</devices></domain>"
    one, two = Domain.from_text(text.format("<disk type='file'><target dev='a'/></disk>")).disks
    assert one == two
    assert len({one, two}) == 1
    assert one.location is not two.location


@pytest.mark.parametrize("cls", described_classes(), ids=lambda cls: cls.__name__)
def test_every_text_field_has_a_strategy(cls: type[Any]) -> None:
    for spelling in fields_of(cls).values():
        if spelling.kind in ("attribute", "text", "flag"):
            assert not values(spelling).is_empty
