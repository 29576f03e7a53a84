"""What is said of images before a start is what QEMU does at the start, as another user than root.

Each case is tried for real, paused, on a libvirtd of the test's own whose QEMU
is libvirt-qemu; and so is each way out.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.libvirts import missing_for_system, system
from tests.libvirts.domains import guest_xml
from tests.servers.loop import loop_device, missing_for_loop
from virtquorum.check.finding import Severity
from virtquorum.errors import LibvirtError
from virtquorum.host.checks import CheckResult, check_images, refused
from virtquorum.host.checks.access import _worked_out, refusals
from virtquorum.host.checks.in_use import is_locked
from virtquorum.host.checks.openings import openings
from virtquorum.host.checks.process import process_of, where
from virtquorum.host.connection import asking, connected
from virtquorum.stock.lower import lower, lowerings
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.libvirts import System

pytestmark = pytest.mark.skipif(
    missing_for_system() is not None, reason=missing_for_system() or "runs"
)

SIZE = 1 << 20
ROOT = "<seclabel type='static' model='dac' relabel='no'><label>+0:+0</label></seclabel>"
#: No id, in an entry of an access control list.
NOBODY = 0xFFFFFFFF
#: VIR_DOMAIN_START_PAUSED
PAUSED = 1


def member(place: Path | str, *, format: str = "raw", type: str = "file", below: str = "") -> str:
    attribute = "dev" if type == "block" else "file"
    return (
        f"<backingStore type='{type}'><format type='{format}'/>"
        f"<source {attribute}='{place}'/>{below}</backingStore>"
    )


def nbd(place: Path) -> str:
    return (
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name=''>"
        f"<host transport='unix' socket='{place}'/></source></backingStore>"
    )


class Place:
    """A libvirtd, a connection to it, and domains with a quorum disk of three."""

    def __init__(self, bench: System, connection: Any) -> None:
        self.bench = bench
        self.connection = connection
        self.uid, self.gid = bench.owner
        self.user = pwd.getpwuid(self.uid).pw_name
        self.folder = bench.folder
        self.count = 0
        self.members = [member(self.image(f"m{one}")) for one in range(2)]

    def image(self, name: str, uid: int | None = None, gid: int = 0, mode: int = 0o644) -> Path:
        (self.folder / name).unlink(missing_ok=True)
        place = self.bench.image(name, SIZE)
        if uid is not None:
            os.chown(place, uid, gid)
        place.chmod(mode)
        return place

    def domain(self, third: str, disk: str = "", outer: str = "") -> tuple[Domain, str]:
        """A domain with the two good members and another one, and where its placeholder is."""
        self.count += 1
        place = self.folder / f"p{self.count}"
        place.touch()
        os.truncate(place, SIZE)
        text = (
            "<disk type='quorum' threshold='2' device='disk'><driver name='qemu' type='quorum'/>"
            f"{''.join(self.members)}{third}<target dev='vda' bus='virtio'/>{disk}</disk>"
        )
        xml = guest_xml(self.bench, f"g{self.count}", text, outer=outer)
        return Domain.from_text(xml, "domain"), str(place)

    def predicted(self, domain: Domain, place: str, **more: Any) -> list[CheckResult]:
        return check_images(
            self.connection,
            domain,
            lowerings(domain, files={"vda": place}),
            configuration=str(self.bench.root / "etc/libvirt/qemu.conf"),
            **more,
        )

    def worked_out(self, domain: Domain, place: str) -> None:
        """What a user who cannot become QEMU's works out is what QEMU's user is told."""
        try:
            process = process_of(self.connection, domain, where(self.connection))
        except ValueError:
            return
        (lowering,) = lowerings(domain, files={"vda": place})
        asked = [(one.path, one.wanted) for one in openings(lowering)]
        told = refusals(asked, process)
        assert told == [_worked_out(path, wanted, process) for path, wanted in asked]

    def started(self, domain: Domain, place: str) -> str | None:
        """Start a domain for real and destroy it; what libvirt says if it does not start."""
        low = lower(domain, files={"vda": place})
        try:
            with asking(None):
                self.connection.createXML(low.text, PAUSED).destroy()
        except LibvirtError as error:
            return error.text
        return None

    def agree(
        self, third: str, kind: str | None, said: str = "", **more: str
    ) -> CheckResult | None:
        """Hold what is predicted against what happens; the error, if one is expected."""
        domain, place = self.domain(third, **more)
        results = self.predicted(domain, place)
        answer = self.started(domain, place)
        errors = [one for one in results if one.severity is Severity.ERROR]
        self.worked_out(domain, place)
        assert refused(results) == bool(errors)
        if kind is None:
            assert (errors, answer) == ([], None)
            return None
        assert answer is not None
        assert said in answer
        assert {one.kind for one in errors} == {kind}, [str(one) for one in errors]
        return errors[0]


def place_of(configuration: str = "") -> Iterator[Place]:
    with system(configuration) as bench, connected(bench.uri) as connection:
        yield Place(bench, connection)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    yield from place_of()


def grant(path: Path, uid: int, bits: int, mask: int = 7) -> None:
    """Do as ``setfacl -m u:UID:BITS`` does, to a file whose owner may read and write."""
    entries = [
        (0x01, 7 if path.is_dir() else 6, NOBODY), (0x02, bits, uid), (0x04, 0, NOBODY),
        (0x10, mask, NOBODY), (0x20, 0, NOBODY),
    ]  # fmt: skip
    packed = b"".join(struct.pack("<HHI", *one) for one in entries)
    os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + packed)


class Denied(NamedTuple):
    """A way in which QEMU's user may not open an image, and what mends it."""

    uid: int
    gid: int
    mode: int
    mend: Callable[[Place, Path], None]
    way: str


