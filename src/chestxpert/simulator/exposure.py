"""From densities to an 8-bit radiograph: tone curve, noise, collimation, and the constant SIM marker."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from chestxpert.simulator.canvas import Canvas, axis, cloud, ramp
from chestxpert.simulator.geometry import FloatArray

_LETTERS = ("###.###.#...#", "#....#..##.##", "###..#..#.#.#", "..#..#..#...#", "###.###.#...#")
MARKER_GREY = 255


@lru_cache(maxsize=4)
def marker(size: int) -> npt.NDArray[np.uint8]:
    """The letters SIM in white on black, as burnt into the lower left corner of every simulated image.

    Parameters
    ----------
    size : int
        Image side in pixels; letters are a pixel wide for each 112 pixels.

    Returns
    -------
    ndarray of uint8
        Shape (7 * k, 15 * k), k = max(1, size // 112); read-only.
    """
    bits = np.array([[mark == "#" for mark in row] for row in _LETTERS])
    framed = np.pad(bits, 1)
    scale = max(1, size // 112)
    pixels = np.kron(framed, np.ones((scale, scale), dtype=bool)).astype(np.uint8) * np.uint8(MARKER_GREY)
    pixels.setflags(write=False)
    return pixels


def expose(canvas: Canvas, noise: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Develop a drawn canvas.

    Parameters
    ----------
    canvas : Canvas
        With everything drawn.
    noise : float
        Standard deviation of the quantum noise as a fraction of the grey scale; 1.3 times that on AP images.
    rng : numpy.random.Generator
        For exposure, noise and collimation.

    Returns
    -------
    ndarray of uint8
        Shape (size, size).
    """
    density = _with_lines(canvas)
    size = canvas.size
    portable = canvas.geometry.view == "AP"
    contrast = rng.normal(0.98, 0.07) - 0.10 * portable
    brightness = rng.normal(0.0, 0.035) + 0.04 * portable
    density += np.float32(0.012) * cloud(size, rng)
    density -= np.float32(0.5)
    density *= np.float32(contrast)
    density += np.float32(0.5 + brightness)
    density += np.float32(noise * (1.3 if portable else 1.0)) * _grain(size, rng)
    np.clip(density, 0.0, 1.0, out=density)
    bulge = np.float32(rng.uniform(0.15, 0.5))
    density *= (np.float32(1.0) + bulge) - bulge * density  # gentle film curve: lifts the greys, keeps 0 and 1
    _collimate(density, rng)
    pixels = (density * np.float32(255.0)).astype(np.uint8)
    letters = marker(size)
    pixels[-letters.shape[0] :, : letters.shape[1]] = letters
    return pixels


def _with_lines(canvas: Canvas) -> FloatArray:
    density = canvas.vessels.field()
    density *= canvas.marking
    density += canvas.density
    if not canvas.strokes.empty:
        density += canvas.strokes.field()
    return density


def _grain(size: int, rng: np.random.Generator) -> FloatArray:
    return rng.standard_normal((size, size), dtype=np.float32)


def _collimate(density: FloatArray, rng: np.random.Generator) -> None:
    """Black borders where the beam was narrowed: on none to four sides, of no more than 4 % each."""
    widths = np.maximum(rng.normal(-0.01, 0.018, size=4), -1.0).clip(max=0.04)
    line = axis(density.shape[0])
    if widths[0] > 0 or widths[1] > 0:
        density *= (ramp(line - np.float32(widths[0]), 0.01) * ramp(1 - line - np.float32(widths[1]), 0.01))[:, None]
    if widths[2] > 0 or widths[3] > 0:
        density *= (ramp(line - np.float32(widths[2]), 0.01) * ramp(1 - line - np.float32(widths[3]), 0.01))[None, :]
