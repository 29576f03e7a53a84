"""The files of a grammar: only local ones, each read once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from virtquorum.check.relaxng.grammar_error import GrammarError, wrong
from virtquorum.errors import InputError
from virtquorum.xml.document import Document, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.xml.document import Element

__all__ = ["Files"]

#: A grammar's elements stand in each other less deep than a document's may.
_LIMITS: Final = Limits(depth=100)


class Files:
    """Reads grammar files; ``texts`` maps absolute paths to what is read in their place."""

    def __init__(self, texts: Mapping[str, bytes] | None) -> None:
        self.texts = {os.path.abspath(path): text for path, text in (texts or {}).items()}
        self._roots: dict[str, Element] = {}

    def root(self, path: str) -> Element:
        """The root element of a file; raises GrammarError."""
        root = self._roots.get(path)
        if root is None:
            try:
                root = Document.from_bytes(self._bytes(path), path, _LIMITS).root
            except GrammarError:
                raise
            except InputError as error:
                raise GrammarError(
                    error.message,
                    file=error.file,
                    line=error.line,
                    column=error.column,
                    remedy="a RELAX NG grammar in XML is expected",
                ) from None
            self._roots[path] = root
        return root

    def _bytes(self, path: str) -> bytes:
        text = self.texts.get(path)
        if text is not None:
            return text
        try:
            with open(path, "rb") as file:
                return file.read(_LIMITS.size + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise GrammarError(
                f"the grammar cannot be read: {reason}",
                file=path,
                remedy="name a readable file; libvirt's are in /usr/share/libvirt/schemas",
            ) from None

    def target(self, place: Element) -> str:
        """The absolute path of an element's ``href``; raises GrammarError."""
        href = place.attributes["href"]
        try:
            parts = urlsplit(href)
        except ValueError:
            raise wrong(place, f"the href '{href}' is no URI", attribute="href") from None
        if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
            raise wrong(
                place,
                f"the href '{href}' is not a local file, and nothing is fetched",
                "fetch it yourself, and write the path of the file",
                attribute="href",
            )
        if parts.fragment:
            raise wrong(
                place, f"the href '{href}' must not name a part of a file", attribute="href"
            )
        path = os.path.join(os.path.dirname(place.file), unquote(parts.path))
        path = os.path.normpath(path)
        if path not in self.texts and not os.path.isfile(path):
            raise wrong(
                place,
                f"the file '{path}' is not there, or no file",
                "put it beside the grammar that names it",
                attribute="href",
            )
        return path
