"""The nested part of a taxonomy's file, checked node by node while it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chestxpert.errors import LabelError
from chestxpert.labels import LabelSpace

ROOT = "root"
"""How a file calls the decision that is asked of every image."""

REST = "rest"
"""Stands for every finding that stands nowhere else."""

MAX_DEPTH = 10
"""Deepest place of a node. A product of more conditional probabilities says nothing; it also ends an endless file."""

PLAIN = "letters, digits, spaces, '-' and '_'"


def is_plain(name: str) -> bool:
    """Whether `name` can name a node: it becomes a column, and a cascade's network and its file."""
    return bool(name) and name[0].isalnum() and name == name.strip() and all(c.isalnum() or c in " -_" for c in name)


@dataclass
class Branch:
    """A node and what is below it: None below a finding. `lacking` marks a finding that the label space lacks."""

    name: str
    children: list[Branch] | None = None
    lacking: bool = False


class BranchReader:
    """Reads the tree of one file over one label space; used once.

    Parameters
    ----------
    label_space : LabelSpace
    optional : sequence of str
        Findings that are left out where the label space lacks them.
    """

    def __init__(self, label_space: LabelSpace, optional: Sequence[str]) -> None:
        self.space = label_space
        self.optional = dict.fromkeys(optional, False)
        self.places: dict[str, str] = {}
        self.gone: set[str] = set()
        """Nodes that are not there in this label space, since what would be below them is not."""

    def read(self, value: Any) -> list[Branch]:
        """Branches below the root; LabelError names the node that is wrong."""
        branches = self._children(value, ROOT, 1)
        if idle := [name for name, met in self.optional.items() if not met]:
            raise LabelError(f"'optional' names {', '.join(idle)}, which the tree has not.")
        left = [finding for finding in self.space.findings if finding.casefold() not in self.places]
        if REST in self.places:
            _fill_rest(branches, left)
        elif left:
            raise LabelError(
                f"{', '.join(left)} stand{'s' if len(left) == 1 else ''} nowhere in the tree, which must end in every "
                f"finding of '{self.space.name}'. Put each below a node, or write '{REST}' where all others belong."
            )
        return [kept for branch in branches if (kept := self._pruned(branch)) is not None]

    def _children(self, value: Any, above: str, depth: int) -> list[Branch]:
        if depth > MAX_DEPTH:
            raise LabelError(f"The children of node '{above}' are at depth {depth}; at most {MAX_DEPTH} is taken.")
        if value is None or value == [] or value == {}:
            raise LabelError(f"Node '{above}' is empty: it needs children, as in '{above}: [Mass, Nodule]'.")
        found: list[Branch] = []
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and item:
                found += [self._inner(name, inner, above, depth) for name, inner in item.items()]
            elif isinstance(item, str):
                found.append(self._leaf(item, above))
            else:
                raise LabelError(f"Below node '{above}' stand findings and 'node: children', but there is {item!r}.")
        return found

    def _inner(self, name: Any, value: Any, above: str, depth: int) -> Branch:
        if not isinstance(name, str) or not is_plain(name):
            raise LabelError(f"A node below '{above}' needs a name of {PLAIN}, but got {name!r}.")
        if name in (ROOT, REST):
            raise LabelError(f"The node '{name}' below '{above}' needs another name: '{name}' means something here.")
        if self.space.get(name) is not None or name in self.optional:
            raise LabelError(
                f"Node '{name}' below '{above}' has the name of a finding, and findings have no children. Name the "
                "node otherwise, and put the finding below it."
            )
        self._place(name, above)
        return Branch(name, self._children(value, name, depth + 1))

    def _leaf(self, name: str, above: str) -> Branch:
        if name == REST:
            self._place(REST, above)
            return Branch(REST)
        if name in self.optional:
            self.optional[name] = True
        found = self.space.get(name)
        if found is None and name in self.optional:
            self._place(name, above)
            return Branch(name, lacking=True)
        if found is None:
            try:
                self.space.canonical(name)
            except LabelError as error:
                raise LabelError(f"Below node '{above}': {error}") from None
        if found == self.space.no_finding:
            raise LabelError(f"Below node '{above}': '{name}' is the absence of all findings and stands in no tree.")
        self._place(str(found), above)
        return Branch(str(found))

    def _place(self, name: str, above: str) -> None:
        key = name.casefold()  # a cascade's networks are files, and not every disk tells Mass from mass
        if key in self.places:
            raise LabelError(
                f"'{name}' stands twice, below '{self.places[key]}' and below '{above}'; a node has one parent."
            )
        self.places[key] = above

    def _pruned(self, branch: Branch) -> Branch | None:
        """The branch without what the label space lacks: None if nothing is left, and no node with an only child."""
        if branch.children is None:
            return None if branch.lacking else branch
        kept = [child for child in map(self._pruned, branch.children) if child is not None]
        if len(kept) > 1:
            return Branch(branch.name, kept)
        if len(kept) < len(branch.children):
            self.gone.add(branch.name)
            return kept[0] if kept else None
        if not kept:
            raise LabelError(f"Node '{branch.name}' is empty: no finding is left for '{REST}', each stands elsewhere.")
        raise LabelError(
            f"Node '{branch.name}' has one child, '{kept[0].name}', so that its decision would always be a yes. Write "
            f"'{kept[0].name}' in its place."
        )


def _fill_rest(branches: list[Branch], findings: Sequence[str]) -> bool:
    """Put `findings` where 'rest' stands, if it stands here or further down."""
    for place, branch in enumerate(branches):
        if branch.name == REST:
            branches[place : place + 1] = [Branch(finding) for finding in findings]
            return True
        if branch.children is not None and _fill_rest(branch.children, findings):
            return True
    return False
