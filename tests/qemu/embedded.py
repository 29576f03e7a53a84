"""What the installed libvirt makes of domains, asked of its embedded driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NEEDED", "native"]

#: The marks of a test that asks.
NEEDED = [
    pytest.mark.skipif(find_spec("libvirt") is None, reason="libvirt-python is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the embedded driver is tried as root"),
]


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """The root of the embedded driver, which is gone when the tests are.

    Sockets lie in it, and their paths may have 107 characters.
    """
    root = tempfile.TemporaryDirectory(prefix="vq-")
    (Path(root.name) / "etc").mkdir()
    # As another user QEMU could not reach the root, and libvirt would ask it again each time.
    (Path(root.name) / "etc" / "qemu.conf").write_text('user = "root"\ngroup = "root"\n')
    return root


def native(domains: Sequence[str], *options: str) -> list[Any]:
    """For each domain the words behind each of some options of QEMU's, by the option.

    What libvirt has against a domain is a text.  The driver's root is left
    out of paths; it takes some seconds the first time.
    """
    program, root = Path(__file__).with_name("stock_arguments.py"), _folder().name
    done = subprocess.run(
        [sys.executable, program, root, *options],
        input=json.dumps(list(domains)),
        check=False, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout.replace(root, ""))
    return found
