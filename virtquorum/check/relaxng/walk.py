"""One walk over a document: from state to state, and to the explainer where there is none.

The loop is long because each call in it is felt: a document that has been
seen, or one like it, costs some look-ups for each tag and attribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.explain import Explainer
from virtquorum.check.relaxng.scope import OUTERMOST, attribute_name, element_name, entered
from virtquorum.xml.document import Element

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.check.relaxng.automaton import Automaton, Opening, State
    from virtquorum.check.relaxng.node import Node
    from virtquorum.xml.document import Child

__all__ = ["Walk"]

_SPACE: Final = " \t\r\n"


class Walk:
    """Checks one document."""

    def __init__(self, automaton: Automaton, start: Node) -> None:
        self.automaton = automaton
        self.explainer = Explainer(automaton, start)
        self.mistakes = self.explainer.mistakes
        #: Where the walk is: what 'gave-up' names.
        self.at: Element | None = None

    def run(self, root: Element) -> None:
        """Check the element and what is in it; the explainer has the mistakes then."""
        automaton, explainer = self.automaton, self.explainer
        scope = _scope_around(root)
        # Names are what they look like where no namespace is in sight.
        plain = scope is OUTERMOST and b"xmlns" not in root.document.data
        state = before = first = automaton.start
        parent: Element | None = None
        opening: Opening | None = None
        resumed: State | None = None
        children: Iterator[Child] = iter((root,))
        stack: list[
            tuple[
                Iterator[Child],
                State,
                State,
                State,
                Element | None,
                Opening | None,
                State | None,
                Mapping[str, str],
            ]
        ] = []
        while True:
            for child in children:
                if child.__class__ is not Element:
                    if child.__class__ is str and child.strip(_SPACE):
                        after = automaton.after_text(state)
                        if after is None:
                            assert parent is not None
                            explainer.text_between(parent, state, scope)
                        else:
                            state = after
                    continue
                self.at = child
                attributes = child.attributes
                name = child.name
                within = scope
                if not plain:
                    if attributes:
                        within = entered(scope, attributes)
                    name = element_name(name, within)
                found = state.opens.get(name) or automaton.opening(state, name)
                resume: State | None = None
                if found is None:
                    found, resume, state = explainer.unexpected(
                        child, name, state, before, first, parent, within
                    )
                    if found is None:
                        continue
                inner: State = found.child
                after = inner
                for written, value in attributes.items():
                    key = written
                    if ":" in written or written == "xmlns":
                        if written.startswith("xmlns"):
                            continue
                        key = attribute_name(written, within)
                    step = inner.steps.get(key) or automaton.step(inner, key)
                    if step is None:
                        after = None
                        break
                    after = step.known.get(value) or step.after(value, within)
                    if after is None:
                        break
                    inner = after
                if after is not None:
                    inner = inner.closed or automaton.closed(inner)
                if after is None or not inner.alive:
                    inner, again = explainer.start_tag(child, name, found, before, within)
                    resume = resume or again
                inside = child.children
                for one in inside:
                    if one.__class__ is Element:
                        stack.append(
                            (children, state, before, first, parent, opening, resumed, scope)
                        )
                        children, before, first, parent, opening, resumed, scope = (
                            iter(inside),
                            found.child,
                            inner,
                            child,
                            found,
                            resume,
                            within,
                        )
                        state = inner
                        break
                else:
                    if inside or (inner.valued and child.close != child.start):
                        mask = automaton.leaf(inner, child.text, within)
                    elif inner.valued:
                        mask = automaton.leaf(inner, "", within)
                    else:
                        mask = inner.accepts
                    if not mask:
                        mask = explainer.leaf(child, inner, within)
                    state = resume or found.after(mask)
                    continue
                break
            else:
                if parent is None:
                    return
                mask = state.accepts or explainer.end(parent, state, scope)
                found, resume = opening, resumed
                children, state, before, first, parent, opening, resumed, scope = stack.pop()
                assert found is not None
                state = resume or found.after(mask)


def _scope_around(root: Element) -> Mapping[str, str]:
    """The namespaces that the elements around an element declare."""
    outer = []
    one = root.parent
    while isinstance(one, Element):
        outer.append(one.attributes)
        one = one.parent
    scope = OUTERMOST
    for attributes in reversed(outer):
        scope = entered(scope, attributes)
    return scope
