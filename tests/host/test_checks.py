"""The checks of images by themselves: what is read, worked out and said."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.host.definitions import described
from tests.libvirts import missing_for_system, system
from tests.programs import missing
from virtquorum.check.finding import Severity
from virtquorum.check.images import image_problems
from virtquorum.host import checks
from virtquorum.host.checks import CheckResult, check_images, refused
from virtquorum.host.checks.access import _worked_out, access_results, refusals
from virtquorum.host.checks.configuration import DEVICES, Configuration
from virtquorum.host.checks.confined import confined_results
from virtquorum.host.checks.contents import contents
from virtquorum.host.checks.in_use import is_locked
from virtquorum.host.checks.openings import Opening, openings
from virtquorum.host.checks.process import QemuProcess, Where, process_of, where
from virtquorum.host.checks.reach import Refusal, first_refusal
from virtquorum.host.checks.twice import twice_results
from virtquorum.host.checks.volumes import Volume, Volumes
from virtquorum.host.connection import connected
from virtquorum.stock.lower import lowerings
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.stock.lower import Lowering

needs_qemu_img = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")

SIZE = 1 << 20
MINE = QemuProcess(uid=os.geteuid(), gid=os.getegid(), groups=(os.getegid(),))


def domain_of(*members: str, disk: str = "", devices: str = "", outer: str = "") -> Domain:
    return Domain.from_text(
        "<domain type='qemu'><name>g</name><memory>1</memory><os><type arch='x86_64' "
        f"machine='q35'>hvm</type></os><devices><disk type='quorum' threshold='1'>"
        f"<driver name='qemu' type='quorum'/>{''.join(members)}"
        f"<target dev='vda' bus='virtio'/>{disk}</disk>{devices}</devices>{outer}</domain>",
        "domain",
    )


def member(place: Path | str, format: str = "raw", below: str = "") -> str:
    return (
        f"<backingStore type='file'><format type='{format}'/><source file='{place}'/>{below}"
        "</backingStore>"
    )


def lowered(domain: Domain) -> list[Lowering]:
    return lowerings(domain, directory="/nowhere")


def image(place: Path, size: int = SIZE, content: bytes = b"") -> Path:
    place.write_bytes(content)
    os.truncate(place, size)
    return place


class Answers:
    """A connection as far as it says where it is and what libvirt can do."""

    def __init__(self, uri: str, capabilities: str = "", host: str = "far") -> None:
        self.uri, self.capabilities, self.host = uri, capabilities, host

    def getURI(self) -> str:  # noqa: N802
        return self.uri

    def getHostname(self) -> str:  # noqa: N802
        return self.host

    def getCapabilities(self) -> str:  # noqa: N802
        return self.capabilities


@pytest.fixture(scope="module")
def libvirt() -> Iterator[Any]:
    """A connection to a libvirt that has pools."""
    missing = missing_for_system()
    if missing is not None:
        pytest.skip(missing)
    with system() as bench, connected(bench.uri) as connection:
        yield connection


# What is said


def test_a_result_in_words_and_in_json() -> None:
    one = CheckResult(
        severity=Severity.ERROR, kind="missing", disk="vda", path="/a\x1b", message="is not there",
        ways=("make it", "name another"),
    )  # fmt: skip
    assert str(one) == "disk 'vda': image '/a\\x1b': is not there; make it, or name another"
    assert json.loads(json.dumps(one.to_json())) == {
        "severity": "error", "kind": "missing", "disk": "vda", "path": "/a\x1b",
        "message": "is not there", "ways": ["make it", "name another"],
    }  # fmt: skip
    warning = CheckResult(severity=Severity.WARNING, kind="confined", message="who knows")
    assert str(warning) == "who knows"
    assert (refused([warning]), refused([warning, one])) == (False, True)


# Where, and as whom


@pytest.mark.parametrize(
    ("uri", "here", "privileged", "configuration"),
    [
        ("qemu:///system", True, True, "/etc/libvirt/qemu.conf"),
        ("qemu+unix:///system?socket=/s", True, True, "/etc/libvirt/qemu.conf"),
        ("qemu:///session", True, False, "/etc/libvirt/qemu.conf"),
        ("qemu:///embed?root=/r%20x", True, os.geteuid() == 0, "/r x/etc/qemu.conf"),
        ("qemu+ssh://user@far.example/system", False, True, "/etc/libvirt/qemu.conf"),
        ("qemu+tcp://[::1]/session", False, False, "/etc/libvirt/qemu.conf"),
        ("qemu+ssh:///system", False, True, "/etc/libvirt/qemu.conf"),
    ],
)
def test_where_a_connection_leads(
    uri: str, here: bool, privileged: bool, configuration: str
) -> None:
    pytest.importorskip("libvirt")
    assert where(Answers(uri)) == Where(
        here=here, host="" if here else "far", privileged=privileged, configuration=configuration
    )


CAPABILITIES = """<capabilities><host>
<secmodel><model>apparmor</model><doi>0</doi></secmodel>
<secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>+10:+20</baselabel>
<baselabel type='qemu'>+11:+21</baselabel></secmodel></host></capabilities>"""
PRIVILEGED = Where(here=True, host="", privileged=True, configuration="")


@pytest.mark.parametrize(
    ("labels", "ids", "own", "models", "relabels"),
    [
        ("", (11, 21), False, ("apparmor",), True),
        ("<seclabel type='none' model='apparmor'/>", (11, 21), False, (), True),
        ("<seclabel type='none'/>", (11, 21), False, (), True),
        ("<seclabel type='none' model='dac'/>", (11, 21), False, ("apparmor",), True),
        (
            "<seclabel type='static' model='dac' relabel='no'><label>+0:+7</label></seclabel>",
            (0, 7), True, ("apparmor",), False,
        ),
        (
            "<seclabel type='static' model='dac' relabel='yes'><label>root:7</label></seclabel>",
            (0, 7), True, ("apparmor",), True,
        ),
        (
            "<seclabel type='dynamic' model='dac' relabel='yes'><label>+5:+5</label></seclabel>",
            (11, 21), False, ("apparmor",), True,
        ),
    ],
)  # fmt: skip
def test_as_whom_qemu_runs(
    labels: str, ids: tuple[int, int], own: bool, models: tuple[str, ...], relabels: bool
) -> None:
    pytest.importorskip("libvirt")
    domain = domain_of(member("/a"), outer=labels)
    found = process_of(Answers("qemu:///system", CAPABILITIES), domain, PRIVILEGED)
    assert (found.uid, found.gid) == ids
    assert (found.own_label, found.models, found.relabels) == (own, models, relabels)


def test_names_of_another_machine_are_not_known_here() -> None:
    pytest.importorskip("libvirt")
    far = Where(here=False, host="far", privileged=True, configuration="")
    label = "<seclabel type='static' model='dac' relabel='no'><label>{}</label></seclabel>"
    connection = Answers("qemu+ssh://far/system", CAPABILITIES)
    numbers = domain_of(member("/a"), outer=label.format("+1:+2"))
    found = process_of(connection, numbers, far)
    assert (found.uid, found.gid, found.groups) == (1, 2, (2,))
    with pytest.raises(ValueError, match="'root' is known on 'far' only"):
        process_of(connection, domain_of(member("/a"), outer=label.format("root:root")), far)


def test_without_the_dac_model_qemu_is_who_libvirt_is() -> None:
    pytest.importorskip("libvirt")
    bare = "<capabilities><host><secmodel><model>none</model></secmodel></host></capabilities>"
    domain = domain_of(member("/a"))
    session = Where(here=True, host="", privileged=False, configuration="")
    found = process_of(Answers("qemu:///session", bare), domain, session)
    assert (found.uid, found.gid) == (os.getuid(), os.getgid())
    found = process_of(Answers("qemu:///system", bare), domain, PRIVILEGED)
    assert (found.uid, found.gid, found.groups[0]) == (0, 0, 0)


@pytest.mark.parametrize("model", ["apparmor", "selinux"])
def test_confinement_is_a_warning(model: str) -> None:
    process = QemuProcess(uid=1, gid=1, groups=(1,), models=(model, "unheard-of"))
    found = [Opening("vda", path, "file", "rw") for path in ("/a", "/b")]
    (one,) = confined_results(found, process)
    assert one.severity is Severity.WARNING
    assert "whether it lets QEMU open '/a' and 1 more was not looked at" in one.message
    assert any(f"<seclabel type='none' model='{model}'/>" in way for way in one.ways)
    assert list(confined_results([], process)) == []


# qemu.conf


def test_a_configuration(tmp_path: Path) -> None:
    place = tmp_path / "qemu.conf"
    assert Configuration.of(str(place)) == Configuration(path=str(place))
    place.write_text(
        '#namespaces = [ ]\n#cgroup_device_acl = [ "/dev/x" ]\n#dynamic_ownership = 0\n'
    )
    assert Configuration.of(str(place)) == Configuration(path=str(place))
    place.write_text(
        'namespaces = [ ]\ncgroup_device_acl = [\n  "/dev/null",\n#  "/dev/no",\n  "/dev/a b"\n]\n'
        "dynamic_ownership = 0\n"
    )
    assert Configuration.of(str(place)) == Configuration(
        path=str(place), namespace=False, devices=("/dev/null", "/dev/a b"),
        dynamic_ownership=False,
    )  # fmt: skip
    place.write_text('namespaces = [ "mount" ]\n')
    assert Configuration.of(str(place)).namespace
    assert Configuration.of(str(tmp_path)) == Configuration(path=str(tmp_path), read=False)
    shipped = Path("/etc/libvirt/qemu.conf")
    with suppress(OSError):
        text = shipped.read_text()
        for device in DEVICES:
            assert f'"{device}"' in text


# What is opened


def test_what_a_disk_opens() -> None:
    domain = domain_of(
        member("/a.qcow2", "qcow2", member("/base", below="<backingStore/>")),
        "<backingStore type='block'><format type='raw'/><source dev='/dev/b'/></backingStore>",
        "<backingStore type='quorum' threshold='1'>" + member("/c") + "</backingStore>",
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='x'>"
        "<host transport='unix' socket='/s'/></source></backingStore>",
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='x'>"
        "<host name='far' port='1'/></source></backingStore>",
    )
    (lowering,) = lowered(domain)
    assert set(openings(lowering)) == {
        Opening("vda", "/a.qcow2", "file", "rw"),
        Opening("vda", "/base", "file", "r"),
        Opening("vda", "/dev/b", "device", "rw"),
        Opening("vda", "/c", "file", "rw"),
        Opening("vda", "/s", "socket", "rw"),
    }
    (lowering,) = lowered(domain_of(member("/a"), disk="<readonly/>"))
    assert openings(lowering) == [Opening("vda", "/a", "file", "r")]


# Permissions: worked out, and asked


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A directory that anybody may enter, as those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="vq-") as folder:
        os.chmod(folder, 0o711)  # noqa: S103
        yield Path(folder)


@needs_root
@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_is_worked_out_is_what_the_system_says(open_folder: Path, data: st.DataObject) -> None:
    """Modes and access control lists of a directory, a file in it and links, for any user."""
    ids = st.sampled_from([0, 1, 2, 3])
    bits = st.integers(0, 7)
    folder = open_folder / os.urandom(6).hex()
    folder.mkdir(mode=0o755)
    asked: list[tuple[str, str]] = []
    for number in range(12):
        inside = folder / f"d{number}"
        inside.mkdir()
        file = image(inside / "f", 0)
        (folder / f"l{number}").symlink_to(f"d{number}/../d{number}/f")
        for place in (file, inside):
            os.chown(place, data.draw(ids), data.draw(ids))
            place.chmod(data.draw(st.integers(0, 0o777)))
            if data.draw(st.booleans()):
                users, groups = (data.draw(st.dictionaries(ids, bits, max_size=3)) for _ in "ug")
                grant(place, users, groups, mask=data.draw(bits))
        wanted = data.draw(st.sampled_from(["r", "rw"]))
        asked += [(str(file), wanted), (str(folder / f"l{number}"), wanted), (str(inside), "x")]
    more = tuple(data.draw(st.lists(ids, max_size=2)))
    process = QemuProcess(uid=data.draw(ids), gid=data.draw(ids), groups=more)
    told = refusals(asked, process)
    assert told == [_worked_out(path, wanted, process) for path, wanted in asked]


def grant(place: Path, users: dict[int, int], groups: dict[int, int], mask: int) -> None:
    mode = place.stat().st_mode
    entries = [
        (0x01, mode >> 6 & 7, 0xFFFFFFFF),
        *((0x02, bits, uid) for uid, bits in sorted(users.items())),
        (0x04, mode >> 3 & 7, 0xFFFFFFFF),
        *((0x08, bits, gid) for gid, bits in sorted(groups.items())),
        (0x10, mask, 0xFFFFFFFF),
        (0x20, mode & 7, 0xFFFFFFFF),
    ]
    packed = b"".join(struct.pack("<HHI", *one) for one in entries)
    try:
        os.setxattr(place, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")


def test_links_are_followed_and_counted(tmp_path: Path) -> None:
    here = os.path.realpath(tmp_path)
    (tmp_path / "round").symlink_to("about")
    (tmp_path / "about").symlink_to("round")
    assert first_refusal(f"{here}/round", "r", os.access) == Refusal(f"{here}/round", "links")
    (tmp_path / "gone").symlink_to("/no/such/place")
    assert first_refusal(f"{here}/gone", "r", os.access) == Refusal("/no", "missing")
    image(tmp_path / "file")
    assert first_refusal(f"{here}/./file", "rw", os.access) is None
    below = f"{here}/file/below"
    refusal = first_refusal(below, "r", os.access)
    assert refusal is not None
    assert refusal.place in (f"{here}/file", below)


def test_what_is_wrong_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to("round")
    names = [str(tmp_path / "round"), str(tmp_path / "gone"), "/sys/kernel"]
    found = [Opening("vda", one, "file", "r") for one in names]
    results = list(access_results(found, [], MINE, given=True))
    assert [one.kind for one in results] == ["access", "missing"]
    assert "in a circle" in results[0].message


@needs_root
def test_a_file_system_that_is_mounted_read_only(tmp_path: Path) -> None:
    place = image(tmp_path / "image")
    program = (
        "import subprocess, sys\n"
        "folder, place = sys.argv[1:]\n"
        "subprocess.run(['mount', '--bind', folder, folder], check=True)\n"
        "subprocess.run(['mount', '-o', 'remount,bind,ro', folder], check=True)\n"
        "from virtquorum.host.checks.access import access_results\n"
        "from virtquorum.host.checks.openings import Opening\n"
        "from virtquorum.host.checks.process import QemuProcess\n"
        "process = QemuProcess(uid=0, gid=0, groups=(0,))\n"
        "for wanted in ('r', 'rw'):\n"
        "    found = [Opening('vda', place, 'file', wanted)]\n"
        "    for one in access_results(found, [], process, given=True):\n"
        "        print(wanted, one)\n"
    )
    argv = ["unshare", "--mount", "--propagation", "private", "--", sys.executable, "-c", program]
    done = subprocess.run([*argv, tmp_path, place], check=False, capture_output=True, text=True)
    if "Operation not permitted" in done.stderr:
        pytest.skip(done.stderr)
    assert done.stderr == ""
    assert done.stdout == (
        f"rw disk 'vda': image '{place}': the file system of '{place}' is mounted read-only; mount "
        "it for writing (mount -o remount,rw), or make the disk <readonly/>\n"
    )


# What images hold


def looked_into(*members: str, disk: str = "") -> list[CheckResult]:
    (lowering,) = lowered(domain_of(*members, disk=disk))
    return contents([lowering.disk], Volumes(None, remote=False)).results


@needs_qemu_img
def test_sizes_are_compared_in_sectors(tmp_path: Path) -> None:
    sizes = (SIZE, SIZE - 511, SIZE, SIZE // 2, SIZE * 2)
    places = [image(tmp_path / f"{count}", size) for count, size in enumerate(sizes)]
    assert looked_into(*map(member, places[:3])) == []
    results = looked_into(*map(member, places))
    assert {(one.path, one.kind) for one in results} == {
        (str(places[3]), "size"), (str(places[4]), "size"),
    }  # fmt: skip
    assert any("qemu-img resize' it to 1048576" in way for one in results for way in one.ways)
    # A nested quorum has the size of its members.
    nested = f"<backingStore type='quorum' threshold='1'>{member(places[4])}</backingStore>"
    (one,) = looked_into(member(places[0]), member(places[2]), nested)
    assert (one.path, "member 2 has 2,097,152 bytes" in one.message) == (None, True)


@needs_qemu_img
def test_formats_are_those_that_are_written(tmp_path: Path) -> None:
    plain = image(tmp_path / "plain")
    made = tmp_path / "made"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", made, str(SIZE)], check=True)
    (one,) = looked_into(member(plain, "qcow2"))
    assert (one.severity, one.kind) == (Severity.ERROR, "format")
    assert "Image is not in qcow2 format" in one.message
    results = looked_into(member(made))
    assert [(one.severity, one.kind) for one in results] == [(Severity.WARNING, "format")]
    assert "begins as a 'qcow2' image does" in results[0].message
    assert looked_into(member(made, "qcow2"), member(plain)) == []
    damaged = image(tmp_path / "damaged", SIZE, b"QFI\xfb\0\0\0\x03" + b"\xff" * 400)
    (one,) = looked_into(member(damaged, "qcow2"))
    assert one.ways == ("bring it back from a backup, or make it anew",)


@needs_qemu_img
def test_an_image_of_another_format_has_another_size_because_of_that(tmp_path: Path) -> None:
    good = [image(tmp_path / name) for name in ("a", "b")]
    made = tmp_path / "made"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", made, str(SIZE)], check=True)
    size = -(-made.stat().st_size // 512) * 512
    (one,) = looked_into(*map(member, [*good, made]))
    assert str(one) == (
        f"disk 'vda': image '{made}': its format is said to be 'raw', and it begins as a 'qcow2' "
        f"image does: so member 2 has {size:,} bytes, and the others {SIZE:,}, and the quorum does "
        "not start; write type='qcow2', if nobody but you could have written it"
    )
    assert (one.severity, one.kind) == (Severity.ERROR, "format")
    # However many they are, the size of the others is the right one.
    copy = tmp_path / "copy"
    copy.write_bytes(made.read_bytes())
    results = looked_into(*map(member, [made, good[0], copy]))
    assert {(one.kind, one.path) for one in results} == {
        ("format", str(made)), ("format", str(copy)),
    }  # fmt: skip
    assert all(f"and the others {SIZE:,}, and" in one.message for one in results)
    # One of the very same size is a warning still.
    os.truncate(made, SIZE)
    (one,) = looked_into(*map(member, [*good, made]))
    assert (one.severity, one.kind) == (Severity.WARNING, "format")


@needs_qemu_img
def test_a_format_above_the_quorum_is_opened_with_it(tmp_path: Path) -> None:
    made = tmp_path / "made"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", made, str(SIZE)], check=True)
    os.truncate(made, 4 * SIZE)
    other = image(tmp_path / "other", 4 * SIZE)
    for paths, kinds in (((made, made), []), ((made, other, made), []), ((other,), ["format"])):
        domain = domain_of(*map(member, paths)).text.replace("type='quorum'/>", "type='qcow2'/>")
        disks = Domain.from_text(domain).machine_disks
        results = contents(disks, Volumes(None, remote=False)).results
        assert [one.kind for one in results] == kinds
    assert str(results[0]) == (
        "disk 'vda': what the members of the quorum hold cannot be opened as 'qcow2', the format "
        "above it: Image is not in qcow2 format; write type='quorum' there, if the members hold "
        "the guest's disk itself, or look at how the members differ"
    )
    assert results[0].severity is Severity.ERROR


@needs_qemu_img
def test_backing_files_of_headers_are_followed(tmp_path: Path) -> None:
    lowest = image(tmp_path / "lowest")
    names = [tmp_path / "middle", tmp_path / "upper"]
    below, format = lowest, "raw"
    for one in names:
        argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", below.name, "-F", format, one.name]
        subprocess.run(argv, check=True, cwd=tmp_path)
        below, format = one, "qcow2"
    (lowering,) = lowered(domain_of(member(names[1], "qcow2")))
    seen = contents([lowering.disk], Volumes(None, remote=False))
    assert [one.path for one in seen.openings] == [str(names[0]), str(lowest)]
    assert {one.wanted for one in seen.openings} == {"r"}
    (lowering,) = lowered(domain_of(member(names[1], "qcow2", "<backingStore/>")))
    assert contents([lowering.disk], Volumes(None, remote=False)).openings == []


@needs_qemu_img
def test_files_that_only_the_header_above_a_quorum_names(tmp_path: Path) -> None:
    base, made, data = image(tmp_path / "base"), tmp_path / "made", tmp_path / "data"
    for words in (("-b", base, "-F", "raw"), ("-o", f"data_file={data}")):
        made.unlink(missing_ok=True)
        argv = ["qemu-img", "create", "-q", "-f", "qcow2", *words, made, str(SIZE)]
        subprocess.run(argv, check=True)
        os.truncate(made, 4 * SIZE)
        text = domain_of(member(made)).text.replace("type='quorum'/>", "type='qcow2'/>")
        domain = Domain.from_text(text)
        seen = contents(domain.machine_disks, Volumes(None, remote=False))
        assert seen.results == []
        wanted = ("base", "r") if "-b" in words else ("data", "rw")
        assert [(Path(one.path).name, one.wanted) for one in seen.openings] == [wanted]
        problems = [
            (rule.code, problem.message) for rule, problem in image_problems(domain.machine_disks)
        ]
        assert problems == [
            (
                "VQ505",
                f"the 'qcow2' that the members hold names the file '{tmp_path / wanted[0]}' in its "
                "header, of which the document cannot say anything",
            )
        ]


@needs_qemu_img
def test_a_data_file_that_only_a_header_names(tmp_path: Path) -> None:
    made = tmp_path / "made"
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=data", made.name, str(SIZE)]
    subprocess.run(argv, check=True, cwd=tmp_path)
    for more, wanted in (("", "rw"), ("<readonly/>", "r")):
        (disk,) = domain_of(member(made, "qcow2"), disk=more).machine_disks
        seen = contents([disk], Volumes(None, remote=False))
        assert seen.openings == [Opening("vda", f"{tmp_path}/data", "file", wanted)]


def test_without_qemu_img(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (one,) = looked_into(member(image(tmp_path / "a")))
    assert one.severity is Severity.WARNING
    assert "qemu-img is not installed" in one.message


# Locks


@needs_qemu_img
def test_locks_of_another_process(tmp_path: Path) -> None:
    place = image(tmp_path / "image")
    with subprocess.Popen(
        ["qemu-io", "-f", "raw", place], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"read 0 512\n")
        program.stdin.flush()
        while b"ops" not in program.stdout.readline():  # it has opened the image now
            pass
        assert is_locked(str(place), writable=True)
        assert is_locked(str(place), writable=False)
        program.stdin.close()
    assert not is_locked(str(place), writable=True)
    assert not is_locked(str(tmp_path / "gone"), writable=True)


# Elsewhere


@needs_qemu_img
def test_on_another_machine_libvirts_volumes_tell(
    libvirt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pool"
    folder.mkdir()
    places = [image(folder / name) for name in ("a", "b")]
    small = image(folder / "small", SIZE // 2)
    pool = libvirt.storagePoolDefineXML(described("dir", folder))
    pool.create()
    try:
        far = Where(here=False, host="far.example", privileged=True, configuration="/none")
        monkeypatch.setattr(checks, "where", lambda _: far)
        outside = image(tmp_path / "outside")
        domain = domain_of(*map(member, (*places, small, outside)))
        results = check_images(libvirt, domain, lowered(domain))
        said = [(one.severity, one.kind, one.path) for one in results]
        assert said == [
            (Severity.ERROR, "size", str(small)),
            *((Severity.WARNING, "access", str(one)) for one in (*places, small)),
            (Severity.NOTE, "elsewhere", str(outside)),
        ]
        assert "on 'far.example' it is of user 0 and group 0, mode 0644" in results[1].message
        assert "it is on 'far.example', and in no active pool there" in results[-1].message
    finally:
        pool.destroy()
        pool.undefine()


@needs_qemu_img
def test_volumes_have_the_sizes_that_pools_know(libvirt: Any, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    folder.mkdir()
    image(folder / "v", SIZE // 2)
    pool = libvirt.storagePoolDefineXML(described("dir", folder))
    pool.create()
    try:
        source = f"<source pool='{pool.name()}' volume='v'/>"
        volume = f"<backingStore type='volume'><format type='raw'/>{source}</backingStore>"
        disks = list(
            domain_of(member(image(tmp_path / "a")), member(image(tmp_path / "b")), volume).disks
        )
        (one,) = contents(disks, Volumes(libvirt, remote=False)).results
        assert "member 2 has 524,288 bytes" in one.message
    finally:
        pool.destroy()
        pool.undefine()


def test_nothing_is_asked_of_no_disks(libvirt: Any) -> None:
    found: Sequence[CheckResult] = check_images(libvirt, domain_of(member("/a")), [])
    assert found == []


# One image with two votes


def twice(*members: str, here: bool = True, volumes: Any = None) -> list[CheckResult]:
    disks = domain_of(*members).machine_disks
    return list(twice_results(disks, volumes or Volumes(None, remote=not here), here=here))


def test_an_image_that_votes_twice(tmp_path: Path) -> None:
    a, b = image(tmp_path / "a"), image(tmp_path / "b")
    (tmp_path / "soft").symlink_to("a")
    (tmp_path / "hard").hardlink_to(a)
    assert twice(member(a), member(b), member(tmp_path / "no"), member(tmp_path / "none")) == []
    for name in ("soft", "hard"):
        (one,) = twice(member(a), member(b), member(tmp_path / name))
        assert (one.severity, one.kind, one.path) == (
            Severity.ERROR, "twice", str(tmp_path / name),
        )  # fmt: skip
    assert str(one) == (
        f"disk 'vda': image '{tmp_path}/hard': is the same image as '{a}', another member of the "
        "quorum: it has two votes, and can win with them alone when it is bad; give each member an "
        "image of its own, or leave one of the two out"
    )
    (one,) = twice(member(a), member(a))
    assert one.message.startswith("is a member of the quorum twice: ")
    # In quorums of the quorum.
    inner = (
        "<backingStore type='quorum' threshold='1'><format type='quorum'/>"
        f"{member(tmp_path / 'hard')}</backingStore>"
    )
    assert [one.path for one in twice(inner, member(a))] == [str(a)]
    # Parts of a file that do not overlap are two images.
    part = "'><slices><slice type='storage' offset='{}' size='512'/></slices></source>"
    parts = [
        member(f"{a}{part.format(at)}").replace("</source>'/>", "</source>") for at in (0, 512)
    ]
    assert twice(*parts) == []
    assert len(twice(parts[0], member(tmp_path / "hard"))) == 1
    # Elsewhere a name is all there is.
    assert len(twice(member("/x/./a"), member("/x/a"), here=False)) == 1
    assert twice(member(a), member(tmp_path / "hard"), here=False) == []


def test_devices_under_two_names_are_one(tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to("/dev/null")
    devices = [
        f"<backingStore type='block'><format type='raw'/><source dev='{place}'/></backingStore>"
        for place in ("/dev/null", tmp_path / "alias", "/dev/zero")
    ]
    assert [one.path for one in twice(*devices)] == [str(tmp_path / "alias")]


def test_a_volume_is_the_file_that_it_is(tmp_path: Path) -> None:
    class Known(Volumes):
        def of(self, image: Any) -> Volume:
            return Volume(SIZE, path=str(tmp_path / "a"))

    image(tmp_path / "a")
    volume = (
        "<backingStore type='volume'><format type='raw'/><source pool='p' volume='a'/>"
        "</backingStore>"
    )
    (one,) = twice(member(tmp_path / "a"), volume, volumes=Known(None, remote=False))
    assert one.path == "p/a"


@needs_qemu_img
def test_a_start_with_one_image_twice_is_refused(libvirt: Any, tmp_path: Path) -> None:
    image(tmp_path / "a")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    domain = domain_of(member(tmp_path / "a"), member(tmp_path / "b"), disk="<readonly/>")
    results = check_images(libvirt, domain, lowered(domain))
    assert "twice" in {one.kind for one in results if one.severity is Severity.ERROR}
    assert refused(results)
