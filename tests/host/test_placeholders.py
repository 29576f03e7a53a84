"""Placeholders: whose they are, made by hand, half made, and where nobody may look."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web, with_uuid
from tests.host.test_session import Elsewhere
from tests.libvirts import asked, missing_for_embed
from virtquorum.errors import HostError
from virtquorum.host.placeholders import SENTENCE
from virtquorum.stock.lower import lower
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from tests.libvirts import Embed

embedded = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

SIZE = 4 << 20
SCSI = "<controller type='scsi' model='virtio-scsi'/>"


def placeholder(bench: Embed, name: str = "web", target: str = "vda") -> Path:
    return bench.root / "virtquorum" / f"{name}-{target}.placeholder"


def defined(bench: Embed, name: str = "web") -> Path:
    file = web(bench, name, quorum_disk("vda", members(bench, name)))
    done = virtquorum(bench, "define", "--no-checks", file)
    assert done.code == 0, done.err
    return file


def named(bench: Embed, name: str) -> str:
    """The placeholder of a domain's definition."""
    xml: str = bench.call(asked.xml, name, True)
    return xml.partition("<source file='")[2].partition("'")[0]


# Two domains


@embedded
def test_a_renamed_domain_keeps_its_placeholder(bench: Embed) -> None:
    defined(bench)
    bench.virsh("domrename", "web", "old")
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    done = virtquorum(bench, "define", "--no-checks", file)
    second = placeholder(bench, "web.2")
    assert (done.code, done.err) == (
        0,
        f"virtquorum: note: disk 'vda': the placeholder '{placeholder(bench)}' is that of the "
        f"domain 'old', so 'web' gets '{second}'\n",
    )
    assert (named(bench, "old"), named(bench, "web")) == (str(placeholder(bench)), str(second))
    assert second.exists()
    again = virtquorum(bench, "define", "--no-checks", with_uuid(bench, "web", file))
    assert (again.code, again.err, named(bench, "web")) == (0, "", str(second))
    assert virtquorum(bench, "undefine", "web").code == 0
    assert (placeholder(bench).exists(), second.exists()) == (True, False)


@embedded
@pytest.mark.parametrize("both", [False, True])
def test_a_disk_that_is_plugged_in_takes_no_other_domains(bench: Embed, both: bool) -> None:
    """The renamed domain has the file that the disk's would be called."""
    disks = (quorum_disk("vda", members(bench, "web")),
             quorum_disk("sda", members(bench, "one"), bus="scsi", boot=None))  # fmt: skip
    done = virtquorum(bench, "define", "--no-checks", web(bench, "web", *disks, devices=SCSI))
    assert done.code == 0, done.err
    bench.virsh("domrename", "web", "old")
    file = web(bench, "web", quorum_disk("vda", members(bench, "new")), devices=SCSI)
    assert virtquorum(bench, "define", "--no-checks", file).code == 0
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    disk = bench.folder / "disk.xml"
    disk.write_text(quorum_disk("sda", members(bench, "two"), bus="scsi", boot=None))
    options = ("--live", "--config") if both else ("--live",)
    done = virtquorum(bench, "patch", "web", "attach", disk, *options)
    assert done.code == 0, done.err
    mine, others = placeholder(bench, "web.2", "sda"), placeholder(bench, "web", "sda")
    live = bench.call(asked.xml, "web", False)
    assert (live.count(f"'{mine}'") > 0, live.count(str(others))) == (True, 0)
    assert (str(mine) in bench.call(asked.xml, "web", True)) is both
    assert str(others) in bench.call(asked.xml, "old", True)
    assert (mine.exists(), others.exists()) == (True, True)
    assert virtquorum(bench, "doctor", "web").code == 0
    assert virtquorum(bench, "patch", "web", "detach", "sda", *options).code == 0
    assert (mine.exists(), others.exists()) == (False, True)


def copied(bench: Embed) -> str:
    """A domain 'copy' that names the placeholder of 'web', as by virsh; its XML."""
    defined(bench)
    xml: str = bench.call(asked.xml, "web", True).replace("<name>web<", "<name>copy<")
    start, _, rest = xml.partition("<uuid>")
    xml = start + rest.partition("</uuid>")[2]
    bench.call(asked.define, xml)
    assert named(bench, "copy") == str(placeholder(bench))
    return xml


@embedded
def test_a_copied_definition_gets_its_own(bench: Embed) -> None:
    xml = copied(bench)
    bench.call(asked.forget, "copy")
    done = virtquorum(bench, "define", "--no-checks", "-", input=xml)
    assert (done.code, "is that of the domain 'web', so 'copy' gets '" in done.err) == (0, True)
    assert named(bench, "copy") == str(placeholder(bench, "copy"))
    assert placeholder(bench, "copy").exists()


