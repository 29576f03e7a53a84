"""What ``virtquorum args`` is told of secrets, and of a libvirt that is not there."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.programs import run

if TYPE_CHECKING:
    from pathlib import Path

UUID = "5d9f4a3e-1b1c-4a53-9c6e-0b8f2d6f1e01"


@pytest.fixture
def over_tls(tmp_path: Path) -> Path:
    """A disk behind TLS."""
    path = tmp_path / "d.xml"
    path.write_text(
        "<disk type='network'><driver type='raw'/><source protocol='nbd' tls='yes'>"
        "<host name='h'/></source><target dev='vda' bus='virtio'/></disk>"
    )
    return path


def test_the_secret_of_a_key(over_tls: Path) -> None:
    folder = over_tls.parent
    (folder / "key").touch()
    (folder / "ca-cert.pem").touch()
    given = ("--secret", f"{UUID}=file:{folder}/key", "--tls-secret", UUID.upper())
    done = run("args", "--no-frontend", "--tls-dir", folder, *given, over_tls)
    assert (done.code, done.err) == (0, "")
    assert f"-object secret,id=vq-secret-{UUID},file={folder}/key" in done.out
    assert f",verify-peer=on,passwordid=vq-secret-{UUID}" in done.out
    assert "passwordid" not in run("args", "--no-frontend", over_tls).out


def test_the_secret_of_a_key_is_not_known(over_tls: Path) -> None:
    done = run("args", "--tls-secret", "x", over_tls)
    assert (done.code, done.err) == (2, "virtquorum: --tls-secret: 'x' is no UUID of a secret\n")
    done = run("args", "--tls-secret", UUID, over_tls)
    assert (done.code, done.out, done.err) == (
        1, "",
        f"virtquorum: {over_tls}:1:42: disk 'vda': the TLS key needs the secret '{UUID}', whose "
        f"value is not known here; name a file that holds it, --secret {UUID}=file:PATH, or have "
        "libvirt asked, --connect URI --secrets-dir DIR\n",
    )  # fmt: skip


@pytest.mark.skipif(find_spec("libvirt") is None, reason="libvirt-python is not installed")
def test_no_connection(over_tls: Path, tmp_path: Path) -> None:
    uri = f"qemu:///system?socket={tmp_path}/none"
    done = run("args", "--connect", uri, over_tls)
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        f"virtquorum: the connection '{uri}': libvirt says: Failed to connect socket to "
        f"'{tmp_path}/none': No such file or directory; start the daemon (libvirtd, or virtqemud "
        "with virtstoraged and virtsecretd), or name another connection: 'qemu:///system', "
        "'qemu:///session'\n"
    )


def test_the_short_option(over_tls: Path) -> None:
    uri = "qemu:///embed?root=/r"
    for short, long in (
        (run("args", "-c", uri, "--disks-only", over_tls), ("args", "--disks-only")),
        (run("lower", "-c", uri, over_tls), ("lower",)),
    ):
        assert short.code == 3
        assert short == run(*long, "--connect", uri, over_tls)


def test_without_libvirt_python(over_tls: Path) -> None:
    code = (
        "import sys; sys.modules['libvirt'] = None; sys.argv[0] = 'virtquorum';"
        "from virtquorum.__main__ import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "args", "--connect", "qemu:///system", str(over_tls)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "virtquorum: libvirt-python is not installed; install it: pip install "
        "'virtquorum[libvirt]'; it is built, which on Debian needs python3-dev gcc pkg-config "
        "libvirt-dev\n"
    )


def test_nothing_is_written_to_take_disks_away(tmp_path: Path) -> None:
    path, folder = tmp_path / "d.xml", tmp_path / "secrets"
    folder.mkdir()
    path.write_text(
        "<disk type='network'><driver type='raw'/><source protocol='http' name='/i'>"
        "<host name='h'/><cookies><cookie name='a'>1</cookie></cookies></source>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    style = ("--style", "qmp", "--no-frontend", "--secrets-dir", folder)
    done = run("args", "--undo", *style, path)
    assert (done.code, done.err) == (0, "")
    assert '"object-del","arguments":{"id":"vq-vda-s-cookies"}' in done.out
    assert list(folder.iterdir()) == []
    assert run("args", *style, path).code == 0
    assert [one.name for one in folder.iterdir()] == ["vq-vda-s-cookies"]


def test_an_embedded_driver_has_nothing_to_ask_for(over_tls: Path) -> None:
    done = run("args", "--disks-only", "--connect", "qemu:///embed?root=/r", over_tls)
    assert (done.code, done.err) == (
        3,
        "virtquorum: the connection 'qemu:///embed?root=/r': an embedded driver has no volumes "
        "and no secrets; name a libvirt that has: 'qemu:///system', 'qemu:///session'\n",
    )
