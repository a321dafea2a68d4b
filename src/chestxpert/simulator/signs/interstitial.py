"""Signs of the lung's framework: edema and fibrosis."""

from __future__ import annotations

import math

import numpy as np

from chestxpert.simulator.canvas import Box, Canvas
from chestxpert.simulator.signs.parts import box_of


def paint_edema(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """Haze around both hila (bat's wings) and short level lines at the outer bases (Kerley B)."""
    g = canvas.geometry
    boxes: list[Box] = []
    for side in (-1, 1):
        root = g.lung_point(side, 0.18, 0.52)
        wing = canvas.ellipse(root, (float(rng.uniform(0.15, 0.18)), float(rng.uniform(0.20, 0.25))), 0.9)
        weight = wing.weight * canvas.lung[wing.rows, wing.columns]
        canvas.density[wing.rows, wing.columns] += weight * np.float32(0.20 * strength)
        boxes += box_of(canvas, weight, wing.rows, wing.columns)
        for step in range(5):
            y = 0.62 + 0.022 * step + float(rng.uniform(-0.004, 0.004))
            wall = float(g.centre(y)) + side * (float(g.chest_wall(y)) - 0.006)
            inner = wall - side * float(rng.uniform(0.025, 0.045))
            canvas.strokes.line([(wall, y), (inner, y + 0.002)], 0.004, 0.14 * strength)
    return boxes


def paint_fibrosis(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """A net of fine lines in the outer and lower lung on both sides."""
    g = canvas.geometry
    boxes: list[Box] = []
    for side in (-1, 1):
        meshes = [_mesh(canvas, side, strength, rng) for _ in range(30)]
        xs, ys = [x for x, _ in meshes], [y for _, y in meshes]
        boxes.append((min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)))
        base = canvas.ellipse(g.lung_point(side, 0.6, 0.85), (0.14, 0.12), 1.0)
        canvas.add(base, 0.09 * strength, canvas.lung)
    return boxes


def _mesh(canvas: Canvas, side: int, strength: float, rng: np.random.Generator) -> tuple[float, float]:
    """One irregular mesh of the net; gives its centre."""
    across, down = float(1 - rng.beta(1.0, 2.2)), float(1 - 0.75 * rng.beta(1.0, 2.5))
    x, y = canvas.geometry.lung_point(side, 0.97 * across, 0.97 * down)
    start, size = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.009, 0.016))
    corners = []
    for k, stretch in enumerate(rng.uniform(0.5, 1.5, 5).tolist()):
        turn = start + k * 2 * math.pi / 5
        corners.append((x + stretch * size * math.cos(turn), y + stretch * size * math.sin(turn)))
    canvas.strokes.line([*corners, corners[0]], 0.0035, 0.17 * strength)
    return x, y
