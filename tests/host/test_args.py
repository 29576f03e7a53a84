"""``virtquorum args --connect``: a real libvirt is asked, and a real QEMU takes what is printed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.definitions import described, domain, pool, secrets
from tests.libvirtd import libvirtd
from tests.programs import as_nobody, missing, qemu, qemu_img, qemu_io, reachable, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.host.conftest import Luks
    from tests.programs import Qemu, Result

pytestmark = pytest.mark.skipif(
    find_spec("libvirt") is None or bool(missing()), reason=f"not installed: libvirt, {missing()}"
)

UUID = "5d9f4a3e-1b1c-4a53-9c6e-0b8f2d6f1e01"


def member(source: str, type: str, format: str = "raw") -> str:
    return f"<backingStore type='{type}'><format type='{format}'/>{source}</backingStore>"


def encryption(by: str) -> str:
    return f"<encryption format='luks'><secret type='passphrase' {by}/></encryption>"


def voting(*members: str) -> str:
    return (
        "<disk type='quorum' threshold='2'><driver name='qemu' type='quorum'/>"
        f"{''.join(members)}<target dev='vda' bus='virtio'/></disk>"
    )


class Case:
    """A domain with a quorum over a volume and two encrypted images, as libvirt knows them."""

    def __init__(self, folder: Path, uuid: str) -> None:
        self.file = folder / "d.xml"
        self.secrets = folder / "secrets"
        self.uuid = uuid
        self.secrets.mkdir()
        members = [
            member(f"<source file='{folder}/{name}'>{encryption(by)}</source>", "file")
            for name, by in (("by-uuid", f"uuid='{uuid}'"), ("by-usage", "usage='a, b'"))
        ]
        volume = member("<source pool='p' volume='v'/>", "volume", "qcow2")
        self.file.write_text(domain(voting(volume, *members)).replace("><", ">\n<"))

    def place(self, text: str) -> str:
        """The place of the first element that begins so."""
        lines = self.file.read_text().split("\n")
        return f"{self.file}:{next(n for n, one in enumerate(lines, 1) if text in one)}:1"

    def args(self, *options: str | Path) -> Result:
        return run("args", *options, self.file)


@pytest.fixture
def case(host: Any, luks: Luks, tmp_path: Path) -> Iterator[Case]:
    usage = "<usage type='volume'><volume>a, b</volume></usage>"
    for name in ("by-uuid", "by-usage"):
        shutil.copy(luks.image, tmp_path / name)
    volumes = tmp_path / "volumes"
    volumes.mkdir()
    qemu_img("create", "-q", "-f", "qcow2", volumes / "v", "1M")
    with (
        secrets(host, ("", luks.key), (usage, luks.key)) as made,
        pool(host, described("dir", volumes)),
    ):
        yield Case(tmp_path, made[0])


def give(running: Qemu, commands: list[dict[str, Any]]) -> None:
    for one in commands:
        running.command(one["execute"], **one["arguments"])


@pytest.mark.parametrize("style", ["drive", "blockdev", "qmp"])
def test_qemu_opens_what_libvirt_knows(style: str, case: Case, daemon: str, luks: Luks) -> None:
    options = ("--style", style, "--json", "--connect", daemon, "--secrets-dir", case.secrets)
    done = case.args(*options)
    assert (done.code, done.err) == (0, "")
    files = sorted(case.secrets.iterdir())
    assert [one.name for one in files] == [
        f"vq-secret-{case.uuid}",
        f"vq-usage-volume-{b'a, b'.hex()}",
    ]
    for one in files:
        assert one.read_bytes() == luks.key
        status = one.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, os.geteuid())
    assert luks.key.decode() not in done.out
    said = json.loads(done.out)
    with qemu([] if style == "qmp" else said, case.secrets.parent, machine="pc") as running:
        if style == "qmp":
            give(running, said)
        (drive,) = running.command("query-block")
        assert drive["inserted"]["drv"] == "quorum"
        handle = drive["device"] or drive["qdev"]
        assert "wrote 65536/65536" in running.io(
            handle if style == "drive" else f"-d {handle}", "write -P 7 0 64k"
        )
    # It was written to the volume, and to the encrypted images as their passphrase has it.
    said_ = qemu_io(case.secrets.parent / "volumes" / "v", "qcow2", "read -P 7 0 64k")
    assert "verification failed" not in said_
    for name in ("by-uuid", "by-usage"):
        assert read_back(case.secrets.parent / name, files[0]) == b"\7" * 65536


def read_back(image: Path, key: Path) -> bytes:
    """The first 64 KiB of an encrypted image, by the file of its secret."""
    plain = image.with_suffix(".plain")
    options = f"driver=luks,key-secret=s,file.driver=file,file.filename={image}"
    subprocess.run(
        ["qemu-img", "convert", "--object", f"secret,id=s,file={key}", "--image-opts", options,
         "-O", "raw", str(plain)], check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return plain.read_bytes()[:65536]


def test_what_is_not_known_without_libvirt(case: Case, daemon: str) -> None:
    done = case.args()
    assert (done.code, done.out, done.err) == (
        1, "",
        f"virtquorum: {case.place('<source pool')}: disk 'vda': only libvirt knows where the "
        "volume 'v' of the pool 'p' is; have it asked, --connect URI, or name the file or device "
        "that it is\n",
    )  # fmt: skip
    done = case.args("--disks-only", "--connect", daemon)
    place = case.place("<secret type='passphrase' uuid")
    assert (done.code, done.out, done.err) == (
        1, "",
        f"virtquorum: {place}: disk 'vda': <encryption> needs the secret '{case.uuid}', whose "
        "value is not known here; say where it may be written, --secrets-dir DIR, or name a file, "
        f"--secret {case.uuid}=file:PATH\n",
    )  # fmt: skip
    keys = case.secrets.parent / "a", case.secrets.parent / "b"
    for one in keys:
        one.touch()
    given = ("--secret", f"{case.uuid}=file:{keys[0]}", "--secret", f"a, b=file:{keys[1]}")
    done = case.args("--disks-only", "--connect", daemon, *given)
    assert (done.code, done.err) == (0, "")
    case.file.write_text(case.file.read_text().replace("type='volume'", "type='file'").replace(
        "pool='p' volume='v'", "file='/v'"))  # fmt: skip
    done = case.args()
    assert (done.code, done.out, done.err) == (
        1, "",
        f"virtquorum: {place}: disk 'vda': <encryption> needs the secret '{case.uuid}', whose "
        "value is not known here; name a file that holds it, --secret "
        f"{case.uuid}=file:PATH, or have libvirt asked, --connect URI --secrets-dir DIR\n",
    )  # fmt: skip


def test_a_given_secret_comes_before_libvirts(case: Case, daemon: str) -> None:
    options = ("--disks-only", "--connect", daemon, "--secrets-dir", case.secrets)
    done = case.args(*options, "--secret", f"{case.uuid}=object:mine")
    assert (done.code, done.err) == (0, "")
    assert "key-secret=mine" in done.out
    assert [one.name for one in case.secrets.iterdir()] == [f"vq-usage-volume-{b'a, b'.hex()}"]


def test_what_libvirt_says_no_to(case: Case, daemon: str) -> None:
    """Its words, with the disk, the place, and the way out; nothing is written."""
    text = case.file.read_text()
    options = ("--disks-only", "--connect", daemon, "--secrets-dir", case.secrets)
    for old, new, place, said in (
        ("pool='p'", "pool='q'", "<source pool", "the pool 'q': libvirt says: Storage pool not "
         "found: no storage pool with matching name 'q'; 'virsh pool-list --all' has those that "
         "there are"),
        ("volume='v'", "volume='w'", "<source pool", "the volume 'w' of the pool 'p': libvirt "
         "says: Storage volume not found: no storage vol with matching name 'w'; 'virsh "
         "pool-refresh' looks again, 'virsh vol-list' has those that there are"),
        (case.uuid, UUID, UUID, f"the secret '{UUID}': libvirt says: Secret not found: no secret "
         f"with matching uuid '{UUID}'; 'virsh secret-list' has those that there are, and 'virsh "
         "secret-set-value UUID --file PATH' gives one its value"),
    ):  # fmt: skip
        case.file.write_text(text.replace(old, new))
        done = case.args(*options)
        assert (done.code, done.out) == (1, "")
        assert done.err == f"virtquorum: {case.place(place)}: disk 'vda': {said}\n"
    assert list(case.secrets.iterdir()) == []


def test_one_image_by_two_names_is_no_two_members(case: Case, daemon: str) -> None:
    """Only who knows where a volume is can see it."""
    volume = case.secrets.parent / "volumes" / "v"
    again = member(f"<source file='{volume}'/>", "file", "qcow2")
    given = member("<source pool='p' volume='v'/>", "volume", "qcow2")
    case.file.write_text(domain(voting(given, again)))
    done = case.args("--disks-only", "--connect", daemon)
    assert done.code == 1
    assert "this image is a member already, and would vote twice" in done.err


def test_a_login_beside_a_volume_is_said_to_be_nothing(case: Case, daemon: str) -> None:
    login = "<auth username='u'><secret type='iscsi' usage='x'/></auth>"
    volume = "<source pool='p' volume='v'/>"
    case.file.write_text(
        domain(f"<disk type='volume'><driver type='qcow2'/>{volume}{login}"
               "<target dev='vda' bus='virtio'/></disk>")
    )  # fmt: skip
    done = case.args("--disks-only", "--connect", daemon)
    assert done.code == 0
    assert done.err == (
        f"virtquorum: note: {case.place('<domain').removesuffix(':1')}:"
        f"{case.file.read_text().index('<disk') + 1}: disk 'vda' <auth> says nothing to a volume, "
        "whose pool has the login\n"
    )


def test_a_file_as_a_unit_to_pass_through(case: Case, daemon: str) -> None:
    case.file.write_text(
        domain("<disk type='volume' device='lun'><driver type='raw'/><source pool='p' volume='v'/>"
               "<target dev='sda' bus='scsi'/></disk>")
    )  # fmt: skip
    done = case.args("--disks-only", "--connect", daemon)
    assert done.code == 1
    assert done.err.endswith(
        "disk 'sda': device='lun' needs a block device of the host, or an iSCSI unit, and the "
        "volume is of type 'file'; use device='disk'\n"
    )


# Connections


def test_a_user_whom_libvirt_does_not_let_in(case: Case, daemon: str) -> None:
    reachable(case.file.parent)
    case.file.chmod(0o644)
    done = as_nobody("args", "--disks-only", "--connect", daemon, case.file)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"virtquorum: the connection '{daemon}': libvirt says: ")
    assert "Permission denied; run it as root, or as a user whom libvirt lets in" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_daemon_that_goes_away(tmp_path: Path, daemon: str) -> None:
    """Its end in the middle is what libvirt says it is, and no traceback."""
    from virtquorum.errors import LibvirtError
    from virtquorum.host.lookup import connect
    from virtquorum.model.sources.volume import VolumeSource

    with libvirtd() as uri:
        held = connect(uri)
        lookup = held.__enter__()
    with pytest.raises(LibvirtError):
        lookup.volume(VolumeSource(pool="p", volume="v"))
    held.__exit__(None, None, None)
