"""Small pictures for pages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.pixels.shrink import shrink
from chestxpert.pixels.store import ImageStore


def thumbnail(store: ImageStore, row: int, side: int = 128) -> npt.NDArray[np.uint8]:
    """One stored image, area-averaged down to at most `side` pixels.

    Parameters
    ----------
    store : ImageStore
    row : int
        Row of the store, see `ImageStore.row`.
    side : int
        At least 1. A smaller image is given as it is.

    Returns
    -------
    uint8 array of shape (s, s)
        s is the smaller of `side` and the store's size; owns its memory.
    """
    image = np.array(store.pixels[row])
    return image if side >= store.size else shrink(image, (side, side))
