"""Decisions, and what makes a list of them a tree over the findings of a label space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chestxpert.errors import LabelError
from chestxpert.labels import LabelSpace


@dataclass(frozen=True)
class Decision:
    """One question of the tree: which of `children` hold, where `parent` holds (None: always)."""

    name: str
    parent: str | None
    children: tuple[str, ...]


def check_tree(name: str, label_space: LabelSpace, decisions: Sequence[Decision]) -> None:
    """Raise LabelError unless `decisions` are a tree that ends in each finding once; the message names the node.

    Parameters
    ----------
    name : str
        Of the taxonomy, for the message.
    label_space : LabelSpace
    decisions : sequence of Decision
        Parents before children.
    """
    names = [decision.name for decision in decisions]
    if not names or len(set(names)) != len(names):
        raise LabelError(f"Taxonomy '{name}' needs decisions, each of its own name, but got {names}.")
    seen: list[str] = []
    for decision in decisions:
        if not decision.children:
            raise LabelError(f"Taxonomy '{name}': decision '{decision.name}' has no children to choose from.")
        if (decision.parent is None) != (decision is decisions[0]):
            raise LabelError(
                f"Taxonomy '{name}': exactly the first decision is at the root, but decision '{decision.name}' has "
                f"parent {decision.parent}."
            )
        if decision.parent is not None and decision.parent not in seen:
            raise LabelError(
                f"Taxonomy '{name}': decision '{decision.name}' hangs below '{decision.parent}', which no earlier "
                "decision has as a child."
            )
        seen.extend(decision.children)
    _check_nodes(name, label_space, decisions, seen)


def _check_nodes(name: str, label_space: LabelSpace, decisions: Sequence[Decision], nodes: list[str]) -> None:
    twice = sorted({node for node in nodes if nodes.count(node) > 1})
    if twice:
        raise LabelError(f"Taxonomy '{name}': {', '.join(twice)} stands twice; a node has one parent.")
    inner = {decision.parent for decision in decisions}
    leaves = [node for node in nodes if node not in inner]
    missing = sorted(set(label_space.findings) - set(leaves))
    unknown = sorted(set(leaves) - set(label_space.findings))
    if missing or unknown:
        raise LabelError(
            f"Taxonomy '{name}' must end in each finding of '{label_space.name}' once. "
            f"Missing: {', '.join(missing) or 'none'}; not findings: {', '.join(unknown) or 'none'}."
        )
    if label_space.no_finding is not None and len(decisions[0].children) != 1:
        raise LabelError(
            f"Taxonomy '{name}': the root decision '{decisions[0].name}' needs one child (any finding), since "
            f"'{label_space.no_finding}' is its absence."
        )
