"""Images are looked at as they lie there, by the real qemu-img, and however they are called."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import pytest

from tests.programs import qemu_img, qemu_io, refusal
from virtquorum.check import image_info, image_look
from virtquorum.check.finding import Severity
from virtquorum.check.image_look import Asked, Look, header_format
from virtquorum.check.images import image_problems
from virtquorum.check.rule import positions
from virtquorum.check.rules import one_filesystem, rule, rules_for
from virtquorum.errors import UsageError
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from virtquorum.check.rule import Problem, Rule

MIB = 1024 * 1024
#: The files that the rules' examples speak of, below /srv, and their sizes or backing files.
WORLD: dict[str, int | str] = {
    "rack-a/root.raw": MIB,
    "rack-b/root.raw": MIB,
    "rack-c/root.raw": MIB,
    "rack-a/copy.raw": MIB,
    "rack-c/data.raw": 2 * MIB,
    "rack-a/base.raw": MIB,
    "rack-a/old.raw": MIB,
    "rack-a/overlay.qcow2": "base.raw",
}


def raw(path: Path, size: int = MIB) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


def qcow2(path: Path, *options: str | Path, size: int | None = MIB) -> Path:
    name = path if path.is_absolute() else f"./{path}"
    qemu_img("create", "-q", "-f", "qcow2", *options, name, *([size] if size is not None else []))
    return path


def source(path: str | Path, kind: str = "file", inside: str = "") -> str:
    name = "dev" if kind == "block" else "file"
    value = quoteattr(str(path), {"\n": "&#10;"})
    return f"<source {name}={value}>{inside}</source>"


def one_disk(path: str | Path, format: str | None = "raw", *, kind: str = "file", inside: str = "",
             below: str = "") -> str:  # fmt: skip
    driver = f"<driver name='qemu' type='{format}'/>" if format else ""
    return (
        f"<disk type='{kind}' device='disk'>{driver}{source(path, kind, inside)}"
        f"{below}<target dev='vda'/></disk>"
    )


def member(path: str | Path, format: str | None = "raw", *, kind: str = "file", inside: str = "",
           below: str = "") -> str:  # fmt: skip
    said = f"<format type='{format}'/>" if format else ""
    return f"<backingStore type='{kind}'>{said}{source(path, kind, inside)}{below}</backingStore>"


def quorum(*members: str, threshold: int = 2) -> str:
    return (
        f"<disk type='quorum' threshold='{threshold}'><driver type='quorum'/>{''.join(members)}"
        "<target dev='vda'/></disk>"
    )


def problems(*disks: str) -> list[tuple[Rule, Problem]]:
    text = f"<domain><devices>{''.join(disks)}</devices></domain>"
    return list(image_problems(Domain.from_text(text).disks))


def found(*disks: str, but: str = "VQ506") -> list[tuple[str, str]]:
    """Codes and messages, without those of the rule that everything on one machine breaks."""
    return [(rule.code, one.message) for rule, one in problems(*disks) if rule.code != but]


def only(*disks: str) -> tuple[str, Problem, Severity]:
    """The one problem but for VQ506: its code, itself, and how bad it is."""
    ((rule, one),) = [(rule, one) for rule, one in problems(*disks) if rule.code != "VQ506"]
    return rule.code, one, one.severity or rule.severity


@pytest.mark.parametrize("page", rules_for("images"), ids=lambda page: page.code)
def test_the_example_of_the_page(page: Rule, tmp_path: Path) -> None:
    """With the files that it speaks of, on one filesystem."""
    for name, what in WORLD.items():
        path = tmp_path / name
        if isinstance(what, int):
            raw(path, what)
        else:
            qcow2(path, "-b", what, "-F", "raw", size=None)
    for name in ("root.raw", "second.raw", "other.raw"):
        raw(tmp_path / name)
    (tmp_path / "link.raw").symlink_to("root.raw")
    failing, passing = (
        text.replace("/srv", str(tmp_path)) for text in (page.failing, page.passing)
    )
    but = "" if page.code == "VQ506" else "VQ506"
    assert [code for code, _ in found(failing, but=but)] == [page.code]
    if page.code != "VQ506":  # its good example needs three filesystems
        assert found(passing) == []


def test_one_file_under_two_names(tmp_path: Path) -> None:
    """By a symbolic link and a hard one, in one quorum and in two disks, unless nobody writes."""
    base, other = raw(tmp_path / "base.raw"), raw(tmp_path / "other.raw")
    (tmp_path / "soft.raw").symlink_to("base.raw")
    (tmp_path / "hard.raw").hardlink_to(base)
    for name in ("soft.raw", "hard.raw"):
        link = tmp_path / name
        code, problem, severity = only(quorum(member(base), member(link), member(other)))
        assert (code, severity, problem.attribute) == ("VQ507", Severity.ERROR, "file")
        assert problem.element.attributes["file"] == str(link)
        assert f"'{base}' of line 1" in problem.message
        assert found(one_disk(base), one_disk(link))[0][0] == "VQ507"
        both = [
            one.replace("<target", "<readonly/><target") for one in (one_disk(base), one_disk(link))
        ]
        assert found(*both) == []
        votes = quorum(member(base), member(link)).replace("<target", "<readonly/><target")
        assert found(votes)[0][0] == "VQ507"


def test_what_follows_from_a_wrong_format_is_not_told(tmp_path: Path) -> None:
    overlay = qcow2(tmp_path / "o.qcow2", "-b", raw(tmp_path / "base.raw"), "-F", "raw", size=None)
    code, problem, _ = only(quorum(member(overlay), member(raw(tmp_path / "other.raw"))))
    assert code == "VQ503"
    assert problem.element.name == "format" or problem.attribute is not None


# What is there, and what is not


def test_good_images_are_passed(tmp_path: Path) -> None:
    base = raw(tmp_path / "base.raw")
    overlay = qcow2(tmp_path / "overlay.qcow2", "-b", base, "-F", "raw", size=None)
    assert found(
        quorum(member(base), member(overlay, "qcow2", below=member(base)), member(base)),
        one_disk(base, None),
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.raw", "does not exist"),
        ("no/such/gone.raw", "does not exist, and neither does the directory '{}/no'"),
        ("file.raw/gone.raw", "does not exist: a part of its path is no directory"),
        ("link.raw", "is a symbolic link to 'nowhere', which does not exist"),
    ],
)
def test_missing(tmp_path: Path, name: str, words: str) -> None:
    raw(tmp_path / "file.raw")
    (tmp_path / "link.raw").symlink_to("nowhere")
    code, one, severity = only(one_disk(tmp_path / name))
    assert (code, severity) == ("VQ501", Severity.ERROR)
    assert one.message == f"'{tmp_path / name}' {words.format(tmp_path)}"
    assert (one.element.name, one.attribute) == ("source", "file")


def test_an_image_that_may_be_missing_is_a_note(tmp_path: Path) -> None:
    text = one_disk(tmp_path / "x").replace("<source", "<source startupPolicy='optional'")
    assert only(text)[::2] == ("VQ501", Severity.NOTE)
    # 'requisite' forgives a migration, and no start.
    assert only(text.replace("optional", "requisite"))[::2] == ("VQ501", Severity.ERROR)
    in_quorum = member(tmp_path / "x").replace("<source", "<source startupPolicy='optional'")
    assert only(quorum(in_quorum))[::2] == ("VQ501", Severity.ERROR)


def test_qemu_takes_no_quorum_without_a_member(tmp_path: Path) -> None:
    children = [
        {"driver": "raw", "file": {"driver": "file", "filename": str(tmp_path / name)}}
        for name in ("a.raw", "b.raw", "gone.raw")
    ]
    raw(tmp_path / "a.raw"), raw(tmp_path / "b.raw")
    graph = {"driver": "quorum", "node-name": "q", "vote-threshold": 2, "children": children}
    said = refusal(["-blockdev", json.dumps(graph)], tmp_path)
    assert f"Could not open '{tmp_path}/gone.raw': No such file or directory" in said


def test_the_backing_file_that_only_the_header_names_must_be_there(tmp_path: Path) -> None:
    base = raw(tmp_path / "base.raw")
    overlay = qcow2(tmp_path / "overlay.qcow2", "-b", "base.raw", "-F", "raw", size=None)
    assert found(one_disk(overlay, "qcow2")) == []
    base.unlink()
    code, one, _ = only(one_disk(overlay, "qcow2"))
    assert code == "VQ501"
    assert f"has the backing file '{base}', which does not exist" in one.message


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")  # reading it would wait for a writer
    code, one, _ = only(one_disk(tmp_path / "fifo", "qcow2"))
    assert code == "VQ502"
    assert one.message.endswith("is no regular file")
    assert only(one_disk(tmp_path))[1].message.endswith("is a directory")
    assert only(one_disk("/dev/null", kind="block"))[1].message.endswith("is no block device")


def test_a_file_is_no_device_and_a_device_no_file(tmp_path: Path) -> None:
    file = raw(tmp_path / "a.raw")
    code, one, _ = only(one_disk(file, kind="block"))
    assert code == "VQ502"
    assert "write type='file'" in one.message
    arguments = ["-blockdev", f"driver=host_device,node-name=a,filename={file}"]
    assert "to be either" in refusal(arguments, tmp_path)
    odd = image_look._odd_kind(stat.S_IFBLK | 0o600, False)
    assert odd is not None
    assert "write type='block'" in odd
    assert image_look._odd_kind(stat.S_IFBLK | 0o600, True) is None


def test_a_file_that_this_user_may_not_read_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the refusal is the operating system's only in its words."""
    file = raw(tmp_path / "a.raw")

    def refuse(_: Asked) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(image_look, "_first_bytes", refuse)
    code, one, severity = only(one_disk(file))
    assert (code, severity) == ("VQ502", Severity.WARNING)
    assert one.message.endswith("cannot be read by this user: permission denied")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be another user")
