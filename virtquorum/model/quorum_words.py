"""The words of a quorum: its attributes, where each belongs, and which one is meant by another."""

from __future__ import annotations

from typing import Final

__all__ = ["WORDS", "word_meant"]

#: A quorum's attributes, and where each belongs.
WORDS: Final = {
    "threshold": "on the <disk> or <backingStore> with type='quorum'",
    "read_pattern": "on the <driver> or <format> of a quorum",
    "rewrite_corrupted": "on the <driver> or <format> of a quorum",
    "blkverify": "on the <driver> or <format> of a quorum",
    "nodename": "on the <backingStore> of a member",
}
#: The same without their separators, and QEMU's own name of the threshold.
_BARE: Final = {word.replace("_", ""): word for word in WORDS} | {"votethreshold": "threshold"}


def word_meant(name: str, *, near: bool) -> str | None:
    """The word that a name is but for its separators, or is ``near``; None for none."""
    bare = name.replace("-", "").replace("_", "").lower()
    word = _BARE.get(bare)
    if word is None and near and len(bare) > 6 and ":" not in bare:
        from difflib import get_close_matches

        found = {_BARE[one] for one in get_close_matches(bare, _BARE, 3, 0.8)}
        if len(found) == 1:
            (word,) = found
    return word
