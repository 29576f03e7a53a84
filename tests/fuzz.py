"""Mutated documents, to see that nothing but virtquorum's own errors comes out.

    python -m tests.fuzz --examples 50000 [--seed N]

takes the corpus, the samples, the goldens and the devices' cases, damages them
at random, and reads, formats and reads again what is left; it shows the disks
as a tree and as JSON, translates them for QEMU, checks the document, reports
in every format and applies the fixes.  It ends with 1 and prints the input
where another exception comes out, or where the law parse ∘ format = id does
not hold; ``--seed`` makes the same run again.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.qemu.devices.cases import CASES
from virtquorum.check.engine import Checker
from virtquorum.check.fixes import apply
from virtquorum.check.grammar import find_libvirt_schemas
from virtquorum.check.options import Options
from virtquorum.errors import EditError, InputError, TranslationError
from virtquorum.json_text import json_text
from virtquorum.qemu.qmp import undo
from virtquorum.qemu.translate import STYLES, Style, Translated, arguments, commands, translate
from virtquorum.report.disks_json import file_json
from virtquorum.report.formats import FORMATS, report
from virtquorum.report.report import FileResult, Run
from virtquorum.report.tree import draw_disks
from virtquorum.xml.document import Element, Limits
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import escape, format_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.model.disk import Disk

__all__ = ["examine", "main", "mutated", "seeds"]

_ROOT = Path(__file__).resolve().parents[1]
#: Small bounds, so that a mutation can reach them.
_LIMITS = Limits(depth=40, size=200_000, elements=5_000)
_TAG = re.compile(rb"<[^<>]+>")
_ELEMENT = re.compile(rb"<(\w+)(?: [^<>]*)?(?:/>|>[^<>]*</\1>)")
_ATTRIBUTE = re.compile(rb" [\w:]+='[^'<>]*'")
_VALUE = re.compile(rb"='([^'<>]*)'")
_TOKENS = (
    b"<", b">", b"/>", b"</disk>", b"<disk>", b"&", b"&#10;", b"&#32;", b"&#13;", b"&#0;", b"&x;",
    b"&#xD800;", b"'", b'"', b"=", b"<!--", b"-->", b"<!-- c -->", b"<![CDATA[", b"]]>",
    b"<![CDATA[ ]]>", b"<?pi x?>", b"<!DOCTYPE a>", b"\0", b"\r", b"\r\n", b"\t", b"\xff", b"\xc3",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\xa0", b"\xf0\x9f\xa7\xaa", b" threshold='2'",
    b" type='quorum'", b" type=''", b" type='network'", b" protocol='nbd'", b" foo:bar='1'",
    b" xmlns='urn:x'", b" xmlns:foo='urn:x'", b"<threshold value='2'/>", b"<backingStore/>",
    b"<backingStore type='quorum' threshold='1'>", b"</backingStore>", b"<source/>", b"<driver/>",
    b"<serial>&#10;</serial>", b"text", b"<metadata>", b"</metadata>", b"<devices/>", b"007",
    b"<?xml version='1.0' encoding='latin-1'?>", b"<?xml version='1.0' encoding='utf-16'?>",
)  # fmt: skip


def seeds() -> list[bytes]:
    """The documents that are mutated: all that the repository holds, the smaller the more often."""
    paths = [
        *sorted((_ROOT / "tests/corpus").glob("*/*.xml")),
        *sorted((_ROOT / "samples").glob("*.xml")),
        *sorted((_ROOT / "tests/xml/golden").glob("*.xml")),
    ]
    found = [path.read_bytes() for path in paths]
    found += [case.xml().encode() for case in CASES.values()]
    disks = [one for raw in found for one in re.findall(rb"<disk .*?</disk>", raw, re.DOTALL)]
    return [*(raw for raw in found if len(raw) < 20_000), *disks]


def _flip(raw: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 3, 10))):
        raw[chance.randrange(len(raw))] = chance.randrange(256)


def _delete(raw: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(raw))
    del raw[start : start + chance.choice((1, 1, 2, 8, 60))]


def _duplicate(raw: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(raw))
    piece = raw[start : start + chance.choice((1, 5, 40, 300))]
    at = chance.randrange(len(raw) + 1)
    raw[at:at] = piece


def _splice(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(raw) + 1)
    raw[at:at] = chance.choice(_TOKENS)


def _splice_beside_tag(raw: bytearray, chance: random.Random) -> None:
    tags = [found.span() for found in _TAG.finditer(raw)]
    if tags:
        start, stop = chance.choice(tags)
        at = chance.choice((start, stop, stop - 1))
        raw[at:at] = chance.choice(_TOKENS)


def _truncate(raw: bytearray, chance: random.Random) -> None:
    del raw[chance.randrange(len(raw)) :]


def _move(pattern: re.Pattern[bytes], copy: bool) -> Callable[[bytearray, random.Random], None]:
    """Move or copy something to where another of its kind stands."""

    def mutate(raw: bytearray, chance: random.Random) -> None:
        spans = [found.span() for found in pattern.finditer(raw)]
        if not spans:
            return
        start, stop = chance.choice(spans)
        piece = raw[start:stop]
        if not copy:
            del raw[start:stop]
        at = chance.choice([found.start() for found in pattern.finditer(raw)] or [start])
        raw[at:at] = piece

    return mutate


def _drop_element(raw: bytearray, chance: random.Random) -> None:
    spans = [found.span() for found in _ELEMENT.finditer(raw)]
    if spans:
        start, stop = chance.choice(spans)
        del raw[start:stop]


def _swap_values(raw: bytearray, chance: random.Random) -> None:
    spans = [found.span(1) for found in _VALUE.finditer(raw)]
    if len(spans) > 1:
        (a, b), (c, d) = sorted(chance.sample(spans, 2))
        raw[a:d] = raw[c:d] + raw[b:c] + raw[a:b]


def _encode(raw: bytearray, chance: random.Random) -> None:
    encoding = chance.choice(("utf-16", "utf-16-be", "utf-32", "latin-1", "utf-8-sig", "cp037"))
    raw[:] = bytes(raw).decode("utf-8", "replace").encode(encoding, "xmlcharrefreplace")


_copy_attribute = _move(_ATTRIBUTE, copy=True)
_MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _delete, _duplicate, _splice, _truncate, _encode,
    # These mostly leave a well-formed document, and come more often.
    *(_splice_beside_tag, _drop_element, _swap_values, _copy_attribute) * 2,
    *(_move(_ELEMENT, copy=True), _move(_ELEMENT, copy=False), _move(_ATTRIBUTE, copy=False)) * 3,
)  # fmt: skip


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """A document with some damage."""
    text = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        if text:
            chance.choice(_MUTATIONS)(text, chance)
    return bytes(text)


def examine(raw: bytes) -> str:
    """Read, format and read again; 'read', or the name of the error that refused it.

    Raises AssertionError where a law does not hold, and lets every exception
    pass that is not an InputError.
    """
    try:
        domain = Domain.from_bytes(raw, "fuzz", _LIMITS)
    except InputError as error:
        refusal = error
    else:
        _examine_check(raw, domain)
        _examine_domain(domain, raw)
        _examine_reports(domain)
        _examine_translation(domain)
        return "read"
    assert str(refusal).startswith("fuzz:"), f"{refusal!s} does not begin with its place"
    assert "\n" not in str(refusal), f"{refusal!s} has several lines"
    _examine_check(raw, None)
    return type(refusal).__name__


_CHECKER = Checker(Options(libvirt_schemas=find_libvirt_schemas(), limits=_LIMITS))


def _examine_check(raw: bytes, domain: Domain | None) -> None:
    """Findings in places that there are; reports that programs can read; fixes that mend."""
    checked = _CHECKER.check_bytes(raw, "fuzz")
    found = checked.findings
    assert checked.readable or found, "what cannot be read is a pass"
    assert found == sorted(found)
    for one in found:
        assert (1, 1) <= (one.line, one.column) <= (one.end_line, one.end_column)
    result = FileResult(path="fuzz", valid=False, findings=tuple(found), checked=checked.readable)
    run = Run(files=(result,))
    for format in FORMATS:
        text = report(format, run)
        assert text.endswith("\n") or not text
        if format in ("json", "sarif", "gitlab"):
            json.loads(text)
    if domain is None or not any(one.fix is not None for one in found):
        return
    # A fix may bring to light what was not read before; fixes that undo each other never end.
    for _ in range(50):
        data, fixed = apply(domain.document.data, found)
        if not fixed:
            return
        try:
            domain = domain.with_data(data)
        except EditError:
            return  # two that do not go together; the command then makes one of them
        found = _CHECKER.check(domain.document).findings
    raise AssertionError("fixes without end")


def _examine_domain(domain: Domain, raw: bytes) -> None:
    assert domain.to_bytes() == raw
    texts = []
    for disk in domain.disks:
        text = format_disk(disk)
        (again,) = Domain.from_text(_around(disk).format(text)).disks
        assert again == disk, "parse ∘ format is not the identity"
        texts.append(text)
        assert str(disk.location), "a disk has no place"
    if _is_faithful(domain):
        for formatted in (domain.formatted(), domain.formatted(disks_only=True)):
            assert formatted.disks == domain.disks, "formatting the document changed a disk"
        formatted = domain.formatted()
        assert formatted.formatted().to_bytes() == formatted.to_bytes(), "formatting is not stable"
        assert [format_disk(disk) for disk in formatted.disks] == texts


def _examine_reports(domain: Domain) -> None:
    """What ``show`` prints can be drawn, and its JSON says what was put into it."""
    value = file_json(domain)
    for text in (json_text(value), json_text(value, indent=2, ascii_only=True)):
        assert json.loads(text) == value, "the JSON text is another value"
    for ascii_only in (False, True):
        lines = list(draw_disks(domain.disks, lambda text, _: text, ascii_only=ascii_only))
        assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
        assert len(lines) >= len(domain.disks), "a disk is not drawn"


def _examine_translation(domain: Domain) -> None:
    """What ``args`` does with each disk: arguments, or a refusal that names its place."""
    for style in STYLES:
        done = []
        try:
            every = list(translate(domain, style=style))
        except TranslationError as error:
            every = [error]  # the domain around the disks
        else:
            assert len(every) == len(domain.machine_disks), "a disk goes without a word"
        for one in every:
            if isinstance(one, TranslationError):
                assert str(one).startswith("fuzz:"), f"{one!s} does not begin with its place"
            else:
                done.append(one)
        _examine_spelling(done, style)


def _examine_spelling(disks: list[Translated], style: Style) -> None:
    """Options and their values by turns, or commands that can be undone."""
    if style == "qmp":
        said = commands(disks)
        assert json.loads(json_text([*said])) == said
        undo(said)
        return
    words = arguments(disks, style)
    assert len(words) % 2 == 0
    assert {option[0] for option in words[::2]} <= {"-"}


def _around(disk: Disk) -> str:
    """A document for a disk alone, with the prefixes that are declared around it."""
    declared: dict[str, str] = {}
    one = disk.location
    while isinstance(one, Element):
        xmlns = {name: value for name, value in one.attributes.items() if name[:6] == "xmlns:"}
        declared = xmlns | declared
        one = one.parent if isinstance(one.parent, Element) else None
    attributes = "".join(f" {name}='{escape(value)}'" for name, value in declared.items())
    escaped = attributes.replace("{", "{{").replace("}", "}}")
    return f"<domain{escaped}><devices>{{}}</devices></domain>"


def _is_faithful(domain: Domain) -> bool:
    """Whether the document's encoding gives the same bytes again; an edit is refused otherwise."""
    decoded = domain.document.decoded
    return decoded.raw is None or decoded.encode(decoded.data) == decoded.raw


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 if all was well, 1 if an input broke something."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))  # noqa: S311
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)  # noqa: S311 - the same run again is what it is for
    originals = seeds()
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    failures = 0
    for number in range(options.examples):
        raw = mutated(chance.choice(originals), chance)
        try:
            outcomes[examine(raw)] += 1
        except Exception:
            failures += 1
            print(f"example {number} of seed {options.seed}: {raw!r}")
            traceback.print_exc(file=sys.stdout)
            if failures == 10:
                break
    counts = ", ".join(f"{name} {count:,}" for name, count in outcomes.most_common())
    print(
        f"{sum(outcomes.values()) + failures:,} examples, seed {options.seed}, "
        f"{time.monotonic() - began:.0f} s: {counts}; failed {failures}"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
