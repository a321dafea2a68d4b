"""tau-normalisation of a network's last layer.

Kang et al., Decoupling representation and classifier for long-tailed recognition, ICLR 2020, section 4: the weights of
a class are divided by a power of their length, ``w / ||w||^tau``. Frequent classes have the longer ones after training.
The paper drops the biases, which matter little under a softmax. Under a sigmoid a bias is where a finding's log-odds
start, the log of how rare it is, and without it nearly every probability would be near one half: by default it stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from chestxpert.evaluation.metrics import f1, macro
from chestxpert.models.heads import ConditionalHeads, StudyHead
from chestxpert.training.task import FloatArray, IntArray, Task

GRID = tuple(round(0.1 * step, 1) for step in range(11))
"""Values of tau that validation chooses from; 0 leaves the weights as they are, 1 makes all of one length."""

COMMON = 0.5
"""Threshold at which they are compared: with one of its own for each label, no scaling could be told from none."""


Head = StudyHead | ConditionalHeads


def _divisors(layer: nn.Linear, tau: float) -> torch.Tensor:
    """``||w||^tau`` of each output; 1 for weights that are all 0."""
    lengths = layer.weight.detach().norm(dim=1)
    return torch.where(lengths > 0, lengths, 1.0) ** tau


def normalise_last(head: Head, tau: float, bias: float) -> None:
    """Divide the last layer's weights by ``||w||^tau`` and multiply its biases by `bias` in [0, 1], in place."""
    with torch.no_grad():
        for layer in head.last:
            layer.weight.div_(_divisors(layer, tau)[:, None])
            layer.bias.mul_(bias)


def choose_tau(logits: npt.ArrayLike, head: Head, bias: float, task: Task, rows: IntArray) -> dict[str, Any]:
    """The tau of `GRID` with the best macro F1 on validation rows at one threshold for all labels; the least of equals.

    Parameters
    ----------
    logits : (n, M) array
        Of the network as it was trained.
    head : its head
    bias : float
        What its biases are multiplied by.
    task, rows : what was asked, and the n rows

    Returns
    -------
    dict
        ``tau``; ``chosen_on``, ``criterion`` and ``scores``, one for each value of the grid.
    """
    own = torch.cat([layer.bias.detach() for layer in head.last]).double().cpu().numpy()
    evidence = np.asarray(logits, dtype=np.float64) - own
    scores = {}
    for tau in GRID:
        changed = (
            evidence / torch.cat([_divisors(layer, tau) for layer in head.last]).double().cpu().numpy() + bias * own
        )
        scores[tau] = _macro_f1(changed, task, rows)
    best = max(GRID, key=lambda tau: (scores[tau], -tau))
    named = {f"{tau:g}": score for tau, score in scores.items()}
    return {"tau": best, "chosen_on": "val", "criterion": f"macro F1 at {COMMON:g}", "scores": named}


def _macro_f1(logits: FloatArray, task: Task, rows: IntArray) -> float:
    decided = task.to_probs(logits) >= COMMON
    return float(macro(f1(task.scored[rows], decided, task.scored_known[rows])))
