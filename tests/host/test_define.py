"""``virtquorum define`` on a real libvirt: what is defined, refused, and left by an error."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.quorum_domains import (
    Faulty,
    members,
    quorum_disk,
    virtquorum,
    web,
    with_uuid,
)
from tests.libvirts import asked, missing_for_embed
from tests.libvirts.domains import disk_xml
from tests.programs import qemu_img, run
from virtquorum.host.placeholders import SENTENCE

if TYPE_CHECKING:
    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


def placeholder(bench: Embed, name: str, target: str = "vda") -> Path:
    return bench.root / "virtquorum" / f"{name}-{target}.placeholder"


def definition(bench: Embed, name: str) -> str:
    xml: str = bench.call(asked.xml, name, True)
    return xml


def test_a_quorum_domain_becomes_one_of_libvirts(bench: Embed) -> None:
    images = members(bench, "web")
    done = virtquorum(bench, "define", web(bench, "web", quorum_disk("vda", images)))
    assert (done.code, done.err) == (0, "")
    assert done.out == "domain 'web' defined with the quorum disk 'vda'\n"
    file = placeholder(bench, "web")
    assert file.read_bytes()[: len(SENTENCE)] == SENTENCE
    status = file.stat()
    assert (status.st_size, status.st_mode & 0o7777) == (4 << 20, 0o600)
    assert status.st_blocks * 512 < 1 << 20
    assert f"<source file='{file}'/>" in definition(bench, "web")
    dumped = virtquorum(bench, "dumpxml", "web").out
    assert [dumped.count(str(one)) for one in images] == [1, 1, 1]
    assert "placeholder" not in dumped


def test_a_dry_run_changes_nothing(bench: Embed) -> None:
    done = virtquorum(bench, "define", "--dry-run", web(bench, "web"))
    assert done.code == 0
    assert done.out == (
        "define 'web'\n"
        f"  1. make the placeholder '{placeholder(bench, 'web')}' of 4194304 bytes\n"
        "  2. define 'web'\n     libvirt: define web\n"
        "  3. find the quorum disks in libvirt's definition of 'web'\n"
    )
    assert bench.virsh("list", "--all", "--name").strip() == ""
    assert not placeholder(bench, "web").exists()


def test_a_dry_run_shows_the_difference_of_the_quorum_domain(bench: Embed) -> None:
    """And nothing else: no lowering, no other indentation, no password."""
    graphics = "<graphics type='vnc' passwd='secret' port='-1'/>"
    file = web(bench, "web")
    file.write_text(file.read_text().replace("</devices>", f"{graphics}</devices>"))
    assert virtquorum(bench, "define", file).code == 0
    dumped = virtquorum(bench, "dumpxml", "--inactive", "--security-info", "web").out
    assert "passwd='secret'" in dumped
    other = bench.folder / "other.xml"
    other.write_text(dumped)
    done = virtquorum(bench, "define", "--dry-run", other)
    assert (done.code, done.err) == (0, "")
    assert "\n  2. define 'web'\n     libvirt: define web\n  3. " in done.out
    other.write_text(re.sub("\n *", "", dumped).replace("threshold='2'", 'threshold="3"'))
    done = virtquorum(bench, "define", "--dry-run", other)
    changed = [line[5:] for line in done.out.splitlines() if line[5:6] in ("+", "-")]
    assert changed == [
        "--- web (as it is)",
        "+++ web (new)",
        "-    <disk type='quorum' threshold='2' device='disk'>",
        "+    <disk type='quorum' threshold='3' device='disk'>",
    ]
    other.write_text(dumped.replace("secret", "another"))
    done = virtquorum(bench, "define", "--dry-run", other)
    assert done.out.count("passwd='…'") == 2
    assert "secret" not in done.out + done.err
    assert "another" not in done.out + done.err


def test_a_new_definition_keeps_placeholders_and_removes_the_others(bench: Embed) -> None:
    images = members(bench, "web")
    two = (quorum_disk("vda", images), quorum_disk("vdb", members(bench, "more"), boot=None))
    assert virtquorum(bench, "define", web(bench, "web", *two)).code == 0
    assert placeholder(bench, "web", "vdb").exists()
    node = placeholder(bench, "web").stat().st_ino
    one = with_uuid(bench, "web", web(bench, "web", quorum_disk("vda", images, threshold=3)))
    refused = virtquorum(bench, "define", one)
    assert refused.code == 1
    assert refused.err == (
        "virtquorum: 'web' has the quorum disk 'vdb' now, and not in the new definition; "
        "its images stay\nvirtquorum: nothing was changed; --yes goes on\n"
    )
    shown = virtquorum(bench, "define", "--dry-run", one)
    assert "remove the placeholder" in shown.out
    assert "threshold='3'" in shown.out or 'threshold="3"' in shown.out
    done = virtquorum(bench, "define", "--yes", one)
    assert (done.code, done.out) == (0, "domain 'web' defined with the quorum disk 'vda'\n")
    assert placeholder(bench, "web").stat().st_ino == node
    assert not placeholder(bench, "web", "vdb").exists()
    assert all(image.exists() for image in images)
    again = virtquorum(bench, "define", "-", input=one.read_text())
    assert again.code == 0


def test_a_placeholder_of_another_size_is_mended_and_not_complained_of(bench: Embed) -> None:
    file = web(bench, "web")
    assert virtquorum(bench, "define", file).code == 0
    os.truncate(placeholder(bench, "web"), 1 << 20)
    done = virtquorum(bench, "define", with_uuid(bench, "web", file))
    assert (done.code, done.err) == (0, "")
    assert placeholder(bench, "web").stat().st_size == 4 << 20


def test_a_format_above_the_quorum_that_is_not_there(bench: Embed) -> None:
    """It is said while defining, and refuses a start; where it is there all is well."""
    made = bench.folder / "made.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", made, str(1 << 20))
    content = made.read_bytes()
    images = [bench.image(f"{count}.raw", 4 << 20, content) for count in range(3)]
    disk = quorum_disk("vda", images).replace("type='quorum'/>", "type='qcow2'/>")
    file = web(bench, "web", disk)
    done = virtquorum(bench, "define", file)
    assert (done.code, "cannot be opened" in done.err) == (0, False)
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    assert virtquorum(bench, "destroy", "web").code == 0
    for one in images[1:]:
        one.write_bytes(bytes(4 << 20))
    done = virtquorum(bench, "define", with_uuid(bench, "web", file))
    said = (
        "disk 'vda': what the members of the quorum hold cannot be opened as 'qcow2', the format "
        "above it: Image is not in qcow2 format; write type='quorum' there, if the members hold "
        "the guest's disk itself, or look at how the members differ\n"
    )
    assert (done.code, f"virtquorum: note: {said}" in done.err) == (0, True)
    done = virtquorum(bench, "start", "web")
    assert (done.code, f"virtquorum: {said}" in done.err) == (1, True)
    done = virtquorum(bench, "start", "--no-checks", "web")
    assert (done.code, "Image is not in qcow2 format" in done.err) == (1, True)


def test_a_domain_without_a_quorum_is_handed_on(bench: Embed) -> None:
    file = web(bench, "plain", disk_xml("vda", bench.image("plain.raw")))
    done = virtquorum(bench, "define", file)
    assert (done.code, done.out, done.err) == (0, "domain 'plain' defined\n", "")
    assert "metadata" not in definition(bench, "plain")


def test_a_lowered_file_and_a_directory(bench: Embed) -> None:
    own, directory = bench.folder / "own", bench.folder / "here"
    lowered = virtquorum(bench, "lower", "--placeholder-dir", own, web(bench, "web")).out
    done = virtquorum(bench, "define", "--placeholder-dir", directory, "-", input=lowered)
    assert done.code == 0
    # A lowered document says itself where its placeholders are.
    assert (own / "web-vda.placeholder").exists()
    assert not directory.exists()
    bench.virsh("undefine", "web")
    done = virtquorum(bench, "define", "--placeholder-dir", directory, web(bench, "web"))
    assert (done.code, done.err) == (0, "")
    assert (directory / "web-vda.placeholder").exists()
    wrong = virtquorum(bench, "define", "--placeholder-dir", "here", web(bench, "web"))
    assert (wrong.code, wrong.err) == (
        2,
        "virtquorum: --placeholder-dir is an absolute path, on libvirt's machine; see "
        "'virtquorum define --help'\n",
    )


def test_mistakes_are_shown_and_nothing_is_defined(bench: Embed) -> None:
    disk = quorum_disk("vda", members(bench, "web"), threshold=4)
    done = virtquorum(bench, "define", web(bench, "web", disk))
    assert (done.code, done.out) == (1, "")
    assert "error[VQ105]" in done.err
    assert done.err.endswith("web.xml has 1 error, and nothing was defined; mend it first\n")
    assert bench.virsh("list", "--all", "--name").strip() == ""


def test_a_domain_that_is_there_is_changed_by_its_uuid_only(bench: Embed) -> None:
    file = web(bench, "web")
    assert virtquorum(bench, "define", file).code == 0
    done = virtquorum(bench, "define", file)
    assert done.code == 1
    uuid = bench.virsh("domuuid", "web").strip()
    assert f"there is a domain 'web' already, with the UUID {uuid}; to change it, " in done.err
    other = bench.folder / "other.xml"
    other.write_text(with_uuid(bench, "web", file).read_text().replace(">web<", ">other<"))
    done = virtquorum(bench, "define", other)
    assert done.code == 1
    assert f"the UUID {uuid} is that of the domain 'web'" in done.err
    assert "'virsh domrename web other'" in done.err


def test_a_file_in_the_place_of_the_placeholder_stays(bench: Embed) -> None:
    file = placeholder(bench, "web")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"somebody's image")
    done = virtquorum(bench, "define", web(bench, "web"))
    assert done.code == 1
    assert "is there and is no placeholder; move it away" in done.err
    assert done.err.endswith("all is as it was before\n")
    assert file.read_bytes() == b"somebody's image"
    assert bench.virsh("list", "--all", "--name").strip() == ""


def test_missing_images_are_said_and_in_nobodys_way(bench: Embed) -> None:
    images = members(bench, "web")
    images[1].unlink()
    file = web(bench, "web", quorum_disk("vda", images))
    done = virtquorum(bench, "define", file)
    assert done.code == 0
    assert f"image '{images[1]}'" in done.err
    quiet = virtquorum(bench, "define", "--no-checks", with_uuid(bench, "web", file))
    assert (quiet.code, quiet.err) == (0, "")


def test_a_running_domain_keeps_what_it_runs_with(bench: Embed) -> None:
    images = members(bench, "web")
    file = web(bench, "web", quorum_disk("vda", images))
    assert virtquorum(bench, "define", file).code == 0
    bench.virsh("start", "web", "--paused")
    # What it has open itself is in nobody's way.
    done = virtquorum(bench, "define", with_uuid(bench, "web", file))
    assert done.err == "virtquorum: note: 'web' is paused: the change counts from its next start\n"
    new = web(bench, "web", quorum_disk("vdz", images))
    done = virtquorum(bench, "define", "--yes", with_uuid(bench, "web", new))
    assert done.code == 0
    assert "note: 'web' is paused: the change counts from its next start\n" in done.err
    assert f"the placeholder '{placeholder(bench, 'web')}' stays while the domain runs" in done.err
    assert placeholder(bench, "web").exists()
    assert placeholder(bench, "web", "vdz").exists()
    assert "vda" in virtquorum(bench, "list").out
    assert "vdz" in virtquorum(bench, "dumpxml", "--inactive", "web").out
    assert virtquorum(bench, "destroy", "web").code == 0
    assert not placeholder(bench, "web").exists()
    assert placeholder(bench, "web", "vdz").exists()


def test_what_was_changed_by_hand_is_not_lost_in_silence(bench: Embed) -> None:
    file = web(bench, "web")
    assert virtquorum(bench, "define", file).code == 0
    xml = definition(bench, "web").replace("<alias name='ua-vq-vda'/>", "")
    bench.call(asked.define, re.sub("<qemu:override>.*</qemu:override>", "", xml, flags=re.DOTALL))
    refused = virtquorum(bench, "define", with_uuid(bench, "web", file))
    assert refused.code == 1
    assert (
        "virtquorum: the definition that is there was changed by hand, and that goes: "
        in refused.err
    )
    assert virtquorum(bench, "define", "-y", file).code == 0
    assert virtquorum(bench, "dumpxml", "web").code == 0


def test_secrets_are_said_once(bench: Embed) -> None:
    uuid, key = "5d9f4a3e-1b1c-4a53-9c6e-0b8f2d6f1e01", bench.folder / "key"
    key.write_bytes(b"sesame")
    image = bench.folder / "luks.raw"
    qemu_img("create", "-q", "-f", "raw", image, "1M")
    disk = quorum_disk("vda", [image, *members(bench, "web", 2)]).replace(
        f"<source file='{image}'/>",
        f"<source file='{image}'><encryption format='luks'><secret type='passphrase' "
        f"uuid='{uuid}'/></encryption></source>",
    )
    file = web(bench, "web", disk)
    refused = virtquorum(bench, "define", "--no-checks", file)
    assert refused.code == 1
    assert f"needs the secret '{uuid}'" in refused.err
    refused = virtquorum(bench, "define", "--secret", f"{uuid}=object:mine", file)
    assert refused.code == 2
    assert "has no object 'mine' of yours" in refused.err
    told = ("--secret", f"{uuid}=file:{key}")
    done = virtquorum(bench, "define", "--no-checks", *told, file)
    assert done.code == 0, done.err
    again = virtquorum(bench, "define", "--no-checks", with_uuid(bench, "web", file))
    assert again.code == 0, again.err
    assert str(key) in definition(bench, "web")
    assert "sesame" not in definition(bench, "web")


def test_cookies_go_to_a_file_of_qemus(bench: Embed) -> None:
    disk = quorum_disk("vda", members(bench, "web", 2), inner="<readonly/>").replace(
        "<target",
        "<backingStore type='network'><format type='raw'/><source protocol='https' name='/i'>"
        "<host name='localhost' port='1'/><cookies><cookie name='a'>crumbs</cookie></cookies>"
        "</source></backingStore><target",
    )
    file = web(bench, "web", disk)
    refused = virtquorum(bench, "define", "--no-checks", file)
    assert (refused.code, "--secrets-dir DIR" in refused.err) == (1, True), refused.err
    folder = bench.folder / "cookies"
    folder.mkdir()
    done = virtquorum(bench, "define", "--no-checks", "--secrets-dir", folder, file)
    assert done.code == 0, done.err
    (written,) = folder.iterdir()
    assert (b"crumbs" in written.read_bytes(), written.stat().st_mode & 0o777) == (True, 0o600)
    again = virtquorum(bench, "define", "--no-checks", with_uuid(bench, "web", file))
    assert again.code == 0, again.err


def test_certificates_are_where_somebody_said(bench: Embed) -> None:
    disk = quorum_disk("vda", members(bench, "web", 2)).replace(
        "<target",
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' tls='yes' "
        "name='i'><host name='localhost' port='1'/></source></backingStore><target",
    )
    file = web(bench, "web", disk)
    key, uuid = bench.folder / "tls-key", "11111111-1b1c-4a53-9c6e-0b8f2d6f1e01"
    key.write_bytes(b"x")
    done = virtquorum(bench, "define", "--no-checks", "--tls-dir", "/etc/pki/mine", "--tls-secret",
                      uuid, "--secret", f"{uuid}=file:{key}", file)  # fmt: skip
    assert done.code == 0, done.err
    assert virtquorum(bench, "define", "--no-checks", with_uuid(bench, "web", file)).code == 0
    assert "/etc/pki/mine" in definition(bench, "web")
    assert uuid in definition(bench, "web")


def test_what_is_no_domain(bench: Embed) -> None:
    done = virtquorum(bench, "define", "-", input=quorum_disk("vda", members(bench, "web")))
    assert done.code == 1
    assert "libvirt defines a <domain>, and this is a <disk>" in done.err
    nameless = web(bench, "web").read_text().replace("<name>web</name>", "")
    done = virtquorum(bench, "define", "--no-checks", "-", input=nameless)
    assert (done.code, "name" in done.err) == (1, True)
    missing = virtquorum(bench, "define", bench.folder / "none.xml")
    assert (missing.code, "no such file" in missing.err) == (3, True)
    several = virtquorum(bench, "define", "--max-depth", "3", "--max-size", "9", web(bench, "web"))
    assert several.code == 3


def test_libvirt_without_qemu(tmp_path: Path) -> None:
    """The test driver drops what belongs to QEMU; stock domains it takes."""
    file = tmp_path / "d.xml"
    disk = quorum_disk("vda", [tmp_path / "a", tmp_path / "b"])
    body = "<os><type>hvm</type></os><memory>9999</memory><devices>{}</devices>"
    file.write_text(f"<domain type='test'><name>new</name>{body.format(disk)}</domain>")
    refused = run("define", "--connect", "test:///default", file)
    assert refused.code == 1
    assert "libvirt's test driver drops what belongs to QEMU" in refused.err
    file.write_text(f"<domain type='test'><name>new</name>{body.format('')}</domain>")
    done = run("define", "-c", "test:///default", file)
    assert (done.code, done.out) == (0, "domain 'new' defined\n")
    nowhere = run("define", "--connect", "qemu+unix:///system?socket=/nowhere", file)
    assert (nowhere.code, "libvirt says" in nowhere.err) == (3, True)


def names_of_domains(connection: Any) -> list[str]:
    return [one.name() for one in connection.listAllDomains()]


def define_with_fault(connection: Any, path: str, number: int) -> tuple[str, bool]:
    """Define with the n-th call failing: 'done', or what was said; and whether there was one."""
    from virtquorum.errors import HostError
    from virtquorum.host.change import apply
    from virtquorum.host.define import plan_definition
    from virtquorum.host.session import Host
    from virtquorum.xml.domain import Domain

    counts = [number]
    try:
        host = Host(Faulty(connection, counts))
        domain = Domain.from_bytes(Path(path).read_bytes(), path)
        apply(plan_definition(host, domain).plan)
    except HostError as error:
        return str(error), counts[0] <= 0
    return "done", counts[0] <= 0


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "changed"])
def test_a_fault_at_any_call_leaves_the_old_or_the_new(bench: Embed, is_there: bool) -> None:
    images = members(bench, "web")
    file = web(bench, "web", quorum_disk("vda", images))
    old, files = "", ["web-vda.placeholder"] if is_there else []
    if is_there:
        assert virtquorum(bench, "define", file).code == 0
        old = definition(bench, "web")
        more = quorum_disk("vdb", members(bench, "more"), boot=None)
        with_uuid(bench, "web", web(bench, "web", quorum_disk("vda", images, threshold=3), more))
    said = []
    for number in range(1, 60):
        words, failed = bench.call(define_with_fault, str(file), number)
        if not failed:
            break
        said.append(words)
        if words != "done" and "the change is made" not in words:
            assert "injected" in words
            names = bench.call(names_of_domains)
            assert (definition(bench, "web") if names else "") == old
            assert sorted(one.name for one in (bench.root / "virtquorum").glob("*")) == files
        else:
            assert "vq-vda" in definition(bench, "web")
            if is_there:
                bench.call(asked.define, old)
                placeholder(bench, "web", "vdb").unlink()
            else:
                bench.call(asked.forget, "web")
                placeholder(bench, "web").unlink()
    assert words == "done"
    assert sum("all is as it was before" in one for one in said) >= 3
