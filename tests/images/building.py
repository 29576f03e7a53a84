"""Domains to make images for, and what is looked at afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from tests.programs import qemu_img

REAL = shutil.which("qemu-img") or "qemu-img"
UUID = "0a81f5b2-8403-4b23-c8d6-21ccc2f80d6f"
ENCRYPTED = f"<encryption format='luks'><secret type='passphrase' uuid='{UUID}'/></encryption>"
MEGABYTE = 1024**2


def image(
    path: Path | str, format: str | None = "raw", below: str = "", inside: str = "", **more: str
) -> str:
    """A member or backing image in a file; ``inside`` stands in its source."""
    name = quoteattr(str(path), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
    words = "".join(f" {key}={quoteattr(value)}" for key, value in more.items())
    about = f"<format type='{format}'/>" if format is not None else ""
    return (
        f"<backingStore type='file'{words}>{about}<source file={name}>{inside}</source>"
        f"{below}</backingStore>\n"
    )


def quorum(*members: str, threshold: int = 2, target: str = "vda", format: str = "quorum") -> str:
    """A disk that is a vote of members, or a format above one."""
    return (
        f"<disk type='quorum' threshold='{threshold}' device='disk'>\n"
        f"<driver name='qemu' type='{format}'/>\n"
        f"{''.join(members)}<target dev='{target}' bus='virtio'/></disk>\n"
    )


def domain(folder: Path, *disks: str, name: str = "domain.xml") -> Path:
    """A domain in a file."""
    path = folder / name
    text = f"<domain type='kvm'><name>web</name><devices>\n{''.join(disks)}</devices></domain>\n"
    path.write_text(text, "utf-8")
    return path


def info(path: Path, format: str) -> dict[str, Any]:
    """What qemu-img says of an image, opened in its format."""
    words = f"driver={format},file.driver=file,file.filename={str(path).replace(',', ',,')}"
    found: dict[str, Any] = json.loads(qemu_img("info", "--output=json", "--image-opts", words))
    return found


def content(path: Path, format: str, to: Path) -> bytes:
    """An image's bytes, as a guest would read them."""
    qemu_img("convert", "-f", format, "-O", "raw", path, to)
    data = to.read_bytes()
    to.unlink()
    return data


def names(folder: Path) -> set[str]:
    """The names in a folder, hidden ones as well."""
    return set(os.listdir(folder))


def wrapped(folder: Path, script: str) -> str:
    """A PATH with a qemu-img before the real one: a shell script, that one is ``$REAL``."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "qemu-img"
    program.write_text(f"#!/bin/bash\nREAL={REAL}\n{script}\n")
    program.chmod(0o755)
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


def look(*arguments: str) -> str:
    """What qemu-io printed, both streams in one."""
    done = subprocess.run(
        ["qemu-io", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout
