"""Early exit: hard routing that asks a decision only of the images which the decisions above let through.

Under hard routing the answer of a decision counts only where its parent was decided to hold. A cascade has a network a
decision, so networks further down need not see the other images. What comes out is `Taxonomy.route` of all answers;
what goes in is less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.inference import conditionals_again
from chestxpert.evaluation.metrics import BoolArray, FloatArray
from chestxpert.taxonomy import Taxonomy

IntArray = npt.NDArray[np.int64]

Ask = Callable[[str, IntArray], npt.ArrayLike]
"""Takes a decision's name and positions (m,) of images; gives (m, children) probabilities given the parent."""


@dataclass(frozen=True, eq=False)
class EarlyRouting:
    """What hard routing with early exit decided of N images.

    Attributes
    ----------
    decisions : (N, K) bool array in label order
    asked : (N, D) bool array
        Which of the tree's decisions, in their order, were asked of each image; the first one always.
    """

    decisions: BoolArray
    asked: BoolArray

    def shares(self, tree: Taxonomy) -> dict[str, float]:
        """Share of the images that each decision was asked of; NaN without images."""
        with np.errstate(invalid="ignore"):
            shares = self.asked.sum(axis=0) / np.float64(len(self.asked))
        return {decision.name: float(share) for decision, share in zip(tree.decisions, shares, strict=True)}


def route_early(tree: Taxonomy, thresholds: npt.ArrayLike, images: int, ask: Ask) -> EarlyRouting:
    """Hard routing down a tree, decision after decision.

    Parameters
    ----------
    tree : Taxonomy
    thresholds : (M,) array; a node is on from its threshold upwards, if its parent is on
    images : int, how many there are (N)
    ask : function
        Called once a decision, parents before children, with the positions at which the decision is reached,
        ascending; not at all where there are none.

    Returns
    -------
    EarlyRouting
        Its decisions are those of ``tree.route`` on the answers to all questions.
    """
    cut = np.asarray(thresholds, dtype=np.float64)
    on = np.zeros((images, len(tree.nodes)), dtype=np.bool_)
    asked = np.zeros((images, len(tree.decisions)), dtype=np.bool_)
    for place, decision in enumerate(tree.decisions):
        root = decision.parent is None
        rows = np.arange(images) if root else np.flatnonzero(on[:, tree.nodes.index(str(decision.parent))])
        if len(rows):
            columns = tree.columns(decision.name)
            on[rows, columns] = np.asarray(ask(decision.name, rows), dtype=np.float64) >= cut[columns]
            asked[rows, place] = True
    # `on` is whole along each path already; `route` gives it the order of the labels.
    return EarlyRouting(tree.route(on.astype(np.float64), np.full(len(tree.nodes), 0.5)), asked)


@dataclass(frozen=True, eq=False)
class EarlyExit:
    """Hard routing of one run, with early exit.

    Parameters
    ----------
    tree : Taxonomy
    thresholds : (M,) array
        One a node, as chosen on the run's validation images.
    routing : mapping or None
        ``routing`` of the run's evaluation.json.
    """

    tree: Taxonomy
    thresholds: FloatArray
    routing: Mapping[str, Any] | None = None

    def route(self, images: int, logits: Callable[[str, IntArray], npt.ArrayLike]) -> EarlyRouting:
        """Route `images` images; `logits` gives those of a decision (m, children) at positions (m,)."""

        def ask(name: str, rows: IntArray) -> FloatArray:
            values = np.asarray(logits(name, rows), dtype=np.float64)
            given = np.zeros((len(rows), len(self.tree.nodes)))
            given[:, self.tree.columns(name)] = np.exp(-np.logaddexp(0.0, -values))
            return conditionals_again(given, self.routing, self.tree)[:, self.tree.columns(name)]

        return route_early(self.tree, self.thresholds, images, ask)

    def route_again(self, conditionals: FloatArray) -> EarlyRouting:
        """What is asked and decided of N images, from their (N, M) conditionals as predictions hold them."""
        columns = self.tree.columns
        return route_early(
            self.tree, self.thresholds, len(conditionals), lambda name, rows: conditionals[rows, columns(name)]
        )


def typical_rows(asked: BoolArray, count: int) -> IntArray:
    """Positions of `count` images that were asked what all N were asked, in the same shares as nearly as can be.

    A systematic sample: images are put in order of the decisions asked of them, and every N / count-th is taken. Fewer
    images than `count` are taken several times.

    Parameters
    ----------
    asked : (N, D) bool array, N at least 1
    count : int, at least 1
    """
    order = np.lexsort(asked.T[::-1])
    places = ((np.arange(count) + 0.5) * len(order) / count).astype(np.int64)
    return np.asarray(order[places], dtype=np.int64)
