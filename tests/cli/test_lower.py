"""``virtquorum lower`` and ``virtquorum lift``: their options, notes, errors and exit codes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.programs import qemu_img, run
from virtquorum.xml.domain import Domain

SAMPLES = Path(__file__).parents[2] / "samples"

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "three-qcow2.xml"
TEXT = SAMPLE.read_text()
STOCK = "<domain type='kvm'>\n  <name>a</name>\n  <devices/>\n</domain>\n"
SECRETS = ROOT / "samples" / "two-disks.xml"
CEPH = "client.virtquorum secret=file:/root/ceph key"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "domain.xml"
    path.write_bytes(TEXT.encode())
    return path


@pytest.fixture
def lowered(file: Path) -> Path:
    path = file.with_name("lowered.xml")
    path.write_text(run("lower", file).out)
    return path


def test_lower_prints_and_lift_gives_it_back(file: Path) -> None:
    done = run("lower", file)
    assert done.code == 0
    assert "urn:virtquorum:domain:1.0" in done.out
    assert "type='quorum'" not in done.out.split("</metadata>")[1]
    for words in ((), ("-",)):
        assert run("lower", *words, input=TEXT.encode()).out == done.out
        assert run("lift", *words, input=done.out.encode()) == (0, TEXT, "")
    assert file.read_text() == TEXT
    assert run("validate", "-", input=done.out.encode()).code == 0


def test_what_is_lowered_is_lowered_anew(lowered: Path) -> None:
    assert run("lower", lowered).out == lowered.read_text()
    assert run("lower", "--diff", lowered).code == 0
    # Its placeholders stay where they are.
    assert run("lower", "--placeholder-dir", "/elsewhere", lowered).out == lowered.read_text()


def test_placeholders(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("lower", "--placeholder-dir", tmp_path, file)
    path = tmp_path / "ledger-db-vda.placeholder"
    assert f"<source file='{path}'/>" in done.out
    assert done.err == (
        f"virtquorum: note: a start needs the placeholder '{path}': an empty raw file of the "
        "quorum's size; 'virtquorum doctor ledger-db' makes it once the domain is defined, and "
        "'virtquorum define' does both\n"
    )
    said = run("lower", file).err
    assert said.endswith("does both; --connect URI has it where that libvirt's are\n")
    assert str(path) in done.err
    qemu_img("create", "-q", "-f", "raw", path, "1M")
    assert str(path) not in run("lower", "--placeholder-dir", tmp_path, file).err
    monkeypatch.chdir(tmp_path)
    assert run("lower", "--placeholder-dir", ".", file).out == done.out


def test_in_place(file: Path) -> None:
    done = run("lower", "--write", file)
    assert (done.code, done.out) == (0, "")
    assert f"lowered {file}" in done.err
    assert file.read_text() != TEXT
    assert run("lower", "-w", file).err.startswith("virtquorum: note: a start needs")
    done = run("lift", "--write", file)
    assert (done.code, done.out, done.err) == (0, "", f"virtquorum: lifted {file}\n")
    assert file.read_bytes() == TEXT.encode()
    assert run("lift", "-w", file).err == (
        "virtquorum: note: it is not lowered, so there is nothing to lift\n"
    )


def test_differences(file: Path, lowered: Path) -> None:
    done = run("lower", "--diff", file)
    assert done.code == 1
    assert "+    <virtquorum xmlns='urn:virtquorum:domain:1.0'" in done.out
    done = run("lift", "--diff", lowered)
    assert done.code == 1
    assert "-    <virtquorum" in done.out
    assert file.read_text() == TEXT


@pytest.mark.parametrize("command", ["lower", "lift"])
def test_options_that_say_nothing_together(command: str, file: Path) -> None:
    assert run(command, "--write", "--diff", file).code == 2
    done = run(command, "--write", "-", input=TEXT.encode())
    assert done.code == 2
    assert "--write needs a file" in done.err
    assert run(command, "--max-depth", "3", file).code == 3
    assert run(command, "--max-size", "100", file).code == 3
    assert run(command, file, file).code == 2
    assert run(command, file.with_name("not there")).code == 3


@pytest.mark.parametrize("command", ["lower", "lift"])
def test_a_domain_without_quorums_comes_out_as_it_is(command: str) -> None:
    for text in (STOCK, "<domain><name>b</name></domain>"):
        done = run(command, "-", input=text.encode())
        assert (done.code, done.out) == (0, text)
        assert done.err.startswith("virtquorum: note: ")
        assert f"nothing to {command}" in done.err


@pytest.mark.parametrize("command", ["lower", "lift"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<disk type='file'/>", "give the domain that it is of"),
        (f"<domainsnapshot>{STOCK}</domainsnapshot>", "give the <domain> in it alone"),
        (f"<domstatus>{STOCK}</domstatus>", "give the <domain> in it alone"),
    ],
)
def test_what_is_no_domain_is_refused(command: str, text: str, said: str) -> None:
    done = run(command, "-", input=text.encode())
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("virtquorum: <stdin>:1:1: the root element is <d")
    assert said in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bus='virtio'", "bus='sd'", "take one of the buses virtio, scsi, sata, ide, usb"),
        ("device='disk'", "device='lun'", "use device='disk'"),
        ("device='disk'", "device='floppy'", "use device='disk'"),
        ("<target dev='vda' bus='virtio'/>", "", "target"),
        ("<target dev='vda'", "<transient/><target dev='vda'", "<transient/> is not translated"),
        ("<target dev='vda' bus='virtio'/>",
         "<target dev='vda' bus='sata'/><readonly/>", "cannot be read-only"),
    ],
)  # fmt: skip
def test_disks_that_cannot_be_lowered(old: str, new: str, said: str) -> None:
    assert old in TEXT
    text = TEXT
    if old == "device='disk'":
        at = text.index("<disk type='quorum'")
        text = text[:at] + text[at:].replace(old, new, 1)
    else:
        text = text.replace(old, new, 1)
    done = run("lower", "-", input=text.encode())
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_an_alias_of_another_device_is_refused() -> None:
    text = TEXT.replace("</backend>", "</backend><alias name='ua-vq-vda'/>")
    done = run("lower", "-", input=text.encode())
    assert done.code == 1
    assert "the alias 'ua-vq-vda' is that of a <rng> already" in done.err


def test_secrets(tmp_path: Path) -> None:
    assert run("lower", SECRETS).code == 1
    done = run("lower", "--secret", CEPH, SECRETS)
    assert done.code == 0
    assert "/root/ceph key" in done.out
    assert "QEMU will read '/root/ceph key'" in done.err
    assert run("lift", "-", input=done.out.encode()).out == SECRETS.read_text()
    done = run("lower", "--secret", CEPH, "--secret", "other=file:/x", SECRETS)
    assert "no disk needs the secret 'other'" in done.err
    cookie = SECRETS.read_text().replace("<secret usage='client.virtquorum secret'/>", "")
    assert cookie
    source = (
        "<domain><name>c</name><devices><disk type='quorum' threshold='1'>"
        "<backingStore type='network'><format type='raw'/>"
        "<source protocol='https' name='x'><host name='h' port='443'/>"
        "<cookies><cookie name='a'>b</cookie></cookies></source></backingStore>"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    assert run("lower", "-", input=source.encode()).code == 1
    done = run("lower", "--diff", "--secrets-dir", tmp_path, "-", input=source.encode())
    assert done.code == 1
    assert not list(tmp_path.iterdir()), "--diff only looks"
    done = run("lower", "--secrets-dir", tmp_path, "-", input=source.encode())
    assert done.code == 0
    (written,) = tmp_path.iterdir()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert str(written) in done.out


TLS = (
    b"<domain><name>t</name><devices><disk type='quorum' threshold='1'>"
    b"<backingStore type='network'><format type='raw'/>"
    b"<source protocol='nbd' name='x' tls='yes'><host name='h' port='10809'/></source>"
    b"</backingStore><target dev='vda' bus='virtio'/></disk></devices></domain>"
)


def test_tls() -> None:
    done = run("lower", "--tls-dir", "/etc/mine", "-", input=TLS)
    assert done.code == 0
    assert "/etc/mine" in done.out
    assert run("lower", "--tls-secret", "no uuid", "-", input=TLS).code == 2


def test_a_libvirt_that_is_not_there(file: Path) -> None:
    done = run("lower", "--connect", "qemu+unix:///system?socket=/nowhere", file)
    assert (done.code, done.out) == (3, "")


def test_a_qemu_that_is_too_old(file: Path) -> None:
    assert run("lower", "--target-qemu", "7.2", file).code == 0
    assert run("lower", "--target-qemu", "x", file).code == 2


def test_what_was_changed_by_hand(lowered: Path) -> None:
    text = lowered.read_text().replace("vote-threshold&quot;:2", "vote-threshold&quot;:1")
    lowered.write_text(text)
    done = run("lift", lowered)
    assert (done.code, done.out) == (1, "")
    assert "'virtquorum explain VQ606' says what can be done" in done.err
    assert run("lower", lowered).code == 1
    done = run("lift", "--force", lowered)
    assert (done.code, done.out) == (0, TEXT)
    assert "dropped, since the record says otherwise: 1 argument is gone or changed" in done.err
    newer = text.replace("version='1'", "version='7'")
    done = run("lift", "--force", "-", input=newer.encode())
    assert done.code == 1
    assert "upgrade virtquorum" in done.err


def test_bytes_are_kept_in_their_encoding() -> None:
    text = "<?xml version='1.0' encoding='ISO-8859-1'?>\n" + TEXT.replace("ledger-db", "grün")
    raw = text.encode("latin-1")
    done = run("lower", "-", input=raw, encoding="latin-1")
    assert done.code == 0
    assert Domain.from_bytes(done.out.encode("latin-1")).domain_name == "grün"
    assert run("lift", "-", input=done.out.encode("latin-1"), encoding="latin-1").out == text


def test_show_draws_the_quorum_disks_behind_a_lowered_domain() -> None:
    lowered = run("lower", SAMPLES / "three-qcow2.xml").out.encode()
    shown = run("show", "-", input=lowered)
    assert shown.code == 0
    assert "a lowered domain; shown are the quorum disks behind it" in shown.err
    plain = run("show", SAMPLES / "three-qcow2.xml").out
    assert shown.out.splitlines()[1:] == plain.splitlines()[1:]


def test_show_of_a_lowered_domain_that_was_changed_by_hand() -> None:
    lowered = run("lower", SAMPLES / "three-qcow2.xml").out
    shown = run("show", "-", input=lowered.replace("<alias name='ua-vq-vda'/>", "").encode())
    assert shown.code == 0
    assert "its placeholders are shown" in shown.err
    assert "vda.placeholder" in shown.out
