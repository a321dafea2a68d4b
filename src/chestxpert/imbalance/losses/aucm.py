"""AUC margin loss (AUCM)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chestxpert.imbalance.losses.base import LabelStats, LossFunction
from chestxpert.imbalance.losses.terms import masked_mean, prepared


def aucm(stats: LabelStats, *, margin: float = 1.0, memory: float = 32.0) -> LossFunction:
    """AUC margin loss, a surrogate of 1 - AUROC that needs no pairs.

    Yuan et al., Large-scale robust deep AUC maximization, ICCV 2021 (AUCM of LibAUC), on the scores h = s(x) of each
    finding, with p its share of positives among the training rows:

        min over h, a, b, max over alpha >= 0 of
        E[(h - a)^2 | positive] + E[(h - b)^2 | negative]
        + 2 alpha (margin + E[h | negative] - E[h | positive]) - alpha^2

    Each conditional mean is taken as a mean over all rows divided by p or 1 - p (LibAUC's version 'v1', divided by its
    common factor p (1 - p), which would make rare findings count for less). So a batch without a positive is an
    unbiased sample too. The mean is over the known entries of all findings.

    *No learnt a, b and alpha.* For given scores the saddle point is known: a and b are the mean scores of positives and
    of negatives, and ``alpha = max(0, margin + b - a)``. LibAUC finds it by gradient descent and ascent, with an
    optimiser made for it (PESG). Under AdamW, whose steps are about one learning rate long whatever the gradient is,
    they would lag behind scores that move faster than they do, by a schedule that is not theirs, and most of all for
    findings with a positive in one batch out of twenty. Here a and b are running means of the scores, and alpha follows
    from them: never negative, and no rate to choose. By the envelope theorem the gradient of the logits at the saddle
    point is the one with a, b and alpha held fixed.

    Parameters
    ----------
    stats : LabelStats
        p is its prevalence; a and b start there, as the scores do.
    margin : float
        In (0, 1].
    memory : float
        How many positives, or negatives, of a finding its running mean reaches back; at least 1.
    """
    return Aucm(torch.from_numpy(stats.prevalence), margin, memory)


class Aucm(nn.Module):
    """See `aucm`.

    Attributes
    ----------
    means : (2, M) float64 tensor
        Running mean scores of positives and of negatives, a and b of the paper. They follow each batch that is trained
        on and stay as they are in evaluation mode.
    """

    means: Tensor
    prevalence: Tensor

    def __init__(self, prevalence: Tensor, margin: float, memory: float) -> None:
        super().__init__()
        self.register_buffer("prevalence", prevalence, persistent=False)
        self.register_buffer("means", torch.stack([prevalence, prevalence]))
        self.margin, self.memory = margin, memory

    @property
    def alpha(self) -> Tensor:
        """(M,) maximiser of the loss for the running means; never negative."""
        return (self.margin + self.means[1] - self.means[0]).clamp(min=0.0)

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None
    ) -> Tensor:
        """See `LossFunction`. Positives and negatives weigh the same already, so `pos_weight` has no part in it."""
        logits, targets = prepared(logits, targets, mask)
        scores = torch.sigmoid(logits)
        if self.training:
            known = torch.ones_like(targets) if mask is None else mask.to(targets.dtype)
            self._follow(scores.detach(), torch.stack([targets, known - targets]))
        a, b, alpha = self.means[0].to(scores), self.means[1].to(scores), self.alpha.to(scores)
        p = self.prevalence.to(scores)
        positive, negative = targets / p, (1.0 - targets) / (1.0 - p)
        spread = positive * (scores - a).square() + negative * (scores - b).square()
        ranking = 2.0 * alpha * (self.margin + (negative - positive) * scores) - alpha.square()
        return masked_mean(spread + ranking, mask)

    def _follow(self, scores: Tensor, shares: Tensor) -> None:
        """Move the means towards those of a batch, the further the more of its entries are of that side.

        `shares` is (2, B, M): how much of each entry is a known positive, and how much a known negative.
        """
        counts = shares.sum(dim=1).to(self.means.dtype)
        sums = (shares * scores).sum(dim=1).to(self.means.dtype)
        moved = 1.0 - (1.0 - 1.0 / self.memory) ** counts
        self.means += moved * (sums / counts.clamp(min=1e-12) - self.means)