def test_another_user(tmp_path: Path) -> None:
    file = raw(tmp_path / "a.raw")
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    assert found(one_disk(file)) == []  # and all modules are there
    file.chmod(0o600)
    os.seteuid(65534)
    try:
        code, one, severity = only(one_disk(file))
    finally:
        os.seteuid(0)
    assert (code, severity) == ("VQ502", Severity.WARNING)
    assert one.message.endswith("cannot be read by this user: permission denied")


def test_a_broken_image_is_shown_in_qemus_words(tmp_path: Path) -> None:
    file = qcow2(tmp_path / "a.qcow2")
    with file.open("r+b") as image:
        image.seek(20)  # cluster_bits
        image.write((60).to_bytes(4, "big"))
    code, one, _ = only(one_disk(file, "qcow2"))
    assert code == "VQ502"
    assert one.message.endswith("cannot be opened; QEMU says: Unsupported cluster size: 2^60")


# Formats

MADE = {
    "qcow": "qcow", "qcow2": "qcow2", "qed": "qed", "vdi": "vdi", "vmdk": "vmdk", "vhdx": "vhd",
    "vpc": "vpc", "parallels": "ploop",
}  # fmt: skip


@pytest.mark.parametrize("driver", MADE)
def test_the_formats_that_qemu_img_makes(tmp_path: Path, driver: str) -> None:
    file = tmp_path / "a.img"
    qemu_img("create", "-q", "-f", driver, file, 4 * MIB)
    format = MADE[driver]
    with file.open("rb") as image:
        assert header_format(image.read(512)) == format
    assert found(one_disk(file, format)) == []
    for other in (set(MADE.values()) | {"bochs", "cloop"}) - {format}:
        code, one, severity = only(one_disk(file, other))
        assert (code, severity) == ("VQ503", Severity.ERROR), other
        assert (
            one.message
            == f"the format is '{other}', and '{file}' begins as a '{format}' image does"
        )
        assert (one.element.name, one.attribute) == ("driver", "type")
        assert one.expected == f"type='{format}', if this is the right image"
    code, one, severity = only(one_disk(file, "raw"))
    assert (code, severity) == ("VQ503", Severity.WARNING)


