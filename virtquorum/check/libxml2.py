"""libxml2's verdict on a few documents, for the first answer of a short run.

libxml2 compiles libvirt's grammar in 6 ms where the explainer needs ten times
as long, so a check of one valid file need not load the explainer at all.
Over many files the explainer is the faster of the two.

libxml2's validator takes exponential time on some documents, valid ones among
them, and cannot be interrupted.  So it runs in a process of its own, beside
the rules, and is killed when it does not answer.  Only its yes counts: it refuses some
documents that the specification allows.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import time
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.options import Item, Options

__all__ = ["FEW", "PATIENCE", "Verdicts"]

#: Seconds that libxml2 may take for a document before its process is killed.
PATIENCE: Final = 1.0
_VALID, _NOT = b"V", b"N"
#: For more documents than this the explainer is loaded.
FEW: Final = 12
_ENCODED: Final = re.compile(rb"<\?xml[^>]*\bencoding\s*=\s*['\"](?!utf-8['\"])", re.IGNORECASE)


class Verdicts:
    """A process that asks libxml2 about documents, one after the other, from now on."""

    def __init__(self, items: Sequence[Item], options: Options) -> None:
        self._count = 0
        self._buffer = b""
        self._pipe, theirs = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._pipe)
            _answer(items, options, theirs)
        os.close(theirs)

    @staticmethod
    def wanted(items: Sequence[Item], options: Options) -> bool:
        """Whether libxml2 is to be asked: about a few documents, by libvirt's grammars."""
        return (
            0 < len(items) <= FEW
            and options.libvirt_schemas is not None
            and options.schema is None
            and options.grammar == "rng"
        )

    def next(self) -> bool:
        """Whether libxml2 accepts the next document; False if it does not say so in time."""
        deadline = time.monotonic() + PATIENCE
        while not self._buffer:
            left = deadline - time.monotonic()
            data = b""
            if self._process and left > 0 and select.select([self._pipe], [], [], left)[0]:
                data = os.read(self._pipe, 1 << 16)
            if not data:
                self.close()
                return False
            self._buffer += data
        verdict, self._buffer = self._buffer[:1], self._buffer[1:]
        return verdict == _VALID

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process:
            os.close(self._pipe)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            self._process = 0


def _answer(items: Sequence[Item], options: Options, pipe: int) -> None:
    """The process: writes a byte for each document; never returns."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for valid in _asked(items, options):
            os.write(pipe, _VALID if valid else _NOT)
    finally:
        os._exit(0)  # whoever reads takes the end of the pipe for a no


def _asked(items: Sequence[Item], options: Options) -> Iterator[bool]:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    grammars: dict[tuple[str, bool], Any] = {}
    for item in items:
        try:
            raw = item.read(options.limits.size)
            root = None if _odd(raw) else etree.fromstring(raw, parser)
        except (etree.XMLSyntaxError, UnreadableError, ValueError):
            root = None
        if root is None:
            yield False
            continue
        # What we add to libvirt's grammar needs this word, and takes as long again to build.
        key = str(root.tag), b"quorum" in raw
        if key not in grammars:
            grammars[key] = _grammar(etree, parser, key, options)
        grammar = grammars[key]
        yield grammar is not None and grammar.validate(root)


def _odd(raw: bytes) -> bool:
    """Whether libxml2 may read other characters than we do, or would expand entities."""
    return (
        raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        or b"<!DOCTYPE" in raw
        or _ENCODED.match(raw, 0, 200) is not None
    )


def _grammar(etree: Any, parser: Any, key: tuple[str, bool], options: Options) -> Any:
    """The grammar for a root element; None where there is none of the whole document."""
    root, quorum = key
    directory = options.libvirt_schemas
    assert directory is not None
    try:
        if root == "domain" and not quorum:
            return etree.RelaxNG(etree.parse(os.path.join(directory, "domain.rng"), parser))
        from virtquorum.check.grammar import grammar_for

        text = grammar_for(root, directory)
        if text is None or not text.whole:
            return None
        main = text.texts.get(text.path)
        if main is None:
            return etree.RelaxNG(etree.parse(text.path, parser))
        if len(text.texts) > 1:
            return None
        return etree.RelaxNG(etree.fromstring(main, parser, base_url=text.path).getroottree())
    except (etree.LxmlError, OSError):
        return None  # our own reader says what is wrong with it
