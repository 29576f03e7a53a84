"""``validate --fix`` and ``--diff``: the fixes of findings, in the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from virtquorum.check.engine import Checked, Checker
from virtquorum.check.fixes import apply
from virtquorum.cli.difference import show_difference
from virtquorum.cli.replace import replace
from virtquorum.errors import EditError, InputError, UnreadableError
from virtquorum.xml.document import Document
from virtquorum.xml.domain import ROOTS, Domain

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.check.finding import Finding
    from virtquorum.check.options import Item, Options
    from virtquorum.cli.streams import Streams

    #: What is to be reported of a file's findings.
    Left: TypeAlias = Callable[[str, list[Finding]], list[Finding]]

__all__ = ["Mending"]

#: One fix can make room for another; a pair that undid each other would never end.
_ROUNDS: Final = 10


class Mending:
    """Applies the fixes of findings; with ``diff`` they are shown, and the files stay.

    ``failed`` says that a file could not be written; ``fixed`` counts the
    findings that were mended, or would be.
    """

    def __init__(self, options: Options, diff: bool, streams: Streams) -> None:
        self.options = options
        self.diff = diff
        self.streams = streams
        self.failed = False
        self.fixed = 0

    def mend(self, item: Item, checked: Checked, left: Left) -> Checked:
        """What is found in a document when it is mended.

        Only what is ``left`` of the findings to be reported is mended.
        """
        if not any(one.fix is not None for one in left(item.name, checked.findings)):
            return checked
        checker = Checker(self.options)
        # The file is read anew: what is replaced is what the fixes were made for.
        try:
            raw = item.read(self.options.limits.size)
            document = Document.from_bytes(raw, item.name, self.options.limits)
            if document.root.name not in ROOTS:
                return checked
            domain = Domain(document)
            mended, after, fixed = _mended(domain, checker, left)
            data = mended.document.decoded.encode(mended.document.data)
        except (InputError, EditError) as error:
            self.streams.say(str(error))
            return checked
        if not fixed:
            return after
        if self.diff:
            self.streams.progress("")
            show_difference(self.streams, item.name, domain.text, mended.text, "fixed")
            self.fixed += len(fixed)
            return checked
        try:
            replace(item.name, data, item.name)
        except UnreadableError as error:
            self.streams.say(str(error))
            self.failed = True
            return checked
        self.fixed += len(fixed)
        return after


def _mended(domain: Domain, checker: Checker, left: Left) -> tuple[Domain, Checked, list[Finding]]:
    """The domain with its fixes, what is found in it then, and what was mended."""
    fixed: list[Finding] = []
    checked = checker.check(domain.document)
    for _ in range(_ROUNDS):
        wanted = [one for one in left(domain.name, checked.findings) if one.fix is not None]
        # All at once, or where they do not go together, one of them.
        for some in (wanted, *([one] for one in wanted)):
            data, mended = apply(domain.document.data, some)
            try:
                new = domain.with_data(data)
            except EditError:
                continue
            break
        else:
            break
        if not mended:
            break
        fixed += mended
        domain = new
        checked = checker.check(domain.document)
    return domain, checked, fixed
