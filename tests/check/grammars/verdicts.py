"""What validators say of many documents at once."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from lxml import etree

from tests.check.grammars.disk_texts import LIBVIRT
from virtquorum.check.xsd import xsd_problems
from virtquorum.xml.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from virtquorum.check.grammar import GrammarText
    from virtquorum.check.rule import Problem

NEEDED = ("jing", "trang", "xmllint")
_LINE = re.compile(r"/(\d+)\.xml:\d+:\d+: (?:error|fatal): ")


def missing() -> list[str]:
    """What a test run needs and this machine lacks."""
    found = [name for name in NEEDED if shutil.which(name) is None]
    return found if LIBVIRT.is_dir() else [*found, str(LIBVIRT)]


def jing(schema: Path, texts: Sequence[str], directory: Path) -> list[bool]:
    """Which texts jing finds valid; an ``.rnc`` is read as the compact syntax."""
    directory.mkdir(exist_ok=True)
    paths = []
    for number, text in enumerate(texts):
        path = directory / f"{number}.xml"
        path.write_text(text, "utf-8")
        paths.append(path.name)
    compact = ["-c"] if schema.suffix == ".rnc" else []
    done = subprocess.run(
        ["jing", *compact, str(schema), *paths],
        check=False, capture_output=True, text=True, timeout=120, cwd=directory,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    said = done.stdout + done.stderr
    wrong = {int(number) for number in _LINE.findall(said)}
    # Each line that jing writes must be of a document: a schema that it refuses has others.
    assert said.count("\n") == len(_LINE.findall(said)), said[:2000]
    return [number not in wrong for number in range(len(texts))]


def compiled(grammar: GrammarText) -> etree.RelaxNG:
    """A grammar for libxml2."""
    text = grammar.texts.get(grammar.path)
    if text is None:
        return etree.RelaxNG(etree.parse(grammar.path))
    root = etree.fromstring(text, base_url=grammar.path)
    return etree.RelaxNG(etree.ElementTree(root))


def libxml2(grammar: etree.RelaxNG, texts: Iterable[str]) -> list[bool]:
    """Which texts libxml2 finds valid."""
    return [grammar.validate(etree.fromstring(text)) for text in texts]


def problems(text: str) -> list[Problem]:
    """What the XSD says against a disk."""
    return xsd_problems([Document.from_text(text, "disk.xml").root])


def in_domain(disk: str) -> str:
    """A domain that is valid if its disk is."""
    return (
        "<domain type='kvm'><name>n</name><memory>1</memory><os><type>hvm</type></os>"
        f"<devices>{disk}</devices></domain>"
    )
