"""Task: what one network is trained to answer, on which rows. Flat, shared and cascade differ here alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
        What holds, and where the loss may ask.
    eligible : (N,) bool array
        Rows that the network is trained and validated on.
    scored : (N, S) bool array
        Truth that validation is scored against.
    to_probs : function
        (n, M) logits to the (n, S) probabilities that are scored.
    """

    name: str
    outputs: tuple[str, ...]
    head: int | Taxonomy
    targets: BoolArray
    known: BoolArray
    eligible: BoolArray
    scored: BoolArray
    to_probs: Callable[[FloatArray], FloatArray]

    def score(self, logits: FloatArray, rows: IntArray) -> tuple[float, float]:
        """Macro average precision and macro AUROC of `logits` (n, M) on the rows (n,) they belong to."""
        probs, truth = self.to_probs(logits), self.scored[rows]
        return float(macro(average_precision(truth, probs))), float(macro(auroc(truth, probs)))


def sigmoid(logits: FloatArray) -> FloatArray:
    """Logistic function without overflow."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64)))


def flat_task(labels: BoolArray, space: LabelSpace) -> Task:
    """One network, one logit a label, every row."""
    everywhere = np.ones_like(labels)
    return Task(
        "flat", space.labels, len(space), labels, everywhere, np.ones(len(labels), dtype=np.bool_), labels, sigmoid
    )


def shared_task(labels: BoolArray, tree: Taxonomy) -> Task:
    """One network, one head a decision, each decision's loss only where its parent holds."""
    return Task(
        name="shared",
        outputs=tree.nodes,
        head=tree,
        targets=tree.targets(labels),
        known=tree.mask(labels),
        eligible=np.ones(len(labels), dtype=np.bool_),
        scored=labels,
        to_probs=tree.marginals,
    )


def cascade_tasks(labels: BoolArray, tree: Taxonomy) -> tuple[Task, ...]:
    """A network for each decision, trained and validated on the rows where its parent holds."""
    targets, mask = tree.targets(labels), tree.mask(labels)
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
                eligible=np.asarray(mask[:, columns].all(axis=1)),
                scored=targets[:, columns],
                to_probs=sigmoid,
            )
        )
    return tuple(tasks)


def tasks_for(recipe: Recipe, labels: BoolArray, space: LabelSpace, tree: Taxonomy) -> tuple[Task, ...]:
    """The networks that `recipe` trains, in the order of training."""
    if recipe.architecture == "flat":
        return (flat_task(labels, space),)
    if recipe.architecture == "shared":
        return (shared_task(labels, tree),)
    return cascade_tasks(labels, tree)
