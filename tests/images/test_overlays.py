"""A lost backing image is never made blank below an overlay that is there, whoever names it."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from tests.images.building import MEGABYTE, content, domain, image, names, quorum
from tests.programs import as_nobody, qemu_img, qemu_io, reachable, run

PLAIN = (
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{top}'/>"
    "{below}<target dev='{target}'/></disk>\n"
)


def plain(top: Path, below: str, target: str = "vdb") -> str:
    """A disk without a quorum: an overlay."""
    return PLAIN.format(top=top, below=below, target=target)


def overlay(folder: Path, name: str, base: str = "base") -> str:
    return image(folder / name, "qcow2", image(folder / base))


def made(folder: Path, name: str, base: str = "base") -> None:
    """An overlay that is there, on a backing image that is lost."""
    qemu_img(
        "create", "-q", "-f", "qcow2", "-u", "-b", folder / base, "-F", "raw", folder / name, "1M"
    )


@pytest.mark.parametrize("there", ["A", "B", "C"])
@pytest.mark.parametrize("order", list(permutations("ABC")), ids="".join)
def test_any_overlay_counts_in_any_order(
    there: str, order: tuple[str, ...], tmp_path: Path
) -> None:
    made(tmp_path, there)
    path = domain(tmp_path, quorum(*(overlay(tmp_path, name) for name in order)))
    done = run("create", path)
    assert (done.code, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert f"image '{tmp_path}/base': its overlay '{tmp_path}/{there}' is there, so" in line
    assert names(tmp_path) == {there, "domain.xml"}
    assert run("create", "--dry-run", path).code == 1


@pytest.mark.parametrize("chosen", [[], ["--disk", "vda"]], ids=["all", "vda"])
@pytest.mark.parametrize("first", [False, True])
def test_overlays_of_disks_that_were_not_chosen_count(
    first: bool, chosen: list[str], tmp_path: Path
) -> None:
    made(tmp_path, "O2")
    disks = [quorum(overlay(tmp_path, "A")), plain(tmp_path / "O2", image(tmp_path / "base"))]
    path = domain(tmp_path, *(reversed(disks) if first else disks))
    done = run("create", "--size", "1M", *chosen, path)
    assert (done.code, done.out) == (1, "")
    assert (
        f"disk 'vda': image '{tmp_path}/base': its overlay '{tmp_path}/O2' of the disk 'vdb' is "
        "there, so a blank backing image would be one whose data are lost; bring the" in done.err
    )
    assert names(tmp_path) == {"O2", "domain.xml"}
    # With the overlay gone there is nothing to lose.
    (tmp_path / "O2").unlink()
    assert run("create", "--size", "1M", *chosen, path).code == 0
    assert names(tmp_path) == {"A", "base", "domain.xml"}


def test_an_overlay_needs_what_is_far_below(tmp_path: Path) -> None:
    """The image between is missing too, and vda knows nothing of it."""
    made(tmp_path, "O2", "middle")
    middle = image(tmp_path / "middle", "qcow2", image(tmp_path / "base"))
    path = domain(tmp_path, quorum(overlay(tmp_path, "A")), plain(tmp_path / "O2", middle))
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert f"image '{tmp_path}/base': its overlay '{tmp_path}/O2' of the disk 'vdb'" in done.err
    assert names(tmp_path) == {"O2", "domain.xml"}


def test_members_of_a_backing_quorum_and_other_names_of_a_file(tmp_path: Path) -> None:
    votes = "".join(image(tmp_path / "link" / name) for name in ("a", "b"))
    below = f"<backingStore type='quorum' threshold='1'>{votes}</backingStore>"
    (tmp_path / "link").symlink_to(tmp_path)
    made(tmp_path, "O2", "a")
    path = domain(tmp_path, quorum(image(tmp_path / "b")), plain(tmp_path / "O2", below))
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert f"image '{tmp_path}/b': its overlay '{tmp_path}/O2' of the disk 'vdb'" in done.err


def test_a_copy_needs_nothing_of_what_is_below(tmp_path: Path) -> None:
    """A member of a backing quorum is copied whole, so its own backing image may be blank."""
    (tmp_path / "a").write_bytes(b"\x05" * MEGABYTE)
    members = image(tmp_path / "a") + image(tmp_path / "c", "qcow2", image(tmp_path / "base"))
    below = f"<backingStore type='quorum' threshold='2'>{members}</backingStore>"
    top = tmp_path / "top"
    qemu_img("create", "-q", "-f", "qcow2", top, "1M")
    path = domain(tmp_path, plain(top, below, "vda"))
    refused = run("create", path)
    assert refused.err.count(f"its overlay '{top}' is there") == 2
    done = run("create", "--from", "0", path)
    assert (done.code, done.err) == (0, "")
    assert content(tmp_path / "c", "qcow2", tmp_path / "out") == b"\x05" * MEGABYTE


def test_an_overlay_that_cannot_be_looked_at_counts(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    made(closed, "O2")
    images = tmp_path / "images"
    images.mkdir()
    path = domain(tmp_path, quorum(overlay(images, "A")),
                  plain(closed / "O2", image(images / "base")))  # fmt: skip
    reachable(tmp_path)
    images.chmod(0o777)
    closed.chmod(0o700)
    done = as_nobody("create", "--size", "1M", path)
    assert done.returncode == 1
    assert f"its overlay '{closed}/O2' of the disk 'vdb' cannot be looked at, so" in done.stderr
    assert names(images) == set()


def test_other_disks_are_no_reason_to_fail(tmp_path: Path) -> None:
    """What is wrong with a disk that was not chosen is said when it is."""
    odd = plain(tmp_path / ("x" * 300), image(tmp_path / "nowhere" / "b", "qcow9"))
    path = domain(tmp_path, quorum(image(tmp_path / "a")), odd)
    done = run("create", "--size", "1M", path)
    assert (done.code, done.err) == (0, "")


def test_what_is_there_is_kept_with_its_data(tmp_path: Path) -> None:
    """A backing image that is there serves old and new overlays."""
    base = tmp_path / "base"
    qemu_img("create", "-q", "-f", "raw", base, "1M")
    qemu_io(base, "raw", "write -P 9 0 64k")
    made(tmp_path, "B")
    path = domain(tmp_path, quorum(overlay(tmp_path, "A"), overlay(tmp_path, "B")))
    assert run("create", "--blank", path).code == 0
    for name in ("A", "B"):
        assert "failed" not in qemu_io(tmp_path / name, "qcow2", "read -P 9 0 64k")
