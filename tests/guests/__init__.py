"""A guest of four sectors, which does what it is told over its serial port.

``hands.s`` is assembled once a session.  It boots from a BIOS disk and says,
a line each: ``boot DRIVE STATUS`` (its other sectors were loaded), what it
read from sector DATA and that it wrote sector MARK (as it answers ``r`` and
``w``), and ``ready``.  Then it takes lines; numbers are hexadecimal, a DRIVE
is the BIOS's (80, 81 ...), STATUS is int 13h's (00: it went well):

===================  ==================================================
``r DRIVE LBA``      ``r STATUS SUM FIRST``: read a sector; the sum of its
                     16-bit words and its first 16 bytes
``w DRIVE LBA BYTE`` ``w STATUS``: write a sector full of a byte
``g DRIVE``          ``g STATUS SECTORS``: how large a drive is
``t DRIVE LBA``      ``t``, and when a line comes ``t STATUS ROUNDS``: write a
                     count to a sector and read it back, again and again;
                     ff: what came back was something else
``i PORT``           ``i VALUE``: 32 bits from an I/O port
``o PORT VALUE``     ``o``: 32 bits to an I/O port
``m ADDRESS``        ``m BYTES``: 16 bytes of memory below 1 MiB
``p ADDRESS VALUE``  ``p``: 32 bits to memory, COUNT times
``COUNT``
``s TEXT``           the same line
anything else        ``?``
===================  ==================================================
"""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["DATA", "MARK", "MARKED", "NEEDED", "SECTOR", "boot_code"]

#: Bytes of a sector.
SECTOR: Final = 512
#: The sector that is read at boot, and the one that is written then.
DATA, MARK = 16, 24
#: What is written to sector MARK.
MARKED: Final = b"M" * SECTOR
#: The programs that assemble it (Debian: binutils).
NEEDED: Final = ("as", "ld")

_SOURCE = Path(__file__).with_name("hands.s")


@cache
def boot_code() -> bytes:
    """The first sectors of a disk that boots."""
    with tempfile.TemporaryDirectory(prefix="vq-") as folder:
        object, binary = Path(folder) / "hands.o", Path(folder) / "hands"
        _run("as", "--32", "--defsym", f"DATA={DATA}", "--defsym", f"MARK={MARK}",
             "-o", object, _SOURCE)  # fmt: skip
        _run("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary",
             "-o", binary, object)  # fmt: skip
        return binary.read_bytes()


def _run(*argv: str | Path) -> None:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
