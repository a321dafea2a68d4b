"""Label-distribution-aware margin loss (LDAM)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chestxpert.imbalance.losses.base import LabelStats, LossFunction
from chestxpert.imbalance.losses.terms import log_prob, masked_mean, mixed, prepared


def ldam(stats: LabelStats, *, max_margin: float = 0.5, scale: float = 30.0) -> LossFunction:
    """Cross-entropy in which positives must be right by a margin, the wider the rarer the finding.

    Cao et al., Learning imbalanced datasets with label-distribution-aware margin loss, NeurIPS 2019, equations 12 and
    13, have one margin ``D_j = C / n_j^(1/4)`` a class, taken off the score of the class that holds, and C such that
    the rarest has `max_margin`; their code multiplies all scores by `scale`. With several findings an image, each is
    a sigmoid of its own, and the margin is taken off where the finding is positive: ``BCE(scale (z - D_j y), y)``. So
    do public multi-label versions of the code of the NIH-CXR-LT benchmark, whose LDAM is single-label (Holste et al.,
    Long-tailed classification of thorax diseases on chest X-ray, MICCAI workshop DALI 2022).

    There, z is the cosine of normalised features and weights, and `scale` makes a logit of it. The heads here give
    that logit, ``x = scale z``, themselves: so ``BCE(x - scale D_j y, y)`` is the same loss, and s(x) remains the
    probability that is predicted. Without normalisation x is not held to [-scale, scale], and only the product of the
    two settings matters: `max_margin` and `scale` of 0.5 and 30 ask 15 logits more of the rarest finding.

    Parameters
    ----------
    stats : LabelStats
        n_j are its positives. A finding without any has the largest margin, which nothing uses.
    max_margin : float
        Margin of the rarest finding, at least 0, which is cross-entropy.
    scale : float
        Logits that a score of 1 is, above 0.
    """
    return Ldam(scale * margins(stats.positives, max_margin))


def margins(positives: npt.NDArray[np.float64], largest: float) -> npt.NDArray[np.float64]:
    """(M,) margins, proportional to n^(-1/4), of which the rarest finding that there is has the `largest`."""
    there = positives > 0
    rarest = positives[there].min() if there.any() else 1.0
    return np.asarray(largest * (rarest / np.where(there, positives, rarest)) ** 0.25)


class Ldam(nn.Module):
    """Cross-entropy with (M,) `margins`, in logits, taken off positives; see `ldam`."""

    margins: Tensor

    def __init__(self, margins: npt.NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("margins", torch.from_numpy(margins), persistent=False)

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None
    ) -> Tensor:
        """See `LossFunction`."""
        logits, targets = prepared(logits, targets, mask)
        positive = -log_prob(logits - self.margins.to(logits.dtype))
        return masked_mean(mixed(positive, -log_prob(-logits), targets, pos_weight), mask)
