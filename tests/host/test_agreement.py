"""What leans on secrets and pools, as the arguments of a real libvirt have it.

Compared are the block nodes and what they lean on.  Where nothing is started,
two secrets are the same if they are as long as each other in whole blocks of
16 bytes, and every secret here has a length of its own; where a domain is
started, if libvirt's, decrypted, has the bytes of our file.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.agreement import blocks, libvirts, native, our_own, ours, theirs
from tests.host.definitions import described, domain, pool, secrets
from tests.host.private_libvirtd import TLS_KEY
from tests.libvirtd import root_of
from tests.programs import missing, qemu_img
from virtquorum.errors import TranslationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.host.conftest import Luks

pytestmark = pytest.mark.skipif(
    find_spec("libvirt") is None or bool(missing()), reason=f"not installed: libvirt, {missing()}"
)

CEPH = "11111111-1b1c-4a53-9c6e-0b8f2d6f1e01"
CHAP = "22222222-1b1c-4a53-9c6e-0b8f2d6f1e01"
LUKS = "33333333-1b1c-4a53-9c6e-0b8f2d6f1e01"
ANY = "55555555-1b1c-4a53-9c6e-0b8f2d6f1e01"
#: This one has the usage of a secret of another type.
TWIN = "66666666-1b1c-4a53-9c6e-0b8f2d6f1e01"
#: The secrets that libvirt has: what stands in each, and how many bytes it is long.
SECRETS = {
    CEPH: ("<usage type='ceph'><name>client.u</name></usage>", 5),
    CHAP: ("<usage type='iscsi'><target>the target</target></usage>", 20),
    LUKS: ("<usage type='volume'><volume>/the/volume</volume></usage>", 40),
    TWIN: ("<usage type='volume'><volume>client.u</volume></usage>", 100),
    TLS_KEY: ("<usage type='tls'><name>key</name></usage>", 60),
    ANY: ("", 80),
}
COOKIES = {"a": "1" * 80, "b": "2" * 40}


def value(uuid: str) -> bytes:
    """A secret's value: letters, of which QEMU could make a key."""
    return (uuid * 3).encode()[: SECRETS[uuid][1]]


def auth(secret: str) -> str:
    return f"<auth username='u'><secret {secret}/></auth>"


def encryption(secret: str, more: str = "format='luks'") -> str:
    return f"<encryption {more}><secret type='passphrase' {secret}/></encryption>"


def disk(
    source: str, *, type: str = "network", format: str = "raw", below: str = "", more: str = "",
    device: str = "disk", target: str = "dev='vda' bus='virtio'",
) -> str:  # fmt: skip
    return (
        f"<disk type='{type}' device='{device}'><driver name='qemu' type='{format}'/>"
        f"{source}{below}<target {target}/>{more}</disk>"
    )


def remote(protocol: str, name: str, inside: str, attributes: str = "") -> str:
    return (
        f"<source protocol='{protocol}' name='{name}'{attributes}><host name='h.example.org'/>"
        f"{inside}</source>"
    )


def below(source: str, *, type: str = "file", format: str = "qcow2", more: str = "") -> str:
    return f"<backingStore type='{type}'><format type='{format}'/>{source}{more}</backingStore>"


BY_CEPH, BY_CHAP = f"type='ceph' uuid='{CEPH}'", f"type='iscsi' uuid='{CHAP}'"
BY_LUKS, BY_ANY, BY_USAGE = f"uuid='{LUKS}'", f"uuid='{ANY}'", "usage='/the/volume'"
FOR_CEPH = encryption(f"uuid='{CEPH}'")
BY_ENGINE = encryption(BY_LUKS, "format='luks' engine='qemu'")
RBD = "pool/image"
UNIT = "iqn.2020-01.org.example:t/1"
COOKIE_XML = "".join(f"<cookie name='{name}'>{text}</cookie>" for name, text in COOKIES.items())
RESERVED = "<reservations managed='no'><source type='unix' path='/s' mode='client'/></reservations>"
SCSI = "dev='sda' bus='scsi'"

