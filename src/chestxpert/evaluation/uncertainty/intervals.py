"""Intervals beyond the percentile and the basic one: BCa, and those that the coverage study found better."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, stdtrit

from chestxpert.evaluation.bootstrap import LEVEL
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.uncertainty.jackknife import acceleration, jackknife_bias, jackknife_error

_NORMAL = NormalDist()


def bca(draws: npt.ArrayLike, estimate: float, moves: npt.ArrayLike, level: float = LEVEL) -> tuple[float, float]:
    """Bias-corrected and accelerated interval (Efron, JASA 82, 1987): percentiles, moved for bias and skewness.

    Parameters
    ----------
    draws : (D,) array
        The metric in each bootstrap draw, NaN where undefined.
    estimate : float
    moves : (G,) array
        Influences of the patients left out, as `jackknife.influences` gives them.
    level : float

    Returns
    -------
    low, high : float
        NaN where no draw is defined, or where all defined draws lie on one side of the estimate: the correction of
        bias is then infinite, and the interval would be a single draw.
    """
    values = np.asarray(draws, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values) or np.isnan(estimate):
        return float("nan"), float("nan")
    if (values == estimate).all():
        return estimate, estimate
    below = float((values < estimate).mean() + (values <= estimate).mean()) / 2  # ties count half, as in SciPy
    if not 0 < below < 1:
        return float("nan"), float("nan")
    bias, speed = _NORMAL.inv_cdf(below), float(acceleration(moves))
    shares = []
    for quantile in (_NORMAL.inv_cdf((1 - level) / 2), _NORMAL.inv_cdf((1 + level) / 2)):
        moved = bias + quantile
        shares.append(_NORMAL.cdf(bias + moved / (1 - speed * moved)))
    low, high = np.quantile(values, shares)
    return float(low), float(high)


def jackknifed(estimate: float, moves: npt.ArrayLike, level: float = LEVEL) -> tuple[float, float]:
    """The estimate less its jackknife bias, and as many jackknife standard errors to either side, within [0, 1].

    Of a mean of average precisions; see docs/statistics.md. It holds the estimate itself, widened where it must be.

    Parameters
    ----------
    estimate : float
    moves : (G,) array
        Influences of the patients left out.
    level : float
    """
    values: FloatArray = np.asarray(moves, dtype=np.float64)
    centre = estimate - float(jackknife_bias(values))
    reach = _NORMAL.inv_cdf((1 + level) / 2) * float(jackknife_error(values))
    if np.isnan(centre) or np.isnan(reach):
        return float("nan"), float("nan")
    return max(0.0, min(centre - reach, estimate)), min(1.0, max(centre + reach, estimate))


def logit_t(
    estimate: float, error: float, patients: int, level: float = LEVEL, binomial: bool = False
) -> tuple[float, float]:
    """Student's t about the log-odds of a share such as AUROC, turned back: for a label that few patients carry.

    The log-odds keep the interval within (0, 1) and let it be longer towards 1/2 (Obuchowski and Lieber, Academic
    Radiology 9, 2002); t has one degree of freedom less than the rarer side has patients, since it is their number
    from which the error is known, however many images there are.

    Parameters
    ----------
    estimate, error : float
        The metric and its standard error over patients, on its own scale.
    patients : int
        How many patients carry the label, or have an image without it, whichever are fewer.
    level : float
    binomial : bool
        Of average precision: the interval is at least that of a share of as many patients, z over the root of
        patients estimate (1 - estimate) (Boyd, Eng and Page, Area under the precision-recall curve, ECML PKDD 2013,
        section 3.2, of positive images there). Where few positives happen to lie alike, their spread says less than
        is not known.

    Returns
    -------
    low, high : float
        NaN where it takes more to tell: fewer than two patients, an estimate of 0 or 1, or no error.
    """
    if patients < 2 or math.isnan(error) or error <= 0 or not 0 < estimate < 1:
        return math.nan, math.nan
    centre = float(logit(estimate))
    reach = float(stdtrit(patients - 1, (1 + level) / 2)) * error / (estimate * (1 - estimate))
    if binomial:
        reach = max(reach, _NORMAL.inv_cdf((1 + level) / 2) / (patients * estimate * (1 - estimate)) ** 0.5)
    return float(expit(centre - reach)), float(expit(centre + reach))
