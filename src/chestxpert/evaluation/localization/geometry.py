"""Boxes as edges in shares of the frame: left, top, right, bottom in [0, 1], so that no map needs a size of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.metrics import FloatArray, ratio
from chestxpert.pixels.preprocess import Preprocess

BOX_SPACE = 1024
"""Boxes of a data set are in pixels of a 1024 x 1024 image, whatever size the file or the store has."""


def frame_edges(
    box: tuple[float, float, float, float], covers: str, preprocess: Preprocess, size: tuple[int, int]
) -> FloatArray:
    """Edges of a data set's box in the frame that a map covers.

    Parameters
    ----------
    box : (x, y, w, h)
        Left, top, width, height in pixels of a 1024 x 1024 image; of an image that is not square, in 1024ths of its
        width and of its height.
    covers : {"stored", "original"}
        Whether the frame is the square image of the store, with bars or cut as `preprocess` says, or the whole image as
        it was decoded.
    preprocess : Preprocess
    size : (width, height)
        Of the image as it was decoded, in pixels.

    Returns
    -------
    (4,) float64 array
        Cut at the border; left == right or top == bottom where nothing of the box is in the frame.
    """
    x, y, w, h = (value / BOX_SPACE for value in box)
    if covers == "stored":
        width, height = size
        x, y, w, h = preprocess.map_box((x * width, y * height, w * width, h * height), width, height)
        x, y, w, h = (value / preprocess.size for value in (x, y, w, h))
    return np.clip(np.array([x, y, x + w, y + h], dtype=np.float64), 0.0, 1.0)


def areas(boxes: npt.ArrayLike) -> FloatArray:
    """(n,) areas of (n, 4) edges."""
    edges = _edges(boxes)
    return np.asarray((edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1]))


def intersections(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """(n, m) areas that (n, 4) and (m, 4) edges have in common."""
    a, b = _edges(first)[:, np.newaxis], _edges(second)[np.newaxis]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.asarray(np.clip(sides, 0.0, None).prod(axis=-1))


def iou(truth: npt.ArrayLike, detected: npt.ArrayLike) -> FloatArray:
    """(n, m) intersection over union of true and detected boxes (Jaccard's index); NaN where both are empty."""
    common = intersections(truth, detected)
    return ratio(common, areas(truth)[:, np.newaxis] + areas(detected)[np.newaxis] - common)


def iobb(truth: npt.ArrayLike, detected: npt.ArrayLike) -> FloatArray:
    """(n, m) intersection over the area of the *detected* box (Wang et al., CVPR 2017, section 4).

    It asks whether a detected box lies in the true one, not whether it fills it: a box of one cell in the right place
    has 1.
    """
    return ratio(
        intersections(truth, detected), np.broadcast_to(areas(detected), (len(_edges(truth)), len(_edges(detected))))
    )


def coverage(boxes: npt.ArrayLike, height: int, width: int) -> FloatArray:
    """Share of every cell of a grid over the frame that lies in any of the boxes, exactly.

    The frame is cut along the edges of all cells and boxes, so that each piece is inside or outside.

    Parameters
    ----------
    boxes : (n, 4) array of edges
    height, width : int
        Cells of the grid.

    Returns
    -------
    (height, width) float64 array in [0, 1]
        Of a grid of one cell: the area of the boxes' union.
    """
    edges = _edges(boxes)
    across, columns = _cuts(edges[:, [0, 2]], width)
    down, rows = _cuts(edges[:, [1, 3]], height)
    x, y = (across[1:] + across[:-1]) / 2, (down[1:] + down[:-1]) / 2
    inside = np.zeros((len(y), len(x)), dtype=np.bool_)
    for left, top, right, bottom in edges:
        inside |= ((y > top) & (y < bottom))[:, np.newaxis] & ((x > left) & (x < right))
    pieces = inside * np.diff(down)[:, np.newaxis] * np.diff(across)
    shares = np.add.reduceat(np.add.reduceat(pieces, rows, axis=0), columns, axis=1) * (height * width)
    return np.asarray(np.clip(shares, 0.0, 1.0))


def _cuts(edges: FloatArray, cells: int) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Where one side is cut, and at which cut each cell begins."""
    grid = np.arange(cells + 1) / cells
    cuts = np.unique(np.concatenate([grid, edges.ravel()]))
    return cuts, np.searchsorted(cuts, grid[:-1])


def _edges(boxes: npt.ArrayLike) -> FloatArray:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
