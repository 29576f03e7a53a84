"""RELAX NG by derivatives: whether a document fits a grammar, and if not, where and why."""

from virtquorum.check.relaxng.grammar import Grammar, read_grammar
from virtquorum.check.relaxng.grammar_error import GrammarError
from virtquorum.check.relaxng.mistake import Kind, Mistake

__all__ = ["Grammar", "GrammarError", "Kind", "Mistake", "read_grammar"]
