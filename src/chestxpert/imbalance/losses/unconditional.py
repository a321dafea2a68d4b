"""A loss on the probability of each node along its whole path, for logits that are conditional on the node above."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chestxpert.imbalance.losses.base import LossFunction

Parents = Sequence[int | None]
"""Column of each node's parent, None below the root; parents before their children."""


def path_logits(logits: Tensor, parents: Parents) -> Tensor:
    """Logits of the probabilities of nodes, from those of nodes given their parents.

    With ``p = s(x_1) ... s(x_n)`` along a path, ``(1 - p) / p = (1 + exp(-x_1)) ... (1 + exp(-x_n)) - 1``. Multiplied
    out, the ones cancel and a sum of positive terms is left, whose logarithm Chen et al., Deep hierarchical multi-label
    classification applied to chest X-ray abnormality taxonomies, Medical Image Analysis 66, 2020, take by log-sum-exp
    over all sets of nodes of the path. Here it is taken a node at a time, which is the same number in three terms:
    ``-z = log(exp(-z_parent) + exp(-x) + exp(-z_parent - x))``. So nothing is ever subtracted, ``log p`` and
    ``log(1 - p)`` are `logsigmoid` of z and of -z, and each slope ``dz/dx_k = (1 - s(x_k)) / (1 - p)`` is a quotient of
    such sums: between 0 and 1, and never of the wrong sign.

    Parameters
    ----------
    logits : (B, M) float tensor of any precision
        Computed in float32, in float64 where they are; exact and finite for logits of any size.
    parents : sequence of M

    Returns
    -------
    (B, M) tensor; no node's logit is above its parent's.
    """
    columns = (logits if logits.dtype == torch.float64 else logits.float()).unbind(1)
    found: list[Tensor] = []
    for own, parent in zip(columns, parents, strict=True):
        if parent is None:
            found.append(own)
            continue
        above = found[parent]
        found.append(-torch.logsumexp(torch.stack((-above, -own, -above - own)), dim=0))
    return torch.stack(found, dim=1)


class UnconditionalLoss(nn.Module):
    """Any loss on logits, asked about whole paths.

    With `masked_bce` it is the unconditional loss of Chen et al. (see `path_logits`): with p the product along the
    path, ``-(y log p + (1 - y) log(1 - p))``.

    Parameters
    ----------
    loss : LossFunction
        If it is a module, what it learns and remembers is this one's too.
    parents : sequence
    """

    def __init__(self, loss: LossFunction, parents: Parents) -> None:
        super().__init__()
        self.loss, self.parents = loss, tuple(parents)

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None
    ) -> Tensor:
        """See `LossFunction`; the logits are conditional, targets, mask and weights of the nodes by themselves."""
        return self.loss(path_logits(logits, self.parents), targets, mask, pos_weight)
