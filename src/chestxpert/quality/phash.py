"""Perceptual hash: a few bits that stay nearly the same when an image is re-encoded, brightened or slightly cropped.

The DCT hash of Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions (diploma thesis, FH
Hagenberg, 2010, section 3.2.1), with 16 x 16 coefficients instead of its 8 x 8: all chest radiographs share their
coarse shape, so that with 63 bits one pair of strangers in a million is within 4 bits; with 255 it is within 55.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

SIDE = 16
BITS = SIDE * SIDE - 1

_BLOCK = 2048  # hashes compared with as many at a time: 16 MB of distances


def phash(areas: Floats) -> npt.NDArray[np.uint8]:
    """Hash of images given as area averages.

    Parameters
    ----------
    areas : float32 array of shape (n, 32, 32)

    Returns
    -------
    uint8 array of shape (n, 32)
        255 bits, packed: whether each of the 16 x 16 lowest DCT coefficients but the first lies above their median.
    """
    cosines = _cosines(areas.shape[1])
    low = (cosines @ areas @ cosines.T).reshape(len(areas), -1)[:, 1:]
    return np.packbits(low > np.median(low, axis=1, keepdims=True), axis=1)


@lru_cache(maxsize=4)
def _cosines(size: int) -> Floats:
    """First rows of the orthonormal DCT-II matrix, shape (SIDE, size)."""
    rows = np.arange(SIDE)[:, None]
    cosines = np.cos(np.pi / size * (np.arange(size) + 0.5) * rows)
    return np.asarray(cosines * np.where(rows == 0, np.sqrt(1 / size), np.sqrt(2 / size)), dtype=np.float32)


def close_pairs(
    hashes: npt.NDArray[np.uint8], radius: int, limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All pairs of hashes that differ in at most `radius` bits, closest first.

    Every pair is compared, as products of vectors of -1 and 1, which is what processors do fastest: 112,120 hashes
    are 6.3 thousand million pairs. (Banding would miss pairs: hashes this far apart need not share any band.)

    Parameters
    ----------
    hashes : uint8 array of shape (N, 32)
    radius : int
        In bits.
    limit : int
        If there are more pairs, only the closest so many are given.

    Returns
    -------
    pairs : int64 array of shape (P, 2)
        Positions i < j.
    distances : int64 array of shape (P,)
        In bits.
    """
    signs = np.unpackbits(hashes, axis=1, count=BITS).astype(np.int8) * 2 - 1
    found, waiting = np.empty((0, 3), dtype=np.int64), list[npt.NDArray[np.int64]]()
    for low in range(0, len(signs), _BLOCK):
        ones = signs[low : low + _BLOCK].astype(np.float32)
        for high in range(low, len(signs), _BLOCK):
            block = _within(ones, signs[high : high + _BLOCK].astype(np.float32), radius)
            block[:, :2] += (low, high)
            waiting.append(block[block[:, 0] < block[:, 1]])
            if sum(map(len, waiting)) > limit:
                found, waiting = _closest([found, *waiting], limit), []
                radius = int(found[-1, 2])  # nothing further apart can be among the closest any more
    found = _closest([found, *waiting], limit)
    return found[:, :2], found[:, 2]


def _within(ones: Floats, others: Floats, radius: int) -> npt.NDArray[np.int64]:
    """Rows (i, j, distance) of all pairs of two blocks within `radius`."""
    agreement = ones @ others.T  # BITS - 2 * distance, exact in float32
    i, j = np.nonzero(agreement >= BITS - 2 * radius)
    return np.stack([i, j, (BITS - agreement[i, j].astype(np.int64)) // 2], axis=1)


def _closest(parts: Sequence[npt.NDArray[np.int64]], limit: int) -> npt.NDArray[np.int64]:
    found = np.concatenate(parts)
    return found[np.lexsort((found[:, 1], found[:, 0], found[:, 2]))[:limit]]
