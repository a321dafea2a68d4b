"""What a fit knows of itself: how far it is, its best epoch, and a line an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

EpochLine = dict[str, str | int | float | None]
"""One line of metrics.jsonl."""


@dataclass(frozen=True)
class Second:
    """What a second stage of training is to know of itself.

    Attributes
    ----------
    kind : str
        The recipe's `stage.kind`.
    after : int
        Epochs that the first stage trained.
    """

    kind: str
    after: int


@dataclass
class FitState:
    """What survives an interruption, apart from weights and optimiser."""

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -math.inf
    seconds: float = 0.0
    image_passes: int = 0
    lines: list[EpochLine] = field(default_factory=list)


def epoch_score(val_ap: float, val_loss: float) -> float:
    """What 'best' means: validation macro average precision; without positives, the lower loss.

    NaN without any validation row: then every epoch replaces the one before, and the last is kept.
    """
    return -val_loss if math.isnan(val_ap) else val_ap


def epoch_line(
    network: str,
    epoch: int,
    train_loss: float,
    validated: tuple[float, float, float],
    optimizer: torch.optim.Optimizer,
    seconds: float,
) -> EpochLine:
    """One line of metrics.jsonl; what is not defined is None."""
    return {
        "network": network,
        "epoch": epoch,
        "train_loss": _or_none(train_loss),
        "val_loss": _or_none(validated[0]),
        "val_macro_ap": _or_none(validated[1]),
        "val_macro_auroc": _or_none(validated[2]),
        "lr": optimizer.param_groups[-1]["lr"],
        "seconds": _or_none(round(seconds, 3)),
    }


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
