"""Isotonic calibration: the non-decreasing curve nearest to the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.calibration.curve import Curve, Identity
from chestxpert.evaluation.calibration.platt import ONE_ANSWER
from chestxpert.evaluation.metrics import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Isotonic:
    """Straight lines between knots (x, y), flat beyond the outermost."""

    x: FloatArray
    y: FloatArray

    def __call__(self, probs: npt.ArrayLike) -> FloatArray:
        """Interpolated; images between the same two knots of one height become equal."""
        return np.asarray(np.interp(np.asarray(probs, dtype=np.float64), self.x, self.y))

    def describe(self) -> dict[str, Any]:
        """How many heights there are, and the lowest and highest."""
        return {"steps": len(np.unique(self.y)), "lowest": float(self.y[0]), "highest": float(self.y[-1])}


def fit_isotonic(truth: BoolArray, probs: FloatArray) -> Curve:
    """Least squares among the non-decreasing curves, by pooling adjacent violators.

    Zadrozny and Elkan, Transforming classifier scores into accurate multiclass probability estimates, KDD 2002,
    section 3.2; the algorithm is that of Ayer et al., Annals of Mathematical Statistics 26, 1955. Equal scores share
    one height, and scores between those of val are interpolated, as scikit-learn's ``IsotonicRegression`` does.

    Parameters
    ----------
    truth : (n,) bool array
    probs : (n,) array in [0, 1]
    """
    if not truth.any() or truth.all():
        return Identity(ONE_ANSWER)
    scores, place = np.unique(probs, return_inverse=True)
    sizes = np.bincount(place).astype(np.float64)
    blocks: list[list[float]] = []  # positives, images, scores in it; shares rising from block to block
    for held, size in zip(np.bincount(place, weights=truth), sizes, strict=True):
        blocks.append([float(held), float(size), 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [one + other for one, other in zip(blocks[-1], last, strict=True)]
    heights = np.repeat([held / size for held, size, _ in blocks], [int(count) for _, _, count in blocks])
    # Between the two ends of a block the line is level: its inner points say nothing.
    ends = np.diff(heights, prepend=np.nan) != 0
    ends |= np.diff(heights, append=np.nan) != 0
    return Isotonic(scores[ends], heights[ends])
