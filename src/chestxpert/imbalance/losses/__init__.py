"""Losses on logits, by the name that a recipe's ``loss.kind`` gives them."""

from chestxpert.imbalance.losses.base import LabelStats, LossFunction, LossModule
from chestxpert.imbalance.losses.bce import masked_bce
from chestxpert.imbalance.losses.build import FACTORIES, build_loss

__all__ = ["FACTORIES", "LabelStats", "LossFunction", "LossModule", "build_loss", "masked_bce"]
