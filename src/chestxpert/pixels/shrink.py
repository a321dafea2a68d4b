"""Area averaging, exact: the one way in which images become smaller."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

_EXACT = 2**24  # float32 holds every whole number up to here
_ROWS, _COLUMNS = 4, 8  # results at a time: few, so that little is multiplied by zero, but enough to keep BLAS busy


def shrink(image: npt.NDArray[np.uint8], target: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Area-average an image down to `target`, each side no larger than the image's.

    Every pixel of the result is the mean of the area it covers, pixels on a border counted by their share, rounded half
    up. Sides are measured in units that make every share a whole number, and sums of whole numbers are exact in
    floating point as long as they stay small enough: so the result is exact, and the same on every machine and in every
    order of summing.

    Parameters
    ----------
    image : uint8 array of shape (H, W)
    target : (int, int)
        Height and width of the result.

    Returns
    -------
    uint8 array of shape `target`
    """
    height, width = image.shape
    kind = np.dtype(np.float32 if 255 * height < _EXACT else np.float64)
    down = np.empty((target[0], width), dtype=kind)
    for results, sources, shares in _shares(height, target[0], _ROWS, kind):
        np.matmul(shares, image[sources].astype(kind), out=down[results])
    both = np.empty(target, dtype=np.float64)
    for results, sources, shares in _shares(width, target[1], _COLUMNS, np.dtype(np.float64)):
        both[:, results] = down[:, sources].astype(np.float64) @ shares.T
    both += 0.5 * image.size  # both holds the mean times height and width
    both /= image.size
    return both.astype(np.uint8)


@lru_cache(maxsize=64)
def _shares(
    size: int, count: int, group: int, kind: np.dtype[Any]
) -> tuple[tuple[slice, slice, npt.NDArray[Any]], ...]:
    """How `count` results are made of `size` sources, a group of results at a time.

    Returns
    -------
    tuple of (results, sources, shares)
        `shares` has shape (results, sources): the length that each source and result have in common, where a source is
        `count` long and a result `size`. Those of one result add up to `size`.
    """
    groups = []
    for first in range(0, count, group):
        last = min(first + group, count)
        low, high = first * size // count, -(-last * size // count)
        results, sources = np.arange(first, last)[:, None], np.arange(low, high)[None, :]
        ends = np.minimum((results + 1) * size, (sources + 1) * count)
        shares = np.maximum(ends - np.maximum(results * size, sources * count), 0).astype(kind)
        groups.append((slice(first, last), slice(low, high), shares))
    return tuple(groups)
