"""Binary cross-entropy on logits."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def masked_bce(logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy on logits, averaged over the entries whose target is known.

    ``-(w y log s(x) + (1 - y) log(1 - s(x)))`` with the sigmoid ``s`` folded into the logarithm, so that logits of
    any size give an exact value and gradient (`torch.nn.functional.binary_cross_entropy_with_logits`, to which it
    is equal without a mask). Where the mask is a decision's parent, this is the conditional training loss of Chen
    et al., Deep hierarchical multi-label classification of chest X-ray images, MIDL 2019.

    Parameters
    ----------
    logits : (B, M) float tensor of any precision
        Real numbers: never put a sigmoid in front. Computed in float32, also under autocast.
    targets : (B, M) bool or float tensor of 0 and 1
    mask : (B, M) bool tensor, optional
        True where the target is known; the rest has neither loss nor gradient, whatever its logits are.
    pos_weight : (M,) float tensor, optional
        Weight of a positive in each column.

    Returns
    -------
    scalar float32 tensor
        0, with gradient 0, where nothing is known.
    """
    logits = logits.float()
    if mask is not None:
        logits = logits.masked_fill(~mask, 0.0)
    losses = F.binary_cross_entropy_with_logits(
        logits, targets.float(), pos_weight=None if pos_weight is None else pos_weight.float(), reduction="none"
    )
    if mask is None:
        return losses.sum() / max(losses.numel(), 1)
    return losses.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)
