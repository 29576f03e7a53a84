"""``virtquorum patch`` as people and programs run it, and on a daemon with QEMU as another user."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.guests import DATA
from tests.host import patching
from tests.host.patching import Web
from tests.host.quorum_domains import DATA_TEXT, quorum_disk, virtquorum
from tests.libvirts import CallError, asked, embed, missing_for_embed, missing_for_system, system
from tests.programs import qemu_img
from virtquorum.schema_files import schema_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.programs import Result

SCHEMA: dict[str, Any] = json.loads(
    (Path(schema_directory()) / "patch.schema.json").read_text("utf-8")
)
needs_embed = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with embed() as bench:
        yield Web(bench, "web", "scsi")


def patch(web: Web, *argv: str | Path, input: str = "") -> Result:
    return virtquorum(web.bench, "patch", "web", *argv, input=input)


def thresholds(web: Web) -> list[int]:
    state = web.state()
    return [state[one]["sda"][0] for one in ("live", "config")]


@needs_embed
def test_a_dry_run_prints_the_plan_and_changes_nothing(web: Web) -> None:
    before = web.state()
    done = patch(web, "set", "sda", "--threshold", "3", "--live", "--config", "--dry-run")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "set threshold 3 of 'sda' in 'web'"
    assert "     -    <disk type='quorum' threshold='2' device='disk'>" in lines
    assert "     +    <disk type='quorum' threshold='3' device='disk'>" in lines
    assert "     libvirt: suspend web" in lines
    assert any('"vote-threshold":3' in line for line in lines)
    assert web.state() == before


@needs_embed
def test_what_is_asked_is_not_done_without_yes(web: Web) -> None:
    done = patch(web, "set", "sda", "--threshold", "1")
    assert done.code == 1
    assert "which is no majority" in done.err
    assert done.err.endswith("virtquorum: nothing was changed; --yes goes on\n")
    done = patch(web, "set", "sda", "--threshold", "1", "--yes")
    assert done.code == 0
    assert done.out == (
        "set threshold 1 of 'sda' in 'web': done, in the running domain, until it ends\n"
    )
    assert thresholds(web) == [1, 2]
    web.patch("set_quorum", "sda", {"threshold": 2}, live=True, config=True)
    assert thresholds(web) == [2, 2]


@needs_embed
def test_json_and_members_by_file_and_xml(web: Web) -> None:
    new = web.image("by-file")
    done = patch(web, "member", "add", "sda", "--file", new, "--format", "raw", "--yes", "--json",
                 "--live", "--config")  # fmt: skip
    assert done.code == 0, done.err
    said = json.loads(done.out)
    jsonschema.validate(said, SCHEMA)
    assert (said["version"], said["changed"]) == (1, True)
    plan: dict[str, Any] = said["plan"]
    assert (plan["target"], plan["live"], plan["config"]) == ("sda", True, True)
    assert [one["rule"] for one in plan["findings"]] == ["VQ106"]
    kinds = {action["kind"] for step in plan["steps"] for action in step["actions"]}
    assert kinds == {"libvirt", "monitor", "text"}
    xml = (
        f"<backingStore type='file'><format type='raw'/><source file='{web.image('by-xml')}'/>"
        "</backingStore>"
    )
    done = patch(web, "member", "replace", "sda", new, "-", "--live", "--config", input=xml)
    assert done.code == 0, done.err
    done = patch(web, "member", "remove", "sda", "3", "--live", "--config")
    assert done.code == 0, done.err
    done = patch(web, "set", "sda", "--threshold", "2", "--json")
    assert (done.code, json.loads(done.out)) == (
        0,
        {"version": 1, "changed": False, "plan": None, "refused": None},
    )
    jsonschema.validate(json.loads(done.out), SCHEMA)


@needs_embed
def test_a_missing_image_is_made(web: Web) -> None:
    new = web.bench.folder / "web-missing.qcow2"
    argv = ("member", "add", "sda", "--file", new, "--format", "qcow2", "--live", "--config")
    done = patch(web, *argv, "--yes")
    assert (done.code, new.exists()) == (1, False)
    assert "does not exist; '--create' makes it, as large as the disk\n" in done.err
    before = web.state()
    assert patch(web, *argv, "--create", "--threshold", "3", "--dry-run").code == 0
    assert (web.state(), new.exists()) == (before, False)
    done = patch(web, *argv, "--create", "--threshold", "3")
    assert done.code == 0, done.err
    assert "no majority" not in done.err
    state = web.state()
    for one in ("live", "config"):
        assert (state[one]["sda"][0], state[one]["sda"][2][-1]) == (3, str(new))
    assert state["wrong"] == []
    done = patch(web, "member", "remove", "sda", "3", "--threshold", "2", "--live", "--config")
    assert (done.code, thresholds(web)) == (0, [2, 2])
    compared = ("compare", "-U", "-f", "raw", "-F", "qcow2", web.images[0], new)
    assert qemu_img(*compared).startswith("Images are identical")


@needs_embed
def test_what_was_made_goes_again_if_the_change_fails(web: Web) -> None:
    new = web.bench.folder / "web-in-vain.raw"
    # A node of that name is there since the first change of the running domain.
    for number in (3, 2):
        web.patch("set_quorum", "sda", {"threshold": number}, live=True)
    xml = (
        "<backingStore type='file' nodename='vq-sda-nosave'><format type='raw'/>"
        f"<source file='{new}'/></backingStore>"
    )
    before = web.state()
    done = patch(web, "member", "add", "sda", "-", "--create", "--yes", "--json", input=xml)
    assert (done.code, new.exists()) == (1, False)
    said = json.loads(done.out)
    jsonschema.validate(said, SCHEMA)
    assert (said["changed"], said["refused"]["state"]) == (False, "old")
    assert "has a node 'vq-sda-nosave' already" in done.err
    assert done.err.endswith("; all is as it was before\n")
    assert said["plan"]["steps"][0]["title"] == f"make '{new}'"
    assert web.state() == before


@needs_embed
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--config",), "nothing would copy the disk's data to it"),
        (("--no-copy",), "leave one out"),
    ],
)
def test_no_blank_image_votes(web: Web, options: tuple[str, ...], said: str) -> None:
    new = web.bench.folder / "web-blank.raw"
    done = patch(web, "member", "replace", "sda", "2", "--file", new, "--format", "raw",
                 "--create", "--yes", *options)  # fmt: skip
    assert (done.code in (1, 2), new.exists()) == (True, False)
    assert said in done.err


@needs_embed
def test_images_of_a_new_disk_are_made(web: Web) -> None:
    images = [web.bench.folder / f"web-new-{one}.raw" for one in range(3)]
    file = web.bench.folder / "sdc.xml"
    file.write_text(quorum_disk("sdc", images, bus="scsi", boot=None))
    done = patch(web, "attach", file)
    assert done.err.count(", each: does not exist; '--create --size SIZE' makes it, blank\n") == 1
    done = patch(web, "attach", file, "--create")
    assert (done.code, "--size 10G" in done.err, "libvirt's XML" in done.err) == (1, True, False)
    done = patch(web, "attach", file, "--create", "--size", "1M", "--live", "--config")
    assert done.code == 0, done.err
    assert {one.stat().st_size for one in images} == {1 << 20}
    assert patch(web, "detach", "sdc", "--live", "--config").code == 0
    images[1].unlink()
    done = patch(web, "attach", file, "--create")
    assert (done.code, images[1].exists()) == (1, False)
    assert "'virtquorum create --from MEMBER DISK.xml'" in done.err


@needs_embed
def test_findings_are_placed_in_what_was_given(web: Web) -> None:
    images = [web.image(f"sdd-{one}") for one in range(3)]
    file = web.bench.folder / "sdd.xml"
    disk = quorum_disk("sdd", [*images[:2], web.images[0]], threshold=5, bus="scsi", boot=None)
    file.write_text("<!-- a disk -->\n" + disk.replace("><", ">\n<"))
    done = patch(web, "attach", file, "--live", "--config")
    assert (done.code, "libvirt's XML" in done.err) == (1, False)
    assert done.err.count("error[") == 2
    assert f"{file}:2:21: error[VQ105] the threshold is 5, but there are 3 members\n" in done.err
    used = "disk 'sda' uses this image as well, and only readers can share it"
    assert f"{file}:14:1: error[VQ206] {used}\n" in done.err
    xml = "\n <backingStore type='filee'><source file='/x'/></backingStore>"
    done = patch(web, "member", "add", "sda", "-", "--threshold", "3", "--json", input=xml)
    assert "<stdin>:2:16: error[VQ010] the value 'filee'" in done.err
    found = json.loads(done.out)
    jsonschema.validate(found, SCHEMA)
    places = {one["rule"]: (one["file"], one["line"], one["column"])
              for one in found["refused"]["findings"]}  # fmt: skip
    assert places["VQ010"] == ("<stdin>", 2, 16)
    done = patch(web, "member", "add", "sda", "--file", web.images[0], "--format", "raw")
    assert f"\n--file {web.images[0]}: error[VQ205] this image is a member already, and" in done.err
    assert done.err.startswith("domain 'web', disk 'sda': warning[VQ106] 2 of 4 members")
    done = patch(web, "set", "sda", "--threshold", "7", "--live", "--config", "--json")
    assert done.err.startswith("--threshold 7: error[VQ105] the threshold is 7, but there are 3")
    found = json.loads(done.out)
    jsonschema.validate(found, SCHEMA)
    first = found["refused"]["findings"][0]
    assert (first["file"], first["line"], found["plan"]) == ("--threshold 7", None, None)


@needs_embed
@pytest.mark.parametrize(
    "argv",
    [
        ["detach", "sdz"],
        ["set", "sda", "--threshold", "1"],
        ["member", "add", "sda", "--file", "/nowhere/x.raw", "--format", "raw"],
        ["member", "remove", "sda", "7"],
        ["member", "replace", "sda", "0", "--file", "/nowhere/x.raw", "--format", "raw"],
        ["member", "reorder", "sda", "1", "1"],
    ],
)
def test_what_is_refused_is_said_in_json(web: Web, argv: list[str]) -> None:
    done = patch(web, *argv, "--json")
    assert done.code == 1
    # What stops it is no note.
    assert "virtquorum: note: 'sda' would" not in done.err
    said = json.loads(done.out)
    jsonschema.validate(said, SCHEMA)
    assert said["changed"] is False
    assert said["refused"]["message"]
    assert (said["refused"]["images"] != []) == ("--file" in argv)


@needs_embed
def test_the_connection_may_be_said_behind_the_command(web: Web) -> None:
    uri = web.bench.uri
    argv = ("patch", "web", "set", "sda", "--threshold", "2", "--connect")
    done = virtquorum(web.bench, *argv, uri, LIBVIRT_DEFAULT_URI="test:///default")
    assert done.code == 0, done.err
    assert "it is so already" in done.err
    done = virtquorum(web.bench, "patch", "-c", "test:///default", *argv[1:], uri)
    assert (done.code, "give it once" in done.err) == (2, True)


@needs_embed
def test_disks_by_file(web: Web) -> None:
    images = [web.image(f"sdb-{one}") for one in range(3)]
    file = web.bench.folder / "sdb.xml"
    file.write_text(quorum_disk("sdb", images, bus="scsi", boot=None))
    done = patch(web, "attach", file, "--live", "--config")
    assert done.code == 0, done.err
    assert done.out == (
        "attach the quorum disk 'sdb' to 'web': done, in the running domain and in its definition\n"
    )
    done = patch(web, "detach", "sdb", "--live", "--config", "--timeout", "5")
    assert done.code == 0, done.err
    assert sorted(web.state()["live"]) == ["sda"]


@needs_embed
@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["nobody", "set", "vda", "--threshold", "2"], 3, "domain 'nobody'"),
        (["web", "detach", "vdz"], 1, "domain 'web' has no disk 'vdz'"),
        (["web", "set", "sda", "--threshold", "9"], 1, "the threshold is 9"),
        (["web", "set", "sda", "--threshold", "3", "--current", "--live"], 2, "--current excludes"),
    ],
)
def test_exit_codes(web: Web, argv: list[str], code: int, said: str) -> None:
    done = virtquorum(web.bench, "patch", *argv)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


@pytest.mark.skipif(missing_for_system() is not None, reason=str(missing_for_system()))
def test_on_a_daemon_that_restarts_in_between() -> None:
    both = {"live": True, "config": True}
    with system() as bench:
        web = Web(bench, "web", "virtio")
        images = [web.image(f"sdb-{one}") for one in range(3)]
        with web.guest.turning(20) as turns:
            web.patch("set_quorum", "vda", {"threshold": 3}, **both)
            bench.restart()
            web.patch("attach", quorum_disk("sdb", images, bus="scsi", boot=None), **both)
            bench.restart()
            web.patch("replace_member", "vda", "0", {"file": str(web.image("new")),
                                                     "format": "raw"}, **both)  # fmt: skip
            bench.restart()
            web.patch("set_quorum", "sdb", {"rewrite_corrupted": True}, **both)
        assert turns.status == 0
        state = web.state()
        assert state["live"] == state["config"]
        assert [state["live"][one][0] for one in ("vda", "sdb")] == [3, 2]
        assert (state["wrong"], state["strays"], state["note"]) == ([], [], False)
        bench.call(asked.destroy, "web")
        bench.call(asked.start, "web")
        web.guest.booted(2)
        assert web.guest.read(DATA).first.startswith(DATA_TEXT[:16])
        assert bench.call(patching.state, "web")["wrong"] == []
        # What QEMU's user cannot read is said before.
        secret = web.image("roots")
        secret.chmod(0o600)
        os.chown(secret, 0, 0)
        with pytest.raises(CallError, match="ImagesError"):
            web.patch("add_member", "vda", [{"file": str(secret), "format": "raw"}], **both)
        web.patch("detach", "sdb", **both)
        assert list(web.state()["config"]) == ["vda"]
