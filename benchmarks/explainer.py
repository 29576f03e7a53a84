"""What the explainer says of documents with one mistake, beside what jing says.

    python -m benchmarks.explainer [--differences] [--count N]

Mistakes of every kind are made in real domains (the corpus and the samples
that libvirt's own grammar takes), always the same ones.  For each mistake
jing's first error is compared with the explainer's findings: the line, the
element or attribute that is named, and the names and values that are
expected.  ``--differences`` prints each pair that differs.  Needs jing and
libvirt's grammars.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from virtquorum.check.relaxng import read_grammar
from virtquorum.errors import InputError
from virtquorum.xml.document import Document, Element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from virtquorum.check.relaxng import Grammar, Mistake

ROOT = Path(__file__).parent.parent
GRAMMAR = Path("/usr/share/libvirt/schemas/domain.rng")
SEED = 1
COUNT = 600

#: What is said of one mistake: line, the name that is named first, the names and values expected.
Said = tuple[int, str, frozenset[str]]


class Mutation(NamedTuple):
    """A document with one mistake, and where that is."""

    kind: str
    source: str
    text: bytes
    line: int


class Edit(NamedTuple):
    """Bytes between two offsets, and the offset of the place that is wrong then."""

    start: int
    stop: int
    text: bytes
    place: int


def _misspelled(name: str, random: random.Random) -> str:
    at = random.randrange(len(name) - 1) if len(name) > 1 else 0
    return random.choice(
        (
            name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
            name + "s",
            name[:-1] or "x",
        )
    )


def _renamed(element: Element, name: str) -> Edit:
    data = element.document.data
    start = data[element.start : element.stop]
    old = element.name.encode()
    text = b"<" + name.encode() + start[1 + len(old) :]
    if element.close != element.start:
        at = text.rindex(old)
        text = text[:at] + name.encode() + text[at + len(old) :]
    return Edit(element.start, element.stop, text, element.start)


def element_misspelled(element: Element, random: random.Random) -> Edit | None:
    name = _misspelled(element.name, random)
    return None if name == element.name else _renamed(element, name)


def element_renamed(element: Element, random: random.Random) -> Edit | None:
    return _renamed(element, random.choice(("frobnicate", "xyzzy", "quux")))


def element_removed(element: Element, random: random.Random) -> Edit | None:
    parent = element.parent
    assert isinstance(parent, Element)
    return Edit(element.start, element.stop, b"", parent.close)


def element_doubled(element: Element, random: random.Random) -> Edit | None:
    data = element.document.data
    text = data[element.start : element.stop]
    return Edit(element.stop, element.stop, text, element.stop)


def element_inserted(element: Element, random: random.Random) -> Edit | None:
    name = random.choice((b"frobnicate", b"boot", b"listen", b"hostdev", b"cookie"))
    return Edit(element.start, element.start, b"<" + name + b"/>", element.start)


def element_order(element: Element, random: random.Random) -> Edit | None:
    parent = element.parent
    assert isinstance(parent, Element)
    beside = parent.elements()
    at = beside.index(element)
    if at + 1 == len(beside):
        return None
    data = element.document.data
    other = beside[at + 1]
    text = (
        data[other.start : other.stop]
        + data[element.stop : other.start]
        + data[element.start : element.stop]
    )
    return Edit(element.start, other.stop, text, element.start)


def attribute_misspelled(element: Element, random: random.Random) -> Edit | None:
    return _attribute_as(element, random, lambda name: _misspelled(name, random))


def attribute_renamed(element: Element, random: random.Random) -> Edit | None:
    return _attribute_as(element, random, lambda _: "frobnicate")


def _attribute_as(
    element: Element, random: random.Random, rename: Callable[[str], str]
) -> Edit | None:
    spans = _spans(element)
    if not spans:
        return None
    name, (start, value, _) = random.choice(spans)
    new = rename(name)
    if new in element.attributes:
        return None
    return Edit(start, value, f"{new}=".encode(), element.start)


def attribute_removed(element: Element, random: random.Random) -> Edit | None:
    spans = _spans(element)
    if not spans:
        return None
    _, (start, _, end) = random.choice(spans)
    return Edit(start, end, b"", element.start)


def attribute_added(element: Element, random: random.Random) -> Edit | None:
    name = random.choice(("frobnicate", "type", "mode", "index"))
    if name in element.attributes:
        return None
    at = element.start + 1 + len(element.name.encode())
    return Edit(at, at, f" {name}='x'".encode(), element.start)


def value_broken(element: Element, random: random.Random) -> Edit | None:
    spans = _spans(element)
    if not spans:
        return None
    name, (_, start, end) = random.choice(spans)
    value = element.attributes[name]
    new = random.choice((f"{value}x", value[:-1] + "&#228;", "", "-77", value[1:] + value[:1]))
    quote = element.document.data[start : start + 1]
    return Edit(start, end, quote + new.replace("'", "").encode() + quote, element.start)


def text_broken(element: Element, random: random.Random) -> Edit | None:
    if element.close == element.start or element.elements():
        return None
    new = random.choice((b"frobnicate", b"-1", b"12x", b""))
    return Edit(element.content, element.close, new, element.start)


def text_inserted(element: Element, random: random.Random) -> Edit | None:
    if not element.elements():
        return None
    return Edit(element.content, element.content, b"stray", element.start)


MUTATIONS: tuple[Callable[[Element, random.Random], Edit | None], ...] = (
    element_misspelled,
    element_renamed,
    element_removed,
    element_doubled,
    element_inserted,
    element_order,
    attribute_misspelled,
    attribute_renamed,
    attribute_removed,
    attribute_added,
    value_broken,
    text_broken,
    text_inserted,
)


def _spans(element: Element) -> list[tuple[str, tuple[int, int, int]]]:
    spans = element.attribute_spans()
    return [(name, span) for name, span in spans.items() if not name.startswith("xmlns")]


def documents(grammar: Grammar) -> list[Document]:
    """The real documents that the grammar takes."""
    found = []
    for path in (
        *sorted((ROOT / "tests/corpus/stock").glob("*.xml")),
        *sorted((ROOT / "samples").glob("*.xml")),
    ):
        try:
            document = Document.from_bytes(path.read_bytes(), path.name)
        except InputError:
            continue
        if not grammar.check(document.root):
            found.append(document)
    return found


def mutations(
    found: Sequence[Document], count: int = COUNT, seed: int = SEED
) -> Iterator[Mutation]:
    """Documents with one change each; what kinds there are takes turns."""
    chance = random.Random(seed)  # noqa: S311
    made = 0
    while made < count:
        document = chance.choice(found)
        elements = [one for one in document.walk() if isinstance(one.parent, Element)]
        mutate = MUTATIONS[made % len(MUTATIONS)]
        edit = mutate(chance.choice(elements), chance)
        if edit is None:
            continue
        data = document.data
        text = data[: edit.start] + edit.text + data[edit.stop :]
        line = document.line_column(edit.place)[0]
        made += 1
        yield Mutation(mutate.__name__, document.name, text, line)


class Outcome(NamedTuple):
    """A mutation, and what was found in it."""

    mutation: Mutation
    ours: list[Mistake]
    jing: list[tuple[int, str]]


def run_jing(grammar: Path, paths: Sequence[Path]) -> dict[str, list[tuple[int, str]]]:
    """What jing says of each file: line and error."""
    done = subprocess.run(["jing", grammar, *paths], check=False, capture_output=True, text=True)
    found: dict[str, list[tuple[int, str]]] = {}
    for line in done.stdout.splitlines():
        parts = re.fullmatch(r"(.*?):(\d+):\d+: (?:error|fatal): (.*)", line)
        if parts is None:
            raise RuntimeError(f"jing said {line!r}")
        found.setdefault(Path(parts[1]).name, []).append((int(parts[2]), parts[3]))
    return found


_QUOTED = re.compile(r'"([^"]*)"')


def jing_said(line: int, text: str) -> Said:
    """What jing's words mean."""
    before, _, behind = text.partition(";")
    if " missing required attribute" in before:
        before, _, behind = before.partition("missing")
    subject = _QUOTED.search(before)
    names = _QUOTED.findall(re.sub(r" \(with xmlns:.*\)$", "", behind))
    # Values may have a colon, and are not names.
    prefix = "" if "equal to" in behind else r"^\w+:(?=[\w-]+$)"
    expected = frozenset(re.sub(prefix, "", one) for one in names)
    if "regular expression" in behind:
        expected = frozenset()
    return line, subject[1].rpartition(":")[2] if subject else "", expected


