"""Take the corpus again: XML as the installed libvirt writes it.

    python tests/corpus/generate.py --root DIR [--output DIR]

Opens ``qemu:///embed?root=DIR`` (no daemon, no configuration of the host is
touched), so DIR must be absolute and is best a fresh, short path: sockets are
made below it. Needs libvirt's Python binding, QEMU and qemu-img, and root or
a user who may run QEMU. ``inputs/`` holds what is fed in:

inputs/stock/     defined one by one; what libvirt dumps goes to ``stock/``
inputs/loaded/    placed into DIR/etc/qemu before the driver starts: it loads what
                  it would refuse to define here (other machines, an emulator
                  that is not installed, options QEMU lacks); to ``stock/`` too
inputs/running/   started as TCG guests; the live dump goes to ``stock/``, the
                  driver's own status file to ``status/``
inputs/snapshot/  snapshots of one domain; to ``snapshot/``

``stock/NAME.xml`` is the dump without flags. ``NAME.inactive.xml`` and
``NAME.secure.xml`` exist where VIR_DOMAIN_XML_INACTIVE and
VIR_DOMAIN_XML_SECURE write something else. ``config/`` holds the files the
driver keeps in its configuration directory, each with libvirt's warning
comment. ``@ROOT@`` in an input is DIR; every DIR in an output is written as
``/var/lib/corpus``. Nothing else is changed.

What libvirt refuses is listed on standard error, and is no failure: versions
differ. The exit code is 1 only when nothing could be taken.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt

HERE = Path(__file__).resolve().parent
INPUTS = HERE / "inputs"

ROOT_IN_OUTPUTS = "/var/lib/corpus"
"""What stands in the outputs for the root that was used."""

MIB = 1024 * 1024

CONFIGS = (
    "disk-chains",
    "disk-http",
    "disk-rbd",
    "graphics-vnc",
    "metadata",
    "minimal",
    "names",
    "qemu-commandline",
    "realistic-linux",
    "text-escapes",
)
"""The stock inputs whose file in DIR/etc/qemu is kept as well."""

QEMU_CONF = """\
stdio_handler = "file"
user = "root"
group = "root"
"""

IMAGES: dict[str, list[str]] = {
    "base.raw": ["-f", "raw", "@", "4M"],
    "middle.qcow2": ["-f", "qcow2", "-b", "base.raw", "-F", "raw", "@"],
    "top.qcow2": ["-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", "@"],
    "given.qcow2": ["-f", "qcow2", "-b", "base.raw", "-F", "raw", "@"],
    "sliced.raw": ["-f", "raw", "@", "4M"],
    "floppy.raw": ["-f", "raw", "@", "1440K"],
    "exported.raw": ["-f", "raw", "@", "4M"],
    "plugged.raw": ["-f", "raw", "@", "4M"],
    "job.qcow2": ["-f", "qcow2", "-o", "preallocation=full", "@", "64M"],
    "snap-a.qcow2": ["-f", "qcow2", "@", "4M"],
    "snap-b.qcow2": ["-f", "qcow2", "@", "4M"],
}
"""Image name to the arguments of ``qemu-img create``; ``@`` is its path."""


class Corpus:
    """The folders that are written, and the count of what went in."""

    def __init__(self, root: Path, output: Path) -> None:
        self.root = root
        self.output = output
        self.written = 0
        self.refused: list[str] = []
        for folder in ("stock", "snapshot", "status", "config"):
            shutil.rmtree(output / folder, ignore_errors=True)
            (output / folder).mkdir(parents=True)

    def write(self, folder: str, name: str, xml: str) -> None:
        """Write what libvirt wrote, with only the root replaced."""
        text = xml.replace(str(self.root), ROOT_IN_OUTPUTS)
        (self.output / folder / f"{name}.xml").write_bytes(text.encode())
        self.written += 1

    def read(self, path: Path) -> str:
        """Read an input, with ``@ROOT@`` resolved."""
        return path.read_text(encoding="utf-8").replace("@ROOT@", str(self.root))

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Turn libvirt's refusal of one step into a line of the list."""
        try:
            yield
        except libvirt.libvirtError as error:
            self.refused.append(f"{name}: {error}")


def inputs(folder: str) -> list[Path]:
    """The input files of one folder, in a fixed order."""
    return sorted((INPUTS / folder).glob("*.xml"))


