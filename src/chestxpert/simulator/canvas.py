"""A drawing surface in densities: grids cached by size, soft shapes in small windows, anti-aliased lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from chestxpert.simulator.geometry import FloatArray, Geometry

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""x, y, width and height in fractions of the image side."""

_OVERSAMPLING = 2  # lines are drawn on a grid twice as fine, then averaged: Pillow's are not anti-aliased
_TEXTURE_SEED = 20170707  # a constant: the same cloud texture for every cohort, cropped at random for each image


@lru_cache(maxsize=4)
def axis(size: int) -> FloatArray:
    """Pixel centres of one side, shape (size,), float32 in (0, 1); read-only."""
    values = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    values.setflags(write=False)
    return values


@lru_cache(maxsize=4)
def _cloud(size: int) -> FloatArray:
    """Fractal noise of shape (3 * size, 3 * size), mean 0 and standard deviation 1; read-only."""
    rng = np.random.default_rng(_TEXTURE_SEED)
    side = 3 * size
    total = np.zeros((side, side), dtype=np.float32)
    for cells, weight in ((15, 1.0), (30, 0.8), (60, 0.6), (120, 0.4), (240, 0.25)):
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        image = Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC)
        total += np.float32(weight) * np.asarray(image, dtype=np.float32)
    total -= total.mean()
    total /= total.std()
    total.setflags(write=False)
    return total


def cloud(size: int, rng: np.random.Generator, shape: tuple[int, int] | None = None) -> FloatArray:
    """Random crop of a fixed cloud texture.

    Parameters
    ----------
    size : int
        Image side in pixels; it sets the scale of the texture.
    rng : numpy.random.Generator
        Chooses the crop.
    shape : tuple of int, optional
        Rows and columns, at most twice `size`; (size, size) by default.

    Returns
    -------
    ndarray of float32
        About mean 0 and standard deviation 1, of shape `shape`; a view, not to be written to.
    """
    rows, columns = shape or (size, size)
    field = _cloud(size)
    top = int(rng.integers(0, field.shape[0] - rows + 1))
    left = int(rng.integers(0, field.shape[1] - columns + 1))
    return field[top : top + rows, left : left + columns]


@dataclass(frozen=True)
class Patch:
    """A soft shape in a window of the canvas: the window's slices and weights in [0, 1] over it."""

    rows: slice
    columns: slice
    weight: FloatArray


class Strokes:
    """Lines drawn over grey 128 on a finer grid: brighter above, darker below it."""

    def __init__(self, size: int) -> None:
        self._side = _OVERSAMPLING * size
        self._image = Image.new("L", (self._side, self._side), 128)
        self._draw = ImageDraw.Draw(self._image)
        self.empty = True

    def line(self, points: Sequence[Point], width: float, density: float) -> None:
        """Draw a polyline; `points` and `width` in fractions of the side, `density` in (-1, 1)."""
        flat = [(x * self._side, y * self._side) for x, y in points]
        self._draw.line(flat, fill=_grey(density), width=max(1, round(width * self._side)), joint="curve")
        self.empty = False

    def arc(self, box: Box, start: float, end: float, width: float, density: float) -> None:
        """Draw part of an ellipse in `box`, from `start` to `end` degrees clockwise from the right."""
        x, y, w, h = (value * self._side for value in box)
        pen = max(1, round(width * self._side))
        self._draw.arc((x, y, x + w, y + h), start, end, fill=_grey(density), width=pen)
        self.empty = False

    def field(self) -> FloatArray:
        """Densities of shape (size, size), float32 in (-1, 1)."""
        small = self._image.reduce(_OVERSAMPLING)
        return (np.asarray(small, dtype=np.float32) - np.float32(128.0)) / np.float32(128.0)


def _grey(density: float) -> int:
    return int(min(max(round(128 + 128 * density), 0), 255))


