"""Lowered domains are valid by libvirt's own grammar, and have no findings of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import virtquorum
from tests.qemu.devices.cases import CASES
from tests.stock.lowerable import documents
from tests.stock.test_devices import WITH_QUORUMS, quorums
from virtquorum.check.engine import Checker
from virtquorum.check.finding import Severity
from virtquorum.check.grammar import find_libvirt_schemas
from virtquorum.check.options import Options
from virtquorum.errors import TranslationError
from virtquorum.stock.lower import lower
from virtquorum.xml.domain import Domain

ROOT = Path(__file__).parents[2]
SCHEMAS = find_libvirt_schemas()
CHECKER = Checker(Options(libvirt_schemas=SCHEMAS))
#: Prints the number of each document that libxml2 does not accept within two seconds.
VERDICTS = """
import json, os, signal, sys
from lxml import etree
grammar = etree.RelaxNG(etree.parse(sys.argv[1]))
for number, text in enumerate(json.load(sys.stdin)):
    child = os.fork()
    if not child:
        signal.alarm(2)
        os._exit(0 if grammar.validate(etree.fromstring(text.encode())) else 1)
    if os.waitpid(child, 0)[1]:
        print(number, grammar.error_log.last_error, flush=True)
"""


def samples() -> dict[str, Domain]:
    found = {}
    for path in sorted((ROOT / "samples").glob("*.xml")):
        domain = Domain.from_bytes(path.read_bytes(), path.name)
        try:
            found[path.name] = lower(domain)
        except TranslationError as error:
            assert "--secret" in str(error)  # noqa: PT017
    return found


@pytest.mark.skipif(SCHEMAS is None, reason="libvirt's grammar is not installed")
def test_libvirts_own_grammar_takes_lowered_domains() -> None:
    lowered = {name: lower(quorums(name)) for name in WITH_QUORUMS} | samples()
    assert len(lowered) > 60
    done = subprocess.run(
        [sys.executable, "-c", VERDICTS, f"{SCHEMAS}/domain.rng"],
        input=json.dumps([one.text for one in lowered.values()]),
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    names = list(lowered)
    refused = {names[int(line.split()[0])]: line for line in done.stdout.splitlines()}
    # What libvirt's grammar has against the stock domain it has against the lowered one.
    stock = {name for name in refused if name in CASES and findings(CASES[name].xml())}
    assert not {name: line for name, line in refused.items() if name not in stock}


def findings(text: str) -> set[str]:
    return {
        one.rule
        for one in CHECKER.check_bytes(text.encode(), "x.xml").findings
        if one.severity is not Severity.NOTE
    }


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(documents())
def test_lowering_brings_no_finding(raw: bytes) -> None:
    domain = Domain.from_bytes(raw)
    before = {one.rule for one in CHECKER.check_bytes(raw, "x.xml").findings}
    after = {one.rule for one in CHECKER.check_bytes(lower(domain).to_bytes(), "x.xml").findings}
    assert after <= before


def test_samples_are_clean_when_they_are_lowered() -> None:
    for name, lowered in samples().items():
        assert not list(virtquorum.validate(lowered.text, name=name)), name


def test_a_comment_about_the_disk_is_not_said_to_be_without_effect() -> None:
    text = (ROOT / "samples" / "three-qcow2.xml").read_text()
    text = text.replace("threshold='2'", "threshold='1'")
    comment = "<!-- virtquorum: ignore threshold-one one rack has to be enough -->"
    for old in ("<disk type='quorum'", "<driver name='qemu' type='quorum'/>"):
        said = text.replace(old, f"{comment}\n    {old}", 1)
        assert comment in said
        lowered = lower(Domain.from_text(said)).text
        assert [*CHECKER.check_bytes(lowered.encode(), "x.xml").findings] == []
        beside = lowered.replace("<memory", f"{comment}<memory", 1)
        rules = [one.rule for one in CHECKER.check_bytes(beside.encode(), "x.xml").findings]
        assert rules == ["VQ021"]