def prepare(root: Path) -> None:
    """Lay out the root: configuration, images, and the domains to be loaded."""
    configs = root / "etc" / "qemu"
    configs.mkdir(parents=True, exist_ok=True)
    (root / "etc" / "qemu.conf").write_text(QEMU_CONF)
    for path in inputs("loaded"):
        shutil.copy(path, configs / f"{path.stem}.xml")
    images = root / "images"
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir()
    for name, arguments in IMAGES.items():
        command = ["qemu-img", "create", "-q"]
        command += [str(images / name) if word == "@" else word for word in arguments]
        subprocess.run(command, check=True)


def start_event_loop() -> None:
    """Run libvirt's event loop in a thread; the embedded driver relies on it."""
    libvirt.virEventRegisterDefaultImpl()

    def loop() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, daemon=True).start()


def define(connection: libvirt.virConnect, xml: str) -> libvirt.virDomain:
    """Define with validation, or without it where only the grammar objects."""
    try:
        return connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    except libvirt.libvirtError:
        return connection.defineXMLFlags(xml, 0)


def dump(corpus: Corpus, domain: libvirt.virDomain, name: str) -> None:
    """Write a domain as libvirt dumps it, once for each distinct spelling."""
    plain = domain.XMLDesc(0)
    corpus.write("stock", name, plain)
    for suffix, flags in (
        ("inactive", libvirt.VIR_DOMAIN_XML_INACTIVE),
        ("secure", libvirt.VIR_DOMAIN_XML_SECURE),
    ):
        xml = domain.XMLDesc(flags)
        if xml != plain:
            corpus.write("stock", f"{name}.{suffix}", xml)


def undefine(domain: libvirt.virDomain) -> None:
    """Forget a domain together with its snapshots."""
    domain.undefineFlags(
        libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
    )


def take_stock(corpus: Corpus, connection: libvirt.virConnect) -> None:
    """Define, dump and undefine each domain of inputs/stock."""
    for path in inputs("stock"):
        with corpus.step(f"stock/{path.stem}"):
            domain = define(connection, corpus.read(path))
            try:
                dump(corpus, domain, path.stem)
                if path.stem in CONFIGS:
                    config = corpus.root / "etc" / "qemu" / f"{domain.name()}.xml"
                    corpus.write("config", path.stem, config.read_text(encoding="utf-8"))
            finally:
                undefine(domain)


def take_loaded(corpus: Corpus, connection: libvirt.virConnect) -> None:
    """Dump the domains that were loaded from the configuration directory."""
    for path in inputs("loaded"):
        with corpus.step(f"loaded/{path.stem}"):
            domain = connection.lookupByName(path.stem)
            dump(corpus, domain, path.stem)
            undefine(domain)


@contextlib.contextmanager
def nbd_export(images: Path) -> Iterator[None]:
    """Export one image over a unix socket while the body runs."""
    socket = images / "nbd.sock"
    blockdev = {
        "driver": "file",
        "node-name": "exported",
        "filename": str(images / "exported.raw"),
    }
    export = {
        "type": "nbd",
        "id": "export",
        "node-name": "exported",
        "name": "export",
        "writable": True,
    }
    address = f"addr.type=unix,addr.path={socket},max-connections=0"
    command = ["qemu-storage-daemon", "--blockdev", json.dumps(blockdev)]
    command += ["--nbd-server", address, "--export", json.dumps(export)]
    with subprocess.Popen(command) as server:
        try:
            for _ in range(100):
                if socket.exists():
                    break
                time.sleep(0.05)
            yield
        finally:
            server.terminate()


def change_nothing(_domain: libvirt.virDomain, _images: Path) -> None:
    """Leave a guest as it started."""


def change_chain(domain: libvirt.virDomain, images: Path) -> None:
    """Take an overlay without snapshot metadata, plug a disk in, and pause."""
    overlay = images / "chain-overlay.qcow2"
    domain.snapshotCreateXML(
        "<domainsnapshot><disks>"
        f"<disk name='vda' snapshot='external'><source file='{overlay}'/></disk>"
        "<disk name='vdb' snapshot='no'/><disk name='sda' snapshot='no'/>"
        "</disks></domainsnapshot>",
        libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
        | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA,
    )
    domain.attachDeviceFlags(
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='{images}/plugged.raw'/><target dev='sdc' bus='scsi'/></disk>",
        libvirt.VIR_DOMAIN_AFFECT_LIVE,
    )
    domain.suspend()


def change_mirror(domain: libvirt.virDomain, images: Path) -> None:
    """Begin a copy so slow that its job is still there when it is looked at."""
    domain.blockCopy(
        "vda",
        f"<disk type='file'><driver type='qcow2'/><source file='{images}/copy.qcow2'/></disk>",
        {libvirt.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH: MIB},
        libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB,
    )


