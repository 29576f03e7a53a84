"""Copying to new members: what stops it, and that nothing is left of it then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.host import live
from tests.host.live_guests import SIZE, Booted
from tests.libvirts import CallError, embed, missing_for_embed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    missing = missing_for_embed()
    if missing is not None:
        pytest.skip(missing)
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def booted(bench: Embed) -> Booted:
    return Booted(bench, "copies")


def refused(booted: Booted, new: Any) -> str:
    with pytest.raises(CallError) as caught:
        booted.bench.call(live.swapped, booted.name, booted.alias, booted.nodes, new, {})
    assert booted.state() == booted.settled()
    return caught.value.text


def _full(one: dict[str, Any]) -> list[dict[str, Any]]:
    name = one["node-name"]
    error = {"event": "none", "iotype": "write", "errno": 28}
    below = {**one, "node-name": f"{name}x"}
    above = {"driver": "blkdebug", "node-name": name, "image": f"{name}x", "inject-error": [error]}
    return [below, above]


def test_an_image_that_cannot_be_written(booted: Booted) -> None:
    # A full file system is played by QEMU's own filter for faults.
    new = [
        part
        for one in booted.graph(*booted.images, booted.image("full"))
        for part in (_full(one) if one.get("filename", "").endswith("full") else [one])
    ]
    text = refused(booted, new)
    assert text.startswith("cannot copy the disk to the new members: ")
    assert "No space left on device" in text


def test_a_disk_that_cannot_be_read_everywhere(bench: Embed) -> None:
    booted = Booted(bench, "broken")
    for number, image in enumerate(booted.images):
        with image.open("r+b") as file:
            file.seek(SIZE // 2)
            file.write(bytes([number + 1]) * 512)
    text = refused(booted, booted.graph(*booted.images, booted.image("new")))
    assert "Input/output error" in text
    assert "too few members agree" in text


def test_an_image_that_another_guest_uses(bench: Embed, booted: Booted) -> None:
    other = Booted(bench, "other")
    text = refused(booted, booted.graph(*booted.images, other.images[0]))
    assert 'Failed to get "write" lock' in text
