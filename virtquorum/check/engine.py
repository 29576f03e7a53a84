"""From a document to its findings: the grammar, the rules, and what the comments keep back.

``Checker`` holds what is decided once for a run and what is built once:
grammars and the tables of rules.  It decides by the explainer of our own,
which is bounded in time and memory.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from virtquorum.check.finding import Severity
from virtquorum.check.reconcile import reconciled
from virtquorum.check.rule import Problem, Rule, positions
from virtquorum.check.rules import RULES, rule
from virtquorum.errors import (
    InputError,
    LimitError,
    NotWellFormedError,
    UnreadableError,
    WrongRootError,
)
from virtquorum.model.image import Quorum
from virtquorum.xml.document import Document
from virtquorum.xml.domain import ROOTS, Domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.check.options import Options
    from virtquorum.check.relaxng import Grammar, Mistake
    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Element

    #: Whether libxml2 accepts a document; its no is not trusted.
    Ask: TypeAlias = Callable[[], bool]

#: How many findings of a document are reported, and how many problems of rules are looked at.
MOST: Final = 2_000
_LOOKED_AT: Final = 20_000
#: What a comment has that keeps findings back.
MARK: Final = b"virtquorum:"
#: How the names of aliases, nodes and drives begin that lowering makes.
LOWERED: Final = b"vq-"

__all__ = ["MARK", "MOST", "Checked", "Checker", "Rules", "unread"]


class Checked(NamedTuple):
    """What was found in one document, in order of place.

    ``readable`` is False where the one finding says why it could not be
    read; ``hidden`` counts what ignore comments keep back; ``remarks`` are
    sentences for the summary; ``root`` is the name of the root element.
    """

    findings: list[Finding]
    readable: bool = True
    hidden: int = 0
    remarks: tuple[str, ...] = ()
    root: str = ""

    @property
    def clean(self) -> bool:
        """Whether there is nothing at all to say."""
        return not self.findings and self.readable and not self.hidden and not self.remarks


class Rules:
    """The rules of a run by what they look at, each imported when there is something to look at."""

    def __init__(self, takes: Callable[[str, Severity], bool] | None) -> None:
        self._takes = takes
        self._known: dict[str, list[Rule]] = {}

    def of(self, subject: str) -> list[Rule]:
        """The wanted rules that look at one kind of thing."""
        found = self._known.get(subject)
        if found is None:
            # Rules that differ in severity from case to case are sorted out by their findings.
            found = self._known[subject] = [
                rule(code)
                for code, (_, own) in RULES.items()
                if own == subject
                and (self._takes is None or any(self._takes(code, one) for one in Severity))
            ]
        return found

    def problems(
        self, root: Element, data: bytes, disks: Sequence[Disk]
    ) -> Iterator[tuple[Rule, Problem]]:
        """What the rules find in a document and its disks."""
        about_all = self.of("document")
        if LOWERED in data:
            about_all = [*about_all, *self.of("lowered")]
        for one in about_all:
            if one.hint in data and one.check is not None:
                yield from ((one, problem) for problem in one.check(root))  # type: ignore[arg-type]
        if not disks:
            return
        for one in self.of("disks"):
            assert one.check is not None
            yield from ((one, problem) for problem in one.check(disks))  # type: ignore[arg-type]
        disk_rules = self.of("disk")
        image_rules = self.of("image")
        for disk in disks:
            for one in disk_rules:
                assert one.check is not None
                for problem in one.check(disk):  # type: ignore[arg-type]
                    yield one, problem
            for position in positions(disk):
                rules = image_rules
                if isinstance(position.image.source, Quorum):
                    rules = [*image_rules, *self.of("quorum")]
                for one in rules:
                    assert one.check is not None
                    for problem in one.check(position):  # type: ignore[arg-type]
                        yield one, problem


class Checker:
    """Checks documents, one after the other."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.rules = Rules(options.takes)
        self._grammars: dict[str, tuple[Grammar | None, bool, str | None]] = {}

    def prepare(self, root: str) -> None:
        """Load what documents of a root element need."""
        if self.options.grammar != "xsd":
            self._grammar(root)

    def check_bytes(self, raw: bytes, name: str, *, libxml2: Ask | None = None) -> Checked:
        """Check the bytes of a file.

        ``libxml2`` says whether libxml2 accepts the document, which spares
        the explainer.  Raises an InputError only for what is wrong with a
        grammar.
        """
        try:
            document = Document.from_bytes(raw, name, self.options.limits)
        except InputError as error:
            return unread(error, raw)
        return self.check(document, libxml2=libxml2)

    def check(self, document: Document, *, libxml2: Ask | None = None) -> Checked:
        """Check a document that has been read; see check_bytes."""
        root = document.root
        remarks: list[str] = []
        domain = Domain(document) if root.name in ROOTS else None
        disks = domain.disks if domain is not None else ()
        problems = [*islice(self.rules.problems(root, document.data, disks), _LOOKED_AT)]
        if self.options.images and disks:
            problems += self._images(disks)
        mistakes: list[Mistake] = []
        valid = libxml2 is not None and libxml2()
        if not valid and (self.options.grammar != "xsd" or domain is None):
            grammar, whole, remark = self._grammar(root.name)
            if _is_device(root, self.options):
                return unread(_wrong_root(document))
            if remark is not None:
                remarks.append(remark)
            if grammar is None and domain is None:
                return unread(_wrong_root(document))
            if grammar is not None and (named := _namespace(document, self.options)) is not None:
                problems.append((rule("VQ010"), named))
            elif grammar is not None:
                for one in [root] if whole else [disk.location for disk in disks]:
                    mistakes += grammar.check(one)  # type: ignore[arg-type]
        if self.options.grammar != "rng" and disks and self.options.schema is None:
            from virtquorum.check.xsd import xsd_problems

            found = xsd_problems([disk.location for disk in disks[:MOST]])  # type: ignore[misc]
            if len(disks) > MOST:
                remarks.append(f"the XSD was applied to the first {MOST:,} disks alone")
            problems += _without_repeats(found, problems, mistakes)
        problems = reconciled(problems, mistakes)
        findings, hidden = self._findings(problems, document)
        return Checked(findings, True, hidden, tuple(remarks), root.name)

    def _images(self, disks: Sequence[Disk]) -> list[tuple[Rule, Problem]]:
        if not self.rules.of("images"):
            return []
        from virtquorum.check.images import image_problems

        return list(image_problems(disks))

    def _findings(
        self, problems: Sequence[tuple[Rule, Problem]], document: Document
    ) -> tuple[list[Finding], int]:
        """The problems as findings in order of place, and how many the comments keep back."""
        if not problems and MARK not in document.data:
            return [], 0
        from virtquorum.check.comments import Ignores
        from virtquorum.check.place import Placer

        placer = Placer(document)
        takes = self.options.takes
        ignores = Ignores(document)
        hidden = 0
        findings: set[Finding] = set()
        # In order of place, so that the first ones are reported where there are too many.
        for one, problem in sorted(problems, key=lambda pair: pair[1].element.start):
            severity = problem.severity or one.severity
            kept_back = ignores.hides(problem.element, one.code)
            if takes is not None and not takes(one.code, severity):
                continue
            if kept_back:
                hidden += 1
            elif len(findings) < MOST:
                findings.add(placer.finding(one.code, severity, problem))
            else:
                found = f"there are more than {MOST:,} findings; the others are not reported"
                place = Problem(problem.element, found, expected="mend the first ones")
                findings.add(placer.finding("VQ022", Severity.ERROR, place))
                break
        for code, message, start, stop, expected in islice(ignores.problems(takes), MOST):
            severity = rule(code).severity
            if takes is None or takes(code, severity):
                findings.add(placer.between(code, severity, message, start, stop, expected))
        return sorted(findings), hidden

    def _grammar(self, root: str) -> tuple[Grammar | None, bool, str | None]:
        """The grammar for documents of a root element, whether it is of all, and a remark."""
        key = "" if self.options.schema is not None else root
        if key not in self._grammars:
            self._grammars[key] = self._read_grammar(root)
        return self._grammars[key]

    def _read_grammar(self, root: str) -> tuple[Grammar | None, bool, str | None]:
        from virtquorum.check.relaxng import read_grammar

        if self.options.schema is not None:
            return read_grammar(self.options.schema), True, None
        from virtquorum.check.grammar import grammar_for

        text = grammar_for(root, self.options.libvirt_schemas)
        if text is None:
            remark = f"libvirt has no grammar for <{root}>: only rules were applied to it"
            return None, False, remark if root in ROOTS else None
        return read_grammar(text.path, texts=text.texts), text.whole, text.remark


