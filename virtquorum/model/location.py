"""Where a node of the model stands in its document."""

from __future__ import annotations

__all__ = ["Location"]


class Location:
    """A place in a document; the reader of a format supplies the four facts.

    They may be worked out only when asked for: a domain has thousands of
    nodes and few of them are ever spoken of.
    """

    __slots__ = ()

    @property
    def file(self) -> str:
        """The name under which the document was given."""
        raise NotImplementedError

    @property
    def line(self) -> int:
        """The line, from 1."""
        raise NotImplementedError

    @property
    def column(self) -> int:
        """The column, from 1, in characters."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """The way from the root: ``devices.disk[0].backingStore[2]``, counted from 0."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
