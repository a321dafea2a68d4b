"""Weights of positives in the loss, from the labels of the training rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.errors import LabelError


def pos_weight(
    targets: npt.NDArray[np.bool_],
    mask: npt.NDArray[np.bool_] | None = None,
    *,
    kind: str = "balanced",
    beta: float = 0.9999,
) -> npt.NDArray[np.float32]:
    """Weight of a positive of each column, in units of a negative's, which is 1.

    - "balanced": negatives / positives, so that a column's positives weigh as much in sum as its negatives. The
      original study's weighting. Up to a factor common to positives and negatives it is that of the W-CEL loss (Wang et
      al., ChestX-ray8, CVPR 2017, section 4), there taken from each batch, here from all training rows.
    - "sqrt": its square root, half-way in logarithms.
    - "effective": ``(1 - beta^negatives) / (1 - beta^positives)``, the class-balanced weights ``(1 - beta) / (1 -
      beta^n)`` of Cui et al., Class-balanced loss based on effective number of samples, CVPR 2019, of the two classes
      'has the finding' and 'has it not'. With beta of 0 it is 1; as beta goes to 1 it becomes "balanced".

    The paper scales the weights of all classes to a mean of 1. With several findings an image each column is a
    classification of its own, and here its negatives keep weight 1: so kinds and columns differ in what a positive
    weighs alone, and none changes how columns weigh among each other but by that.

    Parameters
    ----------
    targets : (N, M) bool array
        Of the training rows of this run, after thinning and over-sampling: their odds are what the loss meets.
    mask : (N, M) bool array, optional
        Where a target is known. Entries outside it count neither as positive nor as negative.
    kind : "balanced", "sqrt" or "effective"
    beta : float in [0, 1), of "effective"

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
    positives = (targets & known).sum(axis=0).astype(np.float64)
    negatives = known.sum(axis=0) - positives
    if kind == "effective":
        positives, negatives = _effective(positives, beta), _effective(negatives, beta)
    ratio = np.ones(targets.shape[1])
    np.divide(negatives, positives, out=ratio, where=(positives > 0) & (negatives > 0))
    return (np.sqrt(ratio) if kind == "sqrt" else ratio).astype(np.float32)


def _effective(count: npt.NDArray[np.float64], beta: float) -> npt.NDArray[np.float64]:
    """Effective number of samples, times 1 - beta: 1 - beta^n without loss of digits for beta near 1."""
    return -np.expm1(count * np.log(beta)) if beta > 0 else (count > 0).astype(np.float64)


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
