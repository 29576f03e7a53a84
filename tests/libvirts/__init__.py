"""libvirts that tests start, ask, restart and kill: `embed()` and `system()`.

::

    with embed() as bench:                           # or system()
        image = bench.image("a.raw", content=disk_content(b"hello"))
        bench.call(asked.create, guest_xml(bench, "g", disk_xml("vda", image)))
        guest = Guest(bench, "g")
        guest.booted()                               # the lines it said until 'ready'
        guest.read(DATA).first                       # b'hello...'
        bench.restart()
        bench.looked_up("g")["drives"]               # {'ua-vda': 'libvirt-1-format'}

Nothing of them outlives the block, nor the test's process however that ends.
"""

from __future__ import annotations

import atexit
import os
import pwd
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests import guests
from tests.host.private_libvirtd import PLACES
from tests.libvirts import asked, domains
from tests.libvirts.bench import Bench, Embed, System, copy_cache
from tests.libvirts.client import CallError, GoneError
from tests.libvirts.guest import Guest
from tests.libvirts.held import holder
from tests.servers.process import lacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = [
    "Bench", "CallError", "Embed", "GoneError", "Guest", "System", "asked", "domains", "embed",
    "missing_for_embed", "missing_for_system", "system",
]  # fmt: skip

#: Debian's and Fedora's users for QEMU.
_USERS: Final = ("libvirt-qemu", "qemu")

# No AppArmor and no SELinux, so that tests are the same everywhere; owners are always labelled.
# No control groups: libvirt leaves some of this machine's behind.
_EMBED = """\
user = "root"
group = "root"
stdio_handler = "file"
cgroup_controllers = []
security_driver = "none"
"""
_SYSTEM = """\
user = "{user}"
group = "{group}"
cgroup_controllers = []
security_driver = "none"
"""
_LIBVIRTD = """\
unix_sock_dir = "{root}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:{root}/libvirtd.log"
"""


def missing_for_embed() -> str | None:
    """Why no guest can be run on the embedded driver here, None where one can."""
    if find_spec("libvirt") is None:
        return "libvirt-python is not installed"
    if os.geteuid() != 0:
        return "the embedded driver is tried as root"
    programs = lacks("qemu-system-x86_64", "virsh", *guests.NEEDED)
    return f"not installed: {', '.join(programs)}" if programs else None


def missing_for_system() -> str | None:
    """Why no libvirtd with guests of another user can be run here, None where one can."""
    programs = lacks("libvirtd", "virtlogd", "unshare", "mount")
    if programs:
        return f"not installed: {', '.join(programs)}"
    places = [place for place in PLACES if not Path(place).is_dir()]
    if places:
        return f"no libvirt lives here: there is no {', '.join(places)}"
    if _user() is None:
        return f"no user for QEMU: {', '.join(_USERS)}"
    return missing_for_embed() or _missing_for_another_user()


@cache
def _missing_for_another_user() -> str | None:
    place = Path(tempfile.gettempdir()).resolve()
    closed = [str(one) for one in (place, *place.parents) if not one.stat().st_mode & 0o001]
    if closed:
        return f"QEMU's user may not enter {', '.join(closed)}"
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "--", "mount", "--bind", "/run", "/run"],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return None if done.returncode == 0 else f"no mount namespace: {done.stderr.strip()}"


def _user() -> pwd.struct_passwd | None:
    for name in _USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


@contextmanager
def embed(configuration: str = "") -> Iterator[Embed]:
    """Have an embedded driver until the block ends; more lines for its qemu.conf."""
    with _embed(configuration) as bench:
        bench.seed(_known(_embed))
        yield bench


@contextmanager
def _embed(configuration: str = "") -> Iterator[Embed]:
    root = _root()
    (root / "etc").mkdir()
    (root / "etc" / "qemu.conf").write_text(_EMBED + configuration)
    with holder(root) as held:
        bench = Embed(root, held, f"qemu:///embed?root={root}")
        with _ending(bench):
            yield bench


@contextmanager
def system(configuration: str = "") -> Iterator[System]:
    """Have a libvirtd until the block ends, whose QEMU is another user; lines for qemu.conf.

    It listens on a unix socket in a directory of its own and on nothing else.
    Guests have mount namespaces, as they have with libvirt's defaults.
    """
    with _system(configuration) as bench:
        bench.seed(_known(_system))
        bench.start()
        yield bench


@contextmanager
def _system(configuration: str = "") -> Iterator[System]:
    user = _user()
    assert user is not None, missing_for_system()
    root = _root()
    with holder(root, PLACES) as held:
        (root / "etc/libvirt/qemu.conf").write_text(
            _SYSTEM.format(user=user.pw_name, group=f"+{user.pw_gid}") + configuration
        )
        (root / "libvirtd.conf").write_text(_LIBVIRTD.format(root=root))
        (root / "virtlogd.conf").write_text("")
        bench = System(root, held, f"qemu:///system?socket={root}/libvirt-sock", user)
        with _ending(bench):
            yield bench


@contextmanager
def _ending(bench: Bench) -> Iterator[None]:
    """Let libvirt end its guests, which leaves less behind than killing them."""
    with ExitStack() as last:
        last.callback(bench.kill_worker)
        try:
            yield
        finally:
            with suppress(CallError, GoneError, AssertionError, OSError):
                bench.destroy_guests()


def _root() -> Path:
    """A directory outside pytest's: the path of a socket may have 107 characters."""
    root = Path(tempfile.mkdtemp(prefix="vq-"))
    root.chmod(0o711)
    return root


@cache
def _known(bare: Callable[[], AbstractContextManager[Bench]]) -> Path:
    """What libvirt finds out about QEMU in some seconds, once; gone when the tests are.

    The embedded driver's is not the daemon's: each notes which program found it out.
    """
    kept = _root()
    session = ExitStack()
    session.enter_context(holder(kept))  # which removes it when this process ends
    atexit.register(session.close)
    with bare() as bench:
        bench.start()
        bench.call(asked.know_qemu)
        bench.leave()
        copy_cache(bench.root / bench.cache, kept)
    return kept
