"""From a recipe's loss to the function that computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from chestxpert.imbalance.losses.asymmetric import asymmetric
from chestxpert.imbalance.losses.aucm import aucm
from chestxpert.imbalance.losses.average_precision import average_precision
from chestxpert.imbalance.losses.base import LabelStats, LossFunction, LossModule
from chestxpert.imbalance.losses.bce import masked_bce
from chestxpert.imbalance.losses.distribution_balanced import distribution_balanced
from chestxpert.imbalance.losses.focal import focal
from chestxpert.imbalance.losses.ldam import ldam
from chestxpert.imbalance.losses.robust_asymmetric import robust_asymmetric
from chestxpert.imbalance.own import own_function
from chestxpert.recipe import Loss
from chestxpert.recipe.selection import is_own

Factory = Callable[..., LossFunction]
"""Takes `LabelStats` and, by keyword, the settings that `chestxpert.recipe.catalogue` gives the loss."""


def _bce(stats: LabelStats) -> LossFunction:
    return masked_bce


FACTORIES: Mapping[str, Factory] = {
    "bce": _bce,
    "focal": focal,
    "asymmetric": asymmetric,
    "robust_asymmetric": robust_asymmetric,
    "distribution_balanced": distribution_balanced,
    "ldam": ldam,
    "aucm": aucm,
    "average_precision": average_precision,
}


def build_loss(loss: Loss, stats: LabelStats) -> LossModule:
    """Loss of a recipe for one network.

    Parameters
    ----------
    loss : Loss
        A loss of the catalogue, or ``FILE.py:FUNCTION`` for a function of the form of `LossFunction` that takes the
        recipe's settings by keyword.
    stats : LabelStats
        Of the rows that the network is trained on.

    Raises
    ------
    RecipeError
        If a function of the user's own cannot be had.
    """
    if is_own(loss.kind):
        return LossModule(partial(own_function(loss.kind), **loss.settings))
    return LossModule(FACTORIES[loss.kind](stats, **loss.settings))