DISKS = {
    "rbd": disk(remote("rbd", RBD, auth(BY_CEPH))),
    "rbd by usage": disk(remote("rbd", RBD, auth("type='ceph' usage='client.u'"))),
    "rbd, login of the disk": disk(remote("rbd", RBD, ""), more=auth(BY_CEPH)),
    "rbd and luks by one usage": disk(
        remote("rbd", RBD, auth("type='ceph' usage='client.u'") + encryption("usage='client.u'"))
    ),
    "rbd with a secret of no usage": disk(remote("rbd", RBD, auth(f"type='ceph' uuid='{ANY}'"))),
    "rbd and luks": disk(remote("rbd", RBD, auth(BY_CEPH) + encryption(BY_LUKS))),
    **{
        f"rbd that decrypts {format}": disk(
            remote("rbd", RBD, auth(BY_CEPH)
                   + encryption(BY_LUKS, f"format='{format}' engine='librbd'"))
        )
        for format in ("luks", "luks2")
    },
    "iscsi": disk(remote("iscsi", UNIT, auth(BY_CHAP))),
    "iscsi by usage": disk(remote("iscsi", UNIT, auth("type='iscsi' usage='the target'"))),
    "iscsi of an initiator": disk(
        remote("iscsi", UNIT, "<initiator><iqn name='iqn.2020-01.org.example:me'/></initiator>"
               + auth(BY_CHAP))
    ),
    "iscsi unit passed through": disk(
        remote("iscsi", UNIT, auth(BY_CHAP)), device="lun", target=SCSI
    ),
    "iscsi and luks": disk(remote("iscsi", UNIT, auth(BY_CHAP) + encryption(BY_LUKS))),
    "luks": disk(f"<source file='/i'>{encryption(BY_LUKS)}</source>", type="file"),
    "luks by usage": disk(
        f"<source file='/i'>{encryption(BY_USAGE)}</source>", type="file"
    ),
    "luks, encryption of the disk": disk(
        "<source file='/i'/>", type="file", more=encryption(BY_LUKS)
    ),
    "luks on a block device": disk(
        f"<source dev='/dev/x'>{encryption(BY_LUKS)}</source>", type="block"
    ),
    "luks by the engine's name": disk(
        f"<source file='/i'>{BY_ENGINE}</source>",
        type="file",
    ),
    "luks in a slice": disk(
        "<source file='/i'><slices><slice type='storage' offset='4096' size='8388608'/></slices>"
        f"{encryption(BY_LUKS)}</source>", type="file",
    ),
    "qcow2 and luks": disk(
        f"<source file='/i'>{encryption(BY_LUKS)}</source>", type="file", format="qcow2",
        below="<backingStore/>",
    ),
    "a chain": disk(
        f"<source file='/i'>{encryption(BY_LUKS)}</source>", type="file", format="qcow2",
        below=below(
            f"<source file='/j'>{encryption(BY_ANY)}</source>",
            more=below(remote("rbd", RBD, auth(BY_CEPH)), type="network", format="raw"),
        ),
    ),
    "cookies": disk(remote("https", "/i", f"<cookies>{COOKIE_XML}</cookies>")),
    "cookies and a login": disk(
        remote("http", "/i", f"<cookies>{COOKIE_XML}</cookies>{auth(BY_CHAP)}"), more="<readonly/>"
    ),
    "ftps": disk(remote("ftps", "/i", auth(BY_CHAP) + "<ssl verify='no'/>")),
    "ssh": disk(remote("ssh", "/i", "")),
    "ssh with a user": disk(remote("ssh", "/i", auth(BY_CHAP))),
    "nbd over tls": disk(remote("nbd", "e", "", " tls='yes'")),
    "nbd over tls to another name": disk(remote("nbd", "e", "", " tls='yes' tlsHostname='x'")),
    "reservations": disk(
        f"<source dev='/dev/x'>{RESERVED}</source>", type="block", device="lun", target=SCSI
    ),
    "volume": disk("<source pool='p' volume='raw'/>", type="volume"),
    "volume below": disk(
        "<source pool='p' volume='qcow2'/>", type="volume", format="qcow2",
        below=below("<source pool='p' volume='raw'/>", type="volume", format="raw"),
    ),
    "volume and luks": disk(
        f"<source pool='p' volume='raw'>{encryption(BY_LUKS)}</source>", type="volume"
    ),
    "volume and luks of the disk": disk(
        "<source pool='p' volume='raw'/>", type="volume", more=encryption(BY_LUKS)
    ),
    "volume and a login": disk(
        "<source pool='p' volume='raw'/>", type="volume", more=auth(BY_CHAP)
    ),
    "volume that is a directory": disk(
        "<source pool='p' volume='folder'/>", type="volume", format="fat", more="<readonly/>"
    ),
    "volume with a slice": disk(
        "<source pool='p' volume='qcow2'><slices><slice type='storage' offset='0' size='65536'/>"
        "</slices></source>", type="volume", format="qcow2", below="<backingStore/>",
    ),
}  # fmt: skip
REFUSED = {
    "volume that is not there": disk("<source pool='p' volume='none'/>", type="volume"),
    "pool that is not there": disk("<source pool='none' volume='raw'/>", type="volume"),
    "directory in another format": disk(
        "<source pool='p' volume='folder'/>", type="volume", format="qcow2", more="<readonly/>"
    ),
    "directory to be written to": disk(
        "<source pool='p' volume='folder'/>", type="volume", format="fat"
    ),
    "mode": disk("<source pool='p' volume='raw' mode='host'/>", type="volume"),
    "secret that is not there": disk(
        remote("rbd", RBD, auth("type='ceph' uuid='00000000-1b1c-4a53-9c6e-0b8f2d6f1e01'"))
    ),
    "rbd with a secret for iscsi": disk(remote("rbd", RBD, auth(BY_CHAP))),
    "iscsi with a secret for ceph": disk(remote("iscsi", UNIT, auth(BY_CEPH))),
    "rbd with a secret that says ceph and is for iscsi": disk(
        remote("rbd", RBD, auth(f"type='ceph' uuid='{CHAP}'"))
    ),
    "luks with a secret for ceph": disk(f"<source file='/i'>{FOR_CEPH}</source>", type="file"),
    "https with a secret for ceph": disk(remote("https", "/i", auth(BY_CEPH))),
    "secret of an unknown type": disk(remote("rbd", RBD, auth(f"type='x' uuid='{CEPH}'"))),
    "secret by UUID and usage": disk(remote("rbd", RBD, auth(f"{BY_CEPH} usage='client.u'"))),
    "secret by nothing": disk(remote("rbd", RBD, auth("type='ceph'"))),
    "secret by a UUID that is none": disk(remote("rbd", RBD, auth("type='ceph' uuid='x'"))),
    "login without a secret": disk(remote("rbd", RBD, "<auth username='u'/>")),
    "login without a name": disk(remote("rbd", RBD, f"<auth><secret {BY_CEPH}/></auth>")),
    "login to nbd": disk(remote("nbd", "e", auth(BY_CEPH))),
    "two logins": disk(remote("rbd", RBD, auth(BY_CEPH)), more=auth(BY_CEPH)),
    "encryption without a secret": disk(
        "<source file='/i'><encryption format='luks'/></source>", type="file"
    ),
    "two encryptions": disk(
        f"<source file='/i'>{encryption(BY_LUKS)}</source>", type="file", more=encryption(BY_LUKS)
    ),
    **{
        f"encryption {words}": disk(
            f"<source file='/i'>{encryption(BY_LUKS, words)}</source>", type="file"
        )
        for words in ("format='luks2'", "format='qcow'", "format='luks' engine='librbd'")
    },
    "luks in vmdk": disk(
        f"<source file='/i'>{encryption(BY_LUKS)}</source>", type="file", format="vmdk"
    ),
    **{
        f"cookie {words}": disk(
            remote("https", "/i", f"<cookies><cookie {words}</cookie></cookies>")
        )
        for words in ("name='a'>1&#10;", "name='a'>1;b=2", "name='a b'>1", "name='a'>", "name=''>1")
    },
    "usage of another type": disk(remote("rbd", RBD, auth("type='ceph' usage='the target'"))),
}


