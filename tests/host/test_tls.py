"""NBD over TLS with a key that is encrypted: libvirt has the secret, and QEMU opens the key."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.definitions import domain, secrets
from tests.programs import missing, qemu, refusal, run
from tests.servers.certificates import Certificates, certificates, missing_for_certificates
from tests.servers.nbd import nbd_on_tcp
from tests.servers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(
        find_spec("libvirt") is None or bool(missing()),
        reason=f"not installed: libvirt, {missing()}",
    ),
    pytest.mark.skipif(
        bool(missing_for_certificates()) or shutil.which("openssl") is None,
        reason=f"not installed: openssl, {missing_for_certificates()}",
    ),
]

PASSWORD = b"opens the key"


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    """Certificates of which the client's key is encrypted."""
    found = certificates(tmp_path / "tls", "127.0.0.1")
    key, plain = found.client / "client-key.pem", tmp_path / "plain.pem"
    key.rename(plain)
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", plain, "-out", key, "-passout", "stdin"],
        input=PASSWORD, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    assert "ENCRYPTED" in key.read_text()
    return found


@pytest.fixture
def file(made: Certificates, tmp_path: Path) -> Iterator[Path]:
    """A domain with a disk behind TLS, which is full of sixes."""
    image, port = tmp_path / "image", free_port()
    image.write_bytes(b"\6" * 1048576)
    found = tmp_path / "d.xml"
    found.write_text(
        domain(
            "<disk type='network'><driver name='qemu' type='raw'/><source protocol='nbd' "
            f"name='e' tls='yes'><host name='127.0.0.1' port='{port}'/></source>"
            "<target dev='vda' bus='virtio'/></disk>"
        )
    )
    with nbd_on_tcp({"e": image}, port, tmp_path / "nbd.log", made):
        yield found


@pytest.mark.parametrize("style", ["drive", "blockdev"])
def test_qemu_opens_an_encrypted_key(
    style: str, made: Certificates, file: Path, daemon: str, host: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    options = ("--style", style, "--json", "--tls-dir", made.client)
    with secrets(host, ("<usage type='tls'><name>k</name></usage>", PASSWORD)) as (uuid,):
        own = ("--connect", daemon, "--secrets-dir", folder, "--tls-secret", uuid.upper())
        done = run("args", *options, *own, file)
    assert (done.code, done.err) == (0, "")
    assert (folder / f"vq-secret-{uuid}").read_bytes() == PASSWORD
    words = json.loads(done.out)
    with qemu(words, tmp_path, machine="pc") as running:
        handle = "drive-vda" if style == "drive" else "vq-vda"
        said = running.io(handle, "read -P 6 0 64k")
    assert "read 65536/65536" in said
    assert "verification failed" not in said
    without = json.loads(run("args", *options, "--no-frontend", file).out)
    assert "key" in refusal(without, tmp_path)
