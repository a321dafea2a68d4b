"""One curve a column: of a flat run's labels, or of the children of a hierarchy's decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.calibration.beta import fit_beta
from chestxpert.evaluation.calibration.curve import Curve
from chestxpert.evaluation.calibration.isotonic import fit_isotonic
from chestxpert.evaluation.calibration.platt import fit_platt, fit_temperature_curve
from chestxpert.evaluation.metrics import BoolArray, FloatArray

FITS: Mapping[str, Callable[[BoolArray, FloatArray], Curve]] = {
    "temperature": fit_temperature_curve,
    "platt": fit_platt,
    "isotonic": fit_isotonic,
    "beta": fit_beta,
}


def fit_curves(
    kind: str, truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None = None
) -> tuple[Curve, ...]:
    """The curve of each column, from the rows where its truth is known.

    Parameters
    ----------
    kind : one of `FITS`
    truth : (N, C) bool array
    probs : (N, C) array in [0, 1]
    known : (N, C) bool array, optional
        Everywhere by default. What `truth` and `probs` say elsewhere does not matter.

    Returns
    -------
    C curves; `Identity` where there is nothing to fit on.

    Raises
    ------
    PredictionsError
        If the shapes differ.
    """
    held, values = np.asarray(truth, dtype=np.bool_), np.asarray(probs, dtype=np.float64)
    told = np.ones_like(held) if known is None else np.asarray(known, dtype=np.bool_)
    if held.ndim != 2 or not held.shape == values.shape == told.shape:
        raise PredictionsError(
            "Truth, probabilities and what is known must have one shape (images, columns), but got "
            f"{held.shape}, {values.shape} and {told.shape}."
        )
    fit = FITS[kind]
    return tuple(fit(held[told[:, c], c], values[told[:, c], c]) for c in range(held.shape[1]))


def apply_curves(curves: Sequence[Curve], probs: npt.ArrayLike) -> FloatArray:
    """(N, C) calibrated_probs of any images from (N, C) probs."""
    values = np.asarray(probs, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(curves):
        raise PredictionsError(f"There are {len(curves)} curves, but the probabilities have shape {values.shape}.")
    return np.column_stack([curve(values[:, column]) for column, curve in enumerate(curves)])
