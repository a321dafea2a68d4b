"""Signs of filled air spaces: infiltration, consolidation, pneumonia."""

from __future__ import annotations

import math

import numpy as np

from chestxpert.simulator.canvas import Box, Canvas, Patch, cloud, ramp
from chestxpert.simulator.geometry import FloatArray
from chestxpert.simulator.signs.parts import box_of, choose_side


def _patchy(canvas: Canvas, patch: Patch, rng: np.random.Generator, roughness: float) -> FloatArray:
    """The patch's weights, broken up by clouds (`roughness` 0 for not at all) and kept inside the lung."""
    texture = cloud(canvas.size, rng, (patch.weight.shape[0], patch.weight.shape[1]))
    broken = np.clip(np.float32(1.0) + np.float32(roughness) * texture, 0.0, 2.2)
    return np.asarray(patch.weight * broken * canvas.lung[patch.rows, patch.columns])


def paint_infiltration(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """Faint, ill-defined patches in the middle and lower lung, on one side or both."""
    sides = (-1, 1) if rng.random() < 0.5 else (choose_side(rng),)
    boxes: list[Box] = []
    for side in sides:
        point = canvas.geometry.lung_point(side, float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.5, 0.85)))
        patch = canvas.ellipse(point, (float(rng.uniform(0.10, 0.14)), float(rng.uniform(0.11, 0.16))), 0.9)
        weight = _patchy(canvas, patch, rng, 0.75)
        canvas.density[patch.rows, patch.columns] += weight * np.float32(0.17 * strength)
        boxes += box_of(canvas, weight, patch.rows, patch.columns)
    return boxes


def paint_consolidation(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """A dense lobe, sharp at the fissure, crossed by dark branching bronchi."""
    g = canvas.geometry
    side = choose_side(rng)
    upper = rng.random() < 0.4
    x, y = g.lung_point(side, 0.5, float(rng.uniform(0.22, 0.30) if upper else rng.uniform(0.72, 0.82)))
    patch = canvas.ellipse((x, y), (0.14, 0.15), 0.35)
    fissure = (y + 0.06 if upper else y - 0.06) + float(rng.uniform(-0.01, 0.01))
    slope = np.float32(side * 0.15)
    down = canvas.y[patch.rows] - np.float32(fissure) - slope * (canvas.x[:, patch.columns] - np.float32(x))
    cut = Patch(patch.rows, patch.columns, patch.weight * ramp(-down if upper else down, 0.008))
    weight = _patchy(canvas, cut, rng, 0.12)
    canvas.density[patch.rows, patch.columns] += weight * np.float32(0.27 * strength)
    canvas.thin_markings(patch.rows, patch.columns, 1 - np.float32(0.8 * min(strength, 1.0)) * cut.weight)
    root = (x - side * 0.07, y)
    for angle in (-0.5, 0.05, 0.6) if not upper else (-0.6, -0.1, 0.3):
        tip = (root[0] + side * 0.12 * math.cos(angle), root[1] + 0.12 * math.sin(angle))
        canvas.strokes.line([root, tip], 0.006, -0.12 * strength)
    return box_of(canvas, weight, patch.rows, patch.columns)


def paint_pneumonia(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """One focus of middling density at the lung's outer part, speckled, without a sharp border."""
    side = choose_side(rng)
    point = canvas.geometry.lung_point(side, float(rng.uniform(0.5, 0.8)), float(rng.uniform(0.25, 0.7)))
    patch = canvas.ellipse(point, (float(rng.uniform(0.07, 0.10)), float(rng.uniform(0.075, 0.11))), 0.6)
    weight = _patchy(canvas, patch, rng, 0.35)
    canvas.density[patch.rows, patch.columns] += weight * np.float32(0.20 * strength)
    for _ in range(9):  # air spaces filled one by one: small soft spots
        turn, far = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.0, 0.075))
        spot = (point[0] + far * math.cos(turn), point[1] + far * math.sin(turn))
        canvas.add(canvas.ellipse(spot, (0.014, 0.014), 0.8), 0.09 * strength, canvas.lung)
    return box_of(canvas, weight, patch.rows, patch.columns)
