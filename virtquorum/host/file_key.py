"""What a path of this machine names, the same under each of its names."""

from __future__ import annotations

import os

__all__ = ["file_key"]


def file_key(path: str) -> tuple[str | int, ...]:
    """A device by its number, a file by its place on its file system; else the path without links.

    Links are followed.
    """
    try:
        status = os.stat(path)
    except OSError:  # it is not there, or may not be seen
        return "path", os.path.realpath(path)
    if status.st_rdev:
        return "device", status.st_rdev
    return "file", status.st_dev, status.st_ino
