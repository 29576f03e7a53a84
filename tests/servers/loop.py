"""Block devices of the host: an image on a loop device, where the machine allows it."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["loop_device", "missing_for_loop"]


def missing_for_loop(folder: Path) -> str | None:
    """Why there is no loop device to be had, None where there is."""
    image = folder / "try.img"
    image.write_bytes(bytes(4096))
    try:
        with loop_device(image):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.decode() if isinstance(error, subprocess.CalledProcessError) else ""
        return f"no loop device: {said or error}"
    finally:
        image.unlink()


@contextmanager
def loop_device(image: Path) -> Iterator[str]:
    """Put an image behind a block device; what it is called."""
    done = subprocess.run(
        ["/usr/sbin/losetup", "--find", "--show", "--", str(image)],
        check=True, capture_output=True, text=False, timeout=30,
    )  # fmt: skip
    device = done.stdout.decode().strip()
    try:
        yield device
    finally:
        subprocess.run(["/usr/sbin/losetup", "--detach", device], check=True, timeout=30)
