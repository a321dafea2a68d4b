"""Signs with a place of their own: nodule, mass, hernia."""

from __future__ import annotations

import numpy as np

from chestxpert.simulator.canvas import Box, Canvas
from chestxpert.simulator.signs.parts import choose_side

THREE_CENTIMETRES = 0.066
"""As a fraction of the image side, for a chest of 30 cm that fills two thirds of it: nodule below, mass above."""


def _around(x: float, y: float, rx: float, ry: float) -> Box:
    return (x - rx, y - ry, 2 * rx, 2 * ry)


def paint_nodule(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """One bright disc below 3 cm across, seldom two or three."""
    boxes = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.75, 0.15, 0.10]))):
        across, down = float(rng.uniform(0.2, 0.85)), float(rng.uniform(0.08, 0.85))
        x, y = canvas.geometry.lung_point(choose_side(rng, 0.5), across, down)
        radius = float(rng.uniform(0.28, 0.5)) * THREE_CENTIMETRES
        canvas.add(canvas.ellipse((x, y), (radius, radius * float(rng.uniform(0.9, 1.1))), 0.35), 0.28 * strength)
        boxes.append(_around(x, y, radius, radius))
    return boxes


def paint_mass(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """One bright, lobed body above 3 cm across."""
    across, down = float(rng.uniform(0.15, 0.8)), float(rng.uniform(0.1, 0.8))
    x, y = canvas.geometry.lung_point(choose_side(rng, 0.5), across, down)
    radius = float(rng.uniform(0.55, 1.05)) * THREE_CENTIMETRES
    canvas.add(canvas.ellipse((x, y), (radius, 0.95 * radius), 0.3), 0.24 * strength)
    for angle in rng.uniform(0, 2 * np.pi, 3):
        lobe = (x + 0.55 * radius * float(np.cos(angle)), y + 0.55 * radius * float(np.sin(angle)))
        canvas.add(canvas.ellipse(lobe, (0.55 * radius, 0.5 * radius), 0.4), 0.09 * strength)
    return [_around(x, y, 1.08 * radius, 1.05 * radius)]


def paint_hernia(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """A round stomach bubble behind the heart: bright rim, gas above a level of fluid."""
    g = canvas.geometry
    y = 0.5 * (g.dome_right + g.dome_left) - float(rng.uniform(0.02, 0.05))
    x = float(g.centre(y)) + float(rng.uniform(-0.01, 0.045))
    radius = float(rng.uniform(0.055, 0.08))
    ball = canvas.ellipse((x, y), (radius, radius), 0.12)
    below = (canvas.y[ball.rows] > y + 0.1 * radius).astype(np.float32)
    change = ball.weight * (below * np.float32(0.07) - (1 - below) * np.float32(0.22))
    canvas.density[ball.rows, ball.columns] += change * np.float32(strength)
    box = _around(x, y, radius, radius)
    canvas.strokes.arc(box, 0, 360, 0.008, 0.16 * strength)
    return [box]
