"""What a calibration is, once fitted: a curve from probability to probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.inference import logit
from chestxpert.evaluation.metrics import FloatArray

WIDEST = 40.0
"""Largest logit that a fit sees: what stored probabilities of 0 and 1 stand for."""


class Curve(Protocol):
    """A non-decreasing map of probabilities."""

    def __call__(self, probs: npt.ArrayLike) -> FloatArray:
        """Probabilities in [0, 1] of any shape, corrected."""
        ...

    def describe(self) -> dict[str, Any]:
        """Its parameters, for the record: strict JSON values."""
        ...


def from_logits(logits: npt.ArrayLike) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64))))


@dataclass(frozen=True)
class Identity:
    """Leaves probabilities as they are, to the last bit; `reason` says why nothing was fitted."""

    reason: str

    def __call__(self, probs: npt.ArrayLike) -> FloatArray:
        """The same numbers."""
        return np.array(probs, dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """Why nothing was fitted."""
        return {"left_alone": self.reason}


@dataclass(frozen=True)
class Line:
    """Logits times `slope`, above 0, plus `intercept`; `note` says what could not be fitted."""

    slope: float
    intercept: float
    note: str = ""

    def __call__(self, probs: npt.ArrayLike) -> FloatArray:
        """sigmoid(slope * logit(p) + intercept); 0 and 1 stay."""
        return from_logits(self.slope * logit(probs) + self.intercept)

    def describe(self) -> dict[str, Any]:
        """Slope and intercept."""
        return {"slope": self.slope, "intercept": self.intercept} | ({"note": self.note} if self.note else {})
