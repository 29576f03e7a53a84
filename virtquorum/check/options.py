"""What is decided once for a run, and what it is to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from virtquorum.errors import UnreadableError
from virtquorum.model.node import Node, node
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.check.finding import Severity

__all__ = ["GrammarChoice", "Item", "Options"]

GrammarChoice: TypeAlias = Literal["rng", "xsd", "both"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Options(Node):
    """What is decided once for a run.

    ``libvirt_schemas`` is the directory of libvirt's grammars, None where
    there is none: then only disks are checked.  ``schema`` is a RELAX NG file
    that takes the place of all grammars.  ``takes`` says by code and
    severity which findings are wanted.
    """

    libvirt_schemas: str | None = None
    schema: str | None = None
    grammar: GrammarChoice = "rng"
    images: bool = False
    limits: Limits = DEFAULT_LIMITS
    takes: Callable[[str, Severity], bool] | None = None


class Item(NamedTuple):
    """A document to check: its name, and its bytes if it is no file of that name."""

    name: str
    raw: bytes | None = None

    def read(self, size: int) -> bytes:
        """The bytes, of a file at most one more than ``size``; raises UnreadableError."""
        if self.raw is not None:
            return self.raw
        try:
            with open(self.name, "rb", buffering=0) as file:
                parts = []
                left = size + 1
                while left > 0 and (part := file.read(left)):
                    parts.append(part)
                    left -= len(part)
                return parts[0] if len(parts) == 1 else b"".join(parts)
        except OSError as error:
            raise UnreadableError.of(error, self.name) from None
