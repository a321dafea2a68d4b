"""Distribution-balanced loss (DB)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from chestxpert.imbalance.losses.base import LabelStats, LossFunction
from chestxpert.imbalance.losses.terms import log_prob, masked_mean, mixed, prepared


def distribution_balanced(
    stats: LabelStats,
    *,
    map_alpha: float = 0.1,
    map_beta: float = 10.0,
    map_mu: float = 0.3,
    negative_scale: float = 5.0,
    bias: float = 0.05,
    gamma: float = 2.0,
) -> LossFunction:
    """Distribution-balanced loss: weights that know which findings come together, and negatives that are tolerated.

    Wu et al., Distribution-balanced loss for multi-label classification in long-tailed datasets, ECCV 2020:

    - *Re-balanced weighting.* An image drawn for one of its findings is drawn for the others too. Finding k of an image
      has ``r = P^C / P^I = (1 / n_k) / sum_j (y_j / n_j)``, the share of draws that are meant for it, and the weight
      ``alpha + s(beta (r - mu))``, positive or not. An image without any (known) finding has the limit ``alpha + 1``.
    - *Negative-tolerant regularisation.* ``log(1 + exp(-(x - v)))`` of positives and ``log(1 + exp(l (x - v))) / l`` of
      negatives, whose gradient fades sooner by the scale l. The bias is ``v = bias / l * log(1 / p - 1)`` with p the
      finding's share of positives.
    - *Focal factor* ``(1 - p_t)^gamma`` with p_t after bias and scale (DB-focal).

    Defaults are those of the authors' configuration for Pascal VOC (wutong16/DistributionBalancedLoss), whose number of
    labels is nearest to that of chest X-rays; for COCO they have ``map_mu`` 0.2 and ``negative_scale`` 2. Their
    constant factor of 2 is left out. They sample class-aware, which the weights are made to correct. Targets between 0
    and 1 count by their share in the sum over j: an extension.

    Parameters
    ----------
    stats : LabelStats
        n are its positives, p its prevalence.
    map_alpha, map_beta, map_mu : float
        Lift, slope and centre of the map from r to a weight.
    negative_scale : float
        l, above 0; 1 treats both sides alike.
    bias : float
        kappa of the paper, at least 0.
    gamma : float
        Exponent of the focal factor, at least 0, which is none.
    """
    counts = np.maximum(stats.positives, 1.0)
    shift = bias / negative_scale * np.log(1.0 / stats.prevalence - 1.0)
    return DistributionBalanced(
        torch.from_numpy(1.0 / counts), torch.from_numpy(shift), (map_alpha, map_beta, map_mu), negative_scale, gamma
    )


class DistributionBalanced(nn.Module):
    """See `distribution_balanced`; `rarity` is 1 / n and `shift` the bias v, both (M,)."""

    rarity: Tensor
    shift: Tensor

    def __init__(
        self,
        rarity: Tensor,
        shift: Tensor,
        weight_map: tuple[float, float, float],
        negative_scale: float,
        gamma: float,
    ) -> None:
        super().__init__()
        self.register_buffer("rarity", rarity, persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self.weight_map, self.negative_scale, self.gamma = weight_map, negative_scale, gamma

    def weights(self, targets: Tensor) -> Tensor:
        """(B, M) weights of (B, M) targets that are 0 where they are unknown."""
        lift, slope, centre = self.weight_map
        rarity = self.rarity.to(targets.dtype)
        drawn = (targets * rarity).sum(dim=1, keepdim=True)
        meant = rarity / drawn.clamp(min=torch.finfo(drawn.dtype).tiny)  # as good as infinite without findings
        return lift + torch.sigmoid(slope * (meant - centre))

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None
    ) -> Tensor:
        """See `LossFunction`."""
        logits, targets = prepared(logits, targets, mask)
        moved = logits - self.shift.to(logits.dtype)
        positive = self._focused(moved)
        negative = self._focused(-self.negative_scale * moved) / self.negative_scale
        return masked_mean(self.weights(targets) * mixed(positive, negative, targets, pos_weight), mask)

    def _focused(self, logits: Tensor) -> Tensor:
        """Focal loss of what holds with probability s(logits)."""
        return -(self.gamma * log_prob(-logits)).exp() * log_prob(logits)
