"""Task: what one network is trained to answer, on which rows. Flat, shared and cascade differ here alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.log_odds import sigmoid
from chestxpert.evaluation.metrics import auroc, average_precision, macro
from chestxpert.labels import LabelSpace
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """One network's question.

    Attributes
    ----------
    name : str
        'flat', 'shared', or the name of a cascade's decision.
    outputs : tuple of str
        A label or taxonomy node a logit (M of them).
    head : int or Taxonomy
        What the network ends in: one head with so many logits, or one head a decision of the tree.
    targets, known : (N, M) bool arrays over all rows of the cohort
        What holds, and where the loss may ask: where a decision's parent is known to hold and the answer is known.
    eligible : (N,) bool array
        Rows that the network is trained and validated on: those with anything to ask.
    scored, scored_known : (N, S) bool arrays
        Truth that validation is scored against, and where it is known.
    to_probs : function
        (n, M) logits to the (n, S) probabilities that are scored.
    parents : tuple, optional
        Where the loss asks each output along its whole path: the column of each one's parent, None below the root.
    """

    name: str
    outputs: tuple[str, ...]
    head: int | Taxonomy
    targets: BoolArray
    known: BoolArray
    eligible: BoolArray
    scored: BoolArray
    scored_known: BoolArray
    to_probs: Callable[[FloatArray], FloatArray]
    parents: tuple[int | None, ...] | None = None

    def score(self, logits: FloatArray, rows: IntArray) -> tuple[float, float]:
        """Macro average precision and macro AUROC of `logits` (n, M) on the rows (n,) they belong to."""
        probs, truth, known = self.to_probs(logits), self.scored[rows], self.scored_known[rows]
        return float(macro(average_precision(truth, probs, known))), float(macro(auroc(truth, probs, known)))

    def unlearnt(self, rows: IntArray) -> tuple[str, ...]:
        """Outputs that training on `rows` cannot teach, since the answer is known on none of them."""
        taught = np.asarray(self.known[rows].any(axis=0))
        return tuple(name for name, once in zip(self.outputs, taught.tolist(), strict=True) if not once)


def flat_task(labels: BoolArray, space: LabelSpace, known: BoolArray | None = None) -> Task:
    """One network, one logit a label, every row with a known label."""
    known = np.ones_like(labels) if known is None else known
    return Task("flat", space.labels, len(space), labels, known, np.asarray(known.any(axis=1)), labels, known, sigmoid)


def shared_task(labels: BoolArray, tree: Taxonomy, known: BoolArray | None = None) -> Task:
    """One network, one head a decision, each decision's loss only where its parent holds."""
    mask = tree.mask(labels, known)
    return Task(
        name="shared",
        outputs=tree.nodes,
        head=tree,
        targets=tree.targets(labels, known),
        known=mask,
        eligible=np.asarray(mask.any(axis=1)),
        scored=labels,
        scored_known=np.ones_like(labels) if known is None else known,
        to_probs=tree.marginals,
    )


def unconditional_task(labels: BoolArray, tree: Taxonomy, known: BoolArray | None = None) -> Task:
    """The network of `shared_task`, asked for each node by itself: on every row where it is known if the node holds."""
    answered = tree.known(labels, known)
    above = [tree.parent(node) for node in tree.nodes]
    return replace(
        shared_task(labels, tree, known),
        known=answered,
        eligible=np.asarray(answered.any(axis=1)),
        parents=tuple(None if node is None else tree.nodes.index(node) for node in above),
    )


def cascade_tasks(labels: BoolArray, tree: Taxonomy, known: BoolArray | None = None) -> tuple[Task, ...]:
    """A network for each decision, trained and validated on the rows where its parent holds."""
    targets, mask = tree.targets(labels, known), tree.mask(labels, known)
    tasks = []
    for decision in tree.decisions:
        columns = tree.columns(decision.name)
        tasks.append(
            Task(
                name=decision.name,
                outputs=decision.children,
                head=len(decision.children),
                targets=targets[:, columns],
                known=mask[:, columns],
                eligible=np.asarray(mask[:, columns].any(axis=1)),
                scored=targets[:, columns],
                scored_known=mask[:, columns],
                to_probs=sigmoid,
            )
        )
    return tuple(tasks)


def network_names(recipe: Recipe, tree: Taxonomy) -> tuple[str, ...]:
    """Names of the networks that `recipe` trains, in the order of training: those of its tasks."""
    if recipe.architecture == "cascade":
        return tuple(decision.name for decision in tree.decisions)
    return (recipe.architecture,)


def tasks_for(
    recipe: Recipe, labels: BoolArray, space: LabelSpace, tree: Taxonomy, known: BoolArray | None = None
) -> tuple[Task, ...]:
    """The networks that `recipe` trains, in the order of training.

    Parameters
    ----------
    labels, known : (N, K) bool arrays in label order, as a cohort's `labels()` and `known()` give them
    """
    if recipe.architecture == "flat":
        return (flat_task(labels, space, known),)
    if recipe.architecture == "shared":
        return (shared_task(labels, tree, known),)
    return cascade_tasks(labels, tree, known)
