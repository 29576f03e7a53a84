"""``virtquorum convert`` as a program: its options, what it says, its exit codes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_completeness import command_of, examples
from tests.host import ailing, converting
from tests.host.converting import CONTENT, SIZE, Stock
from tests.host.quorum_domains import quorum_disk, virtquorum
from tests.host.quorum_domains import web as web_domain
from tests.libvirts import asked, embed, missing_for_embed, missing_for_system, system
from tests.libvirts.domains import disk_content, disk_xml
from tests.programs import qemu_img, run

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


def test_a_plan_is_printed_and_nothing_is_changed(bench: Embed) -> None:
    stock = Stock(bench, "plan", run=False)
    member = bench.folder / "member.xml"
    new = bench.folder / "plan-new.qcow2"
    member.write_text(
        f"<backingStore type='file'><format type='qcow2'/><source file='{new}'/></backingStore>"
    )
    found = virtquorum(
        bench, "convert", "plan", "vda", "--member", member, "--threshold", "1", "--create",
        "--dry-run", "--json", "--connect", bench.uri,
    )  # fmt: skip
    assert found.code == 0, found.err
    told = json.loads(found.out)
    assert (told["changed"], told["plan"]["config"], told["plan"]["live"]) == (False, True, False)
    titles = [one["title"] for one in told["plan"]["steps"]]
    assert titles == [
        f"make '{new}'",
        f"copy the disk to the new member '{new}'",
        f"compare '{new}' with the disk",
        "see that 'plan' is still off",
        f"make the placeholder '{bench.root}/virtquorum/plan-vda.placeholder' of {SIZE} bytes",
        "define 'plan'",
        "find the quorum disks in libvirt's definition of 'plan'",
    ]
    assert any("would have a threshold of 1 with 2 members" in one for one in told["plan"]["asks"])
    assert not new.exists()
    assert stock.state() == stock.off(str(stock.path))


def test_there_and_back(bench: Embed) -> None:
    stock = Stock(bench, "there")
    new = [stock.new("1"), stock.new("2")]
    names = [one["file"] for one in new]
    found = virtquorum(
        bench, "convert", "there", "vda", "--members", *names, "--format", "raw", "--live",
        "--config", "-c", bench.uri,
    )  # fmt: skip
    assert (found.code, found.out) == (
        0, "make a quorum of 'vda' in 'there': done, in the running domain and in its definition\n",
    )  # fmt: skip
    assert "libvirt goes on showing" in found.err
    # What is going to be lost is asked, and without a terminal that is a no.
    found = virtquorum(bench, "convert", "there", "vda", "--back", "--live")
    assert (found.code, found.out) == (1, "")
    assert "at the next start the other members vote" in found.err
    assert "nothing was changed; --yes goes on" in found.err
    found = virtquorum(
        bench, "convert", "there", "vda", "--back", "--keep", names[0], "--no-compare", "--yes",
        "--live", "--config",
    )  # fmt: skip
    assert found.code == 0, found.err
    state = stock.state()
    assert (state["live"], state["config"]) == ([1, [names[0]]], names[0])
    found = virtquorum(bench, "convert", "there", "vda", "--back", "--keep", "7", "-y")
    assert found.code == 1
    assert "has no member 7" in found.err


def test_members_that_hold_the_data_already(bench: Embed) -> None:
    stock = Stock(bench, "ready", run=False)
    new = stock.image("1", disk_content(CONTENT))
    found = virtquorum(
        bench, "convert", "ready", "vda", "--members", new, "--format", "raw", "--no-copy",
        "--no-checks", "--current",
    )  # fmt: skip
    assert found.code == 0, found.err
    assert stock.state()["config"] == [2, [str(stock.path), str(new)]]
    found = virtquorum(bench, "convert", "nobody", "vda", "--back")
    assert found.code == 3
    assert "Domain not found" in found.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the new members: --members IMAGE... --format FORMAT"),
        (["--members", "/b"], "--format is missing"),
        (["--format", "raw"], "name the new members"),
        (["--members", "/b", "/c", "/d", "--format", "raw", "--format", "raw"], "2 times for 3"),
        (["--keep", "1"], "--keep and --no-compare go with --back"),
        (["--back", "--members", "/b"], "--back takes no new members"),
        (["--back", "--create"], "--back takes no new members"),
        (["--member", "/nowhere.xml"], "/nowhere.xml: cannot be read"),
    ],
)
def test_words_that_make_no_sense(words: list[str], said: str) -> None:
    found = run("convert", "web", "vda", *words)
    assert found.code == (3 if words[0:1] == ["--member"] else 2)
    assert said in found.err


def test_options_that_exclude_each_other() -> None:
    found = run(
        "convert", "web", "vda", "--members", "/b", "--format", "raw", "--current", "--live",
        "--secret", "u=file:/k", "--secrets-dir", "/s", "--tls-dir", "/t", "--tls-secret", "v",
    )  # fmt: skip
    assert found.code == 2
    assert "--current excludes --live and --config" in found.err


@pytest.mark.parametrize("line", [one for one in examples() if command_of(one) == "convert"])
def test_the_examples_of_the_help_run(line: str, bench: Embed) -> None:
    """On a running domain 'web', which is converted before for the way back."""
    bench.destroy_guests()
    stock = Stock(bench, "web")
    for letter in "bc":
        (bench.folder / letter).mkdir(exist_ok=True)
        for format in ("raw", "qcow2"):
            qemu_img("create", "-q", "-f", format, bench.folder / letter / f"web.{format}", SIZE)
    if "--back" in line:
        stock.convert(stock.new("1"), stock.new("2"), live=True, config="--config" in line)
    words = [re.sub("^/([bc])/", rf"{bench.folder}/\1/", one) for one in line.split()[1:]]
    found = virtquorum(bench, *words)
    assert found.code == 0, found.err
    assert "done, in the running domain" in found.out


def test_qemu_of_another_user() -> None:
    missing = missing_for_system()
    if missing is not None:
        pytest.skip(missing)
    with system() as bench:
        stock = Stock(bench, "web")
        new = stock.new("1", "qcow2")
        # Made by root, and QEMU's from then on.
        told = stock.convert(new, live=True, config=True, create=True)
        assert any("back to its former owner" in one for one in told["notes"])
        bench.restart()
        paths = [str(stock.path), new["file"]]
        assert stock.state()["live"] == [2, paths]
        stock.destroy()
        bench.give(stock.path)  # libvirt may have given it back to root
        stock.start(2)
        assert stock.state()["wrong"] == []
        third = stock.new("2")
        bench.call(converting.patched, "web", "add_member", ["vda", [third]])
        with stock.path.open("r+b") as file:
            file.seek(SIZE - 512)
            file.write(b"\xee" * 512)
        # That the first member is outvoted the daemon tells by an event.
        back = ("convert", "web", "vda", "--back", "--live", "--config")
        found = virtquorum(bench, *back)
        assert found.code == 1
        assert f"the member '{stock.path}' does not agree with the others" in found.err
        found = virtquorum(bench, *back, "--keep", new["file"])
        assert found.code == 0, found.err
        state = stock.state()
        assert (state["live"], state["config"]) == ([1, [new["file"]]], new["file"])


DOCUMENT = Path(__file__).parents[2] / "docs" / "convert.md"


def test_the_document_shows_what_is_said() -> None:
    """Each text block of docs/convert.md, run in order, says what stands there."""
    missing = missing_for_embed()
    if missing is not None:
        pytest.skip(missing)
    with embed() as bench:
        _check_document(bench)


def _check_document(bench: Embed) -> None:
    for letter in "abc":
        (bench.folder / f"srv/{letter}").mkdir(parents=True, exist_ok=True)
    web = Stock(
        bench, "web", xml=disk_xml("vda", bench.image("srv/a/web.raw", SIZE, disk_content()))
    )
    ledger = Stock(bench, "ledger", run=False)
    images = [bench.image(f"srv/{one}/ledger.raw", SIZE, disk_content(CONTENT)) for one in "abc"]
    with images[0].open("r+b") as file:
        file.seek(SIZE - 512)
        file.write(b"\xee" * 512)
    xml = web_domain(bench, "ledger", quorum_disk("vda", images))
    bench.call(asked.forget, "ledger")
    assert virtquorum(bench, "define", xml).code == 0
    bench.image("srv/b/small.raw", SIZE // 2)
    assert (web.name, ledger.name) == ("web", "ledger")
    text = DOCUMENT.read_text()
    for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL):
        line, _, shown = block.partition("\n")
        words = line.removeprefix("$ virtquorum ").replace("/srv/", f"{bench.folder}/srv/").split()
        found = virtquorum(bench, *words)
        said = f"{found.err}{found.out}".replace(f"{bench.folder}/srv/", "/srv/")
        said = "".join(one.rstrip() + "\n" for one in said.splitlines())
        if os.environ.get("UPDATE_CONVERT_MD"):
            text = text.replace(block, f"{line}\n{said}")
            DOCUMENT.write_text(text)
        else:
            assert said == shown, line


@pytest.mark.parametrize("more", [(), ("--create",), ("--create", "--no-checks")])
def test_a_disk_whose_own_image_is_gone(bench: Embed, more: tuple[str, ...]) -> None:
    """It is not made blank under the guest."""
    stock = Stock(bench, f"lost{len(more)}")
    away, new = stock.path.with_name(f"{stock.path.name}.away"), stock.image("member")
    stock.path.rename(away)
    missing = bench.folder / f"{stock.name}-missing"
    done = virtquorum(bench, "convert", stock.name, "vda", "--members", new, missing,
                      "--format", "raw", "--live", "--config", *more)  # fmt: skip
    assert (done.code, done.out) == (1, "")
    assert f"image '{stock.path}' of the disk 'vda' is gone while the guest has it" in done.err
    assert "--create makes it" not in done.err
    assert not stock.path.exists()
    assert not missing.exists()
    away.rename(stock.path)
    done = virtquorum(bench, "convert", stock.name, "vda", "--members", new, missing,
                      "--format", "raw", "--live", "--config", "--create")  # fmt: skip
    assert done.code == 0, done.err
    assert missing.read_bytes() == stock.path.read_bytes()
    bench.call(asked.destroy, stock.name)


def test_a_disk_that_is_off_and_whose_image_is_gone(bench: Embed) -> None:
    stock = Stock(bench, "lost-off", run=False)
    stock.path.unlink()
    new = stock.image("member")
    done = virtquorum(bench, "convert", stock.name, "vda", "--members", new, "--format", "raw")
    assert (done.code, "--create makes it" in done.err) == (1, False)
    assert "bring it back, under this name" in done.err
    done = virtquorum(bench, "convert", stock.name, "vda", "--members", new, "--format", "raw",
                      "--create")  # fmt: skip
    assert (done.code, stock.path.exists()) == (1, False)


def test_a_definition_that_follows_a_conversion_is_no_other(bench: Embed) -> None:
    """That a chain ends is written in one of the two, and means the same."""
    stock = Stock(bench, "same")
    stock.convert(stock.new("1"), stock.new("2"), live=True, config=True)
    assert bench.call(ailing.kinds, "same") == []
    stock.back(live=True, config=True)
    assert bench.call(ailing.kinds, "same") == []
    bench.call(asked.destroy, "same")
