"""Many tests at once: the false discovery rate. The family-wise rate, Holm's, is in `contrasts`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.metrics import FloatArray


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """Adjusted p-values that control the false discovery rate (Benjamini and Hochberg, JRSS B 57, 1995).

    Of the differences called so at an adjusted p of q, a share of q is expected to be none. That holds for
    independent tests and for positively dependent ones, which contrasts with one baseline are (Benjamini and
    Yekutieli, Annals of Statistics 29, 2001).

    Parameters
    ----------
    p_values : (m,) array
        A family of p-values in [0, 1]; NaN is no test, stays NaN and does not count.

    Returns
    -------
    (m,) float64 array, each at least its p-value and at most 1
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    falling = tested[np.argsort(-values[tested], kind="stable")]
    factors = len(falling) / np.arange(len(falling), 0, -1)
    adjusted[falling] = np.minimum(1.0, np.minimum.accumulate(values[falling] * factors))
    return adjusted
