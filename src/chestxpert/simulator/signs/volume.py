"""Signs that change the chest's shape: cardiomegaly, emphysema, atelectasis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chestxpert.simulator.canvas import Box, Canvas, ramp
from chestxpert.simulator.geometry import Geometry
from chestxpert.simulator.signs.parts import box_of, choose_side


def shape_cardiomegaly(geometry: Geometry, strength: float, rng: np.random.Generator) -> Geometry:
    """A heart up to a third wider, mostly to the left, so that it exceeds half of the chest's width."""
    growth = strength * rng.uniform(0.85, 1.15)
    return replace(
        geometry,
        heart_a=geometry.heart_a + 0.046 * growth,
        heart_x=geometry.heart_x + 0.018 * growth,
        heart_b=geometry.heart_b + 0.012 * growth,
        heart_skew=geometry.heart_skew + 0.12 * growth,
    )


def paint_cardiomegaly(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """Nothing more to draw; the box holds the heart."""
    g = canvas.geometry
    x = float(g.centre(g.heart_y)) + g.heart_x
    return [(x - g.heart_a, g.heart_y - 0.7 * g.heart_b, 2 * g.heart_a + 0.02, 1.7 * g.heart_b)]


def shape_emphysema(geometry: Geometry, strength: float, rng: np.random.Generator) -> Geometry:
    """Longer, darker lungs over a low, flat diaphragm; a narrow heart."""
    return replace(
        geometry,
        dome_right=geometry.dome_right + 0.070 * strength,
        dome_left=geometry.dome_left + 0.060 * strength,
        dome_depth=geometry.dome_depth * (1 - 0.65 * strength),
        air=geometry.air + 0.075 * strength,
        heart_a=geometry.heart_a - 0.014 * strength,
        vessels=geometry.vessels * (1 - 0.35 * strength),
        rib_slope=geometry.rib_slope - 0.25 * strength,
    )


def paint_emphysema(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """Clear patches without markings (bullae) in the upper lungs; the box holds both lungs."""
    g = canvas.geometry
    for _ in range(int(rng.integers(1, 4))):
        point = g.lung_point(choose_side(rng, 0.5), float(rng.uniform(0.4, 0.9)), float(rng.uniform(0.05, 0.45)))
        bulla = canvas.ellipse(point, (0.045, 0.055), 0.3)
        canvas.add(bulla, -0.06 * strength, canvas.lung)
        canvas.thin_markings(bulla.rows, bulla.columns, 1 - strength * bulla.weight)
    left, right = float(g.centre(0.5)) - g.half_width, float(g.centre(0.5)) + g.half_width
    floor = max(g.dome_right, g.dome_left) + 0.5 * g.dome_depth
    return [(left, g.apex, right - left, floor - g.apex)]


def _collapsed_side(rng: np.random.Generator) -> int:
    """First draw of the sign's generator: shape and paint start from the same state and agree on it."""
    return choose_side(rng, 0.5)


def shape_atelectasis(geometry: Geometry, strength: float, rng: np.random.Generator) -> Geometry:
    """Loss of volume: one dome higher, the heart drawn to that side."""
    side = _collapsed_side(rng)
    lift = strength * rng.uniform(0.04, 0.07)
    moved = replace(geometry, heart_x=geometry.heart_x + side * 0.010 * strength)
    if side < 0:
        return replace(moved, dome_right=geometry.dome_right - lift)
    return replace(moved, dome_left=geometry.dome_left - lift)


def paint_atelectasis(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """One to three plate-like streaks across the lower lung, above the raised dome."""
    g = canvas.geometry
    side = _collapsed_side(rng)
    x, y = g.lung_point(side, float(rng.uniform(0.5, 0.7)), float(rng.uniform(0.78, 0.90)))
    reach = float(rng.uniform(0.065, 0.10))
    rows, columns = canvas.window((x - reach, y - 0.09, 2 * reach, 0.16))
    along = (canvas.x[:, columns] - np.float32(x)) / np.float32(reach)
    taper = np.clip(np.float32(1.6) * (1 - np.abs(along)), 0.0, 1.0)
    weight = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)
    for plate in range(int(rng.integers(1, 4))):
        slope = float(rng.uniform(-0.03, 0.03)) - side * 0.01
        middle = y - 0.028 * plate + np.float32(slope) * along
        weight += ramp(np.float32(0.0055) - np.abs(canvas.y[rows] - middle), 0.007) * taper
    weight *= canvas.lung[rows, columns]
    canvas.density[rows, columns] += weight * np.float32(0.24 * strength)
    haze = canvas.ellipse((x, y + 0.02), (1.2 * reach, 0.055), 1.0)
    canvas.add(haze, 0.14 * strength, canvas.lung)
    return box_of(canvas, weight, rows, columns, 0.2)