def _without_repeats(
    found: Sequence[Problem],
    problems: Sequence[tuple[Rule, Problem]],
    mistakes: Sequence[Mistake],
) -> list[tuple[Rule, Problem]]:
    """The XSD's problems, without those whose place a rule or the other grammar speaks of."""
    page = rule("VQ011")
    places = {(id(one.element), one.attribute) for _, one in problems}
    places |= {(id(one.element), one.attribute) for one in mistakes}
    return [(page, one) for one in found if (id(one.element), one.attribute) not in places]


def _namespace(document: Document, options: Options) -> Problem | None:
    """That a document is in a namespace as a whole, where no element can be libvirt's."""
    root = document.root
    if options.schema is not None or not root.attributes.get("xmlns"):
        return None
    return Problem(
        root,
        f"<{root.name}> and all in it are in the namespace '{root.attributes['xmlns']}',"
        " and libvirt's elements are in none",
        attribute="xmlns",
        expected=f"no xmlns on <{root.name}>",
    )


def _is_device(root: Element, options: Options) -> bool:
    """Whether this is a domain's <interface>, and not a host's, whose grammar goes by that name."""
    return root.name == "interface" and "name" not in root.attributes and options.schema is None


def _wrong_root(document: Document) -> WrongRootError:
    root = document.root
    return WrongRootError(
        f"the root element is <{root.name}>, for which there is no grammar",
        root=root.name,
        file=document.name,
        line=root.line,
        column=root.column,
        remedy="name one with --schema FILE.rng",
    )


_CODES: dict[type[InputError], str] = {
    UnreadableError: "VQ001",
    NotWellFormedError: "VQ002",
    LimitError: "VQ003",
    WrongRootError: "VQ004",
}


def unread(error: InputError, raw: bytes = b"") -> Checked:
    """A document that could not be read, as its one finding; ``raw`` is what there was of it."""
    from virtquorum.check.place import finding_of_error

    code = next((code for cls, code in _CODES.items() if isinstance(error, cls)), "VQ001")
    root = error.root if isinstance(error, WrongRootError) else ""
    return Checked([finding_of_error(code, error, raw)], False, root=root)