CHANGES: dict[str, Callable[[libvirt.virDomain, Path], None]] = {
    "chain": change_chain,
    "mirror": change_mirror,
}
"""What is done to a running guest before it is looked at."""


def take_running(corpus: Corpus, connection: libvirt.virConnect) -> None:
    """Start each guest of inputs/running; keep its live dump and status file."""
    images = corpus.root / "images"
    for path in inputs("running"):
        with corpus.step(f"running/{path.stem}"):
            domain = define(connection, corpus.read(path))
            try:
                domain.create()
                CHANGES.get(path.stem, change_nothing)(domain, images)
                dump(corpus, domain, domain.name())
                status = corpus.root / "run" / "qemu" / f"{domain.name()}.xml"
                corpus.write("status", domain.name(), status.read_text(encoding="utf-8"))
            finally:
                if domain.isActive():
                    domain.destroy()
                undefine(domain)


def keep_snapshot(corpus: Corpus, snapshot: libvirt.virDomainSnapshot, name: str) -> None:
    """Write a snapshot's dump, and its secure dump where that differs."""
    plain = snapshot.getXMLDesc(0)
    corpus.write("snapshot", name, plain)
    secure = snapshot.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
    if secure != plain:
        corpus.write("snapshot", f"{name}.secure", secure)


def take_snapshots(corpus: Corpus, connection: libvirt.virConnect) -> None:
    """Take and redefine snapshots of the domain of inputs/snapshot/domain.xml."""
    source = INPUTS / "snapshot"
    domain = define(connection, corpus.read(source / "domain.xml"))
    description = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)

    def take(name: str, flags: int) -> None:
        with corpus.step(f"snapshot/{name}"):
            xml = corpus.read(source / f"{name}.xml").replace("@DOMAIN@", description)
            keep_snapshot(corpus, domain.snapshotCreateXML(xml, flags), name)

    external = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    redefine = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
    try:
        take("offline-internal", 0)
        take("offline-external", external)
        domain.create()
        take("live-internal", 0)
        take("live-memory", 0)
        take("live-disk-only", external)
        domain.destroy()
        take("redefined", redefine | external)
        take("redefined-child", redefine)
        for kept in sorted((corpus.root / "lib" / "qemu" / "snapshot").glob("*/*.xml")):
            if kept.stem in ("offline-external", "redefined-child"):
                text = kept.read_text(encoding="utf-8")
                corpus.write("snapshot", f"{kept.stem}.file", text)
    finally:
        if domain.isActive():
            domain.destroy()
        undefine(domain)


def take_test_driver(corpus: Corpus) -> None:
    """Keep a domain and a snapshot of libvirt's own mock driver."""
    connection = libvirt.open("test:///default")
    domain = connection.lookupByName("test")
    corpus.write("stock", "test-driver", domain.XMLDesc(0))
    xml = "<domainsnapshot><name>mock</name><description>a &amp; b</description></domainsnapshot>"
    keep_snapshot(corpus, domain.snapshotCreateXML(xml, 0), "test-driver")
    connection.close()


def generate(root: Path, output: Path) -> Corpus:
    """Take the whole corpus.

    Raises libvirt.libvirtError if the embedded driver does not open, and
    subprocess.CalledProcessError if an image cannot be made.
    """
    prepare(root)
    start_event_loop()
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    corpus = Corpus(root, output)
    connection = libvirt.open(f"qemu:///embed?root={root}")
    take_loaded(corpus, connection)
    take_stock(corpus, connection)
    with nbd_export(root / "images"):
        take_running(corpus, connection)
    take_snapshots(corpus, connection)
    with corpus.step("test driver"):
        take_test_driver(corpus)
    return corpus


def main(argv: list[str]) -> int:
    """Take the corpus and say what was taken and what was refused."""
    parser = argparse.ArgumentParser(description="take the corpus of libvirt dumps again")
    parser.add_argument("--root", type=Path, required=True, help="directory of the driver")
    parser.add_argument("--output", type=Path, default=HERE, help="default: beside this script")
    options = parser.parse_args(argv)
    corpus = generate(options.root.absolute(), options.output.absolute())
    for line in corpus.refused:
        print(f"refused: {line}", file=sys.stderr)
    print(f"{corpus.written} files, libvirt {libvirt.getVersion()}")
    return 0 if corpus.written else 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # The event loop's thread never ends, and the driver's own threads must not
    # see the interpreter being taken down around them.
    os._exit(code)
