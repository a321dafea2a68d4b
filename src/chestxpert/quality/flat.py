"""Images that show nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.pixels.store import ImageStore
from chestxpert.quality.areas import read_images
from chestxpert.quality.remarks import remarks
from chestxpert.quality.scan import Scan

BLANK = 1.0
"""Standard deviation of the pixels, in grey levels, below which an image is blank."""
DEVIATION = 10.0
"""Standard deviation over 32 x 32 areas below which an image is near-constant; 1,666 of NIH's have 25.9 or more."""
LEVEL_SHARE = 0.8
"""Share of one grey level from which an image is near-constant; 1,666 of NIH's have 0.46 or less."""

_LOOK_FROM = LEVEL_SHARE / 2  # share among the sampled pixels from which all are counted: bars may hide some


def flat_images(
    store: ImageStore, rows: npt.NDArray[np.int64], scan: Scan
) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Remarks on blank and near-constant images, and which they are.

    Black bars that made an image square are left aside.

    Parameters
    ----------
    store : ImageStore
    rows : int64 array of shape (N,)
        Rows of the store.
    scan : Scan
        Of these rows.

    Returns
    -------
    found : pandas.DataFrame
        Remarks; their value is the standard deviation of the pixels, in grey levels.
    flat : bool array of shape (N,)
    """
    flat = np.zeros(len(rows), dtype=np.bool_)
    parts = []
    for place in np.flatnonzero((scan.deviations < DEVIATION) | (scan.level_shares >= _LOOK_FROM)):
        picture = _without_bars(store, int(rows[place]))
        deviation = float(picture.std(dtype=np.float64))
        share = float(np.bincount(picture.ravel(), minlength=256).max() / picture.size)
        if deviation >= BLANK and scan.deviations[place] >= DEVIATION and share < LEVEL_SHARE:
            continue
        flat[place] = True
        check = "blank" if deviation < BLANK else "near-constant"
        detail = (
            f"One grey level fills {share:.1%} of it; the standard deviation is {deviation:.1f} grey levels, over "
            f"32 x 32 areas {scan.deviations[place]:.1f}."
        )
        parts.append(remarks(check, [store.image_ids[rows[place]]], [detail], value=[deviation]))
    return pd.concat([remarks("blank", [], []), *parts], ignore_index=True), flat


def _without_bars(store: ImageStore, row: int) -> npt.NDArray[np.uint8]:
    """Pixels of an image that come from its file, shape (h, w)."""
    image: npt.NDArray[np.uint8] = read_images(store, np.array([row]))[0]
    if store.preprocess.fit != "pad":
        return image
    width, height = (int(store.index[name].iloc[row]) for name in ("width", "height"))
    longer = max(width, height)
    inside = [max(1, round(side * store.size / longer)) for side in (height, width)]
    top, left = ((store.size - side) // 2 for side in inside)
    return image[top : top + inside[0], left : left + inside[1]]
