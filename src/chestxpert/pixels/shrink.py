"""Area averaging, exact: the one way in which images become smaller."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

_EXACT = 2**24  # float32 holds every whole number up to here
_ROWS, _COLUMNS = 4, 16  # results at a time: few, so that little is multiplied by zero, but enough to keep BLAS busy


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
    tall, wide = height // gcd(height, target[0]), width // gcd(width, target[1])
    down = np.empty((target[0], width), dtype=_kind(255 * tall))
    for results, sources, shares in _shares(height, target[0], _ROWS, down.dtype):
        np.matmul(shares, image[sources].astype(down.dtype), out=down[results])
    both = np.empty(target, dtype=_kind(255 * tall * wide))
    for results, sources, shares in _shares(width, target[1], _COLUMNS, both.dtype):
        both[:, results] = down[:, sources].astype(both.dtype, copy=False) @ shares.T
    means = both.astype(np.float64)
    means += 0.5 * tall * wide
    means /= tall * wide
    return means.astype(np.uint8)


def _kind(largest: int) -> np.dtype[Any]:
    """Type that holds every whole number up to `largest`."""
    return np.dtype(np.float32 if largest < _EXACT else np.float64)


@lru_cache(maxsize=64)
def _shares(
    size: int, count: int, group: int, kind: np.dtype[Any]
) -> tuple[tuple[slice, slice, npt.NDArray[Any]], ...]:
    """How `count` results are made of `size` sources, a group of results at a time.

    Returns
    -------
    tuple of (results, sources, shares)
        `shares` has shape (results, sources): the length that each source and result have in common, in units of which
        a source has `count` and a result `size`, both divided by what divides both. Those of one result add up to its
        length.
    """
    result, source = size // gcd(size, count), count // gcd(size, count)
    groups = []
    for first in range(0, count, group):
        last = min(first + group, count)
        low, high = first * size // count, -(-last * size // count)
        i, j = np.arange(first, last)[:, None], np.arange(low, high)[None, :]
        common = np.minimum((i + 1) * result, (j + 1) * source) - np.maximum(i * result, j * source)
        groups.append((slice(first, last), slice(low, high), np.maximum(common, 0).astype(kind)))
    return tuple(groups)
