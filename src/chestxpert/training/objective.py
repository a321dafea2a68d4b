"""The loss of one network: the recipe's, or that of each decision it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from chestxpert.imbalance.losses import LabelStats, build_loss
from chestxpert.imbalance.losses.by_decision import LossByDecision
from chestxpert.imbalance.losses.unconditional import UnconditionalLoss
from chestxpert.imbalance.weights import pos_weight
from chestxpert.recipe import Loss, Recipe
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.task import IntArray, Task


@dataclass(frozen=True)
class LossPart:
    """Columns of a network's outputs that one loss is over."""

    columns: slice
    settings: Loss

    def unweighted_epochs(self, epochs: int) -> int:
        """Epochs of `epochs` before the weights of positives switch on; there is at least one after them.

        Deferred re-weighting: Cao et al., Learning imbalanced datasets with label-distribution-aware margin loss,
        NeurIPS 2019, section 3.3 and algorithm 1.
        """
        return min(round(self.settings.deferred * epochs), epochs - 1)


def loss_parts(recipe: Recipe, task: Task) -> tuple[LossPart, ...]:
    """One part, or one for each decision of a network that answers several which do not all have the recipe's loss."""
    if not recipe.decisions or not isinstance(task.head, Taxonomy):
        return (LossPart(slice(0, len(task.outputs)), recipe.loss),)
    names = [decision.name for decision in task.head.decisions]
    return tuple(LossPart(task.head.columns(name), recipe.loss_of(name)) for name in names)


def network_loss(parts: Sequence[LossPart], task: Task, rows: IntArray) -> torch.nn.Module:
    """The loss of a network that learns from `rows` of its task."""
    targets, known = task.targets[rows], task.known[rows]
    losses = [
        build_loss(part.settings, LabelStats.of(targets[:, part.columns], known[:, part.columns])) for part in parts
    ]
    loss: torch.nn.Module = losses[0]
    if len(losses) > 1:
        weighted = [part.settings.pos_weight != "none" for part in parts]
        loss = LossByDecision([part.columns for part in parts], losses, weighted)
    return loss if task.parents is None else UnconditionalLoss(loss, task.parents)


def positive_weight(parts: Sequence[LossPart], task: Task, rows: IntArray) -> torch.Tensor | None:
    """(M,) weight of a positive of each output once the weights are on; None where no part has any."""
    if all(part.settings.pos_weight == "none" for part in parts):
        return None
    weight = np.ones(len(task.outputs), dtype=np.float32)
    for part in parts:
        if part.settings.pos_weight != "none":
            targets, known = task.targets[rows, part.columns], task.known[rows, part.columns]
            weight[part.columns] = pos_weight(
                targets, known, kind=part.settings.pos_weight, beta=part.settings.beta
            )  # fmt: skip
    return torch.from_numpy(weight)


def weight_after(weight: torch.Tensor | None, parts: Sequence[LossPart], epochs: int, done: int) -> torch.Tensor | None:
    """Weight of positives in the epoch after `done` of `epochs`: 1 where it is still deferred, None where all is."""
    weighted = [part for part in parts if part.settings.pos_weight != "none"]
    waiting = [part for part in weighted if done < part.unweighted_epochs(epochs)]
    if weight is None or len(waiting) == len(weighted):
        return None
    if not waiting:
        return weight
    now = weight.clone()
    for part in waiting:
        now[part.columns] = 1.0
    return now
