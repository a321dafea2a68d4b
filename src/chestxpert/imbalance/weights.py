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


def prior_logits(
    targets: npt.NDArray[np.bool_],
    mask: npt.NDArray[np.bool_] | None = None,
    weights: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Logits that a network which knows nothing should start from: the log-odds of each output.

    Without them a first epoch goes into learning that findings are rare (Lin et al., Focal loss for dense object
    detection, ICCV 2017, section 4.1).

    Parameters
    ----------
    targets : (N, M) bool array of the training rows
    mask : (N, M) bool array, optional
        Entries that count; all by default.
    weights : (M,) array, optional
        Weight of positives in the loss, which multiplies the odds: balanced weights start from even odds.

    Returns
    -------
    (M,) float32 array
        Finite: half a positive and half a negative are added to the counts.
    """
    known = np.ones_like(targets) if mask is None else mask
    positives = (targets & known).sum(axis=0) + 0.5
    negatives = (~targets & known).sum(axis=0) + 0.5
    odds = positives / negatives * (1.0 if weights is None else weights)
    return np.asarray(np.log(odds), dtype=np.float32)
