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
    "VQ101": ("threshold-missing", "quorum"),
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
