"""Steps that the losses share: what is unknown is put aside, the two sides are mixed, and the mean is taken."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def prepared(logits: Tensor, targets: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Logits and targets in float32 (in float64 where the logits are), both 0 where the target is unknown.

    A logit that is set to 0 here has no gradient, whatever a loss does with it.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    targets = targets.to(logits.dtype)
    return (logits, targets) if mask is None else (logits.masked_fill(~mask, 0.0), targets.masked_fill(~mask, 0.0))


def mixed(positive: Tensor, negative: Tensor, targets: Tensor, pos_weight: Tensor | None) -> Tensor:
    """Loss of each entry from its loss as a positive and as a negative.

    ``w y positive + (1 - y) negative``: the papers define it for y of 0 and 1. Between them, where images are mixed, an
    entry is y of a positive and 1 - y of a negative, as in Zhang et al., mixup: Beyond empirical risk minimization,
    ICLR 2018, whose cross-entropy is linear in the target too.
    """
    weighed = targets if pos_weight is None else targets * pos_weight.to(targets.dtype)
    return weighed * positive + (1.0 - targets) * negative


def masked_mean(losses: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the entries that are known; 0 where there is none."""
    if mask is None:
        return losses.sum() / max(losses.numel(), 1)
    return losses.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def log_prob(logits: Tensor) -> Tensor:
    """``log s(x)``, exact for logits of any size; ``log(1 - s(x))`` is that of ``-x``."""
    return F.logsigmoid(logits)


def shifted(logits: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Shifted probability ``p_m = max(p - m, 0)`` and ``log(1 - p_m)``.

    Ridnik et al., Asymmetric loss for multi-label classification, ICCV 2021, equation 5. Where p is below the margin,
    both are 0 and have no gradient.
    """
    if margin == 0:
        return log_prob(logits).exp(), log_prob(-logits)
    probs = (torch.sigmoid(logits) - margin).clamp(min=0.0)
    return probs, torch.log(torch.sigmoid(-logits) + margin).clamp(max=0.0)


def power(base: Tensor, exponent: float) -> Tensor:
    """``base ** exponent`` of numbers in [0, 1] that multiplies something which is 0 where the base is.

    1 where the base is 0, so that exponents below 1 have no infinite slope there.
    """
    return torch.where(base > 0, base, 1.0).pow(exponent)
