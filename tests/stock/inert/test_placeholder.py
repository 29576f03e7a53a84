"""What libvirt does to placeholders, tried on real guests; docs/placeholder.md shows it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.qemu.embedded import NEEDED
from tests.stock.inert.forms import FORMS, NOTE, RECOMMENDED, SIZE

pytestmark = NEEDED

DOCUMENT = Path(__file__).parents[3] / "docs" / "placeholder.md"
#: The libvirt and the QEMU whose words the document shows.
SHOWN_VERSIONS = [(9, 0), (7, 2)]

#: What goes through on a placeholder in the recommended form, though it should not.
LEFT = {"peek", "threshold"}
#: The same on a CD-ROM alone: libvirt holds that for read-only, and nothing is lost that changes.
LEFT_ON_CDROM = LEFT | {"external", "memory", "source"}
#: A plugged-in one is not raw, so libvirt does not read it.
LEFT_PLUGGED = LEFT - {"peek"}
PLUGGED_IN = {"plugged-in virtio", "plugged-in scsi"}
#: What libvirt never does with such a device.
UNPLUGGABLE = {"sata", "ide", "cdrom"}


@cache
def outcome() -> dict[str, Any]:
    """What the program of trials saw; its guests are gone afterwards, also when it fails."""
    program = Path(__file__).with_name("trials.py")
    # Sockets lie in the root, and their paths may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="vq-") as name:
        root = Path(name)
        (root / "etc").mkdir()
        (root / "etc" / "qemu.conf").write_text(
            'stdio_handler = "file"\nuser = "root"\ngroup = "root"\n'
        )
        try:
            done = subprocess.run(
                [sys.executable, program, root],
                check=False, capture_output=True, text=True, timeout=240,
            )  # fmt: skip
        finally:
            end_guests(root)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def end_guests(root: Path) -> None:
    """End the QEMUs that libvirt started in a root and has not ended."""
    for path in (root / "run" / "qemu").glob("*.pid"):
        with suppress(OSError, ValueError):
            process = int(path.read_text())
            if str(root) in Path(f"/proc/{process}/cmdline").read_text():
                os.kill(process, signal.SIGKILL)


def on_frontends() -> list[tuple[str, str, str | None]]:
    """Operation, frontend and what libvirt said, in the recommended form."""
    every = outcome()["frontends"].values()
    return [(name, label, said) for one in every for name, label, said in one["tried"]]


def on_form(form: str) -> dict[str, str | None]:
    """What libvirt said to each operation in a form."""
    return {name: said for name, _, said in outcome()["forms"][form]}


def harmful() -> set[str]:
    """The operations that would come out wrong."""
    # Here and not above: it needs libvirt.
    from tests.stock.inert.operations import OPERATIONS

    return {name for name, operation in OPERATIONS.items() if operation.harmful}


def test_what_would_come_out_wrong_is_refused_on_every_frontend() -> None:
    through = defaultdict(set)
    for name, label, said in on_frontends():
        if name in harmful() and said is None:
            through[label].add(name)
    labels = {label for _, label, _ in on_frontends()}
    expected = {
        label: LEFT_ON_CDROM if label == "cdrom" else LEFT_PLUGGED if label in PLUGGED_IN else LEFT
        for label in labels
    }
    assert through == expected


def test_what_must_work_works_on_every_frontend() -> None:
    refused = {(n, label) for n, label, said in on_frontends() if said and n not in harmful()}
    saving = {(name, "plugged-in virtio") for name in ("save", "managed-save")}
    assert refused == {("detach", label) for label in UNPLUGGABLE} | saving


def test_a_plugged_in_disk_that_could_be_saved_would_lose_its_quorum() -> None:
    assert re.fullmatch(r"libvirt-\d+-format", outcome()["forgotten"])


def test_a_domain_that_is_off_is_not_snapshotted_either() -> None:
    said = on_form(RECOMMENDED)
    assert all(said[name] for name in said if name.startswith("off-"))


def test_what_the_recommended_form_is_made_of_is_needed() -> None:
    def through(form: str) -> set[str]:
        return {name for name, said in on_form(form).items() if said is None} & harmful()

    assert through(RECOMMENDED) == LEFT
    assert through("guard") - LEFT == {
        "off-external",
        "external",
        "memory",
        "unnamed",
        "migrate-copy",
    }
    assert through("shareable") - LEFT == {
        "copy-raw",
        "resize",
        "pull",
        "backup-push",
        "backup-pull",
    }
    assert through("plain") >= through("guard") | through("shareable")


def test_transient_would_cost_saving() -> None:
    said = on_form("transient")
    assert said["save"]
    assert said["managed-save"]


def test_the_guest_is_shown_the_quorum() -> None:
    for one in outcome()["frontends"].values():
        for label, shown in one["shown"].items():
            assert shown["node-name"].startswith("vq-")
            assert shown["size"] == SIZE
            assert shown["ro"] == (label in {"read-only virtio", "cdrom"})
            assert not shown["share-rw"]


def test_members_are_locked_against_others_all_the_same() -> None:
    for one in outcome()["frontends"].values():
        for label, shown in one["shown"].items():
            if not shown["ro"]:
                assert shown["others"] == ['Failed to get "write" lock'] * 3, label


def test_after_all_of_it_the_quorum_has_what_was_written_and_the_placeholder_has_not() -> None:
    for one in outcome()["frontends"].values():
        for label, files in one["files"].items():
            assert files["placeholder"] == NOTE.decode(), label
            assert files["sizes"] == [SIZE], label
            assert files["written"] == [not one["shown"][label]["ro"]] * 3, label


def test_no_other_domain_starts_with_a_placeholder_that_is_in_use() -> None:
    for machine in ("q35", "pc"):
        assert 'Failed to get "resize" lock' in outcome()["frontends"][machine]["second"]


def forms_table() -> str:
    """Operation by form: what libvirt does to a virtio disk."""
    from tests.stock.inert.operations import OPERATIONS

    heads = ["operation", *FORMS]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    said = {form: on_form(form) for form in FORMS}
    for name, operation in OPERATIONS.items():
        cells = [mark(said[form][name], operation.harmful) for form in FORMS]
        off = ", domain off" if operation.off else ""
        lines.append(f"| {operation.command}{off} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def mark(said: str | None, harm: bool) -> str:
    """A cell; what should be otherwise is bold."""
    if said is None:
        return "**goes through**" if harm else "works"
    return "refused" if harm else "**refused**"


def words_table() -> str:
    """What libvirt says, in the recommended form, and to which frontends."""
    from tests.stock.inert.operations import OPERATIONS

    labels = list(dict.fromkeys(label for name, label, _ in on_frontends() if name == "stat"))
    lines = ["| operation | frontend | libvirt |", "|---|---|---|"]
    rows: dict[str, dict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, label, said in on_frontends():
        rows[name][said].append(label)
    for name, operation in OPERATIONS.items():
        for said, found in rows[name].items():
            where = placed(found, labels)
            if operation.whole:
                where = "a domain with a plugged-in disk" if {*found} <= PLUGGED_IN else "a domain"
            cell = f"`{said}`" if said else "goes through" if operation.harmful else "works"
            lines.append(f"| {operation.command} | {where} | {cell} |")
    return "\n".join(lines) + "\n"


def placed(where: list[str], labels: list[str]) -> str:
    """Some of the frontends, in few words."""
    missing = [one for one in labels if one not in where]
    if not missing:
        return "all"
    return f"all but {', '.join(missing)}" if len(missing) < len(where) else ", ".join(where)


@pytest.mark.parametrize("table", [forms_table, words_table], ids=["forms", "words"])
def test_the_document_shows_what_was_seen(table: Any, request: pytest.FixtureRequest) -> None:
    versions = [(one // 10**6, one // 10**3 % 1000) for one in outcome()["versions"]]
    if versions != SHOWN_VERSIONS:
        pytest.skip(f"the document has the words of other versions than {versions}")
    name = table.__name__.removesuffix("_table")
    place = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", re.DOTALL)
    text = DOCUMENT.read_text()
    now = place.sub(lambda _: table(), text)
    if request.config.getoption("--update-goldens") and now != text:
        DOCUMENT.write_text(now)
    assert now == DOCUMENT.read_text(), "pytest --update-goldens writes the table"
