"""Connections to libvirt, and what it says where there is none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.servers.process import free_port
from virtquorum.errors import LibvirtError
from virtquorum.host.lookup import connect
from virtquorum.model.sources.volume import VolumeSource

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    find_spec("libvirt") is None, reason="libvirt-python is not installed"
)


@pytest.mark.parametrize(
    ("uri", "code", "words"),
    [
        ("qemu:///system?socket={}/none", 38, "No such file or directory; start the daemon"),
        ("qemu:///system?socket={}/dead", 38, "Connection refused; start the daemon"),
    ],
)
def test_no_connection(
    uri: str, code: int, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    uri = uri.format(tmp_path)
    with pytest.raises(LibvirtError) as caught, connect(uri):
        pass
    assert caught.value.code == code
    assert str(caught.value).startswith(f"the connection '{uri}': libvirt says: ")
    assert words in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("qemu+tcp://127.0.0.1:{}/system", "'127.0.0.1:{}': Connection refused"),
        ("qemu+tls://127.0.0.1:{}/system?pkipath=/none", ": No such file or directory"),
    ],
)
def test_no_connection_to_another_machine(uri: str, words: str) -> None:
    """Nothing on this machine would help."""
    port = free_port()
    uri = uri.format(port)
    with pytest.raises(LibvirtError) as caught, connect(uri):
        pass
    assert caught.value.code == 38
    assert caught.value.remedy is None
    assert str(caught.value).endswith(words.format(port))


def test_a_kind_of_connection_that_is_none(daemon: str) -> None:
    uri = daemon.replace("qemu", "no-such")
    with pytest.raises(LibvirtError) as caught, connect(uri):
        pass
    assert caught.value.code == 5  # VIR_ERR_NO_CONNECT
    assert "no connection driver available for no-such:///system" in str(caught.value)
    assert str(caught.value).endswith(
        "; connections are 'qemu:///system', 'qemu:///session', 'qemu+ssh://HOST/system'"
    )


def test_libvirt_prints_nothing(daemon: str, capfd: pytest.CaptureFixture[str]) -> None:
    with connect(daemon) as lookup, pytest.raises(LibvirtError):
        lookup.volume(VolumeSource(pool="p", volume="v"))
    assert capfd.readouterr() == ("", "")


def in_python(code: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **more},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_who_may_not_connect(daemon: str) -> None:
    """The daemon's socket lies in a directory that is closed to others."""
    done = in_python(
        "import os; from virtquorum.host.lookup import connect;"
        "import libvirt; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"try:\n with connect({daemon!r}): pass\n"
        "except Exception as error: print(type(error).__name__, error.code, error)"
    )
    assert done.stderr == ""
    assert done.stdout.startswith("LibvirtError 38 the connection 'qemu:///system?socket=")
    assert "Permission denied; run it as root, or as a user whom libvirt lets in" in done.stdout


def test_the_connection_is_libvirts_own_choice() -> None:
    code = (
        "from virtquorum.host.lookup import connect\n"
        "with connect(None) as one: print(one._connection.getURI())"
    )
    done = in_python(code, LIBVIRT_DEFAULT_URI="test:///default")
    assert (done.stdout, done.stderr) == ("test:///default\n", "")


@pytest.mark.parametrize(
    ("finder", "words"),
    [
        ("raise ModuleNotFoundError(name)", "libvirt-python is not installed; "),
        ("raise ImportError('libvirt.so.0: gone')", "cannot be loaded: libvirt.so.0: gone; "),
    ],
)
def test_libvirt_python_is_no_part_of_a_plain_installation(finder: str, words: str) -> None:
    done = in_python(
        "import sys\n"
        "class Finder:\n"
        " def find_spec(self, name, path=None, target=None):\n"
        f"  if name == 'libvirt': {finder}\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from virtquorum.host.lookup import connect\n"
        "try:\n with connect(None): pass\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    assert done.stderr == ""
    assert done.stdout.startswith("HostError libvirt-python ")
    assert words in done.stdout
    assert "pip install 'virtquorum[libvirt]'" in done.stdout
    assert "python3-dev gcc pkg-config libvirt-dev" in done.stdout