DENIED = {
    "of root, closed": Denied(
        0, 0, 0o600, lambda on, path: os.chown(path, on.uid, on.gid), "chown {user}:{group} {path}"
    ),
    "of root, read-only for others": Denied(
        0, 0, 0o644, lambda on, path: grant(path, on.uid, 6), "setfacl -m u:{user}:rw {path}"
    ),
    "of a group that QEMU is not in": Denied(
        0, 1, 0o660, lambda on, path: os.chown(path, 0, on.gid),
        "chgrp {group} {path} and chmod g+rw {path}",
    ),
    "of QEMU's group, which may not write": Denied(
        0, -1, 0o640, lambda _, path: path.chmod(0o660), "chmod g+rw {path}"
    ),
    "of QEMU's user, who may not write": Denied(
        -1, -1, 0o444, lambda _, path: path.chmod(0o644), "chmod u+rw {path}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DENIED)
def test_an_image_that_may_not_be_opened(place: Place, name: str) -> None:
    case = DENIED[name]
    uid = place.uid if case.uid < 0 else case.uid
    path = place.image("denied", uid, case.gid if case.gid >= 0 else place.gid, case.mode)
    error = place.agree(member(path), "access", "Permission denied")
    assert error is not None
    assert (error.disk, error.path) == ("vda", str(path))
    assert f"mode {case.mode:04o}" in error.message
    assert f"'{place.user}'" in error.message
    way = case.way.format(user=place.user, group=_group(place), path=path)
    assert any(one.startswith(way) for one in error.ways), error.ways
    case.mend(place, path)
    place.agree(member(path), None)


def _group(place: Place) -> str:
    import grp

    return grp.getgrgid(place.gid).gr_name


def test_an_image_that_may_be_opened(place: Place) -> None:
    place.agree(member(place.image("fine", place.uid, place.gid, 0o600)), None)


def test_every_group_of_qemus_user_counts(place: Place) -> None:
    for gid in os.getgrouplist(place.user, place.gid):
        place.agree(member(place.image(f"group{gid}", 0, gid, 0o660)), None)


def test_the_mask_of_an_access_control_list(place: Place) -> None:
    path = place.image("masked", 0, 0, 0o600)
    grant(path, place.uid, bits=6, mask=4)
    error = place.agree(member(path), "access", "Permission denied")
    assert error is not None
    assert "with an access control list" in error.message


def test_a_disk_that_is_only_read(place: Place) -> None:
    path = place.image("read", 0, 0, 0o644)
    place.agree(member(path), None, disk="<readonly/>")
    path.chmod(0o600)
    error = place.agree(member(path), "access", "Permission denied", disk="<readonly/>")
    assert error is not None
    assert "cannot be read by" in error.message


def test_root_by_label(place: Place) -> None:
    path = place.image("root", 0, 0, 0o600)
    error = place.agree(member(path), "access", "Permission denied")
    assert error is not None
    assert any(ROOT in way for way in error.ways)
    place.agree(member(path), None, outer=ROOT)
    # In libvirt 9.0 it keeps root's capabilities, and with them the files of others.
    place.agree(member(place.image("other", 1, 1, 0o600)), None, outer=ROOT)


def test_another_user_by_label(place: Place) -> None:
    label = "<seclabel type='static' model='dac' relabel='yes'><label>{}</label></seclabel>"
    error = place.agree(
        member(place.image("mine")), "access", "Permission denied", outer=label.format("+1:+1")
    )
    assert error is not None
    assert not any("seclabel" in way for way in error.ways)
    names = f"{place.user}:{_group(place)}"
    place.agree(member(place.image("mine")), None, outer=label.format(names))


@pytest.mark.parametrize("label", ["nobodyatall:kvm", "kvm", "+1:nogroupatall"])
def test_a_label_that_names_nobody(place: Place, label: str) -> None:
    outer = f"<seclabel type='static' model='dac' relabel='no'><label>{label}</label></seclabel>"
    error = place.agree(member(place.image("mine")), "user", "Failed to parse", outer=outer)
    assert error is not None
    assert label.split(":")[-1 if ":nogroup" in label else 0] in error.message


def test_a_directory_that_may_not_be_entered(place: Place) -> None:
    closed = place.folder / "closed"
    closed.mkdir(mode=0o700)
    path = place.image("closed/image")
    link = place.folder / "link"
    link.symlink_to(path)
    for name in (path, link):
        error = place.agree(member(name), "access", "Permission denied")
        assert error is not None
        assert f"may not enter '{closed}' (root:root, mode 0700)" in error.message
        assert f"chmod o+x {closed}" in error.ways
    place.agree(member(path), None, outer=ROOT)
    grant(closed, place.uid, 1)
    place.agree(member(path), None)
    os.removexattr(closed, "system.posix_acl_access")
    closed.chmod(0o711)
    place.agree(member(link), None)


def test_a_placeholder_that_cannot_be_reached(place: Place) -> None:
    closed = place.folder / "unreached"
    closed.mkdir(mode=0o700)
    domain, before = place.domain(member(place.image("fine")))
    inside = str(closed / "placeholder")
    os.rename(before, inside)
    (error,) = place.predicted(domain, inside)
    assert (error.kind, error.path) == ("placeholder", inside)
    answer = place.started(domain, inside)
    assert answer is not None
    assert "Permission denied" in answer
    closed.chmod(0o711)
    assert place.predicted(domain, inside) == []
    assert place.started(domain, inside) is None


def test_a_placeholder_that_is_not_made(place: Place) -> None:
    domain, inside = place.domain(member(place.image("fine")))
    os.unlink(inside)
    assert place.predicted(domain, inside) == []


def test_an_image_that_is_not_there(place: Place) -> None:
    error = place.agree(member(place.folder / "gone"), "missing", "No such file or directory")
    assert error is not None
    assert "does not exist" in error.message
    dangling = place.folder / "dangling"
    dangling.symlink_to(place.folder / "gone")
    error = place.agree(member(dangling), "missing", "No such file or directory")
    assert error is not None
    assert f"because '{place.folder}/gone' does not" in error.message


@pytest.mark.parametrize("said", [True, False], ids=["in the XML", "in the header"])
def test_a_backing_image_is_read(place: Place, said: bool) -> None:
    base = place.image("base", 0, 0, 0o600)
    path = place.folder / "overlay"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", path], check=True
    )
    os.chown(path, place.uid, place.gid)
    below = member(base, below="<backingStore/>") if said else ""
    one = member(path, format="qcow2", below=below)
    error = place.agree(one, "access", "Permission denied")
    assert error is not None
    assert error.path == str(base)
    assert "cannot be read by" in error.message
    base.chmod(0o644)
    place.agree(one, None)


def test_members_of_other_sizes(place: Place) -> None:
    path = place.image("small")
    os.truncate(path, SIZE // 2)
    error = place.agree(member(path), "size", "Could not refresh total sector count")
    assert error is not None
    assert "member 2 has 524,288 bytes, and the others 1,048,576" in error.message
    subprocess.run(["qemu-img", "resize", "-q", "-f", "raw", path, str(SIZE)], check=True)
    place.agree(member(path), None)
    os.truncate(path, SIZE - 100)  # the same in sectors
    place.agree(member(path), None)


def test_an_image_of_another_format(place: Place) -> None:
    error = place.agree(member(place.image("raw"), format="qcow2"), "format", "qcow2")
    assert error is not None
    assert "Image is not in qcow2 format" in error.message
    assert "type='raw'" in error.ways[0]


def test_an_image_that_a_domain_has(place: Place) -> None:
    path = place.image("shared")
    domain, placeholder = place.domain(member(path))
    name = f"g{place.count}"
    own = [str(place.folder / one) for one in ("m0", "m1", "shared")]
    with asking("start"):
        running = place.connection.createXML(lower(domain, files={"vda": placeholder}).text, PAUSED)
    try:
        error = place.agree(member(path), "in-use", "lock")
        assert error is not None
        assert f"is in use by the running domain '{name}'" in error.message
        # Its own images do not hinder it.
        live = Domain.from_text(running.XMLDesc(), "live")
        assert place.predicted(domain, placeholder, own=own) == []
        found = lowerings(domain, files={"vda": placeholder})
        conf = str(place.bench.root / "etc/libvirt/qemu.conf")
        assert check_images(place.connection, live, found, own=own, configuration=conf) == []
    finally:
        running.destroy()
    place.agree(member(path), None)


def test_what_a_running_domain_is_to_open(place: Place) -> None:
    """A member for a change is opened by the same process, long after its start."""
    import libvirt_qemu

    path = place.image("late", 0, 0, 0o600)
    domain, placeholder = place.domain(member(path))
    before, first = place.domain(member(place.image("early")))
    name = str(place.folder / "early")
    with asking("start"):
        running = place.connection.createXML(lower(before, files={"vda": first}).text, PAUSED)
    try:
        own = [str(place.folder / one) for one in ("m0", "m1")]
        said = place.predicted(domain, placeholder, own=own)
        assert [(one.kind, one.path) for one in said] == [("access", str(path))]
        assert place.predicted(before, first, own=[*own, name]) == []
        options = {"driver": "file", "node-name": "late", "filename": str(path)}
        command = json.dumps({"execute": "blockdev-add", "arguments": options})
        answer = libvirt_qemu.qemuMonitorCommand(running, command, 0)
        assert "Permission denied" in answer
        os.chown(path, place.uid, place.gid)
        assert place.predicted(domain, placeholder, own=own) == []
        answer = libvirt_qemu.qemuMonitorCommand(running, command, 0)
        assert "error" not in json.loads(answer)
    finally:
        running.destroy()


def test_an_image_that_a_domain_reads(place: Place) -> None:
    path = place.image("read-by-two")
    place.members, members = [member(path)], place.members
    domain, placeholder = place.domain(member(place.image("other")), disk="<readonly/>")
    place.members = members
    with asking("start"):
        running = place.connection.createXML(lower(domain, files={"vda": placeholder}).text, PAUSED)
    try:
        assert is_locked(str(path), writable=True)
        assert not is_locked(str(path), writable=False)
        place.agree(member(path), None, disk="<readonly/>")
        place.agree(member(path), "in-use", "lock")
    finally:
        running.destroy()


def test_an_image_that_a_program_has(place: Place) -> None:
    path = place.image("taken")
    with subprocess.Popen(
        ["qemu-io", "-f", "raw", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"read 0 512\n")
        program.stdin.flush()
        while b"ops" not in program.stdout.readline():  # it has opened the image now
            pass
        error = place.agree(member(path), "in-use", "lock")
        assert error is not None
        assert f"'fuser {path}' names it" in error.ways[0]
        program.stdin.close()
    place.agree(member(path), None)


def test_a_socket(place: Place) -> None:
    path = place.folder / "nbd"
    image = place.image("exported")
    with subprocess.Popen(
        ["qemu-nbd", "--format=raw", "--persistent", f"--socket={path}", f"--pid-file={path}.pid",
         image]
    ) as server:  # fmt: skip
        try:
            _reachable(path)
            path.chmod(0o600)
            error = place.agree(nbd(path), "access", "Permission denied")
            assert error is not None
            os.chown(path, place.uid, place.gid)
            place.agree(nbd(path), None)
        finally:
            server.terminate()
    path.unlink(missing_ok=True)
    error = place.agree(nbd(path), "missing", "No such file or directory")
    assert error is not None
    assert error.ways == ("start the server that listens there",)


def _reachable(path: Path) -> None:
    import time

    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(path))
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture(scope="module")
def device(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A block device of QEMU's user."""
    folder = tmp_path_factory.mktemp("device")
    missing = missing_for_loop(folder)
    if missing is not None:
        pytest.skip(missing)
    image = folder / "image"
    image.touch()
    os.truncate(image, SIZE)
    with ExitStack() as last:
        found = last.enter_context(loop_device(image))
        status = os.stat(found)
        last.callback(os.chown, found, status.st_uid, status.st_gid)
        os.chown(found, place.uid, -1)
        yield found


def test_a_block_device_is_hidden(device: str, place: Place) -> None:
    error = place.agree(member(device, type="block"), "device", "No such file or directory")
    assert error is not None
    assert f'"/dev/kvm", "{device}" ]' in error.ways[0]
    link = place.folder / "to-device"
    link.symlink_to(device)
    error = place.agree(member(link, type="block"), "device", "No such file or directory")
    assert error is not None
    assert f'"/dev/kvm", "{device}" ]' in error.ways[0]
    # What is mounted below /dev is there.
    with open(f"/dev/shm/vq-{os.getpid()}", "wb") as file:  # noqa: S108
        file.truncate(SIZE)
    try:
        os.chown(file.name, place.uid, place.gid)
        place.agree(member(file.name), None)
    finally:
        os.unlink(file.name)


def test_a_block_device_that_is_listed(device: str) -> None:
    listed = '"/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx"'
    for place in place_of(f'cgroup_device_acl = [\n  {listed},\n  "{device}"\n]\n'):
        place.agree(member(device, type="block"), None)
        # The /dev of these daemons is a copy: the owner is changed in both.
        for uid, kind, said in ((0, "access", "Permission denied"), (place.uid, None, "")):
            place.bench.held.run(["chown", str(uid), device])
            os.chown(device, uid, -1)
            place.agree(member(device, type="block"), kind, said)


def test_a_block_device_is_listed_by_a_link(device: str) -> None:
    link = f"/dev/vq-test-{os.getpid()}"
    os.symlink(device, link)
    try:
        for place in place_of(f'cgroup_device_acl = [ "/dev/null", "/dev/urandom", "{link}" ]\n'):
            place.bench.held.run(["ln", "--symbolic", "--force", device, link])
            outside = place.folder / "outside"
            outside.symlink_to(link)
            for one in (link, device, outside):
                place.agree(member(one, type="block"), None)
    finally:
        os.unlink(link)


def test_a_block_device_in_the_whole_of_dev(device: str) -> None:
    for place in place_of("namespaces = []\n"):
        place.agree(member(device, type="block"), None)


def test_libvirt_gives_nothing_away() -> None:
    for place in place_of("dynamic_ownership = 0\n"):
        domain, placeholder = place.domain(member(place.image("fine")))
        os.chmod(placeholder, 0o600)
        (error,) = place.predicted(domain, placeholder)
        assert (error.kind, error.path) == ("placeholder", placeholder)
        answer = place.started(domain, placeholder)
        assert answer is not None
        assert "Permission denied" in answer
        os.chown(placeholder, place.uid, place.gid)
        assert place.predicted(domain, placeholder) == []
        assert place.started(domain, placeholder) is None
