"""What several signs share."""

from __future__ import annotations

import numpy as np

from chestxpert.simulator.canvas import Box, Canvas
from chestxpert.simulator.geometry import FloatArray


def choose_side(rng: np.random.Generator, right: float = 0.55) -> int:
    """-1 (patient's right, left of the image) with probability `right`, else 1."""
    return -1 if rng.random() < right else 1


def box_of(canvas: Canvas, weight: FloatArray, rows: slice, columns: slice, level: float = 0.3) -> list[Box]:
    """Box around the pixels of a window where `weight` exceeds `level` of its maximum; none if all are 0."""
    peak = float(weight.max(initial=0.0))
    if peak <= 0:
        return []
    seen = weight > level * peak
    down, across = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    side = float(canvas.size)
    return [
        (
            (columns.start + int(across[0])) / side,
            (rows.start + int(down[0])) / side,
            (int(across[-1] - across[0]) + 1) / side,
            (int(down[-1] - down[0]) + 1) / side,
        )
    ]


def side_window(canvas: Canvas, side: int) -> tuple[slice, slice]:
    """Rows and columns that hold the chest cavity of one side and nothing beyond the middle of the chest."""
    g = canvas.geometry
    middle = float(g.centre(0.5))
    left = middle - 0.4 if side < 0 else middle - 0.02
    return canvas.window((left, g.apex - 0.03, 0.42, 0.93 - g.apex))


def on_side(canvas: Canvas, side: int, rows: slice, columns: slice) -> FloatArray:
    """1 for the pixels of a window that lie on `side` of the midline, 0 for the others; float32."""
    return (canvas.off[rows, columns] * np.float32(side) > 0).astype(np.float32)
