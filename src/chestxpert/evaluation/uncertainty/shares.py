"""Intervals of shares of images that come in patients: Wilson's, for as many images as the patients are worth.

Resampling a handful of cases finds no more than those cases: where a finding is never found, recall and F1 are 0 in
every draw, and the percentile interval is a single point. Wilson's interval (JASA 22, 1927) has a width there. For
clustered images it is taken at the effective number of images, share (1 - share) / error^2 (Korn and Graubard, Survey
Methodology 24, 1998), whose error here is the jackknife's over patients.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import LEVEL
from chestxpert.evaluation.metrics import FloatArray


def wilson(share: npt.ArrayLike, worth: npt.ArrayLike, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Wilson's interval, elementwise.

    Parameters
    ----------
    share : array in [0, 1]
    worth : array above 0
        How many independent images it is a share of; need not be whole.
    level : float

    Returns
    -------
    low, high : float64 arrays in [0, 1]
    """
    value, images = np.asarray(share, dtype=np.float64), np.asarray(worth, dtype=np.float64)
    z = NormalDist().inv_cdf((1 + level) / 2)
    spread = z**2 / images
    middle, half = value + spread / 2, z * np.sqrt(value * (1 - value) / images + spread / (4 * images))
    return np.maximum((middle - half) / (1 + spread), 0.0), np.minimum((middle + half) / (1 + spread), 1.0)


def share_of_patients(
    share: float, error: float, patients: float, carriers: float, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of a recall or a precision: Wilson's for the effective number of images.

    Where the jackknife cannot tell that number, for the share is 0 or 1 or a single patient carries the finding, it is
    the number of patients behind the share, and 1 in the last case.

    Parameters
    ----------
    share, error : float
        The share and its standard error over patients.
    patients : float
        How many patients have an image that the share is of: with the finding, or decided to have it.
    carriers : float
        How many patients carry the finding.
    level : float

    Returns
    -------
    low, high : float
        NaN where there is no share or nobody behind it.
    """
    few = min(patients, carriers)
    if math.isnan(share) or few <= 0:
        return math.nan, math.nan
    told = few >= 2 and error > 0 and 0 < share < 1
    worth = share * (1 - share) / error**2 if told else patients if few >= 2 else few
    low, high = wilson(share, worth, level)
    return float(low), float(high)


def f1_of_patients(
    f1: float, error: float, patients: float, carriers: float, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of F1, as that of TP / (TP + FP + FN), of which it is a rising function.

    F1 is no share of anything, but F* = F1 / (2 - F1) is: the positives found among the images that are positive or
    decided to be (Hand, Christen and Kirielle, F*: an interpretable transformation of the F-measure, Machine Learning
    110, 2021). The interval is that of F* turned back; its error follows by the delta method.

    Parameters
    ----------
    f1, error : float
    patients : float
        How many patients have an image that is positive or decided to be.
    carriers : float
        How many patients carry the finding.
    level : float

    Returns
    -------
    low, high : float
        As `share_of_patients`.
    """
    share = f1 / (2 - f1)
    low, high = share_of_patients(share, error * (1 + share) ** 2 / 2, patients, carriers, level)
    return 2 * low / (1 + low), 2 * high / (1 + high)
