"""Platt scaling, and the one-parameter curves beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.calibration.curve import Curve, Identity, Line
from chestxpert.evaluation.calibration.logistic import fit_logistic
from chestxpert.evaluation.inference import fit_temperature
from chestxpert.evaluation.log_odds import finite_logit
from chestxpert.evaluation.metrics import BoolArray, FloatArray

ONE_ANSWER = "all known answers on val are alike"


def fit_platt(truth: BoolArray, probs: FloatArray) -> Curve:
    """sigmoid(a s + b) of the logits s, with Platt's own targets.

    Platt, Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods, in
    Advances in large margin classifiers, 1999; here as Lin, Lin and Weng (Machine Learning 68, 2007) write it in
    equations 1 and 2, with -A = a and -B = b. The likelihood is that of targets (N+ + 1) / (N+ + 2) for positives and
    1 / (N- + 2) for negatives, and has a maximum however few there are and however well they are told apart.

    Platt's curve has to rise. Where the fitted slope does not, since the few positives lie low by chance or the run
    ranks backwards, the slope stays 1 and the intercept alone is fitted.

    Parameters
    ----------
    truth : (n,) bool array
    probs : (n,) array in [0, 1]
    """
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return Identity(ONE_ANSWER)
    targets = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scores = finite_logit(probs)
    found = fit_logistic(scores[:, None], targets)
    if found is not None and found[0] > 0:
        return Line(float(found[0]), float(found[1]))
    return fit_intercept(targets, scores)


def fit_intercept(targets: npt.ArrayLike, scores: FloatArray) -> Curve:
    """sigmoid(s + b): the mean is put right, the slope left at 1."""
    found = fit_logistic(np.empty((len(scores), 0)), targets, offset=scores)
    if found is None:  # every logit so far out that no intercept of a float64 moves it
        return Identity("no intercept can be fitted")
    return Line(1.0, float(found[0]), "no rising slope could be fitted")


def fit_temperature_curve(truth: BoolArray, probs: FloatArray) -> Curve:
    """sigmoid(s / T): `inference.fit_temperature` for one finding or one child of a decision.

    Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017, section 4.2. It knows nothing
    of prevalence: a probability of one half stays.
    """
    if not truth.any() or truth.all():
        return Identity(ONE_ANSWER)
    temperature = fit_temperature(truth, probs)
    if temperature is None:
        return Identity("the likelihood on val has no maximum")
    return Line(1 / temperature, 0.0)