@pytest.mark.parametrize("content", [b"", b"x", b"hello" * 1000])
def test_a_raw_image_that_is_said_to_be_qcow2(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.raw"
    file.write_bytes(content)
    code, one, _ = only(quorum(member(file, "qcow2")))
    assert code == "VQ503"
    assert one.message == f"the format is 'qcow2', and '{file}' has no header of that format"
    assert one.element.name == "format"


def test_a_vpc_of_fixed_size_has_its_header_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "a.vpc"
    qemu_img("create", "-q", "-f", "vpc", "-o", "subformat=fixed", file, 4 * MIB)
    assert found(one_disk(file, "vpc")) == []


def test_luks(tmp_path: Path) -> None:
    file = tmp_path / "a.luks"
    plain = raw(tmp_path / "a.raw", 4 * MIB)
    secret = ("--object", "secret,id=s,data=abc", "-o", "key-secret=s,iter-time=10")
    qemu_img("create", "-q", "-f", "luks", *secret, file, MIB)
    encryption = "<encryption format='luks'><secret type='passphrase' usage='x'/></encryption>"
    assert found(one_disk(file, inside=encryption)) == []
    assert found(one_disk(file, below=encryption)) == []
    # Its virtual size is without the header.
    same = quorum(member(file, inside=encryption), member(raw(tmp_path / "b.raw")))
    assert found(same) == []
    code, one, severity = only(one_disk(file))
    assert (code, severity) == ("VQ503", Severity.NOTE)
    assert one.expected is not None
    assert "<encryption format='luks'>" in one.expected
    code, one, severity = only(one_disk(plain, inside=encryption))
    assert (code, severity) == ("VQ503", Severity.ERROR)
    assert "the format is encrypted with LUKS" in one.message


def test_an_image_without_a_format_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody guesses it; but that it is there, is looked at."""
    file = qcow2(tmp_path / "a.qcow2")
    calls = counted(monkeypatch)
    assert found(quorum(member(file, None))) == []
    assert found(quorum(member(file, "nonsense"))) == []
    assert calls == []
    assert only(quorum(member(tmp_path / "gone", None)))[0] == "VQ501"


# Sizes


def test_sizes_are_compared_in_sectors(tmp_path: Path) -> None:
    files = [raw(tmp_path / f"{size}.raw", size) for size in (16777000, 16777216, 16777217)]
    assert found(quorum(member(files[0]), member(files[1]))) == []
    code, one, severity = only(quorum(*map(member, files)))
    assert (code, severity) == ("VQ504", Severity.ERROR)
    assert one.message == (
        "member 2 of the quorum has 16,777,728 bytes, and members 0 and 1 have 16,777,216"
    )
    assert one.attribute == "file"


def test_qemu_agrees_about_sizes(tmp_path: Path) -> None:
    files = [raw(tmp_path / f"{size}.raw", size) for size in (16777000, 16777216, 16777728)]
    said = refusal(
        ["-blockdev", json.dumps({
            "driver": "quorum", "node-name": "q", "vote-threshold": 2,
            "children": [
                {"driver": "raw", "file": {"driver": "file", "filename": str(file)}}
                for file in files
            ],
        })],
        tmp_path,
    )  # fmt: skip
    assert "Could not refresh total sector count" in said


def test_the_virtual_size_counts_and_the_slice(tmp_path: Path) -> None:
    big = raw(tmp_path / "big.raw", 4 * MIB)
    slices = f"<slices><slice type='storage' offset='512' size='{MIB}'/></slices>"
    image = qcow2(tmp_path / "a.qcow2")
    inside = raw(tmp_path / "inside.raw", 8 * MIB)
    data = image.read_bytes()
    with inside.open("r+b") as file:
        file.seek(65536)
        file.write(data)
    around = f"<slices><slice type='storage' offset='65536' size='{4 * MIB}'/></slices>"
    assert found(quorum(
        member(image, "qcow2"), member(big, inside=slices), member(inside, "qcow2", inside=around)
    )) == []  # fmt: skip
    assert [code for code, _ in found(quorum(member(image, "qcow2"), member(big)))] == ["VQ504"]


def test_a_quorum_in_a_quorum_has_its_members_size(tmp_path: Path) -> None:
    small, big = raw(tmp_path / "small.raw"), raw(tmp_path / "big.raw", 2 * MIB)
    nested = (
        "<backingStore type='quorum' threshold='1'><format type='quorum'/>"
        f"{member(big)}{member(big)}</backingStore>"
    )
    ((code, message),) = found(quorum(member(small), member(small), nested))
    assert code == "VQ504"
    assert message.startswith("member 2 of the quorum has 2,097,152 bytes")
    assert found(quorum(member(big), nested)) == []


# Backing files


def test_a_chain_that_ends_above_a_backing_file(tmp_path: Path) -> None:
    base = raw(tmp_path / "base.raw")
    qemu_io(base, "raw", "write -P 7 0 512")
    overlay = qcow2(tmp_path / "overlay.qcow2", "-b", "base.raw", "-F", "raw", size=None)
    code, one, severity = only(one_disk(overlay, "qcow2", below="<backingStore/>"))
    assert (code, severity) == ("VQ505", Severity.WARNING)
    assert one.element.name == "backingStore"
    assert "reads as zeros" in one.message
    # And it does.
    options = {"driver": "qcow2", "backing": None,
               "file": {"driver": "file", "filename": str(overlay)}}  # fmt: skip
    said = subprocess.run(
        ["qemu-io", "-c", "read -P 0 0 512", f"json:{json.dumps(options)}"],
        capture_output=True, text=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    assert "verification failed" not in said


def test_backing_files_are_compared_as_files(tmp_path: Path) -> None:
    base, other = raw(tmp_path / "base.raw"), raw(tmp_path / "other.raw")
    link = tmp_path / "link.raw"
    link.symlink_to("base.raw")
    nested = {"driver": "raw", "file": {"driver": "file", "filename": str(base)}}
    dotted = {"driver": "raw", "file.driver": "file", "file.filename": str(base)}
    names = ["base.raw", str(base), f"file:{base}", f"../{tmp_path.name}/base.raw"]
    for name in (*names, *(f"json:{json.dumps(one)}" for one in (nested, dotted))):
        overlay = qcow2(tmp_path / "overlay.qcow2", "-u", "-b", name, "-F", "raw")
        for written in (base, link):
            assert found(one_disk(overlay, "qcow2", below=member(written))) == [], name
        code, one, _ = only(one_disk(overlay, "qcow2", below=member(other)))
        assert code == "VQ505"
        assert one.message.startswith(f"the header of '{overlay}' names another backing file, '")
        assert one.attribute == "file"
        assert f"<source file='{other}'>" in one.element.tag.decode().replace('"', "'")


def test_the_written_chain_is_the_one_that_qemu_opens(tmp_path: Path) -> None:
    base, other = raw(tmp_path / "base.raw"), raw(tmp_path / "other.raw")
    qemu_io(base, "raw", "write -P 7 0 512")
    qemu_io(other, "raw", "write -P 9 0 512")
    overlay = qcow2(tmp_path / "overlay.qcow2", "-b", base, "-F", "raw", size=None)
    assert [code for code, _ in found(one_disk(overlay, "qcow2", below=member(other)))] == ["VQ505"]
    options = {
        "driver": "qcow2", "file": {"driver": "file", "filename": str(overlay)},
        "backing": {"driver": "raw", "file": {"driver": "file", "filename": str(other)}},
    }  # fmt: skip
    said = subprocess.run(
        ["qemu-io", "-r", "-c", "read -P 9 0 512", f"json:{json.dumps(options)}"],
        capture_output=True, text=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    assert "verification failed" not in said


def test_a_header_with_a_name_that_is_no_text(tmp_path: Path) -> None:
    image = qcow2(tmp_path / "a.qcow2", "-u", "-b", "/nonsense", "-F", "raw")
    data = image.read_bytes()
    for name in (b"/\xff\xfesense", b"/\n\x1b[31m..", b"json:{{{{", b"json:[[]]", b"file:....",
                 b"a:/bcdefg", b"/\0nsense."):  # fmt: skip
        image.write_bytes(data.replace(b"/nonsense", name))
        below = member(raw(tmp_path / "b.raw"))
        assert [code for code, _ in found(one_disk(image, "qcow2", below=below))] == ["VQ505"]
        assert {code for code, _ in found(one_disk(image, "qcow2"))} <= {"VQ501"}


def test_the_format_of_the_backing_file(tmp_path: Path) -> None:
    base = qcow2(tmp_path / "base.qcow2")
    overlay = qcow2(tmp_path / "a.qcow2", "-u", "-b", base, "-F", "raw")
    code, one, _ = only(one_disk(overlay, "qcow2", below=member(base, "qcow2")))
    assert code == "VQ505"
    assert "has the format 'raw'" in one.message
    assert one.element.name == "format"


def test_a_header_that_names_none(tmp_path: Path) -> None:
    base = raw(tmp_path / "base.raw")
    image = qcow2(tmp_path / "a.qcow2")
    code, one, _ = only(one_disk(image, "qcow2", below=member(base)))
    assert (code, one.message) == ("VQ505", f"the header of '{image}' names no backing file")


def test_a_document_that_says_nothing_of_the_chain(tmp_path: Path) -> None:
    base = raw(tmp_path / "base.raw")
    overlay = qcow2(tmp_path / "a.qcow2", "-b", base, "-F", "raw", size=None)
    assert found(one_disk(overlay, "qcow2")) == []  # every domain that does not run is so
    code, one, severity = only(quorum(member(overlay, "qcow2")))
    assert (code, severity) == ("VQ505", Severity.NOTE)
    assert "of which the document says nothing" in one.message
    with overlay.open("r+b") as image:  # the header extension of the format becomes an unknown one
        data = image.read(512)
        image.seek(data.index(b"\xe2\x79\x2a\xca"))
        image.write(b"\x11\x22\x33\x44")
    code, one, severity = only(one_disk(overlay, "qcow2"))
    assert (code, severity) == ("VQ505", Severity.WARNING)
    assert "without its format" in one.message


def test_a_backing_file_elsewhere(tmp_path: Path) -> None:
    base = raw(tmp_path / "base.raw")
    overlay = qcow2(tmp_path / "a.qcow2", "-u", "-b", "nbd://host/x", "-F", "raw")
    network = (
        "<backingStore type='network'><format type='raw'/>"
        "<source protocol='nbd' name='x'><host name='host'/></source></backingStore>"
    )
    assert found(one_disk(overlay, "qcow2", below=network)) == []
    assert [code for code, _ in found(one_disk(overlay, "qcow2", below=member(base)))] == ["VQ505"]
    local = qcow2(tmp_path / "b.qcow2", "-u", "-b", base, "-F", "raw")
    assert [code for code, _ in found(one_disk(local, "qcow2", below=network))] == ["VQ505"]


# Failing together


def test_one_filesystem(tmp_path: Path) -> None:
    a, b = raw(tmp_path / "a.raw"), raw(tmp_path / "b.raw")
    ((rule, one),) = problems(quorum(member(a), member(b), threshold=1))
    assert (rule.code, rule.severity) == ("VQ506", Severity.NOTE)
    mount = tmp_path
    while not mount.is_mount():
        mount = mount.parent
    assert one.message == (
        f"members 0 and 1 are on one filesystem, mounted at '{mount}': when it fails, none is left"
    )
    assert problems(one_disk(a), one_disk(b)) == []


def test_members_on_other_storage_are_no_group(tmp_path: Path) -> None:
    shm = Path("/dev/shm")  # noqa: S108
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one filesystem only")
    a, b = raw(tmp_path / "a.raw"), raw(tmp_path / "b.raw")
    far = shm / f"virtquorum-{os.getpid()}.raw"
    try:
        raw(far)
        assert problems(quorum(member(a), member(far))) == []
        ((_, one),) = problems(quorum(member(a), member(far), member(b)))
    finally:
        far.unlink()
    assert one.message.startswith("members 0 and 2 are on one filesystem")
    assert one.message.endswith(": when it fails, only 1 of 3 are left, and the threshold is 2")


def test_block_devices_on_one_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel's tree: a disk with two partitions, LVM on one of them, md over two disks."""
    tree = tmp_path / "devices"
    for name, numbers in {
        "sda": "8:0", "sda/sda1": "8:1", "sda/sda2": "8:2", "sdb": "8:16", "dm-0": "253:0",
        "md0": "9:0",
    }.items():  # fmt: skip
        (tree / name).mkdir(parents=True)
        (tmp_path / numbers).symlink_to(tree / name)
        (tree / name / ("partition" if "/" in name else "size")).write_text("1\n")
        if "/" not in name:
            (tree / name / "slaves").mkdir()
    (tree / "dm-0/slaves/sda2").symlink_to(tree / "sda/sda2")
    (tree / "md0/slaves/sda").symlink_to(tree / "sda")
    (tree / "md0/slaves/sdb").symlink_to(tree / "sdb")
    monkeypatch.setattr(one_filesystem, "_DEVICES", str(tmp_path))

    def told(*devices: tuple[int, int]) -> list[str]:
        looks = [Look(asked=Asked(f"/dev/{number}", True, "raw"), device=os.makedev(*numbers))
                 for number, numbers in enumerate(devices)]  # fmt: skip
        text = quorum(*(member(f"/dev/{number}", kind="block") for number in range(len(devices))))
        position = positions(Domain.from_text(text).disks[0])[0]
        return [one.message for one in one_filesystem.check(position, looks)]

    assert told((8, 1), (253, 0), (8, 16)) == [
        "members 0 and 1 are on the same disk of this host, sda: when it fails, only 1 of 3 are "
        "left, and the threshold is 2"
    ]
    assert told((9, 0), (9, 0)) == [
        "members 0 and 1 are on the same disks of this host, sda, sdb: when it fails, none is left"
    ]
    assert told((8, 0), (8, 16), (9, 0)) == []
    assert told((8, 0), (99, 9)) == []


# Hostile images and names

NAMES = [
    "-f", "--help", "json:{}", 'json:{"driver":"null-co"}', "nbd://127.0.0.1:1/x", "nbd:unix:x",
    "file:a", "a,b=c,,d", "driver=nbd", "a b'c\"d", "http:x", "ü\u202e", "new\nline", "fat:rw:x",
    "%s", "$(touch evil)", ",", "a.raw,readonly=on", "@x", "host_device:x",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_file_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Relative, so that nothing stands before it, and absolute; there, and not there."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / Path(name).parent
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / Path(name).name
    for where in (name, str(path)):
        text = one_disk(where, "qcow2")
        assert [code for code, _ in found(text)] == ["VQ501"]
        image = qcow2(tmp_path / "plain")
        image.rename(path)
        assert found(text) == []
        path.unlink()
        raw(path)
        assert [code for code, _ in found(text)] == ["VQ503"]
        path.unlink()
    assert not (tmp_path / "evil").exists()


def test_a_name_that_the_host_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Asked) -> bytes:
        return "ü".encode("ascii")

    monkeypatch.setattr(image_look, "_first_bytes", refuse)
    code, one, _ = only(one_disk(raw(tmp_path / "ü")))
    assert code == "VQ502"
    assert one.message.endswith("has a name that this host cannot write")


def test_the_file_that_an_image_keeps_its_data_in_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name stands in the header, and may be anything."""
    data = tmp_path / "data.raw"
    image = qcow2(tmp_path / "a.qcow2", "-o", f"data_file={data},data_file_raw=on")
    data.unlink()
    os.mkfifo(data)
    calls = counted(monkeypatch)
    assert found(one_disk(image, "qcow2")) == []
    assert "data-file.driver=null-co" in calls[0][-1]


def test_a_vmdk_that_lists_other_files_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "a.vmdk"
    qemu_img("create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", image, MIB)
    calls = counted(monkeypatch)
    for content in (image.read_bytes(), b"KDMV\1\0\0\0\3\0\0\0" + bytes(500)):
        image.write_bytes(content)
        code, one, severity = only(one_disk(image, "vmdk"))
        assert (code, severity) == ("VQ502", Severity.NOTE)
        assert "other files" in one.message
    assert calls == []


def test_qemu_img_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_info, "_TIMEOUT", 0.3)
    program(tmp_path, monkeypatch, "exec sleep 60")
    code, one, _ = only(one_disk(raw(tmp_path / "a.raw")))
    assert code == "VQ502"
    assert "was not read within" in one.message
    monkeypatch.undo()
    monkeypatch.setattr(image_info, "_CPU_SECONDS", 1)
    program(tmp_path, monkeypatch, "while :; do :; done")
    assert "signal" in only(one_disk(tmp_path / "a.raw"))[1].message


# The calls


def counted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that are run."""
    calls: list[list[str]] = []
    real = subprocess.Popen

    def popen(command: list[str], **options: object) -> object:
        calls.append(command)
        return real(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", popen)
    return calls


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A qemu-img that is a script."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/qemu-img").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/qemu-img").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")


