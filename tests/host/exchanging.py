"""Old and new definitions of a disk, and what is asked between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web, with_uuid
from tests.programs import qemu_img
from virtquorum.host.exchange import exchanges
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.libvirts import Embed
    from virtquorum.host.exchange import Exchange

SIZE = 4 << 20


# By themselves


class Elsewhere:
    """As much of a host as says where files are."""

    lookup = None

    def __init__(self, *, is_local: bool = True) -> None:
        self.is_local = is_local


def store(place: Path | str, inner: str = "") -> str:
    return (
        f"<backingStore type='file'><format type='raw'/><source file='{place}'>{inner}</source>"
        "</backingStore>"
    )


def nested(*stores: str) -> str:
    return (
        "<backingStore type='quorum' threshold='1'><format type='quorum'/>"
        f"{''.join(stores)}</backingStore>"
    )


def disk(*stores: str, target: str = "vda", more: str = "") -> str:
    return (
        f"<disk type='quorum' threshold='1' {more}><driver name='qemu' type='quorum'/>"
        f"{''.join(stores)}<target dev='{target}' bus='virtio'/></disk>"
    )


def stock(place: Path, target: str = "vda") -> str:
    return f"<disk type='file'><source file='{place}'/><target dev='{target}' bus='virtio'/></disk>"


def found(old: str, new: str, *, is_local: bool = True) -> list[Exchange]:
    host: Any = Elsewhere(is_local=is_local)
    return exchanges(
        host,
        *(
            Domain.from_text(
                f"<domain type='qemu'><name>w</name><devices>{one}</devices></domain>"
            ).machine_disks
            for one in (old, new)
        ),
    )


def asked(one: Exchange, *, active: bool = False) -> str:
    """The one question of an exchange."""
    (question,) = one.questions("w", active=active)
    return question


def six_files(folder: Path) -> list[Path]:
    """Empty files."""
    made = [folder / name for name in "abcdef"]
    for one in made:
        one.touch()
    return made


def overlay(place: Path | str, below: str = "", format: str = "qcow2") -> str:
    """A member that is an image of some format with something written below it."""
    return store(place).replace("raw", format).replace("</backingStore>", f"{below}</backingStore>")


END = "<backingStore/>"


def over(place: Path, below: Path | str, format: str = "raw") -> None:
    """Make an overlay whose header names what is below it."""
    qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", below, "-F", format, place, "1M")


def indexed(text: str) -> str:
    """As libvirt has filled it in, or somebody who wants it to look so."""
    return text.replace("<backingStore", "<backingStore index='3'")


# On a libvirt


def defined(bench: Embed) -> list[Path]:
    """The members of a domain that is there."""
    images = members(bench, "web")
    done = virtquorum(bench, "define", web(bench, "web", quorum_disk("vda", images)))
    assert (done.code, done.err) == (0, "")
    return images


def blanks(bench: Embed, count: int) -> list[Path]:
    return [bench.image(f"blank-{number}.raw", SIZE) for number in range(count)]


def with_members(bench: Embed, images: list[Path]) -> Path:
    return with_uuid(bench, "web", web(bench, "web", quorum_disk("vda", images)))


def voting(bench: Embed, *options: str) -> str:
    return virtquorum(bench, "dumpxml", *options, "web").out
