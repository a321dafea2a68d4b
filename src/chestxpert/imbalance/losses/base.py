"""What every loss is, and what it may know of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class LabelStats:
    """Counts over the rows that a network is trained on, after thinning and over-sampling.

    Attributes
    ----------
    positives, negatives : (M,) float64 arrays
        Known positive and known negative entries of each output.
    """

    positives: npt.NDArray[np.float64]
    negatives: npt.NDArray[np.float64]

    @classmethod
    def of(cls, targets: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> LabelStats:
        """Counts of (N, M) targets where they are known."""
        positives = (targets & known).sum(axis=0).astype(np.float64)
        return cls(positives, known.sum(axis=0) - positives)

    @property
    def prevalence(self) -> npt.NDArray[np.float64]:
        """(M,) share of positives, in (0, 1): half a positive and half a negative are added, so no log is infinite."""
        return (self.positives + 0.5) / (self.positives + self.negatives + 1.0)


class LossFunction(Protocol):
    """What computes every loss."""

    def __call__(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None
    ) -> Tensor:
        """Scalar float32 loss of (B, M) logits against (B, M) targets, the mean over the entries that are known.

        Parameters
        ----------
        logits : (B, M) float tensor of any precision; computed in float32, exact and finite for logits of any size
        targets : (B, M) bool or float tensor in [0, 1]; between them only where images are mixed
        mask : (B, M) bool tensor, optional
            True where the target is known; the rest has neither loss nor gradient.
        pos_weight : (M,) float tensor, optional
            Weight of a positive in each column.
        """
        ...


class LossModule(nn.Module):
    """A loss function as a module, so that it goes to the device and what it learns is trained and kept."""

    def __init__(self, function: LossFunction) -> None:
        super().__init__()
        self.function = function  # a module itself, if it learns or has buffers

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, pos_weight: Tensor | None = None
    ) -> Tensor:
        """See `LossFunction`."""
        return self.function(logits, targets, mask, pos_weight)
