"""One loss for each decision of a network that answers several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chestxpert.imbalance.losses.base import LossModule


class LossByDecision(nn.Module):
    """Each decision's loss over its own columns, put together by how often each was asked.

    With L_d the loss of decision d, which is a mean over its n_d known entries of the batch, the total is
    ``sum_d n_d L_d / sum_d n_d``. Where all decisions have one loss that is a plain mean over entries, this is that
    loss over all columns at once: so a loss of one's own for a decision changes what it learns from an entry, and
    not how its entries weigh among those of the others.

    Parameters
    ----------
    columns : sequence of slice
        Of each decision, side by side: they cover (B, M) logits.
    losses : sequence of LossModule
    weighted : sequence of bool
        Whether the decision's loss is given its part of `pos_weight`.
    """

    def __init__(self, columns: Sequence[slice], losses: Sequence[LossModule], weighted: Sequence[bool]) -> None:
        super().__init__()
        self.columns, self.weighted = tuple(columns), tuple(weighted)
        self.losses = nn.ModuleList(losses)

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None
    ) -> Tensor:
        """See `LossFunction`."""
        known = torch.ones_like(logits, dtype=torch.bool) if mask is None else mask
        total = logits.new_zeros((), dtype=torch.float32)
        for columns, loss, weighted in zip(self.columns, self.losses, self.weighted, strict=True):
            weight = pos_weight[columns] if weighted and pos_weight is not None else None
            asked = known[:, columns]
            total = total + asked.sum() * loss(logits[:, columns], targets[:, columns], asked, weight)
        return total / known.sum().clamp(min=1)
