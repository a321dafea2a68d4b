"""What a calibration is, once fitted: a curve from probability to probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.log_odds import logit, sigmoid
from chestxpert.evaluation.metrics import FloatArray


class Curve(Protocol):
    """A non-decreasing map of probabilities."""

    def __call__(self, probs: npt.ArrayLike) -> FloatArray:
        """Probabilities in [0, 1] of any shape, corrected."""
        ...

    def describe(self) -> dict[str, Any]:
        """Its parameters, for the record: strict JSON values."""
        ...


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
        return sigmoid(self.slope * logit(probs) + self.intercept)

    def describe(self) -> dict[str, Any]:
        """Slope and intercept."""
        return {"slope": self.slope, "intercept": self.intercept} | ({"note": self.note} if self.note else {})
