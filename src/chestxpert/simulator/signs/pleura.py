"""Signs between lung and chest wall: effusion, pneumothorax, pleural thickening."""

from __future__ import annotations

import numpy as np

from chestxpert.simulator.canvas import Box, Canvas, ramp
from chestxpert.simulator.signs.parts import box_of, choose_side, on_side, side_window


def paint_effusion(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """Fluid that blunts the costophrenic angle and climbs along the chest wall (meniscus); sometimes both sides."""
    first = choose_side(rng)
    sides = (first, -first) if rng.random() < 0.3 else (first,)
    return [box for side in sides for box in _fluid(canvas, side, strength, rng)]


def _fluid(canvas: Canvas, side: int, strength: float, rng: np.random.Generator) -> list[Box]:
    g = canvas.geometry
    rows, columns = side_window(canvas, side)
    dome = g.dome_right if side < 0 else g.dome_left
    level = dome + 0.055 - (0.03 + 0.13 * strength) * float(rng.uniform(0.5, 1.1))
    outward = np.abs(canvas.off[rows, columns]) * np.float32(1 / g.half_width)
    surface = np.float32(level + 0.05) - np.float32(0.11) * np.square(outward) * outward
    weight = ramp(canvas.y[rows] - surface, 0.03)
    weight *= ramp(canvas.cavity[rows, columns], 0.012) * on_side(canvas, side, rows, columns)
    weight *= ramp(g.diaphragm(canvas.x[:, columns]) + np.float32(0.03) - canvas.y[rows], 0.05)
    missing = np.clip(np.float32(0.78) - canvas.density[rows, columns], 0.0, 0.5)  # fluid hides what air showed
    change = weight * missing * np.float32(0.45 + 0.5 * strength)
    canvas.density[rows, columns] += change
    canvas.thin_markings(rows, columns, 1 - np.float32(0.9 * strength) * weight)
    return box_of(canvas, change, rows, columns)


def paint_pneumothorax(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """Air between lung and wall: a dark rim without markings, widest at the apex, behind a fine pleural line."""
    side = choose_side(rng)
    rows, columns = side_window(canvas, side)
    g = canvas.geometry
    down = (canvas.y[rows] - np.float32(g.apex)) * np.float32(1 / (g.dome_right - g.apex))
    reach = float(rng.uniform(0.7, 1.3)) * (0.45 + 0.55 * strength)
    gap = np.float32(0.02 * reach) + np.float32(0.085 * reach) * np.clip(1.05 - down, 0.0, 1.0)
    # the apex lies above as well as beside: measure from both, so that the rim caps the lung
    beyond = gap - np.minimum(canvas.wall[rows, columns], (canvas.y[rows] - np.float32(g.apex - 0.02)) * 0.9)
    here = on_side(canvas, side, rows, columns)
    rim = ramp(beyond, 0.008) * canvas.lung[rows, columns] * here
    line = ramp(np.float32(0.003) - np.abs(beyond), 0.004) * canvas.lung[rows, columns] * here
    canvas.density[rows, columns] -= np.float32(0.13 * strength) * rim
    canvas.density[rows, columns] += np.float32(0.16 * strength) * line
    squeezed = canvas.lung[rows, columns] * here - rim
    canvas.density[rows, columns] += np.float32(0.05 * strength) * np.clip(squeezed, 0.0, 1.0)
    canvas.thin_markings(rows, columns, 1 - rim * np.float32(min(1.0, 0.5 + 0.5 * strength)))
    return box_of(canvas, rim, rows, columns)


def paint_pleural_thickening(canvas: Canvas, strength: float, rng: np.random.Generator) -> list[Box]:
    """A bright band along the chest wall, over the apex or the side."""
    side = choose_side(rng, 0.5)
    rows, columns = side_window(canvas, side)
    g = canvas.geometry
    apical = rng.random() < 0.5
    start = g.apex - 0.01 if apical else float(rng.uniform(0.32, 0.45))
    stop = start + float(rng.uniform(0.11, 0.17)) * (1.0 if apical else 1.7)
    width = float(rng.uniform(0.020, 0.034)) * (0.6 + 0.5 * strength)
    border = canvas.wall[rows, columns]
    if apical:
        border = np.minimum(border, (canvas.y[rows] - np.float32(g.apex - 0.005)) * np.float32(0.8))
    wave = np.float32(0.25 * width) * np.sin(canvas.y[rows] * np.float32(70.0) + np.float32(rng.uniform(0, 6)))
    band = ramp(np.float32(width) + wave - border, 0.010) * canvas.lung[rows, columns]
    band *= ramp(canvas.y[rows] - np.float32(start), 0.02) * ramp(np.float32(stop) - canvas.y[rows], 0.04)
    band *= on_side(canvas, side, rows, columns)
    canvas.density[rows, columns] += np.float32(0.34 * strength) * band
    return box_of(canvas, band, rows, columns)
