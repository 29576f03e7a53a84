"""XML to QEMU's arguments, against libvirt's own translation and against lxml's parse.

    python -m benchmarks.args

For domains of 1, 100 and 10,000 disks on virtio-scsi: ours reads the XML of
quorum disks of three members and gives the arguments of graph and devices;
libvirt (``domainXMLToNative`` at ``qemu:///embed``, as root) is given as many
stock disks in the same places, and lxml parses our XML.  They take turns, each
ratio is the median of those of the rounds.  Peak memory is not measured here.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from lxml import etree

from virtquorum.errors import TranslationError
from virtquorum.qemu.translate import Style, arguments, translate
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNTS: Final = (1, 100, 10_000)
STYLES: Final[tuple[Style, ...]] = ("drive", "blockdev", "qmp")
#: Rounds of each count: fewer where one takes long.
ROUNDS: Final = {1: 200, 100: 20, 10_000: 3}


def main() -> int:
    print(f"{'disks':>6} {'style':9} {'ours':>10} {'a disk':>9}  to libvirt  to lxml's parse")
    with _libvirt() as native:
        for count in COUNTS:
            quorums = domain_of(count, _quorum).encode()
            stock = domain_of(count, _stock)
            for style in STYLES:
                if style == "qmp":  # the graph is blockdev's; only the last spelling differs
                    continue
                _report(count, style, quorums, stock, native)
    return 0


def _report(
    count: int, style: Style, quorums: bytes, stock: str, native: Callable[[str], float] | None
) -> None:
    _arguments(quorums, style)
    if native is not None:
        native(stock)
    ours, by_libvirt, by_lxml = [], [], []
    for _ in range(ROUNDS[count]):
        gc.collect()
        seconds = _timed(lambda: _arguments(quorums, style))
        ours.append(seconds)
        if native is not None:
            by_libvirt.append(seconds / native(stock))
        by_lxml.append(seconds / _timed(lambda: etree.fromstring(quorums)))
    one = median(ours)
    to_libvirt = f"{median(by_libvirt):.2f}x" if by_libvirt else "-"
    print(
        f"{count:6,} {style:9} {one * 1e3:7.2f} ms {one / count * 1e6:6.0f} µs "
        f"{to_libvirt:>11} {median(by_lxml):15.1f}x",
        flush=True,
    )


def _timed(function: Callable[[], object]) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start


def _arguments(data: bytes, style: Style) -> list[str]:
    found = []
    for one in translate(Domain.from_bytes(data), style=style):
        if isinstance(one, TranslationError):
            raise one
        found.append(one)
    return arguments(found, style)


def domain_of(count: int, disk: Callable[[int], str]) -> str:
    """A domain that libvirt takes, with so many disks on one virtio-scsi controller."""
    drawn = "".join(disk(number) for number in range(count))
    return (
        "<domain type='qemu'>\n  <name>measured</name>\n  <memory unit='KiB'>1048576</memory>\n"
        "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n  </os>\n"
        "  <devices>\n    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n"
        f"{drawn}    <controller type='scsi' index='0' model='virtio-scsi'/>\n"
        "  </devices>\n</domain>\n"
    )


def _place(number: int) -> str:
    letters = ""
    rest = number + 1
    while rest:
        rest, one = divmod(rest - 1, 26)
        letters = chr(ord("a") + one) + letters
    return (
        f"      <target dev='sd{letters}' bus='scsi'/>\n"
        f"      <address type='drive' controller='0' bus='0' target='0' unit='{number}'/>\n"
    )


def _stock(number: int) -> str:
    return f"""    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/srv/rack-a/disk-{number}.qcow2'/>
{_place(number)}    </disk>
"""


def _quorum(number: int) -> str:
    return f"""    <disk type='quorum' threshold='2' device='disk'>
      <driver name='qemu' type='quorum' cache='none' rewrite_corrupted='on'/>
      <backingStore type='file'>
        <format type='qcow2'/>
        <source file='/srv/rack-a/disk-{number}.qcow2'/>
      </backingStore>
      <backingStore type='block'>
        <format type='raw'/>
        <source dev='/dev/vg_rack_b/disk-{number}'/>
      </backingStore>
      <backingStore type='network'>
        <format type='raw'/>
        <source protocol='nbd' name='disk-{number}'>
          <host name='rack-c.example.org' port='10809'/>
        </source>
      </backingStore>
{_place(number)}    </disk>
"""


@contextlib.contextmanager
def _libvirt() -> Iterator[Callable[[str], float] | None]:
    """Libvirt's translation of a domain, timed in its own process; None where it cannot be."""
    if os.geteuid() != 0:
        print("not root: without libvirt", file=sys.stderr)
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="virtquorum-") as root:
        settings = Path(root, "etc/qemu.conf")
        settings.parent.mkdir()
        settings.write_text('user = "root"\n')  # else the embedded driver looks for a user
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.args", root],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def native(xml: str) -> float:
            requests.write(json.dumps(xml) + "\n")
            requests.flush()
            answer = json.loads(answers.readline())
            assert isinstance(answer, float), answer
            return answer

        try:
            yield native
        finally:
            requests.close()
            process.wait(timeout=60)
            answers.close()


def _serve(root: str) -> int:
    """Translate what comes in, and say how long it took; libvirt is only in this process."""
    import libvirt

    libvirt.virEventRegisterDefaultImpl()

    def run_events() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run_events, daemon=True).start()
    connection = libvirt.open(f"qemu:///embed?root={root}")
    for line in sys.stdin:
        xml = json.loads(line)
        start = perf_counter()
        try:
            connection.domainXMLToNative("qemu-argv", xml)
            print(json.dumps(perf_counter() - start), flush=True)
        except libvirt.libvirtError as error:
            print(json.dumps(str(error)), flush=True)
    connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1]) if len(sys.argv) > 1 else main())
