"""The healthy chest: soft tissue, lungs, heart, spine, ribs, clavicles, vessels, and lines on AP images.

Densities add up along the beam, as in a radiograph: each part adds to (bone, fluid) or takes from (air) the
canvas. Nothing in this file knows of findings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from chestxpert.simulator.canvas import Canvas, Point, ramp
from chestxpert.simulator.geometry import FloatArray, Geometry

_RIB_TABLE = 256
_GENERATIONS = 3  # of vessels: each forks in two


def paint_chest(canvas: Canvas, rng: np.random.Generator, clutter: float) -> None:
    """Draw a chest without findings.

    Parameters
    ----------
    canvas : Canvas
        Drawn on; its geometry says where things are.
    rng : numpy.random.Generator
        For the vessels' branching and for tubes and leads.
    clutter : float
        0 to 1; how much there is that resembles a finding without being one (nipple shadows, leads, gas).
    """
    heart = _heart(canvas)
    _soft_tissue(canvas)
    _lungs(canvas, heart)
    _spine(canvas)
    _ribs(canvas)
    _clavicles(canvas)
    _shoulder_blades(canvas)
    _hila_and_vessels(canvas, rng)
    _breasts_and_stomach(canvas)
    if canvas.geometry.view == "AP":
        _tubes_and_leads(canvas, rng, clutter)
    _nipples(canvas, rng, clutter)


def _soft_tissue(canvas: Canvas) -> None:
    g = canvas.geometry
    heights = np.array([0.0, g.shoulder - 0.05, g.shoulder, g.shoulder + 0.08, 0.35, 0.6, 1.0])
    widths = np.array([g.neck + 0.06, g.neck + 0.12, 0.40, 0.52, 0.60, g.torso + 0.02, g.torso])
    edge = np.interp(canvas.y, heights, widths).astype(np.float32)
    depth = ramp(edge - np.abs(canvas.off) - np.float32(0.06), 0.12)
    depth *= np.float32(2.0) - depth
    trunk = np.interp(canvas.y, [0.0, 0.15, 0.4, 0.75, 1.0], [0.48, 0.56, 0.60, 0.74, 0.82]).astype(np.float32)
    canvas.density += depth * trunk


def _heart(canvas: Canvas) -> FloatArray:
    """Weights of heart, aortic knob and great vessels together, (size, size) in [0, 1]; heart drawn in part."""
    g = canvas.geometry
    weight = np.zeros_like(canvas.density)
    x = float(g.centre(g.heart_y)) + g.heart_x
    heart = canvas.ellipse((x, g.heart_y), (g.heart_a, g.heart_b), 0.09, lean=g.heart_skew)
    weight[heart.rows, heart.columns] = heart.weight
    knob_y = g.apex + 0.17
    for down, across, radius in ((0.0, 0.045, g.knob), (0.09, 0.045, 0.035), (0.16, 0.030, 0.065)):
        centre = (float(g.centre(knob_y + down)) + across, knob_y + down)
        part = canvas.ellipse(centre, (radius, 1.5 * radius), 0.3)
        view = weight[part.rows, part.columns]
        np.maximum(view, part.weight, out=view)
    return weight


def _lungs(canvas: Canvas, heart: FloatArray) -> None:
    g = canvas.geometry
    air = np.float32(0.72) * canvas.lung + np.float32(0.28) * ramp(canvas.inside - np.float32(0.05), 0.1)
    air *= np.float32(g.air) * (np.float32(1.12) - np.float32(0.24) * canvas.y)
    air *= np.float32(1.0) - np.float32(0.88) * heart
    canvas.density -= air
    canvas.marking *= np.float32(1.0) - np.float32(0.75) * heart
    above = ramp(g.diaphragm(canvas.x) + np.float32(0.01) - canvas.y, 0.04)
    canvas.density += np.float32(0.06) * heart * above
    middle = ramp(np.float32(g.mediastinum) - np.abs(canvas.off), 0.05)
    canvas.density += middle * np.float32(0.14)


def _spine(canvas: Canvas) -> None:
    g = canvas.geometry
    column = ramp(np.float32(0.034) - np.abs(canvas.off), 0.014)
    bodies = np.float32(0.055) + np.float32(0.02) * np.cos(canvas.y * np.float32(2 * np.pi / (0.85 * g.rib_gap)))
    canvas.density += column * bodies
    windpipe = ramp(np.float32(0.016) - np.abs(canvas.off - np.float32(0.004)), 0.012)
    reach = ramp(np.float32(g.apex + 0.24) - canvas.y, 0.03)
    canvas.density -= windpipe * reach * np.float32(0.13)


@lru_cache(maxsize=1)
def _rib_profiles() -> tuple[FloatArray, FloatArray]:
    """Brightness across one rib gap, for ribs behind and in front, each (256,); bright cortex at the rims."""
    t = np.arange(_RIB_TABLE) / _RIB_TABLE
    tables = []
    for width, rim in ((0.36, 0.55), (0.42, 0.35)):
        body = np.clip((width / 2 - np.abs(t - 0.5)) / 0.05, 0.0, 1.0)
        cortex = np.exp(-(((np.abs(t - 0.5) - width / 2 + 0.04) / 0.045) ** 2))
        table = (0.75 * body + rim * cortex).astype(np.float32)
        table.setflags(write=False)
        tables.append(table)
    return tables[0], tables[1]


def _ribs(canvas: Canvas) -> None:
    g = canvas.geometry
    behind, front = _rib_profiles()
    beside = np.abs(canvas.off)
    beside *= np.float32(1.0 / (g.half_width + 0.01))
    square = np.square(beside)
    phase = canvas.y - np.float32(g.tilt) * canvas.off
    bend = square * square
    fall = np.float32(g.rib_slope * 0.10) * beside + np.float32(0.11) * bend
    rise = np.float32(0.33 * g.rib_slope) * (np.float32(1.0) - beside) + np.float32(0.10) * bend
    chest = ramp(canvas.wall + np.float32(0.012), 0.02)
    chest *= np.clip((canvas.y - np.float32(g.apex - 0.05)) * np.float32(14.0), 0.0, 1.0)
    chest *= np.float32(0.35) + np.float32(0.65) * ramp(canvas.inside + np.float32(0.05), 0.1)
    back = _periodic(phase - fall, behind, g)
    fore = _periodic(phase - rise, front, g) * np.clip((beside - np.float32(0.38)) * np.float32(4.0), 0.0, 0.6)
    canvas.density += (back + fore) * chest * np.float32(g.rib_density)


def _periodic(phase: FloatArray, table: FloatArray, g: Geometry) -> FloatArray:
    scaled = phase * np.float32(_RIB_TABLE / g.rib_gap) + np.float32(_RIB_TABLE * (g.rib_phase + 16))
    return np.asarray(table.take(scaled.astype(np.int32) & (_RIB_TABLE - 1)))


def _clavicles(canvas: Canvas) -> None:
    g = canvas.geometry
    rows, _ = canvas.window((0.0, g.clavicle_y - 0.10, 1.0, 0.16))
    off = canvas.off[rows]
    beside = np.abs(off)
    curve = np.float32(g.clavicle_y) - np.float32(g.clavicle_slope) * beside * np.float32(1.4)
    curve += np.float32(0.014) * np.sin(beside * np.float32(17.0)) + np.float32(g.tilt) * off
    across = np.abs(canvas.y[rows] - curve)
    bone = ramp(np.float32(0.014) - across, 0.008) + np.float32(0.5) * ramp(
        np.float32(0.004) - np.abs(across - np.float32(0.011)), 0.006
    )
    reach = ramp(beside - np.float32(0.04), 0.02) * ramp(np.float32(0.36) - beside, 0.08)
    canvas.density[rows] += bone * reach * np.float32(1.3 * g.rib_density)


def _shoulder_blades(canvas: Canvas) -> None:
    g = canvas.geometry
    inner = 0.03 if g.view == "AP" else -0.015
    for side in (-1, 1):
        y = g.clavicle_y + 0.13
        x = float(g.centre(y)) + side * (g.half_width - inner + 0.055)
        blade = canvas.ellipse((x, y), (0.085, 0.15), 0.12, lean=-side * 0.25)
        canvas.add(blade, 0.5 * g.scapula + 0.02)
        joint = canvas.ellipse((x + side * 0.07, g.clavicle_y + 0.01), (0.045, 0.05), 0.2)
        canvas.add(joint, 0.09)


def _hila_and_vessels(canvas: Canvas, rng: np.random.Generator) -> None:
    g = canvas.geometry
    y = g.apex + 0.31
    trunks = 7
    # three numbers a vessel, drawn at once: a call for each of a hundred vessels would cost a millisecond
    forms = iter(rng.uniform(0.0, 1.0, (2 * trunks * (2**_GENERATIONS - 1), 3)).tolist())
    for side in (-1, 1):
        root = (float(g.centre(y)) + side * (g.mediastinum + 0.022), y - 0.015 * (side > 0))
        canvas.add(canvas.ellipse(root, (0.030, 0.06), 0.9, lean=side * 0.2), 0.13, canvas.lung)
        for k, (turn, reach, place) in enumerate(rng.uniform(-1.0, 1.0, (trunks, 3)).tolist()):
            angle = -1.35 + 2.75 * k / (trunks - 1) + 0.2 * turn
            length = (0.125 + 0.025 * reach) * (1.25 if angle > 0 else 0.9)
            start = (root[0] + side * (0.0025 + 0.0125 * place), root[1] + 0.045 * math.sin(angle))
            _branch(canvas, forms, start, (side, angle), length, 0.0075, _GENERATIONS)


def _branch(
    canvas: Canvas,
    forms: Iterator[list[float]],
    start: Point,
    heading: tuple[int, float],
    length: float,
    width: float,
    depth: int,
) -> None:
    """One vessel: winds a little, tapers, forks in two until `depth` is used up."""
    first, second, third = next(forms)
    bend, fork, split = 0.8 * first - 0.4, 0.2 + 0.5 * second, 0.6 + 0.35 * third
    side, angle = heading
    x, y = start
    points = [start]
    for turn in (0.0, bend, 0.3 * bend):
        x += side * length / 3 * math.cos(angle + turn)
        y += length / 3 * math.sin(angle + turn)
        points.append((x, y))
    canvas.vessels.line(points, width, 0.11 * canvas.geometry.vessels * (0.4 + 0.3 * depth))
    if depth > 1:
        for way in (-0.6 * fork, 0.8 * fork):
            _branch(canvas, forms, (x, y), (side, angle + way), length * split, 0.62 * width, depth - 1)


def _breasts_and_stomach(canvas: Canvas) -> None:
    g = canvas.geometry
    if g.breast > 0:
        for side in (-1, 1):
            centre = (float(g.centre(0.7)) + side * 0.58 * g.half_width, 0.68 + 0.04 * g.breast)
            breast = canvas.ellipse(centre, (0.15 + 0.03 * g.breast, 0.11 + 0.04 * g.breast), 0.35)
            canvas.add(breast, 0.03 + 0.09 * g.breast)
    if g.bubble > 0.15:
        x = float(g.centre(0.8)) + 0.42 * g.half_width
        y = float(g.diaphragm(x)) + 0.035 + 0.02 * g.bubble
        gas = canvas.ellipse((x, y), (0.03 + 0.035 * g.bubble, 0.015 + 0.022 * g.bubble), 0.35)
        canvas.add(gas, -0.22)


def _tubes_and_leads(canvas: Canvas, rng: np.random.Generator, clutter: float) -> None:
    """Windpipe tube, central line, leads: they come with the AP view, not with any finding."""
    g = canvas.geometry
    x = float(g.centre(0.2))
    if rng.random() < 0.3:
        canvas.strokes.line([(x, 0.0), (x + 0.004, g.apex + 0.20)], 0.007, 0.16)
    if rng.random() < 0.45:
        side = -1 if rng.random() < 0.7 else 1
        points = [(x + side * 0.25, g.clavicle_y + 0.02), (x + side * 0.1, g.clavicle_y + 0.035)]
        points += [(x - 0.045, g.clavicle_y + 0.10), (x - 0.05, g.apex + 0.33)]
        canvas.strokes.line(points, 0.005, 0.22)
    for _ in range(int(rng.poisson(1.0 + 1.5 * clutter))):
        lead = (float(rng.uniform(0.12, 0.88)), float(rng.uniform(0.2, 0.75)))
        end = (lead[0] + float(rng.normal(0, 0.15)), lead[1] + float(rng.uniform(0.1, 0.4)))
        mid = (0.5 * (lead[0] + end[0]) + float(rng.normal(0, 0.05)), 0.5 * (lead[1] + end[1]))
        canvas.strokes.line([lead, mid, end], 0.005, 0.2)
        canvas.strokes.arc((lead[0] - 0.014, lead[1] - 0.014, 0.028, 0.028), 0, 360, 0.006, 0.3)


def _nipples(canvas: Canvas, rng: np.random.Generator, clutter: float) -> None:
    g = canvas.geometry
    shown = rng.random() < 0.35 * clutter
    y = 0.66 + float(rng.normal(0, 0.02))
    if shown:
        for side in (-1, 1):
            centre = (float(g.centre(y)) + side * 0.62 * g.half_width, y)
            canvas.add(canvas.ellipse(centre, (0.011, 0.011), 0.7), 0.05 + 0.06 * clutter)
