"""Connections and domains as the API has them, and a libvirtd that goes away or is shared."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web, with_uuid
from tests.libvirts import asked, embed, missing_for_embed, missing_for_system, system
from tests.libvirts.domains import disk_xml
from virtquorum.errors import HostError, LibvirtError
from virtquorum.host import connect
from virtquorum.host.placeholders import SENTENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import System

by_system = pytest.mark.skipif(missing_for_system() is not None, reason=str(missing_for_system()))
embedded = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"


@pytest.fixture(scope="module")
def daemon() -> Iterator[System]:
    with system() as bench:
        yield bench


def test_a_domain_by_id_uuid_and_name() -> None:
    pytest.importorskip("libvirt")
    with connect("test:///default") as host:
        assert (host.driver, host.is_local, host.root) == ("TEST", True, None)
        for word in ("1", UUID, UUID.upper(), "test"):
            domain = host.domain(word)
            assert (domain.name, domain.uuid, domain.id) == ("test", UUID, 1)
        assert (domain.state, domain.is_active, domain.is_paused) == ("running", True, False)
        assert (domain.is_persistent, domain.is_lowered(), domain.quorum_disks()) == (
            True, False, [],
        )  # fmt: skip
        assert [one.name for one in host.domains()] == host.names() == ["test"]
        assert host.domains(active=False) == []
        assert host.domains(active=False, inactive=False) == []
        with pytest.raises(LibvirtError, match="did you mean 'test'") as caught:
            host.domain("tset")
        assert caught.value.code == 42
        with pytest.raises(LibvirtError, match="virsh list --all"):
            host.domain("99999999999")
        with pytest.raises(HostError, match="drops what belongs to QEMU"):
            host.need_qemu()
        domain.handle.destroy()
        assert (domain.id, domain.state) == (None, "shut off")


class Elsewhere:
    """A connection that says what it is."""

    def __init__(self, uri: str, driver: str = "QEMU", version: int = 9_000_000) -> None:
        self._said = {"getURI": uri, "getType": driver, "getLibVersion": version}
        self._said["getHostname"] = "here"

    def __getattr__(self, name: str) -> Any:
        return lambda: self._said[name]


@pytest.mark.parametrize(
    ("uri", "is_local", "directory"),
    [
        ("qemu:///system", True, "/var/lib/libvirt/virtquorum"),
        ("qemu+unix:///system?socket=/s", True, "/var/lib/libvirt/virtquorum"),
        ("qemu:///session", True, "/data/libvirt/virtquorum"),
        ("qemu+ssh://root@far/system", False, "/var/lib/libvirt/virtquorum"),
        ("qemu+ssh:///system", False, "/var/lib/libvirt/virtquorum"),
        ("qemu+ssh://far/session", False, ""),
        ("qemu://far/system", False, "/var/lib/libvirt/virtquorum"),
        ("qemu:///embed?root=/r", True, "/r/virtquorum"),
    ],
)
def test_where_files_are(
    uri: str, is_local: bool, directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("libvirt")
    from virtquorum.host.session import Host

    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    host = Host(Elsewhere(uri))
    assert (host.is_local, host.placeholder_directory) == (is_local, directory)
    host.need_qemu()


@pytest.mark.parametrize(
    ("driver", "version", "said"),
    [
        ("LXC", 9_000_000, "it is the LXC driver's, and only QEMU has quorum disks"),
        ("QEMU", 8_001_000, "this is libvirt 8.1.0; upgrade it"),
    ],
)
def test_what_has_no_quorum_disks(driver: str, version: int, said: str) -> None:
    pytest.importorskip("libvirt")
    from virtquorum.host.session import Host

    with pytest.raises(HostError, match=said):
        Host(Elsewhere("any:///system", driver, version)).need_qemu()


@by_system
def test_the_api(daemon: System) -> None:
    """A definition is planned, looked at, and made; libvirt's errors keep their number."""
    from virtquorum.host.change import ChangeError, apply
    from virtquorum.host.define import InvalidError, plan_definition
    from virtquorum.host.undefine import plan_undefine
    from virtquorum.xml.domain import Domain

    path = web(daemon, "api", quorum_disk("vda", members(daemon, "api")))
    directory = str(daemon.root / "placeholders")
    with connect(daemon.uri) as host:
        domain = Domain.from_bytes(path.read_bytes(), str(path))
        definition = plan_definition(host, domain, directory=directory)
        assert definition.existing is None
        assert [step.title.split(" '")[0] for step in definition.plan.steps] == [
            "make the placeholder", "define", "find the quorum disks in libvirt's definition of",
        ]  # fmt: skip
        assert definition.plan.to_json()["domain"] == "api"
        assert apply(definition.plan) is None
        found = host.domain("api")
        assert [one.name for one in found.quorum_disks(inactive=True)] == ["vda"]
        assert found.lifted(inactive=True).disk("vda").image == domain.disk("vda").image
        file = Path(directory) / "api-vda.placeholder"
        assert (file.stat().st_uid, file.stat().st_gid) == daemon.owner
        assert file.read_bytes().startswith(SENTENCE)
        wrong = Domain.from_bytes(path.read_bytes().replace(b"threshold='2'", b"threshold='9'"))
        with pytest.raises(InvalidError) as caught:
            plan_definition(host, wrong)
        assert [one.rule for one in caught.value.findings] == ["VQ105"]
        apply(plan_undefine(found))
        assert not file.exists()
        odd = Domain.from_bytes(path.read_bytes().replace(b"machine='q35'", b"machine='none-such'"))
        with pytest.raises(ChangeError) as refused:
            apply(plan_definition(host, odd, directory=directory, checked=True).plan)
        assert (refused.value.state, refused.value.code is None) == ("old", False)
        assert not file.exists()


