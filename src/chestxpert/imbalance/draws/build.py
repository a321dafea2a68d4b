"""From a recipe's draw to the rows of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from chestxpert.errors import RecipeError
from chestxpert.imbalance.draws.by_label import class_balanced, progressive, square_root
from chestxpert.imbalance.draws.repeats import instance, repeat_factor
from chestxpert.imbalance.draws.resampling import ml_ros, ml_rus
from chestxpert.imbalance.own import own_function
from chestxpert.recipe import Draw
from chestxpert.recipe.selection import is_own

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

DrawFunction = Callable[..., IntArray]
"""Takes (labels, rng, progress) and the settings of the catalogue by keyword; see `draw_rows`."""

FUNCTIONS: Mapping[str, DrawFunction] = {
    "instance": instance,
    "repeat-factor": repeat_factor,
    "class-balanced": class_balanced,
    "square-root": square_root,
    "progressive": progressive,
    "ml-ros": ml_ros,
    "ml-rus": ml_rus,
}


def draw_rows(draw: Draw, labels: BoolArray, rng: np.random.Generator, progress: float) -> IntArray:
    """Rows of one epoch, in no particular order: whoever makes batches shuffles.

    Parameters
    ----------
    draw : Draw
        A draw of the catalogue, or ``FILE.py:FUNCTION``.
    labels : (N, M) bool array
        Positives that are known, of the training rows.
    rng : numpy.random.Generator
        Of this epoch alone.
    progress : float
        Share of the epochs, this one included, in (0, 1].

    Returns
    -------
    (n,) int64 array
        Positions among the N rows; a row that stands more than once is seen more than once.

    Raises
    ------
    RecipeError
        For a setting out of range, and for a draw that gives fewer than two rows, or anything but positions of rows.
    """
    function = own_function(draw.kind) if is_own(draw.kind) else FUNCTIONS[draw.kind]
    drawn = np.asarray(function(labels, rng, progress, **draw.settings))
    if drawn.ndim != 1 or not (drawn.dtype.kind in "iu" or drawn.size == 0):
        raise RecipeError(
            f"sampling.draw.kind '{draw.kind}' is to give one whole number a row drawn, but gave an array of shape "
            f"{drawn.shape} and type {drawn.dtype}. From a mask, np.flatnonzero makes row numbers."
        )
    if len(drawn) < 2:
        raise RecipeError(
            f"sampling.draw.kind '{draw.kind}' drew {len(drawn)} of {len(labels)} rows, and an epoch needs at least 2."
        )
    if drawn.min() < 0 or drawn.max() >= len(labels):
        raise RecipeError(
            f"sampling.draw.kind '{draw.kind}' drew row {drawn.min() if drawn.min() < 0 else drawn.max()}, but rows "
            f"are counted from 0 to {len(labels) - 1}."
        )
    return drawn.astype(np.int64)
