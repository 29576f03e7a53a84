"""``virtquorum.validate()``: a check by a call, of one document, in this process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from virtquorum.check.engine import Checker, unread
from virtquorum.check.grammar import find_libvirt_schemas
from virtquorum.check.options import Options
from virtquorum.check.selection import Selection
from virtquorum.errors import InputError
from virtquorum.xml.document import Document
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from virtquorum.check.finding import Finding

__all__ = ["check"]


def check(
    document: str | bytes | Domain,
    name: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    libvirt_schemas: str | None,
) -> list[Finding]:
    """See ``virtquorum.validate``."""
    if not isinstance(document, (str, bytes, Domain)):
        raise TypeError(
            "a document is its text, its bytes or a Domain, "
            f"not {type(document).__name__}; for a file pass what path.read_bytes() gives"
        )
    checker = _checker(tuple(select), tuple(ignore), find_libvirt_schemas(libvirt_schemas))
    if isinstance(document, Domain):
        return checker.check(document.document).findings
    try:
        if isinstance(document, bytes):
            read = Document.from_bytes(document, name or "<bytes>")
        else:
            read = Document.from_text(document, name or "<text>")
    except InputError as error:
        return unread(error).findings
    return checker.check(read).findings


@lru_cache(maxsize=4)
def _checker(
    select: tuple[str, ...], ignore: tuple[str, ...], libvirt_schemas: str | None
) -> Checker:
    """The checker for some options, kept with its grammars: reading them takes longest."""
    takes = Selection.from_words(select, ignore).takes
    return Checker(Options(libvirt_schemas=libvirt_schemas, takes=takes))
