"""Asymmetric loss (ASL)."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from chestxpert.imbalance.losses.base import LabelStats, LossFunction
from chestxpert.imbalance.losses.terms import log_prob, masked_mean, mixed, power, prepared, shifted


def asymmetric(
    stats: LabelStats, *, gamma_pos: float = 0.0, gamma_neg: float = 4.0, margin: float = 0.05
) -> LossFunction:
    """Asymmetric loss: easy negatives are focused away harder than positives, and the easiest dropped.

    ``-(1 - p)^gamma_pos log p`` of positives, ``-p_m^gamma_neg log(1 - p_m)`` with ``p_m = max(p - margin, 0)`` of
    negatives (Ridnik et al., Asymmetric loss for multi-label classification, ICCV 2021, equations 5 and 7). The mean
    over known entries, where the authors' code sums them; the gradient passes through the focusing factors, as in the
    paper's analysis.

    Parameters
    ----------
    stats : LabelStats
        Not used: the loss is the same for each finding.
    gamma_pos, gamma_neg : float
        At least 0; with a margin of 0 and both 0 it is cross-entropy.
    margin : float
        Negatives below this probability have neither loss nor gradient; in [0, 1).
    """
    return partial(asymmetric_loss, gamma_pos=gamma_pos, gamma_neg=gamma_neg, margin=margin)


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    mask: Tensor | None = None,
    pos_weight: Tensor | None = None,
    *,
    gamma_pos: float,
    gamma_neg: float,
    margin: float,
) -> Tensor:
    """See `asymmetric` and `LossFunction`."""
    logits, targets = prepared(logits, targets, mask)
    positive = -(gamma_pos * log_prob(-logits)).exp() * log_prob(logits)
    probs, log_q = shifted(logits, margin)
    return masked_mean(mixed(positive, -power(probs, gamma_neg) * log_q, targets, pos_weight), mask)