def test_each_image_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch)
    a, b = raw(tmp_path / "a.raw"), raw(tmp_path / "b.raw")
    said: list[str] = []
    text = f"<domain><devices>{one_disk(a)}{quorum(member(a), member(b))}</devices></domain>"
    list(image_problems(Domain.from_text(text).disks, progress=said.append))
    assert len(calls) == 2
    assert said == ["1 of 2 images", "2 of 2 images"]


def test_only_a_few_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    program(tmp_path, monkeypatch, f"echo + >> {log}; sleep 0.1; echo - >> {log}; exit 1")
    disks = [one_disk(raw(tmp_path / f"{number}.raw")) for number in range(12)]
    assert len(found(*disks)) == 12
    running = most = 0
    for line in log.read_text().split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert 1 < most <= 4


def test_without_qemu_img(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="qemu-utils"):
        problems(one_disk(tmp_path / "a"))
    # Nothing of this host: nothing to look at.
    network = (
        "<disk type='network'><source protocol='nbd' name='x'><host name='h'/></source></disk>"
    )
    empty = "<disk type='file' device='cdrom'><target dev='sda'/></disk>"
    handed_over = "<disk type='file'><source file='/a' fdgroup='g'/></disk>"
    assert problems(network, empty, handed_over) == []


def test_locked_images_are_looked_at(tmp_path: Path) -> None:
    """As a running guest's are."""
    from tests.programs import qemu

    file = qcow2(tmp_path / "a.qcow2")
    arguments = ["-blockdev", f"driver=qcow2,node-name=a,file.driver=file,file.filename={file}"]
    with qemu(arguments, tmp_path):
        assert found(one_disk(file, "qcow2")) == []


def test_rules_have_pages() -> None:
    assert [one.check for one in rules_for("images")] == [None] * 7
    assert rule("VQ506").severity is Severity.NOTE
