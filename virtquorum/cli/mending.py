"""``validate --fix`` and ``--diff``: the fixes of findings, in the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.check.engine import Checked, Checker
from virtquorum.check.fixes import apply
from virtquorum.check.workers import read_file
from virtquorum.cli.difference import show_difference
from virtquorum.cli.replace import replace
from virtquorum.errors import EditError, InputError
from virtquorum.xml.document import Document
from virtquorum.xml.domain import ROOTS, Domain

if TYPE_CHECKING:
    from virtquorum.check.engine import Options
    from virtquorum.check.finding import Finding
    from virtquorum.check.workers import Item
    from virtquorum.cli.streams import Streams

__all__ = ["Mending"]

#: One fix can make room for another; a pair that undid each other would never end.
_ROUNDS: Final = 10


class Mending(NamedTuple):
    """Applies the fixes of findings; with ``diff`` they are shown, and the files stay."""

    options: Options
    diff: bool
    streams: Streams

    def mend(self, item: Item, checked: Checked) -> tuple[Checked, int]:
        """What is left of what was found in a document, and how many findings were mended."""
        if not any(one.fix is not None for one in checked.findings):
            return checked, 0
        checker = Checker(self.options)
        # The file is read anew: what is replaced is what the fixes were made for.
        raw = item.raw
        if raw is None:
            raw = read_file(item.name, self.options.limits.size)
        try:
            document = Document.from_bytes(raw, item.name, self.options.limits)
            if document.root.name not in ROOTS:
                return checked, 0
            domain = Domain(document)
            mended, left, fixed = _mended(domain, checker)
            data = mended.document.decoded.encode(mended.document.data)
        except (InputError, EditError) as error:
            self.streams.say(str(error))
            return checked, 0
        if not fixed:
            return left, 0
        if self.diff:
            self.streams.progress("")
            show_difference(self.streams, item.name, domain.text, mended.text, "fixed")
            return checked, len(fixed)
        replace(item.name, data, item.name)
        return left, len(fixed)


def _mended(domain: Domain, checker: Checker) -> tuple[Domain, Checked, list[Finding]]:
    """The domain with its fixes, what is found in it then, and what was mended."""
    fixed: list[Finding] = []
    checked = checker.check(domain.document)
    for _ in range(_ROUNDS):
        data, mended = apply(domain.document.data, checked.findings)
        if not mended:
            break
        fixed += mended
        domain = domain.with_data(data)
        checked = checker.check(domain.document)
    return domain, checked, fixed