def our_said(mistake: Mistake) -> Said:
    """What a finding means, put as jing would: what is missing in an element at its end tag."""
    element = mistake.element
    document = element.document
    line = element.line
    if mistake.kind in {"element-missing", "text-value"}:
        line = document.line_column(element.stop - 1)[0]
    name = mistake.attribute or element.name
    if mistake.kind == "text-not-allowed":
        name = ""
        line = document.line_column(element.content)[0]
    if mistake.kind in {"attribute-value", "text-value"}:
        return line, name.rpartition(":")[2], frozenset(mistake.choices)
    choices = frozenset(one.partition(" ")[0].rpartition(":")[2] for one in mistake.choices)
    return line, name.rpartition(":")[2], choices


def compare(count: int = COUNT) -> tuple[list[Outcome], float, float]:
    """All mutations that are mistakes to either, and the seconds of both programs."""
    grammar = read_grammar(str(GRAMMAR))
    made = list(mutations(documents(grammar), count))
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, one in enumerate(made):
            path = Path(folder) / f"{number}.xml"
            path.write_bytes(one.text)
            paths.append(path)
        start = time.perf_counter()
        theirs = run_jing(GRAMMAR, paths)
        jing_time = time.perf_counter() - start
    seconds = 0.0
    for number, one in enumerate(made):
        document = Document.from_bytes(one.text, one.source)
        start = time.perf_counter()
        ours = grammar.check(document.root)
        seconds += time.perf_counter() - start
        outcomes.append(Outcome(one, ours, theirs.get(f"{number}.xml", [])))
    return outcomes, seconds, jing_time