def nobody(bench: System, *argv: str | Path) -> subprocess.CompletedProcess[str]:
    """What the command says to a user who owns nothing."""
    # What a user may not read may be where Python is: it is imported before.
    program = (
        "import importlib, json, os, pkgutil, sys, tempfile, libvirt, libvirt_qemu, virtquorum\n"
        "for one in pkgutil.walk_packages(virtquorum.__path__, 'virtquorum.'):\n"
        "    importlib.import_module(one.name)\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.argv[0] = 'virtquorum'\n"
        "from virtquorum.__main__ import run\n"
        "run()"
    )
    done = bench.run(sys.executable, "-c", program, *argv, LIBVIRT_LOG_OUTPUTS="")
    assert "Traceback" not in done.stderr, done.stderr
    return done


@by_system
def test_a_user_who_may_not_look_at_a_placeholder_that_is_there(daemon: System) -> None:
    """The directory of libvirt lets everybody in, and nobody look around; it has no pool."""
    path = web(daemon, "seen", quorum_disk("vda", members(daemon, "seen")))
    directory = daemon.root / "unseen"
    define = ("define", "--no-checks", "--placeholder-dir", directory, path)
    assert virtquorum(daemon, *define).code == 0
    file = directory / "seen-vda.placeholder"
    assert (directory.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o711, 0o600)
    shown = nobody(daemon, "start", "--dry-run", "--no-checks", "seen")
    assert (shown.returncode, "make the placeholder" in shown.stdout) == (0, False)
    for argv in (("start", "--no-checks", "--paused", "seen"), ("destroy", "seen")):
        done = nobody(daemon, *argv)
        assert (done.returncode, done.stderr) == (0, "")
    with_uuid(daemon, "seen", path).chmod(0o644)
    done = nobody(daemon, "define", "--no-checks", path)
    assert (done.returncode, done.stderr) == (0, "")
    daemon.virsh("undefine", "seen")
    done = nobody(daemon, *define)
    assert done.returncode == 1
    assert f"'{file}' is there, and this user may not look whether it is a placeholder" in (
        done.stderr
    )
    file.unlink()


@by_system
def test_a_user_for_whom_libvirt_makes_the_placeholders(daemon: System) -> None:
    """In a pool of their directory, as it does on another machine."""
    path = web(daemon, "pool", quorum_disk("vda", members(daemon, "pool")))
    path.chmod(0o644)
    directory = daemon.root / "pool"
    directory.mkdir(mode=0o711)
    define = ("define", "--no-checks", "--placeholder-dir", directory, path)
    refused = nobody(daemon, *define)
    assert refused.returncode == 1
    assert f"this user may not write to '{directory}'" in refused.stderr
    assert "pool-define-as virtquorum dir" in refused.stderr
    daemon.virsh("pool-create-as", "virtquorum", "dir", "--target", directory)
    done = nobody(daemon, *define)
    assert (done.returncode, done.stderr) == (0, "")
    file = directory / "pool-vda.placeholder"
    assert (file.stat().st_uid, file.stat().st_size) == (0, 4 << 20)
    assert file.read_bytes().startswith(SENTENCE)
    assert nobody(daemon, "start", "--no-checks", "--paused", "pool").returncode == 0
    assert nobody(daemon, "destroy", "pool").returncode == 0
    done = nobody(daemon, "undefine", "pool")
    assert (done.returncode, done.stderr) == (0, "")
    assert not file.exists()
    daemon.virsh("pool-destroy", "virtquorum")


