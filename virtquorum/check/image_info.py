"""``qemu-img info``, bounded in time, processor and memory, and the files that it tells of."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Backing", "backing_of", "data_file_of", "info"]

#: How long qemu-img may take (seconds), with so much processor (seconds) and memory (bytes).
_TIMEOUT: Final = 20
_CPU_SECONDS: Final = 10
_MEMORY: Final = 2 * 1024**3
_PROTOCOL: Final = re.compile(r"[^/:]*:")


class Backing(NamedTuple):
    """The backing file that an image's header names.

    ``name`` is what stands in the header, ``full`` what QEMU opens
    (a relative name is relative to the image), ``format`` QEMU's driver for
    it, None where the header does not say.
    """

    name: str
    full: str
    format: str | None


def info(program: str, words: Sequence[str]) -> Mapping[str, Any] | str:
    """What qemu-img says of an image, or why it does not open it, in its own words.

    ``words`` name the image, the last one itself.  Raises TimeoutError, whose
    text says so of the image.
    """
    import json
    import subprocess

    command = [program, "info", "--output=json", "--force-share", *words]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    with process:
        _bound(process.pid)
        try:
            out, err = process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"was not read within {_TIMEOUT} seconds") from None
        finally:
            process.kill()
    if process.returncode:
        return _said(err, process.returncode, command[-1])
    found: Mapping[str, Any] = json.loads(out)
    return found


def _bound(pid: int) -> None:
    """Bound a process, as a crafted image may ask for any amount of work."""
    import resource

    with suppress(OSError):  # it may be done already
        resource.prlimit(pid, resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.prlimit(pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _said(err: bytes, code: int, options: str) -> str:
    text = err.decode("utf-8", "replace").strip().removeprefix("qemu-img: ")
    text = "; ".join(text.replace(f"Could not open '{options}': ", "").splitlines())
    return text or (f"qemu-img ended by signal {-code}" if code < 0 else "qemu-img failed")


def data_file_of(info: Mapping[str, Any]) -> str | None:
    """The file that has the data of a qcow2, None if it has them itself; ``info`` is qemu-img's."""
    name = info.get("format-specific", {}).get("data", {}).get("data-file")
    return _local(name) if name is not None else None


def backing_of(info: Mapping[str, Any]) -> Backing | None:
    """The backing file of an image, by what qemu-img says of it."""
    name = info.get("backing-filename")
    if name is None:
        return None
    return Backing(name, _local(info.get("full-backing-filename", name)),
                   info.get("backing-filename-format"))  # fmt: skip


def _local(name: str) -> str:
    """A backing file's name with QEMU's ways of saying 'this file' undone.

    What is no file of this host stays as it is, and begins with a protocol.
    """
    if name.startswith("json:"):
        import json

        try:
            node = json.loads(name.removeprefix("json:"))
        except (ValueError, RecursionError):
            return name
        while isinstance(node, dict):
            path = node.get("filename", node.get("file.filename"))
            if isinstance(path, str):
                return path if not _PROTOCOL.match(path) else f"./{path}"
            node = node.get("file")
        return name
    return name.removeprefix("file:")
