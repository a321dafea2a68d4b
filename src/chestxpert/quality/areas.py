"""Area averages of many stored images at once, read from the store piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from chestxpert.pixels.manifest import PIXELS
from chestxpert.pixels.store import ImageStore

Floats = npt.NDArray[np.float32]

_BYTES = 8 << 20  # of pixels at a time; some five times as much while they are averaged


def read_images(store: ImageStore, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Copy some rows of a store, uint8 of shape (n, size, size).

    Mapped for this alone: pages of `store.pixels` that were touched would count as memory in use until the store is
    closed, in the end all of it.
    """
    low, high = int(rows.min()), int(rows.max()) + 1
    shape, offset = (high - low, store.size, store.size), low * store.size**2
    part = np.memmap(store.folder / PIXELS, dtype=np.uint8, mode="r", offset=offset, shape=shape)
    return np.array(part[rows - low])


def pieces(count: int, size: int) -> Iterator[slice]:
    """Slices of `count` images of `size` px that are worked on at a time."""
    step = max(1, _BYTES // size**2)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def area_averages(images: npt.NDArray[np.generic], count: int) -> Floats:
    """Mean of every cell of a `count` x `count` grid; pixels on a border count by their share.

    Parameters
    ----------
    images : array of shape (n, size, size)
        Any size; a grid finer than the pixels repeats them.
    count : int
        Cells along a side.

    Returns
    -------
    float32 array of shape (n, count, count)
        In grey levels.
    """
    size = images.shape[-1]
    weights = _weights(size, count)
    across = images.astype(np.float32).reshape(-1, size) @ weights.T  # one large product instead of n small ones
    return np.asarray(weights @ across.reshape(len(images), size, count), dtype=np.float32)


@lru_cache(maxsize=16)
def _weights(size: int, count: int) -> Floats:
    """Share of pixel j in cell i, shape (count, size); each row adds up to 1."""
    cells = np.arange(count)[:, None] * (size / count)
    pixels = np.arange(size)[None, :]
    share = np.clip(np.minimum(cells + size / count, pixels + 1) - np.maximum(cells, pixels), 0, None)
    return np.asarray(share * (count / size), dtype=np.float32)
