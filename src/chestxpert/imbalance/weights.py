"""Weights of positives in the loss, from the labels of the training rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.errors import LabelError


def pos_weight(targets: npt.NDArray[np.bool_], mask: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float32]:
    """Negatives over positives of each column: a positive then weighs as much in sum as the negatives do.

    The original study's weighting. Up to a factor common to positives and negatives it is that of the W-CEL loss
    (Wang et al., ChestX-ray8, CVPR 2017, section 4), there taken from each batch, here from all training rows.

    Parameters
    ----------
    targets : (N, M) bool array
        Of the training rows of this run, after thinning and over-sampling: their odds are what the loss meets.
    mask : (N, M) bool array, optional
        Where a target is known. Entries outside it count neither as positive nor as negative.

    Returns
    -------
    (M,) float32 array
        Always finite and above 0. A column without positives, or without negatives, gets 1.0: there is nothing to
        balance, and the ratio would be infinite or would silence the column.

    Raises
    ------
    LabelError
        If `mask` has not the shape of `targets`.
    """
    known = np.ones_like(targets) if mask is None else mask
    if known.shape != targets.shape:
        raise LabelError(f"A mask has the shape of its targets, {targets.shape}, but got {known.shape}.")
    positives = (targets & known).sum(axis=0)
    negatives = known.sum(axis=0) - positives
    ratio = np.ones(targets.shape[1], dtype=np.float32)
    np.divide(negatives, positives, out=ratio, where=(positives > 0) & (negatives > 0))
    return ratio
