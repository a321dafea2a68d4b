"""What fights the long tail: which rows are trained on, what each weighs, and the loss."""

from chestxpert.imbalance.losses import LabelStats, LossFunction, build_loss, masked_bce
from chestxpert.imbalance.mixes import Examples
from chestxpert.imbalance.ranks import RankedBatchSampler
from chestxpert.imbalance.sampling import oversample, oversample_by_counts, rare_findings, thin
from chestxpert.imbalance.weights import pos_weight

__all__ = [
    "Examples",
    "LabelStats",
    "LossFunction",
    "RankedBatchSampler",
    "build_loss",
    "masked_bce",
    "oversample",
    "oversample_by_counts",
    "pos_weight",
    "rare_findings",
    "thin",
]
