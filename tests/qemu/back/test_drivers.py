"""Every driver and option of the installed QEMU is known, be it as one that has no XML."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.programs import QEMU, missing, qemu
from virtquorum.qemu.back.graph import WITHOUT_XML
from virtquorum.qemu.back.options import WITHOUT_VALUE
from virtquorum.qemu.graph import BLOCKS

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")


def test_every_driver_has_words_or_none(tmp_path: Path) -> None:
    with qemu([], tmp_path) as running:
        schema = {one["name"]: one for one in running.command("query-qmp-schema")}
    (tag,) = (
        one["type"]
        for one in schema[schema["blockdev-add"]["arg-type"]]["members"]
        if one["name"] == "driver"
    )
    drivers = set(schema[tag]["values"])
    assert not drivers - BLOCKS.keys() - WITHOUT_XML
    assert not WITHOUT_XML & BLOCKS.keys()


def test_every_option_without_a_value_is_known() -> None:
    """As ``qemu -help`` shows them: a name alone on its line, or with words of the text behind."""
    said = subprocess.run([QEMU, "-help"], capture_output=True, text=True, check=True, timeout=60)
    alone = re.findall(r"^-(\S+)(?:\s{2,}.*)?$", said.stdout, re.MULTILINE)
    options = {one for one in alone if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", one)}
    assert {"S", "nodefaults", "snapshot"} <= options
    assert options - WITHOUT_VALUE == {"dtb"}  # it takes a file, two spaces behind it
