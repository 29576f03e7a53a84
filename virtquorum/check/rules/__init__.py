"""The rules, one file each, and the table of them.

The table says which rules there are and what each looks at, so that a file is
imported only when there is something for it to look at.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtquorum.check.rule import Rule, Subject

__all__ = ["RULES", "all_rules", "rule", "rules_for"]

#: The code of each rule, its name and its subject; the module has the name with underscores.
RULES: dict[str, tuple[str, Subject]] = {
    "VQ001": ("unreadable", "input"),
    "VQ002": ("not-well-formed", "input"),
    "VQ003": ("limit", "input"),
    "VQ004": ("wrong-root", "input"),
    "VQ010": ("grammar", "input"),
    "VQ011": ("xsd", "input"),
    "VQ020": ("unknown-rule", "input"),
    "VQ021": ("unused-ignore", "input"),
    "VQ022": ("too-many", "input"),
    "VQ101": ("threshold-missing", "quorum"),
    "VQ102": ("threshold-not-a-number", "quorum"),
    "VQ103": ("threshold-below-one", "quorum"),
    "VQ104": ("threshold-too-large", "quorum"),
    "VQ105": ("threshold-above-members", "quorum"),
    "VQ106": ("threshold-half-or-less", "quorum"),
    "VQ107": ("threshold-one", "quorum"),
    "VQ108": ("too-few-members", "quorum"),
    "VQ109": ("single-member", "quorum"),
    "VQ110": ("threshold-element", "quorum"),
    "VQ111": ("threshold-twice", "quorum"),
    "VQ112": ("misplaced-quorum-attribute", "image"),
    "VQ113": ("misspelled-quorum-attribute", "image"),
    "VQ114": ("fifo-without-effect", "quorum"),
    "VQ115": ("blkverify-members", "quorum"),
    "VQ116": ("blkverify-rewrite", "quorum"),
    "VQ117": ("readonly-rewrite", "quorum"),
    "VQ201": ("quorum-source", "quorum"),
    "VQ202": ("backing-stores-dropped", "image"),
    "VQ203": ("empty-member", "quorum"),
    "VQ204": ("member-format-missing", "image"),
    "VQ205": ("image-twice-in-quorum", "quorum"),
    "VQ206": ("image-in-two-disks", "disks"),
    "VQ207": ("member-is-backing-image", "quorum"),
    "VQ208": ("source-no-member", "quorum"),
    "VQ209": ("source-votes-already", "quorum"),
    "VQ210": ("nodename-illegal", "image"),
    "VQ211": ("nodename-too-long", "image"),
    "VQ212": ("nodename-twice", "disks"),
    "VQ213": ("startup-policy-on-member", "image"),
    "VQ214": ("chain-too-deep", "disk"),
    "VQ215": ("backing-below-format", "image"),
    "VQ216": ("auth-twice", "disk"),
    "VQ217": ("encryption-twice", "disk"),
    "VQ301": ("quorum-device", "quorum"),
    "VQ302": ("target-missing", "disk"),
    "VQ303": ("target-twice", "disks"),
    "VQ304": ("relative-path", "image"),
    "VQ305": ("boot-order", "document"),
    "VQ306": ("address-twice", "document"),
    "VQ401": ("default-port", "image"),
    "VQ402": ("cookies-dropped", "image"),
    "VQ403": ("secret-dropped", "image"),
    "VQ404": ("password-masked", "document"),
    "VQ501": ("image-missing", "images"),
    "VQ502": ("image-unreadable", "images"),
    "VQ503": ("image-format", "images"),
    "VQ504": ("image-sizes", "images"),
    "VQ505": ("image-backing", "images"),
    "VQ506": ("one-filesystem", "images"),
    "VQ507": ("image-under-two-names", "images"),
    "VQ601": ("record-damaged", "lowered"),
    "VQ602": ("record-newer", "lowered"),
    "VQ603": ("placeholder-changed", "lowered"),
    "VQ604": ("placeholder-source", "lowered"),
    "VQ605": ("override-changed", "lowered"),
    "VQ606": ("arguments-changed", "lowered"),
    "VQ607": ("lowering-remains", "lowered"),
    "VQ608": ("member-in-stock-disk", "lowered"),
    "VQ609": ("placeholder-without-effect", "lowered"),
    "VQ610": ("placeholder-not-shareable", "lowered"),
}


def rule(code: str) -> Rule:
    """The rule of a code; raises KeyError."""
    name, _ = RULES[code]
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    found: Rule = module.RULE
    return found


def rules_for(subject: Subject) -> list[Rule]:
    """The rules that look at one kind of thing, in the order of their codes."""
    return [rule(code) for code, (_, own) in RULES.items() if own == subject]


def all_rules() -> list[Rule]:
    """Every rule, in the order of the codes."""
    return [rule(code) for code in RULES]
