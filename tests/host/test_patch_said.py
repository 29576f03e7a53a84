"""What 'patch' says of a change that was ended, and of images that it makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.host.patching import SIZE, Web
from tests.host.quorum_domains import quorum_disk
from tests.images.building import wrapped
from tests.libvirts import asked, embed, missing_for_embed
from tests.libvirts.held import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.libvirts import Embed

SCHEMA: dict[str, Any] = json.loads((REPOSITORY / "schemas/patch.schema.json").read_text())
pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def web(bench: Embed) -> Web:
    return Web(bench, "said", "scsi")


def test_the_size_of_new_images_is_known(web: Web) -> None:
    images = [web.bench.folder / f"said-new-{one}.raw" for one in range(3)]
    xml = quorum_disk("sdb", images, bus="scsi", boot=None)
    arguments = ("attach", "-", "--create", "--size", "4M", "--config")
    done = web.bench.virtquorum("patch", web.name, *arguments, "--dry-run", input=xml)
    assert f"said-sdb.placeholder' of {SIZE} bytes" in done.stdout, done.stderr
    done = web.bench.virtquorum("patch", web.name, *arguments, input=xml)
    assert done.returncode == 0, done.stderr
    assert "its size" not in done.stderr
    assert {one.stat().st_size for one in images} == {SIZE}
    done = web.bench.virtquorum("patch", web.name, "detach", "sdb", "--config")
    assert done.returncode == 0, done.stderr


def test_what_is_asked_is_said_once(web: Web) -> None:
    arguments = ("--file", web.image("fourth"), "--format", "raw", "--yes", "--dry-run", "--config")
    command = ("patch", web.name, "member", "add", "sda", *arguments)
    done = web.bench.virtquorum(*command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no majority") == 1
    plan = json.loads(web.bench.virtquorum(*command, "--json").stdout)["plan"]
    assert [one["rule"] for one in plan["findings"]] == ["VQ106"]


def test_a_signal_is_said_to_programs(web: Web, tmp_path: Path) -> None:
    script = 'case "$*" in *convert*) kill -TERM $PPID; sleep 20;; esac\nexec "$REAL" "$@"'
    path = wrapped(tmp_path, script)
    web.bench.call(asked.destroy, web.name)
    arguments = ("--file", web.image("more"), "--format", "raw", "--threshold", "3", "--json")
    done = web.bench.virtquorum("patch", web.name, "member", "add", "sda", *arguments, PATH=path)
    assert done.returncode == 128 + 15, done.stderr
    said = json.loads(done.stdout)
    jsonschema.validate(said, SCHEMA)
    assert not said["changed"]
    assert said["refused"]["state"] == "old"
    assert said["refused"]["message"] == "ended by SIGTERM; all is as it was before"
    assert web.state()["config"]["sda"][2] == [str(one) for one in web.images]