@embedded
@pytest.mark.parametrize("way", ["undefine", "define", "transient"])
def test_what_another_domain_names_is_not_removed(bench: Embed, way: str) -> None:
    xml = copied(bench)
    if way == "undefine":
        done = virtquorum(bench, "undefine", "copy")
    elif way == "define":
        plain = bench.virsh("dumpxml", "--inactive", "copy")
        lifted = virtquorum(bench, "dumpxml", "--inactive", "copy").out
        assert "type='quorum'" in lifted or 'type="quorum"' in lifted, plain
        done = virtquorum(bench, "define", "--no-checks", "-", input=lifted)
    else:
        bench.call(asked.forget, "copy")
        bench.call(asked.create, xml, True)
        done = virtquorum(bench, "destroy", "copy")
    assert done.code == 0, done.err
    said = f"note: the placeholder '{placeholder(bench)}' stays: it is that of the domain 'web'\n"
    assert said in done.err
    assert placeholder(bench).exists()


@embedded
def test_what_two_domains_name_keeps_its_size(bench: Embed) -> None:
    """One of them may have it open."""
    copied(bench)
    os.truncate(placeholder(bench), 1 << 20)
    assert virtquorum(bench, "start", "--paused", "--no-checks", "web").code == 0
    assert placeholder(bench).stat().st_size == 1 << 20


@embedded
def test_a_start_says_which_running_domain_has_the_placeholder(bench: Embed) -> None:
    copied(bench)
    more = members(bench, "more")
    old = [str(one) for one in members(bench, "web")]
    xml = virtquorum(bench, "dumpxml", "--inactive", "copy").out
    for one, other in zip(old, more, strict=True):
        xml = xml.replace(one, str(other))
    # Only the placeholder is shared.
    lowered = lower(Domain.from_text(xml), files={"vda": str(placeholder(bench))})
    bench.call(asked.forget, "copy")
    file = bench.folder / "copy.xml"
    file.write_text(lowered.text)
    bench.virsh("define", file)
    assert virtquorum(bench, "start", "--paused", "--no-checks", "web").code == 0
    done = virtquorum(bench, "start", "copy")
    assert (done.code, done.out) == (1, "")
    assert (
        f"disk 'vda': image '{placeholder(bench)}': the placeholder is that of the running domain "
        "'web'; define this one anew" in done.err
    )


# Made by hand


@embedded
def test_a_placeholder_made_by_hand(bench: Embed) -> None:
    """As docs/lowering.md has it: nothing is written to it, and it is not removed."""
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    path = placeholder(bench)
    path.parent.mkdir(exist_ok=True)
    lowered = virtquorum(bench, "lower", "--placeholder-dir", path.parent, file).out
    path.touch()
    os.truncate(path, SIZE)
    (bench.folder / "lowered.xml").write_text(lowered)
    bench.virsh("define", bench.folder / "lowered.xml")
    done = virtquorum(bench, "start", "--paused", "web")
    assert (done.code, done.err) == (0, "")
    assert virtquorum(bench, "destroy", "web").code == 0
    done = virtquorum(bench, "define", with_uuid(bench, "web", file))
    assert (done.code, done.err) == (0, "")
    assert path.read_bytes() == bytes(SIZE)
    gone = virtquorum(bench, "undefine", "web")
    assert (gone.code, gone.err) == (
        0, f"virtquorum: note: '{path}' was made by hand and stays\n",
    )  # fmt: skip
    assert path.read_bytes() == bytes(SIZE)


@embedded
def test_zeros_that_somebody_has_written_are_data(bench: Embed) -> None:
    path = placeholder(bench)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(SIZE))
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    done = virtquorum(bench, "define", "--no-checks", file)
    assert (done.code, "is there and is no placeholder; move it away" in done.err) == (1, True)


# Half made


@embedded
def test_an_empty_file_counts_as_missing(bench: Embed) -> None:
    path = placeholder(bench)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    file = defined(bench)
    assert path.read_bytes().startswith(SENTENCE)
    os.truncate(path, 0)
    done = virtquorum(bench, "start", "--paused", "web")
    assert (done.code, done.err) == (0, "")
    assert path.stat().st_size == SIZE
    assert file.exists()


class Here(Elsewhere):
    """This machine's libvirt, without domains and pools."""

    def storagePoolLookupByTargetPath(self, path: str) -> Any:  # noqa: N802
        """There is no storage driver."""
        import libvirt

        error = libvirt.libvirtError("")
        error.err = (3, 18, "this function is not supported by the connection driver", 2, *[""] * 5)
        raise error

    def listAllDomains(self, flags: int = 0) -> list[Any]:  # noqa: N802
        """None."""
        return []

    def getCapabilities(self) -> str:  # noqa: N802
        """Nothing of users."""
        return "<capabilities><host/></capabilities>"