def main(arguments: Sequence[str]) -> int:
    count = int(arguments[arguments.index("--count") + 1]) if "--count" in arguments else COUNT
    outcomes, seconds, jing_time = compare(count)
    apart = [one for one in outcomes if bool(one.ours) != bool(one.jing)]
    both = [one for one in outcomes if one.ours and one.jing]
    print(f"{len(outcomes)} mutations; {len(apart)} on whose validity the two do not agree")
    print(f"ours {seconds:.2f} s, jing {jing_time:.2f} s; {len(both)} invalid, of which:")
    shares: Counter[str] = Counter()
    differences = []
    for one in both:
        theirs = jing_said(*one.jing[0])
        ours = [our_said(mistake) for mistake in one.ours]
        first = next((said for said in ours if said[:2] == theirs[:2]), ours[0])
        # An attribute that is there already cannot be what should be there.
        there = set(one.ours[0].element.attributes) if one.ours[0].attribute else set()
        same = [first[0] == theirs[0], first[1] == theirs[1], first[2] - there == theirs[2] - there]
        shares.update(
            name for name, yes in zip(("line", "name", "expected"), same, strict=True) if yes
        )
        shares["one finding"] += len(one.ours) == 1
        shares["one error of jing"] += len(one.jing) == 1
        if not all(same) or len(one.ours) > 1:
            differences.append((one, same))
    for name, number in shares.items():
        print(f"  {name:20} {number:5} {100 * number / len(both):6.1f} %")
    if "--differences" in arguments:
        for one, same in differences:
            print(_pair(one, same))
    for one in apart:
        print("validity: " + _pair(one, []))
    return bool(apart)


def _pair(one: Outcome, same: Sequence[bool]) -> str:
    what = [name for name, yes in zip(("line", "name", "expected"), same, strict=False) if not yes]
    lines = [f"{one.mutation.source}:{one.mutation.line} {one.mutation.kind}: {', '.join(what)}"]
    lines += [f"   jing {line}: {text}" for line, text in one.jing[:3]]
    lines += [
        f"   ours {our_said(one)[0]}: {one.message}; expected {one.expected}" for one in one.ours
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
