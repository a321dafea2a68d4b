"""A Taxonomy from a short YAML file and back, read strictly: every error names the node.

    name: mine
    tree:
      finding:
        - pleural: [Effusion, Pneumothorax]
        - rest                              # every finding that stands nowhere else
    optional: [Pneumothorax]                # findings that a label space may lack
    decisions: {root: A, pleural: P}        # names of decisions; a node's own name by default

What a node's children are is a list of findings and of ``node: children``. `docs/taxonomies.md` explains each key.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.errors import LabelError, RecipeError
from chestxpert.labels import LabelSpace
from chestxpert.strict_yaml import parse_yaml, to_yaml
from chestxpert.taxonomy.branches import PLAIN, ROOT, Branch, BranchReader, is_plain
from chestxpert.taxonomy.decisions import Decision
from chestxpert.taxonomy.tree import Taxonomy

KEYS = ("name", "tree", "optional", "decisions")


def parse_taxonomy(text: str, label_space: LabelSpace, *, origin: str = "taxonomy") -> Taxonomy:
    """Taxonomy over `label_space` from YAML text.

    Parameters
    ----------
    text : str
    label_space : LabelSpace
    origin : str
        Where the text comes from, for messages.

    Raises
    ------
    LabelError
        For what cannot be read, an unknown key, and a node that is unknown, missing, empty, twice, too deep, an only
        child, or named like a finding though it has children; the message names it.
    """
    try:
        values = parse_yaml(text, origin)
    except RecipeError as error:
        raise LabelError(str(error)) from None
    for key in values:
        if key not in KEYS:
            raise LabelError(f"{origin}: unknown key '{key}'.{_near(str(key), KEYS)}")
    name = values.get("name")
    if not isinstance(name, str) or not name.strip():
        raise LabelError(f"{origin}: a taxonomy needs a name, as in 'name: mine', but got {name!r}.")
    try:
        reader = BranchReader(label_space, _names(values.get("optional"), "optional"))
        branches = reader.read(values.get("tree"))
        names = _decision_names(values.get("decisions"), branches, reader.gone)
        return Taxonomy(name, label_space, _decisions(branches, names))
    except LabelError as error:
        raise LabelError(f"{origin}: {error}") from None


def _names(value: Any, key: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise LabelError(f"'{key}' takes a list of findings, as in [Mass, Nodule], but got {value!r}.")
    return tuple(value)


def _levels(branches: list[Branch]) -> list[tuple[str, tuple[str, ...]]]:
    """The root and each node with children, beside the names of its children, level by level."""
    waiting = [Branch(ROOT, branches)]
    for branch in waiting:  # grows while it is walked
        waiting += [child for child in branch.children or () if child.children is not None]
    return [(branch.name, tuple(child.name for child in branch.children or ())) for branch in waiting]


def _decisions(branches: list[Branch], names: Mapping[str, str]) -> tuple[Decision, ...]:
    return tuple(
        Decision(names.get(node, node), None if node == ROOT else node, children)
        for node, children in _levels(branches)
    )


def _decision_names(given: Any, branches: list[Branch], gone: set[str]) -> dict[str, str]:
    """Names of decisions by node, as the file gives them."""
    if given is not None and not isinstance(given, dict):
        raise LabelError(f"'decisions' takes nodes and names, as in {{{ROOT}: A}}, but got {given!r}.")
    nodes = [node for node, _ in _levels(branches)]
    names: dict[str, str] = {}
    for node, name in (given or {}).items():
        if node not in nodes and node not in gone:
            raise LabelError(f"'decisions' names '{node}', which is no node with children.{_near(str(node), nodes)}")
        if not isinstance(name, str) or not is_plain(name):
            raise LabelError(f"The decision of node '{node}' needs a name of {PLAIN}, but got {name!r}.")
        names[node] = name
    return names


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean '{near[0]}'?" if near else f" There is: {', '.join(names)}."


def taxonomy_to_yaml(tree: Taxonomy) -> str:
    """YAML text that `parse_taxonomy` reads back to an equal tree, up to the order of its decisions."""
    children = {decision.parent: decision.children for decision in tree.decisions}

    def below(node: str | None) -> list[Any]:
        return [{child: below(child)} if child in children else child for child in children[node]]

    root = tree.decisions[0].children
    inner = all(child in children for child in root)
    values: dict[str, Any] = {
        "name": tree.name,
        "tree": {child: below(child) for child in root} if inner else below(None),
    }
    names = {decision.parent or ROOT: decision.name for decision in tree.decisions}
    if named := {node: name for node, name in names.items() if node != name}:
        values["decisions"] = named
    return to_yaml(values)
