"""The rules about devices, targets, paths, ports and secrets: bounds, places, real programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.applied_rules import codes_found, fixed, found, underlined
from tests.programs import qemu, qemu_img, refusal
from virtquorum.check.finding import Severity
from virtquorum.check.rules import RULES, rule
from virtquorum.model.sources import SOURCES, source_class

DISKS = [code for code in RULES if code[:3] in ("VQ3", "VQ4")]
STOCK = Path(__file__).parents[2] / "corpus" / "stock"
TARGET = "<target dev='vda' bus='virtio'/>"


def disk(
    source: str = "file='/a'", inside: str = "", *, type: str = "file", attributes: str = "",
    below: str = "", more: str = "", target: str = TARGET, format: str = "raw",
) -> str:  # fmt: skip
    return (
        f"<disk type='{type}'{attributes}><driver name='qemu' type='{format}'/>"
        f"<source {source}>{inside}</source>{below}{target}{more}</disk>"
    )


def network(protocol: str, host: str, inside: str = "", **more: str) -> str:
    return disk(f"protocol='{protocol}' name='p/n'", host + inside, type="network", **more)


def domain(*disks: str, type: str = "kvm", devices: str = "") -> str:
    return (
        f"<domain type='{type}'><name>d</name><memory>65536</memory><os><type>hvm</type></os>"
        f"<devices>{''.join(disks)}{devices}</devices></domain>"
    )


def below(source: str, inside: str = "", type: str = "file") -> str:
    return (
        f"<backingStore type='{type}'><format type='raw'/><source {source}>{inside}</source>"
        "</backingStore>"
    )


MEMBERS = below("file='/m'") * 3


def quorum(device: str, *, members: str = MEMBERS) -> str:
    return (
        f"<disk type='quorum' threshold='2'{device}><driver name='qemu' type='quorum'/>{members}"
        f"{TARGET}</disk>"
    )


# Devices


@pytest.mark.parametrize(
    ("device", "severity"),
    [("lun", Severity.ERROR), ("cdrom", Severity.NOTE), ("floppy", Severity.NOTE)],
)
def test_a_quorum_is_a_hard_disk(device: str, severity: Severity) -> None:
    text = quorum(f" device='{device}'")
    (one,) = found(text, DISKS)
    assert (one.rule, one.severity) == ("VQ301", severity)
    assert underlined(text, one) == f"device='{device}'"


@pytest.mark.parametrize(
    "text",
    [
        quorum(""),
        quorum(" device='disk'"),
        quorum(" device='tape'"),  # the grammar's
        # The medium is an ordinary image.
        disk(
            attributes=" device='cdrom'",
            format="qcow2",
            below=f"<backingStore type='quorum' threshold='2'>{MEMBERS}</backingStore>",
        ),
    ],
)
def test_a_device_that_can_have_a_quorum(text: str) -> None:
    assert found(text, DISKS) == []


def quorum_node(**more: Any) -> list[str]:
    children = [{"driver": "null-co", "read-zeroes": True, "size": 1474560} for _ in range(3)]
    options = {"driver": "quorum", "node-name": "q", "vote-threshold": 2, "children": children}
    return ["-M", "pc", "-blockdev", json.dumps({**options, **more})]


def test_qemu_refuses_a_quorum_as_a_lun(tmp_path: Path) -> None:
    scsi = ["-device", "virtio-scsi-pci", "-device", "scsi-block,drive=q"]
    said = refusal([*quorum_node(), *scsi], tmp_path).strip()
    page = " ".join(rule("VQ301").documentation.split())
    for line in said.splitlines()[-2:]:
        assert f'"{line.rpartition("drive=q: ")[2]}"' in page


@pytest.mark.parametrize(
    "devices",
    [["ide-cd,drive=q"], ["floppy,drive=q"], ["virtio-scsi-pci", "scsi-cd,drive=q"]],
)
def test_qemu_takes_a_quorum_as_a_medium(devices: list[str], tmp_path: Path) -> None:
    arguments = [part for one in devices for part in ("-device", one)]
    with qemu([*quorum_node(**{"read-only": True}), *arguments], tmp_path) as running:
        (drive,) = running.command("query-block")
        assert drive["inserted"]["node-name"] == "q"


# Targets


def test_a_disk_without_a_target_is_pointed_at() -> None:
    text = disk(target="")
    (one,) = found(text, DISKS)
    assert (one.rule, one.message) == ("VQ302", "the disk has no <target>")
    assert underlined(text, one) == "<disk type='file'>"
    assert one.expected == (
        "<target dev='…'/> with a name that no other disk of the domain has, as 'vda'"
    )


@pytest.mark.parametrize(
    ("target", "at"),
    [
        ("<target bus='virtio'/>", "<target bus='virtio'/>"),
        ("<target/>", "<target/>"),
        ("<target dev='' bus='sata'/>", "dev=''"),
    ],
)
def test_a_target_without_a_name_is_pointed_at(target: str, at: str) -> None:
    text = disk(target=target)
    (one,) = found(text, DISKS)
    assert (one.rule, one.message) == ("VQ302", "the <target> has no dev")
    assert underlined(text, one) == at


def target(name: str, bus: str = "virtio") -> str:
    return disk(target=f"<target dev='{name}' bus='{bus}'/>")


def test_the_second_of_two_disks_by_one_name_is_pointed_at() -> None:
    text = domain(target("vda"), target("vdb"), target("vda", "scsi"), target("vda"))
    one, two = found(text, DISKS)
    assert one.rule == two.rule == "VQ303"
    assert (one.path, two.path) == ("devices.disk[2].target", "devices.disk[3].target")
    assert underlined(text, one) == "dev='vda'"
    line = text[: text.index("<disk")].count("\n") + 1
    assert (
        one.message == two.message == f"the target 'vda' is that of the disk in line {line} already"
    )
    assert one.expected == "a name of its own; 'vdc' is free"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("xvda", "a name of its own; 'xvdb' is free"),
        ("sdaa", "a name of its own; 'sda' is free"),
        ("odd", "a name of its own"),
    ],
)
def test_a_free_name_is_like_the_one_that_is_taken(name: str, expected: str) -> None:
    (one,) = found(domain(target(name), target(name)), DISKS)
    assert one.expected == expected


def test_where_every_letter_is_taken_none_is_offered() -> None:
    letters = [target(f"vd{letter}") for letter in "abcdefghijklmnopqrstuvwxyz"]
    (one,) = found(domain(*letters, target("vdq")), DISKS)
    assert one.expected == "a name of its own"


def test_names_are_of_one_domain_each() -> None:
    both = domain(target("vda")), domain(target("vda")).replace("domain", "inactiveDomain")
    assert found(f"<domainsnapshot>{''.join(both)}</domainsnapshot>", DISKS) == []
    assert codes_found(f"<domstatus>{domain(target('vda'), target('vda'))}</domstatus>", DISKS) == [
        "VQ303"
    ]
    assert codes_found(domain(disk(target=""), disk(target="")), DISKS) == ["VQ302"] * 2


# Paths


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (disk("file='a.raw'"), "file='a.raw'"),
        (disk("file='./a'"), "file='./a'"),
        (disk("file='~/a'"), "file='~/a'"),
        (disk("dev='vg/a'", type="block"), "dev='vg/a'"),
        (disk("dir='d'", type="dir"), "dir='d'"),
        (disk("type='unix' path='v.sock'", type="vhostuser"), "path='v.sock'"),
        (network("nbd", "<host transport='unix' socket='n.sock'/>"), "socket='n.sock'"),
        (network("rbd", "<host name='h'/>", "<config file='ceph.conf'/>"), "file='ceph.conf'"),
        (
            disk(
                "dev='/d'",
                "<reservations><source type='unix' path='p' mode='client'/></reservations>",
                type="block",
            ),
            "path='p'",
        ),
        (disk(format="qcow2", below=below("file='b'")), "file='b'"),
        (
            quorum(
                "", members=below("file='/a'") + below("dev='b'", type="block") + below("file='/c'")
            ),
            "dev='b'",
        ),
        (domain(disk("file='[store] a.vmdk'")), "file='[store] a.vmdk'"),
        (domain(disk("file='a'"), type="qemu"), "file='a'"),
    ],
)
def test_a_relative_path_is_pointed_at(text: str, at: str) -> None:
    (one,) = found(text, DISKS)
    assert (one.rule, underlined(text, one)) == ("VQ304", at)
    path = at.split("'")[1]
    assert one.message == f"the path '{path}' is not absolute: QEMU looks for it below '/'"


@pytest.mark.parametrize(
    "text",
    [
        disk("file='/a'"),
        disk("file=''", attributes=" device='cdrom'"),
        disk("startupPolicy='optional'"),
        disk("file='a' fdgroup='g'"),
        disk("pool='p' volume='a.raw'", type="volume"),
        network("gluster", "<host name='h' port='24007'/>"),
        network("nfs", "<host name='h'/>", "<identity user='a' group='b'/>"),
        network("unheard-of", "<host socket='s'/>"),
        domain(disk("file='[store] a.vmdk'"), type="vmware"),
        domain(disk("file='C:\\a.vhdx'"), type="hyperv"),
        domain(disk("dev='sda1'", type="block"), type="xen"),
        quorum("", members=""),
    ],
)
def test_what_is_absolute_or_no_path_is_let_pass(text: str) -> None:
    assert found(text, DISKS) == []


def test_qemu_looks_from_its_own_directory(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    qemu_img("create", "-q", "-f", "raw", tmp_path / "inner" / "a.raw", "1M")
    node = {"driver": "file", "node-name": "f", "filename": "a.raw"}
    assert "Could not open 'a.raw': No such file or directory" in refusal(
        ["-blockdev", json.dumps(node)], tmp_path
    )
    with qemu(["-blockdev", json.dumps({**node, "filename": "inner/a.raw"})], tmp_path) as running:
        assert running.nodes()["f"]["file"] == "inner/a.raw"


# Ports

PORTS = {
    str(protocol): port
    for type, protocol in SOURCES
    if (port := getattr(source_class(type, protocol), "default_port", None)) is not None
}


def test_the_page_names_every_default_port() -> None:
    page = rule("VQ401").documentation
    assert len(PORTS) == 11
    for protocol, port in PORTS.items():
        assert f"{protocol} {port}" in " ".join(page.split())


@pytest.mark.parametrize("protocol", PORTS)
def test_a_host_without_a_port_gets_the_default(protocol: str) -> None:
    port = PORTS[protocol]
    text = network(protocol, '<host\n name="h" />')
    (one,) = found(text, DISKS)
    assert (one.rule, one.severity) == ("VQ401", Severity.NOTE)
    assert one.message == f"the port of 'h' is not given, and will be {protocol}'s {port}"
    assert one.expected == f"port='{port}', or the port that is meant"
    assert one.fix is not None
    assert one.fix.description == f"write port {port}, which libvirt would fill in"
    new = fixed(text, [one])
    assert new == network(protocol, f'<host\n name="h" port="{port}" />')
    assert found(new, DISKS) == []


def test_port_0_is_no_port() -> None:
    text = network("nbd", "<host name='h' port = '0' transport='tcp'/>")
    (one,) = found(text, DISKS)
    assert underlined(text, one) == "port = '0'"
    assert fixed(text, [one]) == text.replace("'0'", "'10809'")


def test_each_host_without_a_port_is_pointed_at() -> None:
    hosts = "<host name='a'/><host name='b' port='1'/><host name='c'/>"
    text = network("gluster", hosts)
    findings = found(text, DISKS)
    assert [underlined(text, one) for one in findings] == ["<host name='a'/>", "<host name='c'/>"]
    assert fixed(text, findings) == network(
        "gluster",
        "<host name='a' port='24007'/><host name='b' port='1'/><host name='c' port='24007'/>",
    )
    member = below("protocol='nbd'", "<host name='h'/>", "network")
    for text in (disk(format="qcow2", below=member), quorum("", members=member)):
        assert codes_found(text, DISKS) == ["VQ401"]


@pytest.mark.parametrize(
    "text",
    [
        network("rbd", "<host name='h'/>"),
        network("nfs", "<host name='h'/>"),
        network("nbd", "<host name='h' port='10809'/>"),
        network("nbd", "<host name='h' port='http'/>"),  # the grammar's
        network("nbd", "<host/>"),  # likewise
        network("nbd", ""),
        network("nbd", "<host transport='unix' socket='/s'/>"),
        network("gluster", "<host name='h' transport='rdma'/>"),
        disk("file='/a'"),
    ],
)
def test_where_libvirt_fills_in_nothing_nothing_is_said(text: str) -> None:
    assert found(text, DISKS) == []


# Secrets

WEB = "<host name='h' port='443'/>"


@pytest.mark.parametrize(
    ("cookies", "at", "message"),
    [
        ("<cookies/>", "<cookies/>", "the <cookies> hold no <cookie>"),
        ("<cookies><!-- cut --></cookies>", "<cookies>", "the <cookies> hold no <cookie>"),
        (
            "<cookies><cookie name='a'/></cookies>",
            "<cookie name='a'/>",
            "the cookie 'a' has no value",
        ),
        (
            "<cookies><cookie name='a'> </cookie></cookies>",
            "<cookie name='a'>",
            "the cookie 'a' has no value",
        ),
        (
            "<cookies><cookie name='a'>1</cookie><cookie name='b'></cookie></cookies>",
            "<cookie name='b'>",
            "the cookie 'b' has no value",
        ),
    ],
)
@pytest.mark.parametrize("protocol", ["http", "https"])
def test_a_cookie_without_a_value_is_pointed_at(
    protocol: str, cookies: str, at: str, message: str
) -> None:
    text = network(protocol, WEB, cookies)
    (one,) = found(text, DISKS)
    assert (one.rule, one.message) == ("VQ402", message)
    assert underlined(text, one) == at


def test_cookies_with_values_and_no_cookies_are_fine() -> None:
    cookies = "<cookies><cookie name='a'>1</cookie></cookies>"
    for inside in (cookies, f"<!-- two -->{cookies}", "<!-- none -->"):
        text = network("https", WEB, inside)
        assert found(text, DISKS) == []


def test_what_libvirt_leaves_out_of_a_dump_cannot_be_seen() -> None:
    shown = (STOCK / "disk-http.secure.xml").read_text()
    assert shown.count("<cookie ") == 3
    dumped = (STOCK / "disk-http.xml").read_text()
    assert "cookie" not in dumped
    assert found(dumped, DISKS) == found(shown, DISKS) == []


AUTH = "<auth username='u'>{}</auth>"
LUKS = "<encryption format='luks'{}>{}</encryption>"
NAMED = "<secret type='ceph' usage='s'/>"
RBD = "<host name='h' port='6789'/>"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (network("rbd", RBD, AUTH.format("")), "<auth username='u'>"),
        (network("rbd", RBD, "<auth username='u'/>"), "<auth username='u'/>"),
        (network("rbd", RBD, more="<auth username='u'/>"), "<auth username='u'/>"),
        (network("rbd", RBD, AUTH.format("<secret type='ceph'/>")), "<secret type='ceph'/>"),
        (
            network("rbd", RBD, AUTH.format("<secret type='ceph' uuid=''/>")),
            "<secret type='ceph' uuid=''/>",
        ),
        (
            network("rbd", RBD, LUKS.format(" engine='librbd'", "")),
            "<encryption format='luks' engine='librbd'>",
        ),
        (disk(inside=LUKS.format("", "")), "<encryption format='luks'>"),
        (disk(more=LUKS.format("", "")), "<encryption format='luks'>"),
        (disk(more=LUKS.format("", "<secret type='passphrase'/>")), "<secret type='passphrase'/>"),
        (
            disk(format="qcow2", below=below("file='/b'", LUKS.format("", ""))),
            "<encryption format='luks'>",
        ),
        (quorum("", members=below("file='/b'", LUKS.format("", ""))), "<encryption format='luks'>"),
    ],
)
def test_what_names_no_secret_is_pointed_at(text: str, at: str) -> None:
    (one,) = found(text, DISKS)
    assert (one.rule, underlined(text, one)) == ("VQ403", at)


@pytest.mark.parametrize(
    "text",
    [
        network("rbd", RBD, AUTH.format(NAMED)),
        network("rbd", RBD, AUTH.format("<secret type='ceph' uuid='u'/>")),
        disk(inside=LUKS.format("", "<secret type='passphrase' uuid='u'/>")),
        disk(inside="<encryption format='qcow'/>"),  # refused by libvirt as such
        disk(),
    ],
)
def test_what_names_a_secret_is_fine(text: str) -> None:
    assert found(text, DISKS) == []


def test_the_secret_of_iscsi_is_of_its_own_type() -> None:
    (one,) = found(network("iscsi", "<host name='h' port='3260'/>", AUTH.format("")), DISKS)
    assert one.message == "the <auth> has no <secret>"
    assert one.expected == "<secret type='iscsi' uuid='…'/>, or usage='…' in the place of uuid"


def graphics(attributes: str) -> str:
    return domain(devices=f"<graphics type='vnc' {attributes}/>")


@pytest.mark.parametrize(
    ("attributes", "at", "message"),
    [
        ("passwd='*****'", "passwd='*****'", "the password is masked, and would be set to '*****'"),
        ("passwd='***'", "passwd='***'", "the password is masked, and would be set to '***'"),
        (
            "passwd='*****' passwdValidTo='2035-01-31T23:59:59'",
            "passwd='*****'",
            "the password is masked, and would be set to '*****'",
        ),
        (
            "passwdValidTo='2035-01-31T23:59:59' connected='keep'",
            "passwdValidTo='2035-01-31T23:59:59'",
            "passwdValidTo without passwd: the password was left out of this dump",
        ),
    ],
)
def test_a_masked_password_is_pointed_at(attributes: str, at: str, message: str) -> None:
    text = graphics(attributes)
    for whole in (text, f"<domstatus>{text}</domstatus>"):
        (one,) = found(whole, DISKS)
        assert (one.rule, one.severity) == ("VQ404", Severity.WARNING)
        assert (underlined(whole, one), one.message) == (at, message)


@pytest.mark.parametrize(
    "attributes",
    [
        "passwd='s*cret'",
        "passwd=''",
        "passwd='secret' passwdValidTo='2035-01-31T23:59:59'",
        "passwd='*****' passwdValidTo='1970-01-01T00:00:01'",
        "connected='keep'",
    ],
)
def test_a_password_that_is_one_is_fine(attributes: str) -> None:
    assert found(graphics(attributes), DISKS) == []


@pytest.mark.parametrize("name", ["graphics-vnc", "graphics-spice", "running-devices"])
def test_a_dump_of_libvirt_that_has_left_a_password_out_is_seen(name: str) -> None:
    assert codes_found((STOCK / f"{name}.xml").read_text(), DISKS) == ["VQ404"]
    assert found((STOCK / f"{name}.secure.xml").read_text(), DISKS) == []


# libvirt


def libvirt(*domains: str) -> list[Any]:
    """What libvirt has to say of domains: their block nodes, or its refusal."""
    program = Path(__file__).parents[2] / "qemu" / "stock_arguments.py"
    # A path of its own, short enough for libvirt's sockets; its cache is asked for once.
    with tempfile.TemporaryDirectory(prefix="vq") as root:
        (Path(root) / "etc").mkdir()
        # As another user QEMU could not reach the root, and libvirt would ask it again each time.
        (Path(root) / "etc" / "qemu.conf").write_text('user = "root"\ngroup = "root"\n')
        done = subprocess.run(
            [sys.executable, str(program), root],
            input=json.dumps([one.replace("'kvm'", "'qemu'") for one in domains]),
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    answers: list[Any] = json.loads(done.stdout)
    return answers


@pytest.mark.skipif(find_spec("libvirt") is None, reason="libvirt-python is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="the embedded driver is tried as root")
def test_libvirt_says_what_the_pages_quote() -> None:
    empty_cookie = "<cookies><cookie name='session'/></cookies>"
    quoted = [
        ("VQ301", domain(disk(attributes=" device='lun'"))),
        ("VQ302", domain(disk(target="").replace("'/a'", "'…'"))),
        ("VQ302", domain(disk(target="<target dev=''/>"))),
        ("VQ303", rule("VQ303").failing),
        ("VQ402", domain(network("https", WEB, empty_cookie))),
        ("VQ403", domain(network("rbd", RBD, AUTH.format("")))),
        ("VQ403", domain(network("rbd", RBD, AUTH.format("<secret type='ceph'/>")))),
        ("VQ403", domain(disk(inside=LUKS.format("", "")))),
        ("VQ112", domain(disk(format="quorum"))),
        (
            "VQ112",
            domain(disk(format="qcow2", below=below("file='/b'").replace("'raw'", "'quorum'"))),
        ),
    ]
    taken = [
        *(domain(network(one, "<host name='h'/>")) for one in ("nbd", "gluster", "http", "ssh")),
        domain(network("nbd", "<host name='h' port='0'/>")),
        domain(disk("file='a.raw'")),
        domain(network("https", WEB, "<cookies/>")),
    ]
    answers = libvirt(*(text for _, text in quoted), *taken)
    for (code, _), said in zip(quoted, answers, strict=False):
        assert isinstance(said, str)
        words = said.partition(": ")[2] or said
        page = " ".join(rule(code).documentation.split())
        assert f'"{said}"' in page or f'"{words}"' in page, said
    nodes = answers[len(quoted) :]
    assert nodes[0][0]["server"]["port"] == nodes[4][0]["server"]["port"] == "10809"
    assert nodes[1][0]["server"][0]["port"] == "24007"
    assert nodes[2][0]["url"] == "http://h:80/p/n"
    assert nodes[3][0]["server"]["port"] == "22"
    assert nodes[5][0]["filename"] == "a.raw"
    assert "cookie-secret" not in nodes[6][0]
