"""A taxonomy as lines of text, with how many images each node holds for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.taxonomy.branches import ROOT
from chestxpert.taxonomy.tree import Taxonomy

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BOXES = ("├─ ", "└─ ", "│  ", "   ")
PLAIN_BOXES = ("|- ", "`- ", "|  ", "   ")


@dataclass(frozen=True, eq=False)
class NodeCounts:
    """In how many images each of the M nodes holds.

    Parameters
    ----------
    images : int
        Of how many in all.
    holds, known : (M,) int arrays
        Images in which the node is known to hold, and in which it is known whether it does.
    asked : (M,) int array
        Images in which the node's decision is asked and its answer known.
    """

    images: int
    holds: IntArray
    known: IntArray
    asked: IntArray

    @classmethod
    def of(cls, tree: Taxonomy, labels: BoolArray, known: BoolArray | None = None) -> NodeCounts:
        """Counts from (N, K) labels, and where they are known (everywhere by default)."""
        targets, told, asked = tree.targets(labels, known), tree.known(labels, known), tree.mask(labels, known)
        return cls(len(labels), targets.sum(axis=0), told.sum(axis=0), asked.sum(axis=0))


@dataclass(frozen=True)
class Place:
    """A node where it is drawn: `rails` are whether each node above it, and itself, is the last of its siblings."""

    node: str
    column: int
    rails: tuple[bool, ...]


def places(tree: Taxonomy) -> Iterator[Place]:
    """Every node, each followed by all that is below it."""
    children = {decision.parent: decision.children for decision in tree.decisions}

    def below(node: str | None, rails: tuple[bool, ...]) -> Iterator[Place]:
        for child in children.get(node, ()):
            here = (*rails, child == children[node][-1])
            yield Place(child, tree.nodes.index(child), here)
            yield from below(child, here)

    return below(None, ())


def node_words(tree: Taxonomy, node: str | None) -> str:
    """A node's name, and that of the decision among its children where it differs; None is the root."""
    name = ROOT if node is None else node
    asked = next((decision.name for decision in tree.decisions if decision.parent == node), name)
    return name if asked == name else f"{name} (decision {asked})"


def draw_tree(tree: Taxonomy, counts: NodeCounts | None = None, *, boxes: Sequence[str] = BOXES) -> str:
    """The tree, a node a line, with counts beside it where they are given.

    Parameters
    ----------
    tree : Taxonomy
    counts : NodeCounts, optional
    boxes : sequence of str
        `BOXES`, or `PLAIN_BOXES` for a terminal that has no lines to draw with.

    Returns
    -------
    str
        Lines without a newline at the end. With counts: images in which the node holds; their share of those in which
        it is known; their share of those in which its decision is asked.
    """
    lines = [(node_words(tree, None), _root_cells(counts))]
    for place in places(tree):
        rails = "".join(boxes[3] if last else boxes[2] for last in place.rails[:-1])
        branch = boxes[1] if place.rails[-1] else boxes[0]
        inner = place.node if place.node not in tree.leaves else None
        words = place.node if inner is None else node_words(tree, inner)
        lines.append((rails + branch + words, _cells(counts, place.column)))
    if counts is None:
        return "\n".join(words for words, _ in lines)
    head = ("", ("images", "unknown", "share", "where asked"))
    shown = [0, 2, 3] if (counts.known == counts.images).all() else [0, 1, 2, 3]
    rows = [(words, [cells[k] for k in shown]) for words, cells in [head, *lines]]
    width = max(len(words) for words, _ in rows)
    widths = [max(len(cells[k]) for _, cells in rows) for k in range(len(shown))]
    return "\n".join(
        (f"{words:<{width}}" + "".join(f"  {cell:>{w}}" for cell, w in zip(cells, widths, strict=True))).rstrip()
        for words, cells in rows
    )


def _root_cells(counts: NodeCounts | None) -> tuple[str, str, str, str]:
    return ("", "", "", "") if counts is None else (f"{counts.images:,}", "", "", "")


def _cells(counts: NodeCounts | None, column: int) -> tuple[str, str, str, str]:
    if counts is None:
        return ("", "", "", "")
    holds, known, asked = (int(array[column]) for array in (counts.holds, counts.known, counts.asked))
    return (f"{holds:,}", f"{counts.images - known:,}", _share(holds, known), _share(holds, asked))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
