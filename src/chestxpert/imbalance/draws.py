"""Draws of each epoch's rows, by the name that a recipe's ``sampling.draw.kind`` gives them.

Thinning and over-sampling decide once which rows a run has; a draw decides anew in each epoch how often each of them is
seen. It sees the labels of training rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from chestxpert.imbalance.own import own_function
from chestxpert.recipe import Draw
from chestxpert.recipe.selection import is_own

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

DrawFunction = Callable[..., IntArray]
"""Takes (labels, rng, progress) and the settings of the catalogue by keyword; see `draw_rows`."""


def instance(labels: BoolArray, rng: np.random.Generator, progress: float) -> IntArray:
    """Every row once."""
    return np.arange(len(labels))


FUNCTIONS: Mapping[str, DrawFunction] = {"instance": instance}


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
    """
    function = own_function(draw.kind) if is_own(draw.kind) else FUNCTIONS[draw.kind]
    return np.asarray(function(labels, rng, progress, **draw.settings), dtype=np.int64)