class Canvas:
    """Densities of one chest while it is drawn.

    Attributes
    ----------
    size : int
        Side in pixels.
    geometry : Geometry
        What is drawn.
    x, y : ndarray of float32
        Pixel centres, shapes (1, size) and (size, 1).
    off : ndarray of float32
        Signed distance of every pixel from the midline, shape (size, size).
    density : ndarray of float32
        What has been drawn so far, 0 (air) to about 1, shape (size, size).
    inside : ndarray of float32
        Distance of every pixel into the lungs (negative outside), shape (size, size).
    cavity, wall : ndarray of float32
        The same without the diaphragm, and distance inwards from the chest wall alone, shape (size, size).
    lung : ndarray of float32
        1 where there is lung, 0 elsewhere, soft at the border, shape (size, size).
    vessels, strokes : Strokes
        Vessel markings, which signs may thin out, and all other lines.
    marking : ndarray of float32
        Factor on the vessel markings, shape (size, size).
    """

    def __init__(self, size: int, geometry: Geometry) -> None:
        line = axis(size)
        self.size = size
        self.geometry = geometry
        self.x = line[None, :]
        self.y = line[:, None]
        self.off = self.x - geometry.centre(line)[:, None]
        beside = np.abs(self.off)
        wall = geometry.chest_wall(line)[:, None] - beside
        self.wall = wall
        self.cavity = np.minimum(wall, beside - geometry.inner_border(line)[:, None])
        self.inside = np.minimum(self.cavity, geometry.diaphragm(line)[None, :] - self.y)
        self.lung = ramp(self.inside, 0.012)
        self.density = np.zeros((size, size), dtype=np.float32)
        self.vessels = Strokes(size)
        self.strokes = Strokes(size)
        self.marking = self.lung.copy()

    def window(self, box: Box) -> tuple[slice, slice]:
        """Row and column slices of the pixels that `box` touches, cut at the image's border."""
        x, y, w, h = box
        return self._span(y, h), self._span(x, w)

    def _span(self, start: float, length: float) -> slice:
        low = min(max(int(np.floor(start * self.size)), 0), self.size - 1)
        high = min(max(int(np.ceil((start + length) * self.size)), low + 1), self.size)
        return slice(low, high)

    def ellipse(self, centre: Point, radii: Point, soft: float, lean: float = 0.0) -> Patch:
        """Soft ellipse.

        Parameters
        ----------
        centre, radii : tuple of float
            x and y of the centre and of the semi-axes, in fractions of the side.
        soft : float
            Width of its edge as a fraction of the radius: 0.05 is sharp, 1 fades from the very centre.
        lean : float, default 0
            Shift in x for each unit of y.

        Returns
        -------
        Patch
            Weights 1 inside, 0 outside.
        """
        reach = radii[0] + abs(lean) * radii[1]
        rows, columns = self.window((centre[0] - reach, centre[1] - radii[1], 2 * reach, 2 * radii[1]))
        dy = self.y[rows] - np.float32(centre[1])
        dx = (self.x[:, columns] - np.float32(centre[0]) - np.float32(lean) * dy) / np.float32(radii[0])
        distance = np.sqrt(dx * dx + np.square(dy / np.float32(radii[1])))
        return Patch(rows, columns, np.clip((1.0 - distance) / np.float32(soft), 0.0, 1.0))

    def add(self, patch: Patch, density: float, within: FloatArray | None = None) -> None:
        """Add `density` times the patch's weights, times `within` (size, size) where given."""
        weight = patch.weight * np.float32(density)
        if within is not None:
            weight = weight * within[patch.rows, patch.columns]
        self.density[patch.rows, patch.columns] += weight

    def thin_markings(self, rows: slice, columns: slice, factor: FloatArray | float) -> None:
        """Multiply the vessel markings in a window by `factor`."""
        self.marking[rows, columns] *= factor


def ramp(distance: FloatArray, width: float) -> FloatArray:
    """0 where `distance` is below -width/2, 1 above width/2, straight between; same shape."""
    scaled = distance * np.float32(1.0 / width)
    scaled += np.float32(0.5)
    return np.asarray(np.clip(scaled, 0.0, 1.0, out=scaled))
