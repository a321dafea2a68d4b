"""Draws that keep every row and repeat some."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.recipe.checks import require

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def instance(labels: BoolArray, rng: np.random.Generator, progress: float) -> IntArray:
    """Every row once."""
    return np.arange(len(labels))


def repeat_factors(labels: BoolArray, threshold: float) -> FloatArray:
    """How often each row is seen in an epoch, on average: that of its rarest label.

    ``r_c = max(1, sqrt(t / f_c))`` with ``f_c`` the share of rows that carry label c, and for a row the largest
    ``r_c`` of its labels; 1 for a row without any (Gupta et al., LVIS: A dataset for large vocabulary instance
    segmentation, CVPR 2019, repeat factor sampling in the appendix).

    Parameters
    ----------
    labels : (N, M) bool array
    threshold : t, the share of rows below which a label is repeated, in (0, 1]

    Returns
    -------
    (N,) float64 array, at least 1
    """
    shares = labels.mean(axis=0)
    factors = np.ones(labels.shape[1])
    np.divide(threshold, shares, out=factors, where=shares > 0)
    factors = np.sqrt(np.maximum(factors, 1.0))
    return np.asarray(np.where(labels, factors, 1.0).max(axis=1, initial=1.0))


def repeat_factor(labels: BoolArray, rng: np.random.Generator, progress: float, *, threshold: float = 0.05) -> IntArray:
    """Every row as often as its repeat factor says; see `repeat_factors`.

    The fraction is rounded up with its own probability, anew in each epoch, as in the paper. An epoch is longer than
    the N rows by what is repeated. LVIS takes a threshold of 0.001 for its 1,203 categories, at which no finding of
    ChestX-ray14 would be repeated; a twentieth of the rows is what over-sampling brings rare findings up to here.
    """
    require(0 < threshold <= 1, "sampling.draw.threshold is a share of the rows in (0, 1]", threshold)
    factors = repeat_factors(labels, threshold)
    whole = np.floor(factors)
    times = whole + (rng.random(len(labels)) < factors - whole)
    return np.repeat(np.arange(len(labels)), times.astype(np.int64))
