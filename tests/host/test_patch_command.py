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
    assert (done.code, json.loads(done.out)) == (0, {"version": 1, "changed": False, "plan": None})
    jsonschema.validate(json.loads(done.out), SCHEMA)


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
