"""Missing members are not made blank where the blank ones would win the vote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.images.building import domain, image, names, quorum
from tests.programs import qemu_img, run

if TYPE_CHECKING:
    from pathlib import Path


def there(folder: Path, *given: str) -> None:
    for name in given:
        qemu_img("create", "-q", "-f", "raw", folder / name, "1M")


def written(folder: Path, given: str, threshold: int, pattern: str = "quorum") -> Path:
    disk = quorum(*(image(folder / name) for name in given), threshold=threshold)
    return domain(folder, disk.replace("<driver ", f"<driver read_pattern='{pattern}' ", 1))


@pytest.mark.parametrize(
    ("present", "threshold", "why"),
    [
        ("a", 2, "2 of 3 members would be blank, and with the threshold 2 they can win the vote"),
        ("ab", 1, "1 of 3 members would be blank, and with the threshold 1 they can win the vote"),
        ("ab", 3, "1 of 3 members would be blank, and the others do not reach the threshold 3"),
        ("ab", 2, None),
        ("", 2, None),
        ("abc", 2, None),
    ],
)
def test_blank_members_do_not_win(
    present: str, threshold: int, why: str | None, tmp_path: Path
) -> None:
    there(tmp_path, *present)
    path = written(tmp_path, "abc", threshold)
    done = run("create", "--size", "1M", path)
    if why is None:
        assert done.code == 0
        return
    assert (done.code, done.out) == (1, "")
    missing = next(name for name in "abc" if name not in present)
    assert done.err.endswith(
        f"disk 'vda': image '{tmp_path}/{missing}': is not made blank beside members that are "
        f"there: {why}; copy one of them with --from MEMBER, or say --blank if none of them has "
        "anything to lose\n"
    )
    assert names(tmp_path) == {*present, "domain.xml"}
    copied = run("create", "--from", "0", "--dry-run", path)
    assert copied.code == 0
    assert run("create", "--blank", path).code == 0
    assert names(tmp_path) == {*"abc", "domain.xml"}


def test_members_that_are_read_in_their_order(tmp_path: Path) -> None:
    there(tmp_path, "b", "c")
    done = run("create", written(tmp_path, "abc", 2, "fifo"))
    assert done.code == 1
    assert "members are read in their order, without a vote" in done.err


def test_a_quorum_that_is_a_member(tmp_path: Path) -> None:
    """Each quorum votes by itself, and a blank one is one blank member of the next."""

    def within(given: str) -> str:
        inner = "".join(image(tmp_path / name) for name in given)
        return (
            "<backingStore type='quorum' threshold='2'><format type='quorum'/>"
            f"{inner}</backingStore>"
        )

    there(tmp_path, *"abx")
    path = domain(tmp_path, quorum(*map(within, ("abc", "xyz")), threshold=1))
    done = run("create", path)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert f"image '{tmp_path}/y': is not made blank" in done.err
    there(tmp_path, "y")
    assert run("create", path).code == 0
    path = domain(tmp_path, quorum(within("abc"), within("efg"), threshold=2))
    done = run("create", path)
    assert f"image '{tmp_path}/e': is not made blank" in done.err
    assert ": 1 of 2 members would be blank, and the others do not reach" in done.err


FAR = (
    "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='x'>"
    "<host name='far.example' port='10809'/></source></backingStore>"
)


def test_members_of_other_machines_may_have_the_data(tmp_path: Path) -> None:
    there(tmp_path, "a")
    local = [image(tmp_path / name) for name in "ab"]
    assert run("create", domain(tmp_path, quorum(*local, FAR, threshold=2))).code == 0


def first_made(folder: Path, quorum: str) -> str:
    """How the image 'a' is refused."""
    path = domain(folder, quorum)
    done = run("create", "--size", "1M", path)
    assert (done.code, done.out) == (1, "")
    assert names(folder) == {"domain.xml"}
    return done.err


def test_blank_members_do_not_win_against_those_of_other_machines(tmp_path: Path) -> None:
    local = [image(tmp_path / name) for name in "ab"]
    assert first_made(tmp_path, quorum(FAR, *local, threshold=2)).endswith(
        f"disk 'vda': image '{tmp_path}/a': is not made blank beside members that are not of this "
        "host and may have the data: 2 of 3 members would be blank, and with the threshold 2 they "
        "can win the vote; bring a copy of one of them to its place (qemu-img convert), or say "
        "--blank if none of them has anything to lose\n"
    )
    in_order = quorum(local[0], FAR, FAR.replace("'x'", "'y'"), threshold=2)
    in_order = in_order.replace("<driver ", "<driver read_pattern='fifo' ", 1)
    assert "members are read in their order, without a vote" in first_made(tmp_path, in_order)
    inner = (
        "<backingStore type='quorum' threshold='1'><format type='quorum'/>"
        f"{FAR}{FAR.replace(chr(39) + 'x', chr(39) + 'y')}</backingStore>"
    )
    nested = quorum(inner, local[0], threshold=1)
    assert ": 1 of 2 members would be blank, and with the threshold 1" in first_made(
        tmp_path, nested
    )
    # The ways out.
    path = domain(tmp_path, quorum(FAR, *local, threshold=2))
    there(tmp_path, "a")
    assert run("create", "--from", "1", "--dry-run", path).code == 0
    assert run("create", path).code == 0
    for name in "ab":
        (tmp_path / name).unlink()
    assert run("create", "--blank", "--size", "1M", path).code == 0


def test_copies_are_not_blank(tmp_path: Path) -> None:
    there(tmp_path, "a")
    done = run("create", "--from", "0", written(tmp_path, "abc", 3))
    assert (done.code, names(tmp_path)) == (0, {*"abc", "domain.xml"})