def placeholders(uri: str = "qemu:///system") -> Any:
    pytest.importorskip("libvirt")
    from virtquorum.host.placeholders import Placeholders
    from virtquorum.host.session import Host

    return Placeholders(Host(Here(uri)))


def test_a_process_that_is_killed_leaves_none_half_made(tmp_path: Path) -> None:
    pytest.importorskip("libvirt")
    path = tmp_path / "new" / "web-vda.placeholder"
    program = (
        "import os, sys\n"
        "from tests.host.test_placeholders import placeholders\n"
        "os.ftruncate = lambda *_: os._exit(9)\n"
        "placeholders().make(sys.argv[1], 4 << 20)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program, path], check=False, cwd=root)
    assert done.returncode == 9
    assert not path.exists()
    assert placeholders().make(str(path), SIZE)
    assert (path.stat().st_size, path.stat().st_mode & 0o7777) == (SIZE, 0o600)
    assert not placeholders().make(str(path), SIZE)
    assert placeholders().remove(str(path)) is None
    assert not path.exists()


def test_a_file_that_comes_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "web-vda.placeholder"
    found = placeholders()
    link = os.link

    def late(source: str, target: str) -> None:
        path.write_bytes(b"somebody's image")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(HostError, match="is there and is no placeholder"):
        found.make(str(path), SIZE)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"somebody's image"]


# Where it cannot be made


def test_a_failed_definition_leaves_no_directory(tmp_path: Path) -> None:
    from virtquorum.host.definition import MakePlaceholder

    directory = tmp_path / "a" / "b"
    steps = [MakePlaceholder(placeholders(), str(directory / one), SIZE) for one in ("x", "y")]
    for one in steps:
        one.do(None)  # type: ignore[arg-type]
    assert len(list(directory.iterdir())) == 2
    for one in reversed(steps):
        one.undo()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "pools"), [("qemu:///embed?root=/r", False), ("qemu:///system", True)]
)
def test_an_embedded_driver_has_no_pools(
    uri: str, pools: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(HostError, match="this user may not write to") as caught:
        placeholders(uri).make(str(tmp_path / "web-vda.placeholder"), SIZE)
    assert ("pool" in str(caught.value)) is pools
    assert "--placeholder-dir DIR" in str(caught.value)


def test_the_home_of_a_user_on_another_machine() -> None:
    """Nobody here knows it."""
    pytest.importorskip("libvirt")
    from virtquorum.host.session import Host
    from virtquorum.host.taken import own_files

    host = Host(Here("qemu+ssh://far/session"))
    disk = quorum_disk("vda", [Path("/a"), Path("/b")])
    domain = Domain.from_text(f"<domain><name>web</name><devices>{disk}</devices></domain>")
    with pytest.raises(HostError, match="placeholders go on 'here' is not known here; name a dir"):
        own_files(host, domain, "", {}, None)
    files, notes = own_files(host, domain, "", {}, "/srv")
    assert (files, notes) == ({"vda": "/srv/web-vda.placeholder"}, [])
    files, notes = own_files(host, domain, "", {"vda": "/x"}, None)
    assert (files, notes) == ({"vda": "/x"}, [])


# Undoing a first definition


@embedded
def test_a_first_definition_with_nvram_is_undone(bench: Embed) -> None:
    """The file of its NVRAM stays, as it was there before."""
    folder = bench.folder / "firmware"
    folder.mkdir(exist_ok=True)
    loader, nvram = folder / "code.fd", folder / "vars.fd"
    loader.write_bytes(bytes(1 << 16))
    nvram.write_bytes(b"variables")
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    firmware = f"<loader readonly='yes' type='pflash'>{loader}</loader><nvram>{nvram}</nvram></os>"
    file.write_text(file.read_text().replace("</os>", firmware, 1))
    said = bench.call(undone, str(file))
    assert said.endswith("as is planned; all is as it was before"), said
    assert bench.virsh("list", "--all", "--name").strip() == ""
    assert nvram.read_bytes() == b"variables"
    assert not placeholder(bench).exists()


def undone(connection: Any, path: str) -> str:
    """What is said of a definition that fails behind its last step but one."""
    from tests.host.test_meanwhile import Meddling, refused
    from virtquorum.host.change import Plan, apply
    from virtquorum.host.define import plan_definition
    from virtquorum.host.session import Host

    def fail() -> None:
        raise HostError("as is planned")

    plan = plan_definition(Host(connection), Domain.from_bytes(Path(path).read_bytes(), path)).plan
    steps = (*plan.steps[:-1], Meddling(fail))
    return refused(lambda: apply(Plan(title=plan.title, domain="web", steps=steps)))
