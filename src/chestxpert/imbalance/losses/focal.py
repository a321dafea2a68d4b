"""Focal loss."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from chestxpert.imbalance.losses.base import LabelStats, LossFunction
from chestxpert.imbalance.losses.terms import log_prob, masked_mean, mixed, prepared


def focal(stats: LabelStats, *, gamma: float = 2.0, alpha: float = 0.25) -> LossFunction:
    """Focal loss: cross-entropy with less weight on what is already right.

    ``-a_t (1 - p_t)^gamma log p_t`` with p_t the probability of what holds (Lin et al., Focal loss for dense object
    detection, ICCV 2017, equation 5). The mean over known entries, where the paper divides by the number of positives.

    Parameters
    ----------
    stats : LabelStats
        Not used: the loss is the same for each finding.
    gamma : float
        At least 0, which is cross-entropy.
    alpha : float
        a_t is alpha for positives and 1 - alpha for negatives, in [0, 1]; -1 is no such weight.
    """
    return partial(focal_loss, gamma=gamma, alpha=alpha)


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    mask: Tensor | None = None,
    pos_weight: Tensor | None = None,
    *,
    gamma: float,
    alpha: float,
) -> Tensor:
    """See `focal` and `LossFunction`."""
    logits, targets = prepared(logits, targets, mask)
    log_p, log_q = log_prob(logits), log_prob(-logits)
    # (1 - p)^gamma as exp(gamma log(1 - p)): no power of a rounded 0 or 1.
    positive, negative = -(gamma * log_q).exp() * log_p, -(gamma * log_p).exp() * log_q
    if alpha >= 0:
        positive, negative = alpha * positive, (1.0 - alpha) * negative
    return masked_mean(mixed(positive, negative, targets, pos_weight), mask)
