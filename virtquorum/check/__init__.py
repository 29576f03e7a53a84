"""From a document to findings: grammar, the explainer, rules, fixes."""
