"""A smooth average precision, over the batch and the rows before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chestxpert.imbalance.losses.base import LabelStats, LossFunction
from chestxpert.imbalance.losses.bce import masked_bce
from chestxpert.imbalance.losses.terms import prepared

_POSITIVES_AT_ONCE = 256  # bounds the memory that ranking a whole validation set takes


def average_precision(
    stats: LabelStats, *, temperature: float = 1.0, memory: float = 512.0, bce: float = 0.5
) -> LossFunction:
    """Smooth average precision of each finding, mixed with binary cross-entropy.

    ``bce * BCE + (1 - bce) * (1 - mean over findings of AP)``. Smooth-AP (Brown et al., Smooth-AP: Smoothing the path
    towards large-scale image retrieval, ECCV 2020, equations 5 and 7) puts ``s((x_j - x_i) / temperature)`` in the
    place of 'j is ranked above i', so that the precision at the positive i is
    ``(1 + sum over other positives) / (1 + sum over all others)``; AP is its mean over positives.

    *In small batches.* The AP of 32 images is not that of a finding on one image in 600: a single positive needs to
    beat 31 others there, and 599 here. Qi et al., Stochastic optimization of areas under precision-recall curves with
    provable convergence, NeurIPS 2021 (SOAP), keep a running mean of each positive's ranks from epoch to epoch. A
    finding's positive is met once an epoch, so with a dozen epochs such a mean is mostly out of date. Instead the
    last `memory` rows' logits are kept, without gradient (the idea of Wang et al., Cross-batch memory for embedding
    learning, CVPR 2020), and batch and memory are ranked together: positives of the batch among negatives of the
    memory, and negatives of the batch below positives of the memory, so that a batch without a positive has a
    gradient as well. The gradient is scaled by (batch + memory) / batch, as if each row stood for the memory's share
    too.

    Pairs that are ranked far apart, right or wrong, have no gradient: the cross-entropy is what moves them.

    A target y between 0 and 1 is y of a positive and 1 - y of a negative at the same place: an extension.

    Parameters
    ----------
    stats : LabelStats
        Not used.
    temperature : float
        Logits over which a rank is smoothed, above 0. The paper's 0.01 is for cosines.
    memory : float
        Rows kept, at least 0; their logits are as old as memory / batch size steps.
    bce : float
        Share of the cross-entropy, in [0, 1]. Positive weights are its alone.
    """
    return AveragePrecision(len(stats.positives), temperature, int(memory), bce)


class AveragePrecision(nn.Module):
    """See `average_precision`.

    Attributes
    ----------
    rows : (3, Q, M) float32 tensor
        Logits, targets, and 1 where they are known, of the last rows trained on, newest last; 0 where there is none
        yet. Evaluation neither uses nor changes them.
    """

    rows: Tensor

    def __init__(self, outputs: int, temperature: float, memory: int, bce: float) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(3, memory, outputs))
        self.temperature, self.bce = temperature, bce

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None
    ) -> Tensor:
        """See `LossFunction`."""
        entropy = masked_bce(logits, targets, mask, pos_weight)
        x, y = prepared(logits, targets, mask)
        known = torch.ones_like(y) if mask is None else mask.to(y.dtype)
        ranked = self._with_memory(x, y, known) if self.training else (x, y, known)
        loss = self.bce * entropy + (1.0 - self.bce) * self._mean_loss(*ranked, asked=known.any(dim=0))
        if self.training:
            self.rows = torch.cat([self.rows, torch.stack([x.detach(), y, known]).float()], dim=1)[:, len(x) :]
        return loss

    def _with_memory(self, x: Tensor, y: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The batch after the rows kept, its gradient scaled to stand for all of them."""
        kept = self.rows[:, self.rows[2].any(dim=1)].to(x.dtype)
        scale = (kept.shape[1] + len(x)) / max(len(x), 1)
        scaled = x.detach() + scale * (x - x.detach())
        return torch.cat([kept[0], scaled]), torch.cat([kept[1], y]), torch.cat([kept[2], known])

    def _mean_loss(self, x: Tensor, y: Tensor, known: Tensor, asked: Tensor) -> Tensor:
        """1 - AP, the mean over the findings that are `asked` about and have a positive; 0 without any."""
        losses = []
        for column in torch.nonzero(asked & (y * known > 0).any(dim=0)).flatten().tolist():
            there = known[:, column] > 0
            losses.append(1.0 - smooth_ap(x[there, column], y[there, column], self.temperature))
        return torch.stack(losses).mean() if losses else x.sum() * 0.0


def smooth_ap(x: Tensor, y: Tensor, temperature: float) -> Tensor:
    """Smooth average precision of (n,) logits against (n,) targets, at least one of them above 0."""
    total = x.new_zeros(())
    for places in torch.split(torch.nonzero(y > 0).flatten(), _POSITIVES_AT_ONCE):
        above = torch.sigmoid((x - x[places, None]) / temperature)
        share = y[places]
        # An entry stands above itself by s(0) = 1/2; 1 is what its positive part counts.
        positives = (above * y).sum(dim=1) + 0.5 * share
        negatives = (above * (1.0 - y)).sum(dim=1)
        total = total + (share * positives / (positives + negatives)).sum()
    return total / y.sum()
