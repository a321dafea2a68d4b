"""Measures of a map that need no threshold: where its maximum lies, and how much of it lies in the boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.localization.geometry import BOX_SPACE, coverage
from chestxpert.evaluation.metrics import FloatArray


def pointing(heat: npt.ArrayLike, boxes: npt.ArrayLike, tolerance: float = 0.0) -> float:
    """The pointing game: 1 where the map's maximum lies in any of the boxes (Zhang et al., IJCV 126, 2018).

    The point is the middle of the cell. Where several cells share the maximum, the value is the share of them that
    lies inside, which is what a draw among them would hit on average; so a constant map scores what chance does.

    Parameters
    ----------
    heat : (h, w) array of finite numbers
        Negative values are values as others.
    boxes : (n, 4) array of edges in shares of the frame
    tolerance : float
        How far beside a box still counts, in pixels of a frame of 1024 x 1024, measured to the nearest point of the
        box. The paper grants 15 pixels of its own photographs; the default grants none.

    Returns
    -------
    float in [0, 1]
    """
    values = np.asarray(heat, dtype=np.float64)
    row, column = np.nonzero(values == values.max())
    return float(hits((column + 0.5) / values.shape[1], (row + 0.5) / values.shape[0], boxes, tolerance).mean())


def hits(x: npt.ArrayLike, y: npt.ArrayLike, boxes: npt.ArrayLike, tolerance: float = 0.0) -> npt.NDArray[np.bool_]:
    """Whether each of the points (x, y), in shares of the frame, lies in any box or within `tolerance` of it."""
    points = np.stack(np.broadcast_arrays(np.asarray(x, dtype=np.float64), y), axis=-1).reshape(-1, 1, 2)
    edges = np.asarray(boxes, dtype=np.float64).reshape(1, -1, 4)
    outside = np.maximum(np.maximum(edges[..., :2] - points, points - edges[..., 2:]), 0.0)
    return np.asarray((np.hypot(outside[..., 0], outside[..., 1]) * BOX_SPACE <= tolerance).any(axis=1))


def chance(boxes: npt.ArrayLike, tolerance: float = 0.0) -> float:
    """What a uniformly random point hits: the area of the boxes' union, or with a tolerance, nearly that around it."""
    if tolerance == 0:
        return float(coverage(boxes, 1, 1)[0, 0])
    return pointing(np.zeros((BOX_SPACE // 2, BOX_SPACE // 2)), boxes, tolerance)


def energy(heat: npt.ArrayLike, inside: npt.ArrayLike) -> float:
    """Share of the map's mass inside the boxes: the energy-based pointing game (Wang et al., Score-CAM, CVPRW 2020).

    Mass is the positive part: negative values speak against the finding and count as none. A cell that a box cuts
    counts with the share of it that lies inside, so that a constant map scores exactly the boxes' share of the frame.

    Parameters
    ----------
    heat : (h, w) array of finite numbers
    inside : (h, w) array in [0, 1]
        Share of every cell that lies in any box, see `geometry.coverage`.

    Returns
    -------
    float in [0, 1]; NaN where no value is positive.
    """
    values = np.asarray(heat, dtype=np.float64)
    highest = float(values.max())
    if highest <= 0:
        return float("nan")
    mass: FloatArray = np.clip(values / highest, 0.0, None)  # scaled first, so that a sum of tiny values is no 0
    return float((mass * np.asarray(inside)).sum() / mass.sum())
