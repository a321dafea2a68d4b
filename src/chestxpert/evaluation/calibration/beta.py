"""Beta calibration: a curve that can be S-shaped, its inverse, or bent at one end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.calibration.curve import Curve, Identity
from chestxpert.evaluation.calibration.logistic import fit_logistic
from chestxpert.evaluation.calibration.platt import ONE_ANSWER, fit_intercept
from chestxpert.evaluation.log_odds import finite_logit, logit, sigmoid
from chestxpert.evaluation.metrics import BoolArray, FloatArray


@dataclass(frozen=True)
class Beta:
    """sigmoid(a ln p - b ln(1 - p) + c), a and b at least 0 and not both 0."""

    a: float
    b: float
    c: float

    def __call__(self, probs: npt.ArrayLike) -> FloatArray:
        """The map of Kull, Silva Filho and Flach (2017), made of their three parameters."""
        # Beyond 745 exp() is 0 in float64; a finite number there keeps 0 times infinity out of the sum.
        low, high = _features(np.clip(logit(probs), -745.0, 745.0))
        return sigmoid(self.a * low + self.b * high + self.c)

    def describe(self) -> dict[str, Any]:
        """a, b and c."""
        return {"a": self.a, "b": self.b, "c": self.c}


def _features(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The features ln p and -ln(1 - p), from logits, exact at both ends."""
    return -np.logaddexp(0.0, -scores), np.logaddexp(0.0, scores)


def fit_beta(truth: BoolArray, probs: FloatArray) -> Curve:
    """Logistic regression on ln p and -ln(1 - p).

    Kull, Silva Filho and Flach, Beta calibration: a well-founded and easily implemented improvement on logistic
    calibration for binary classifiers, AISTATS 2017. As there, a slope that comes out below 0 is set to 0
    and the rest fitted again. Where both do, or the likelihood has no maximum since val is told apart without an error
    (no targets are smoothed here), an intercept alone is fitted.

    Parameters
    ----------
    truth : (n,) bool array
    probs : (n,) array in [0, 1]
    """
    if not truth.any() or truth.all():
        return Identity(ONE_ANSWER)
    scores, targets = finite_logit(probs), truth.astype(np.float64)
    features = np.column_stack(_features(scores))
    found = fit_logistic(features, targets)
    if found is not None and (found[:2] > 0).all():
        return Beta(*map(float, found))
    kept = None if found is None else int(np.argmax(found[:2]))
    if found is not None and kept is not None:
        alone = fit_logistic(features[:, [kept]], targets)
        if alone is not None and alone[0] > 0:
            slopes = [0.0, 0.0]
            slopes[kept] = float(alone[0])
            return Beta(slopes[0], slopes[1], float(alone[1]))
    return fit_intercept(targets, scores)
