"""Robust asymmetric loss (RAL)."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from chestxpert.imbalance.losses.base import LabelStats, LossFunction
from chestxpert.imbalance.losses.terms import log_prob, masked_mean, mixed, power, prepared, shifted


def robust_asymmetric(
    stats: LabelStats,
    *,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    hill: float = 1.5,
    first: float = 1.0,
    second: float = -2.5,
) -> LossFunction:
    """Robust asymmetric loss: ASL with its positives' polynomial changed and its negatives' loss held back.

    With q = 1 - p, positives have ``q^gamma_pos (-log p - first q - second q^2 / 2)``: the terms of the Taylor series
    ``-log p = q + q^2 / 2 + ...`` take other coefficients, as in Huang et al., Asymmetric polynomial loss for
    multi-label classification, ICASSP 2023. Negatives have ASL's ``-p_m^gamma_neg log(1 - p_m)`` times the Hill loss's
    ``(hill - p) p^2`` (Zhang et al., Simple and robust loss design for multi-label learning with missing labels, arXiv
    2112.07368) and ``hill - (1 - p_m)``, so that a likely but unlabelled finding is not pushed down the hardest.
    Park et al., Robust asymmetric loss for multi-label long-tailed learning, ICCV workshop CVAMD 2023; the factors are
    those of the authors' code (kalelpark/RAL, models/get_optimizer.py, Ralloss). There logarithms end at log 1e-8, and
    entries are summed; here logarithms are exact, and the mean is taken over known entries.

    Parameters
    ----------
    stats : LabelStats
        Not used: the loss is the same for each finding.
    gamma_pos, gamma_neg, margin : float
        As in the asymmetric loss.
    hill : float
        lambda of the paper, at least 1.
    first, second : float
        What is taken off the first and the second coefficient; 0 and 0 leave -log p.
    """
    return partial(
        robust_asymmetric_loss,
        gamma_pos=gamma_pos,
        gamma_neg=gamma_neg,
        margin=margin,
        hill=hill,
        first=first,
        second=second,
    )


def robust_asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    mask: Tensor | None = None,
    pos_weight: Tensor | None = None,
    *,
    gamma_pos: float,
    gamma_neg: float,
    margin: float,
    hill: float,
    first: float,
    second: float,
) -> Tensor:
    """See `robust_asymmetric` and `LossFunction`."""
    logits, targets = prepared(logits, targets, mask)
    p, q = logits.sigmoid(), (-logits).sigmoid()
    polynomial = -log_prob(logits) - first * q - 0.5 * second * q.square()
    positive = (gamma_pos * log_prob(-logits)).exp() * polynomial
    shifted_p, log_q = shifted(logits, margin)
    held_back = (hill - p) * p.square() * (hill - 1.0 + shifted_p)
    negative = -power(shifted_p, gamma_neg) * log_q * held_back
    return masked_mean(mixed(positive, negative, targets, pos_weight), mask)