@by_system
def test_somebody_else_changes_a_definition_while_it_is_edited(daemon: System) -> None:
    """The other's change is not lost in silence."""
    path = web(daemon, "both", quorum_disk("vda", members(daemon, "both")))
    directory = daemon.root / "placeholders"
    done = virtquorum(daemon, "define", "--no-checks", "--placeholder-dir", directory, path)
    assert done.code == 0, done.err
    editor = daemon.folder / "editor.py"
    editor.write_text(
        "import subprocess, sys\n"
        "text = open(sys.argv[1]).read()\n"
        "open(sys.argv[1], 'w').write(text.replace(\"threshold='2'\", \"threshold='3'\"))\n"
        "subprocess.run(['virsh', 'desc', '--config', 'both', 'somebody was here'], check=True)\n"
    )
    command = f"{sys.executable} {editor}"
    done = virtquorum(daemon, "edit", "both", input="n\n", EDITOR=command, VISUAL="")
    assert done.code == 1
    assert "somebody else has changed the definition of 'both' meanwhile" in done.err
    Path(done.err.rpartition("kept in ")[2].strip()).unlink()
    assert "somebody was here" in daemon.virsh("dumpxml", "both")
    assert "threshold='2'" in virtquorum(daemon, "dumpxml", "both").out
    done = virtquorum(daemon, "edit", "both", input="f\n", EDITOR=command, VISUAL="")
    assert done.code == 0, done.err
    assert "threshold='3'" in virtquorum(daemon, "dumpxml", "both").out
    daemon.virsh("undefine", "both")


@by_system
def test_a_daemon_that_goes_away(daemon: System) -> None:
    """While a guest is waited for: one line, and no traceback."""
    daemon.call(asked.create, web_text(daemon, "lost"))
    daemon.leave()
    ours, terminal = os.openpty()
    argv = [sys.executable, "-m", "virtquorum", "shutdown", "--timeout", "60", "lost"]
    environment = {**os.environ, **daemon.environment()}
    with subprocess.Popen(argv, env=environment, stderr=terminal, stdout=terminal) as process:
        os.close(terminal)
        said = b""
        while b"waiting for" not in said:
            said += os.read(ours, 1000)
        daemon.kill()
        code = process.wait(60)
    with closing(open(ours, "rb", buffering=0)) as rest:
        try:
            while part := rest.read(1000):
                said += part
        except OSError:  # a terminal whose other side is closed
            pass
    assert code == 3
    assert b"Traceback" not in said
    assert b"libvirt has gone away: start its daemon again" in said
    gone = virtquorum(daemon, "list")
    assert (gone.code, "start the daemon" in gone.err) == (3, True)
    daemon.start()
    assert virtquorum(daemon, "destroy", "lost").code == 0


def web_text(bench: System, name: str) -> str:
    """A domain without a quorum, from a plain disk."""
    return web(bench, name, disk_xml("vda", bench.image(f"{name}.raw"))).read_text()


@embedded
def test_an_embedded_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a root, and no volumes; LIBVIRT_DEFAULT_URI may name it."""
    with embed() as bench:
        program = (
            "import virtquorum.host\n"
            "with virtquorum.host.connect() as host:\n"
            "    print(host.uri, host.root, host.lookup, host.version[0] > 7, host.name != '')"
        )
        done = bench.run(sys.executable, "-c", program)
        assert done.stdout == f"{bench.uri} {bench.root} None True True\n", done.stderr
        chosen = bench.run(
            sys.executable, "-c", program, VIRSH_DEFAULT_CONNECT_URI="test:///default"
        )
        assert chosen.stdout.startswith("test:///default None <")


def test_the_root_of_an_embedded_driver_is_absolute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(HostError) as caught,
        connect("qemu:///embed?root=relative"),
    ):
        raise AssertionError
    assert str(caught.value) == (
        "the connection 'qemu:///embed?root=relative': the root directory of an embedded libvirt "
        f"is an absolute path; 'qemu:///embed?root={tmp_path}/relative', say"
    )
    assert list(tmp_path.iterdir()) == []


@embedded
def test_the_log_of_an_embedded_driver_is_put_aside() -> None:
    with embed() as bench:
        log, old = bench.root / "virtquorum.log", bench.root / "virtquorum.log.1"
        log.write_bytes(b"x" * (1 << 20))
        for size, is_old in ((1 << 20, False), ((1 << 20) + 1, True), (0, True)):
            with log.open("ab") as file:
                file.truncate(size)
            done = bench.virtquorum("list", LIBVIRT_LOG_OUTPUTS="")
            assert done.returncode == 0, done.stderr
            assert old.exists() is is_old
        assert old.stat().st_size == (1 << 20) + 1
        assert log.stat().st_size < 1 << 20
