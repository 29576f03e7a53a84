"""``virtquorum args``: its options, its errors, and that QEMU takes what it prints."""

from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.programs import Qemu, missing, qemu, qemu_img, run

ROOT = Path(__file__).parents[2]
TWO_DISKS = ROOT / "samples" / "two-disks.xml"
CEPH = "client.virtquorum secret=file:/root/ceph key"
UUID = "5d9f4a3e-1b1c-4a53-9c6e-0b8f2d6f1e01"


def domain(*disks: str) -> str:
    return (
        "<domain><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
        f"<controller type='scsi' model='virtio-scsi'/>{''.join(disks)}</devices></domain>"
    )


def disk(source: str, target: str = "dev='sda' bus='scsi'", type: str = "file") -> str:
    return f"<disk type='{type}'><driver type='raw'/>{source}<target {target}/></disk>"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A domain with two disks that exist."""
    for name in ("a.raw", "b.raw"):
        qemu_img("create", "-q", "-f", "raw", tmp_path / name, "1M")
    path = tmp_path / "d.xml"
    path.write_text(
        domain(
            disk(f"<source file='{tmp_path}/a.raw'/>"),
            disk(f"<source file='{tmp_path}/b.raw'/>", "dev='sdb' bus='scsi'"),
        )
    )
    return path


def test_a_disk_that_cannot_be_translated(tmp_path: Path) -> None:
    """The error names the disk, its place, the reason and the way out; the others can be had."""
    line = (
        TWO_DISKS.read_text()
        .split("\n")
        .index("            <secret type='ceph' usage='client.virtquorum secret'/>")
    )
    done = run("args", TWO_DISKS)
    assert done.err == (
        f"virtquorum: {TWO_DISKS}:{line + 1}:13: disk 'sda': <auth> needs the secret "
        "'client.virtquorum secret', whose value is not known here; name a file that holds it, "
        "--secret 'client.virtquorum secret=base64:PATH', or have libvirt asked, --connect URI "
        "--secrets-dir DIR\n"
        "virtquorum: note: the other disks are to be had with --keep-going, or --disk TARGET\n"
    )
    assert (done.code, done.out) == (1, "")
    going = run("args", "--keep-going", TWO_DISKS)
    assert (going.code, going.err) == (1, done.err.splitlines(keepends=True)[0])
    alone = run("args", "--disk", "vda", "--disk", "vdb", "--disk", "sdb", TWO_DISKS)
    assert (alone.code, alone.err) == (0, "")
    assert alone.out == going.out
    whole = run("args", "--secret", CEPH, TWO_DISKS)
    assert whole.code == 0
    assert "secret,id=vq-usage-ceph-636c69656e742e7669727471756f72756d20736563726574" in whole.out


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("x", "--secret is UUID=file:PATH, UUID=base64:PATH or UUID=object:ID, not 'x'; a usage "
         "may stand for the UUID"),
        ("x=password", "--secret is UUID=file:PATH, UUID=base64:PATH or UUID=object:ID, not "
         "'x=password'; a usage may stand for the UUID"),
        ("x=object:a,b", "'a,b' is no id that an object of QEMU's can have"),
    ],
)  # fmt: skip
def test_a_secret_that_is_none(word: str, said: str, file: Path) -> None:
    done = run("args", "--secret", word, file)
    assert (done.code, done.out, done.err) == (2, "", f"virtquorum: {said}\n")


@pytest.mark.parametrize(
    ("given", "object", "id"),
    [
        (f"{UUID}=file:/s", {"file": "/s"}, f"vq-secret-{UUID}"),
        (f"{UUID.upper()}=base64:/s=1", {"file": "/s=1", "format": "base64"}, f"vq-secret-{UUID}"),
        (f"{UUID}=object:mine", None, "mine"),
    ],
)
def test_where_a_secret_is(
    given: str, object: dict[str, str] | None, id: str, tmp_path: Path
) -> None:
    path = tmp_path / "d.xml"
    path.write_text(
        disk(
            "<source file='/i'><encryption format='luks'>"
            f"<secret type='passphrase' uuid='{UUID}'/></encryption></source>"
        )
    )
    done = run("args", "--style", "blockdev", "--json", "--no-frontend", "--secret", given, path)
    file = (object or {}).get("file")
    note = f"QEMU will read '{file}', and there is no such file on this machine"
    assert (done.code, done.err) == (0, f"virtquorum: note: {note}\n" if file else "")
    words = json.loads(done.out)
    made = [json.loads(value) for value in words[1::2]]
    if object is None:
        assert "-object" not in words
    else:
        assert made.pop(0) == {"qom-type": "secret", "id": id, **object}
    assert made[-1]["driver"] == "luks"
    assert made[-1]["key-secret"] == id


def test_cookies_go_to_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text(
        disk(
            "<source protocol='https' name='/i'><host name='h'/><cookies>"
            "<cookie name='a'>1</cookie><cookie name='b'>2</cookie></cookies></source>",
            type="network",
        )
    )
    folder = tmp_path / "secrets"
    missing = run("args", "--secrets-dir", folder, path)
    assert (missing.code, missing.err) == (
        2, f"virtquorum: --secrets-dir: '{folder}' is no directory; make it, for yourself\n",
    )  # fmt: skip
    folder.mkdir(mode=0o755)
    done = run("args", "--secrets-dir", folder, "--no-frontend", path)
    assert (done.code, done.err) == (0, "")
    (written,) = folder.iterdir()
    assert written.read_text() == "a=1; b=2"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert f"file={written}" in done.out
    assert "a=1" not in done.out


def test_no_file_is_written_for_a_domain_that_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    cookies = "<cookies><cookie name='a'>1</cookie></cookies>"
    path.write_text(
        domain(
            disk(f"<source protocol='http' name='/i'><host name='h'/>{cookies}</source>",
                 type="network"),
            disk("<source/>", "dev='sdb' bus='scsi'"),
        )
    )  # fmt: skip
    folder = tmp_path / "secrets"
    folder.mkdir()
    assert run("args", "--secrets-dir", folder, path).code == 1
    assert list(folder.iterdir()) == []
    assert run("args", "--secrets-dir", folder, "--keep-going", path).code == 1
    assert len(list(folder.iterdir())) == 1


def test_tls_directory(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text(
        disk("<source protocol='nbd' tls='yes'><host name='h'/></source>", type="network")
    )
    done = run("args", "--tls-dir", "/my,certs", "--no-frontend", path)
    assert done.out.startswith(
        "-object tls-creds-x509,id=vq-tls,dir=/my,,certs,endpoint=client,verify-peer=on"
    )
    assert "dir=/etc/pki/qemu," in run("args", path).out


def test_what_a_version_lacks(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text(
        disk(
            "<source protocol='nbd' tls='yes' tlsHostname='x'><host name='h'/></source>",
            type="network",
        )
    )
    done = run("args", "--target-qemu", "6.2", path)
    assert (done.code, done.out, done.err) == (
        1, "",
        f"virtquorum: {path}:1:1: disk 'sda': QEMU 6.2 has no 'tls-hostname' of nbd: it came with "
        "7.0; take a newer QEMU, or leave out what needs it\n",
    )  # fmt: skip
    assert run("args", "--target-qemu", "7.0.0", path).code == 0
    for version, said in (
        ("5.2", "QEMU 5.2 is not supported; 6.2 is the oldest that is"),
        ("seven", "'seven' is no version of QEMU; it is 7.2, say"),
    ):
        done = run("args", "--target-qemu", version, path)
        assert (done.code, done.err) == (2, f"virtquorum: {said}\n")


def test_the_forms_of_one_output(file: Path) -> None:
    words = json.loads(run("args", "--json", file).out)
    assert run("args", "--nul", file).out.split("\0") == [*words, ""]
    lines = run("args", file).out.splitlines()
    assert len(lines) == len(words) / 2
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert run("args", "--oneline", file).out.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--style", "qmp", "--nul"], "--style qmp prints JSON, and no arguments"),
        (["--undo"], "--undo is for --style qmp"),
        (["--json", "--nul"], "--json, --oneline and --nul exclude each other"),
    ],
)
def test_options_that_exclude_each_other(options: list[str], said: str, file: Path) -> None:
    done = run("args", *options, file)
    assert (done.code, done.err) == (2, f"virtquorum: {said}; see 'virtquorum args --help'\n")


def test_two_disks_of_one_group_with_other_limits(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    tuned = [
        disk(f"<source file='/{n}'/>", f"dev='sd{n}' bus='scsi'").replace(
            "</disk>",
            f"<iotune><total_bytes_sec>{size}</total_bytes_sec><group_name>g</group_name>"
            "</iotune></disk>",
        )
        for n, size in (("a", 5000), ("b", 5000), ("c", 6000))
    ]
    path.write_text(domain(*tuned[:2]))
    done = run("args", "--style", "blockdev", path)
    assert done.code == 0
    assert done.out.count('"qom-type":"throttle-group"') == 1
    path.write_text(domain(*tuned))
    done = run("args", "--style", "blockdev", path)
    assert done.code == 1
    assert "disk 'sdc': the object 'g' (throttle-group) is another one for an earlier disk" in (
        done.err
    )


def test_an_sd_card_has_no_device(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text(
        "<domain><os><type arch='aarch64' machine='raspi3b'>hvm</type></os><devices>"
        + disk("<source file='/i'/>", "dev='sda' bus='sd'")
        + "</devices></domain>"
    )
    assert "if=sd,index=0,id=drive-sda" in run("args", path).out
    done = run("args", "--style", "blockdev", path)
    assert done.code == 1
    assert "an SD card is no device that could be named; only --style drive can say it" in done.err


def wait_until_gone(running: Qemu, device: str) -> None:
    """Wait for DEVICE_DELETED: a device goes when QEMU is done with it."""
    deadline = time.monotonic() + 10
    while not any(one.get("device") == device for one in running.events("DEVICE_DELETED")):
        assert time.monotonic() < deadline, f"{device} is still there"
        time.sleep(0.01)


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
class TestQemu:
    """What is printed is what QEMU takes."""

    @pytest.mark.parametrize("style", ["drive", "blockdev"])
    def test_it_starts_with_the_arguments(self, style: str, file: Path) -> None:
        words = json.loads(run("args", "--style", style, "--json", file).out)
        with qemu(words, file.parent, machine="pc") as running:
            found = {one["qdev"]: one["inserted"] for one in running.command("query-block")}
        assert set(found) == {"scsi0-0-0-0", "scsi0-0-0-1"}
        names = {one["node-name"] for one in found.values()}
        assert names == {"vq-sda", "vq-sdb"}

    def test_the_commands_add_the_disks_and_take_them_away(self, file: Path) -> None:
        def done(option: list[str]) -> list[dict[str, Any]]:
            said = run("args", "--style", "qmp", *option, file).out
            found: list[dict[str, Any]] = json.loads(said)
            assert len(said.splitlines()) == len(found)
            return found

        with qemu([], file.parent, machine="pc") as running:
            for one in done([]):
                running.command(one["execute"], **one["arguments"])
            assert set(running.nodes()) == {"vq-sda-s", "vq-sda", "vq-sdb-s", "vq-sdb"}
            for one in done(["--undo"]):
                running.command(one["execute"], **one["arguments"])
                if one["execute"] == "device_del" and one["arguments"]["id"].startswith("scsi0-"):
                    wait_until_gone(running, one["arguments"]["id"])
            assert running.nodes() == {}

    def test_a_group_of_limits_is_shared(self, file: Path) -> None:
        tune = "<iotune><total_iops_sec>70</total_iops_sec><group_name>a b</group_name></iotune>"
        file.write_text(file.read_text().replace("</disk>", f"{tune}</disk>"))
        for style in ("drive", "blockdev"):
            words = json.loads(run("args", "--style", style, "--json", file).out)
            with qemu(words, file.parent, machine="pc") as running:
                nodes = running.nodes()
                drives = running.command("query-block")
            if style == "drive":
                assert {one["inserted"]["group"] for one in drives} == {"a b"}
                assert {one["inserted"]["iops"] for one in drives} == {70}
            else:
                groups = [one for one in nodes.values() if one["drv"] == "throttle"]
                assert len(groups) == 2


def test_nodes_are_shown_by_the_names_that_args_gives() -> None:
    shown = run("show", "--nodes", TWO_DISKS)
    assert (shown.code, shown.err) == (0, "")
    names = set(re.findall(r"node=(\S+)", shown.out))
    words = run("args", "--style", "blockdev", "--secret", CEPH, TWO_DISKS).out
    given = set(re.findall(r'"node-name":"([^"]*)"', words))
    assert names == {one for one in given if not one.endswith("-s")}
    report = json.loads(run("show", "--nodes", "--json", TWO_DISKS).out)
    assert report["files"][0]["disks"][0]["image"]["node"] == "vq-vda"


def test_of_a_snapshot_with_two_domains_the_first_is_translated() -> None:
    snapshot = ROOT / "tests/corpus/snapshot/live-disk-only.xml"
    done = run("args", "--style", "blockdev", snapshot)
    assert done.code == 0
    assert "these are the first one's disks" in done.err
    assert done.out.count('"driver":"virtio-blk-pci"') == 2
    nodes = re.findall(r"node=(\S+)", run("show", "--nodes", snapshot).out)
    assert set(nodes) <= set(re.findall(r'"node-name":"([^"]*)"', done.out))
    assert len(nodes) == 3


ENCRYPTED = (
    "<source file='/i'><encryption format='luks'>"
    f"<secret type='passphrase' uuid='{UUID}'/></encryption></source>"
)


def test_a_secrets_file_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d.xml").write_text(disk(ENCRYPTED))
    (tmp_path / "key").touch()
    monkeypatch.chdir(tmp_path)
    other = "11111111-2222-3333-4444-555555555555"
    given = ("--secret", f"{UUID}=file:key", "--secret", f"{other}=file:key2")
    done = run("args", "--no-frontend", *given, "d.xml")
    assert f"file={tmp_path}/key " in done.out
    assert done.err == f"virtquorum: note: no disk needs the secret '{other}'\n"
    # With --disk the others may need it.
    assert run("args", "--no-frontend", "--disk", "sda", *given, "d.xml").err == ""


def test_certificates_that_are_not_here_are_named(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    source = "<source protocol='nbd' tls='yes'><host name='h'/></source>"
    path.write_text(disk(source, type="network"))
    done = run("args", "--no-frontend", "--tls-dir", tmp_path, path)
    assert done.err == (
        f"virtquorum: note: QEMU will read '{tmp_path}/ca-cert.pem', and there is no such file on "
        "this machine\n"
    )
    (tmp_path / "ca-cert.pem").touch()
    assert run("args", "--no-frontend", "--tls-dir", tmp_path, path).err == ""


def undone(*argv: str | Path) -> tuple[list[str], str]:
    """What is taken away, and what is said."""
    done = run("args", "--style", "qmp", "--undo", *argv)
    assert done.code == 0, done.err
    found = [one["arguments"] for one in json.loads(done.out)]
    return [one.get("id", one.get("node-name")) for one in found], done.err


def test_what_other_disks_may_need_is_not_taken_away(file: Path) -> None:
    found, said = undone(file)
    assert found[-1] == "vq-sda-s"
    assert "scsi0" in found
    assert said == ""
    assert undone("--disk", "sda", file) == (
        ["scsi0-0-0-0", "vq-sda", "vq-sda-s"],
        "virtquorum: note: left alone, because other disks may need them: scsi0\n",
    )


def test_no_secret_is_asked_for_to_take_a_disk_away(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text(disk(ENCRYPTED))
    found, said = undone("--no-frontend", path)
    assert found == ["vq-sda", "vq-sda-s", f"vq-secret-{UUID}"]
    assert said == ""
    path.write_text(disk("<source pool='p' volume='v'/>", type="volume"))
    refused = run("args", "--style", "qmp", "--undo", "--no-frontend", path)
    assert refused.code == 1
    assert "only libvirt knows where the volume 'v' of the pool 'p' is" in refused.err


def test_other_disks_are_offered_where_there_are_some(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text(domain(disk(ENCRYPTED), disk("<source file='/b'/>", "dev='sdb' bus='scsi'")))
    assert "the other disks are to be had" in run("args", path).err
    assert "the other disks" not in run("args", "--disk", "sda", path).err
