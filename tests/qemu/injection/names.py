"""Names that mean something to a shell, to QEMU's options, to JSON, to XML or to a URL."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

__all__ = ["NAMES", "SIZE", "TEXTS", "attribute", "domain_of"]

SIZE = 1024 * 1024
NAMES = [
    "a,b.raw",
    "a,,b,readonly=on.raw",
    ",if=virtio",
    ",file.filename=x",
    "=",
    "a=b.raw",
    "it's.raw",
    'say "x".raw',
    '"},{"driver":"null-co"',
    "with  space .raw",
    " ",
    "line\nend.raw",
    "\r\n",
    "tab\t.raw",
    "-drive",
    "--help",
    "json:{}",
    'json:{"driver":"null-co"}',
    "nbd:localhost:10809",
    "nbd:unix:x:exportname=y",
    "fat:rw:x",
    "file:x.raw",
    "100%.raw",
    "%s%n",
    "%2c%00",
    "back\\slash.raw",
    "\\",
    "\\n\\u0041",
    "Größe-日本-🗳.raw",
    "$(touch owned)",
    "`touch owned`; touch owned & $HOME",
    "*?[a]{b,c}~!#",
    "a.raw'; touch owned; '",
    "'><source file='x'>&amp;",
    "\u009b31m\u202egnp.raw",
    "x" * 200,
]


def attribute(text: str) -> str:
    """A text as an attribute's value, in quotes; XML would make spaces of some."""
    return quoteattr(text, {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def domain_of(*disks: str) -> str:
    return f"<domain><devices>{''.join(disks)}</devices></domain>"


#: Texts that XML can hold and that can be the name of a file.
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\ufffe\uffff")
    | st.sampled_from('\t\n\r,,==""\'\\:{}$%-'),
    min_size=1,
).filter(lambda text: len(text.encode()) <= 90 and text not in (".", ".."))