@pytest.fixture(scope="module")
def stocked(host: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The connection to a libvirt that has the secrets and the pool."""
    folder = tmp_path_factory.mktemp("pool")
    (folder / "folder").mkdir()
    qemu_img("create", "-q", "-f", "raw", folder / "raw", "1M")
    qemu_img("create", "-q", "-f", "qcow2", folder / "qcow2", "1M")
    made = []
    for uuid, (inner, _) in SECRETS.items():
        one = host.secretDefineXML(
            f"<secret ephemeral='yes' private='no'><uuid>{uuid}</uuid>{inner}</secret>"
        )
        one.setValue(value(uuid))
        made.append(one)
    with pool(host, described("dir", folder)):
        yield host
    for one in made:
        one.undefine()


@pytest.mark.parametrize("name", DISKS)
def test_the_graph_and_its_objects_are_libvirts(name: str, daemon: str, stocked: Any) -> None:
    mine, unused = our_own(daemon, DISKS[name], TLS_KEY)
    assert unused == set()
    told, unused = libvirts(stocked, DISKS[name])
    assert mine == told
    # libvirt has a password for ssh, which has nothing that would take it.
    assert bool(unused) == (name == "ssh with a user")


def test_every_secret_has_a_length_of_its_own() -> None:
    cookies = "; ".join("=".join(one) for one in COOKIES.items())
    sizes = {blocks(len(one)) for one in [cookies, *(value(uuid) for uuid in SECRETS)]}
    assert len(sizes) == len(SECRETS) + 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_libvirt_refuses_is_refused(name: str, daemon: str, stocked: Any) -> None:
    import libvirt

    with pytest.raises(libvirt.libvirtError):
        native(stocked, REFUSED[name])
    with pytest.raises(TranslationError, match=r"^<text>:1:[0-9]+: disk 'vda': "):
        ours(daemon, REFUSED[name])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="not installed: openssl")
def test_a_started_domain_has_the_same_secrets(
    daemon: str, stocked: Any, luks: Luks, tmp_path: Path
) -> None:
    """The QEMU of libvirt opens the images; its secrets, decrypted, are what our files hold."""
    import libvirt

    disks = []
    with secrets(stocked, ("<usage type='volume'><volume>a, b</volume></usage>", luks.key)) as made:
        for name, by in (("vda", f"uuid='{made[0]}'"), ("vdb", "usage='a, b'")):
            shutil.copy(luks.image, tmp_path / name)
            disks.append(disk(
                f"<source file='{tmp_path}/{name}'>{encryption(by)}</source>", type="file",
                target=f"dev='{name}' bus='virtio'",
            ))  # fmt: skip
        flags = libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY
        running = stocked.createXML(domain(*disks), flags)
        try:
            root = root_of(daemon)
            process = int((root / "run/libvirt/qemu/d.pid").read_text())
            argv = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
            _, objects = theirs(argv)
            master = (root / objects.pop(0)["file"].removeprefix("/")).read_bytes()
        finally:
            running.destroy()
        for one, xml in zip(objects, disks, strict=True):
            (found,) = ours(daemon, xml)[2].values()
            assert decrypted(one, master) == found == luks.key


def decrypted(one: dict[str, Any], key: bytes) -> bytes:
    done = subprocess.run(
        ["openssl", "enc", "-d", "-aes-256-cbc", "-K", key.hex(),
         "-iv", base64.b64decode(one["iv"]).hex()],
        input=base64.b64decode(one["data"]), check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return done.stdout
