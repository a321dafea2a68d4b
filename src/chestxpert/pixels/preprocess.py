"""Preprocess: bring every image to one square size by area averaging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from chestxpert.errors import StoreError, UsageError
from chestxpert.pixels.decode import Decoded, Grey, read_image
from chestxpert.pixels.shrink import shrink

SMALLEST, LARGEST = 16, 2048
FITS = ("pad", "crop", "stretch")
GREYS = ("stored", "minmax")

Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels."""


@dataclass(frozen=True)
class Preprocess:
    """What is done to an image before it is stored.

    Grey values are kept as they are, unless asked for otherwise: no stretch from minimum to maximum, which would make
    them depend on a single pixel such as a marker's.

    Parameters
    ----------
    size : int
        Side of the result in pixels, 16 to 2048.
    fit : {"pad", "crop", "stretch"}
        How an image that is not square becomes one (NIH's are square, and look the same under all three). "pad" keeps
        the whole image, between black bars of equal width; "crop" cuts a square out of its middle; "stretch" keeps the
        whole image and not its aspect.
    resample : {"area"}
        Every pixel of the result is the mean over the area it covers; smaller images are enlarged bilinearly.
    grey : {"stored", "minmax"}
        "minmax" stretches the grey values of each image, see `chestxpert.pixels.decode.read_image`.

    Raises
    ------
    UsageError
        If a value is out of range.
    """

    size: int = 224
    fit: str = "pad"
    resample: str = "area"
    grey: str = "stored"

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or not SMALLEST <= self.size <= LARGEST:
            raise UsageError(f"The image size must be a whole number from {SMALLEST} to {LARGEST}, got {self.size!r}.")
        if self.fit not in FITS:
            raise UsageError(f"Images are fitted by {', '.join(FITS[:-1])} or {FITS[-1]}, got {self.fit!r}.")
        if self.resample != "area":
            raise UsageError(f"Images are resampled by 'area', got {self.resample!r}.")
        if self.grey not in GREYS:
            raise UsageError(f"Grey values are 'stored' or 'minmax', got {self.grey!r}.")

    def read(self, source: str | Path | bytes) -> Decoded:
        """Read an image with the grey values that `grey` asks for; `apply` then brings its pixels to size.

        Raises
        ------
        DataError
            See `chestxpert.pixels.decode.read_image`.
        """
        return read_image(source, grey=cast(Grey, self.grey))

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return `image`, uint8 of shape (H, W), as uint8 of shape (size, size)."""
        if image.shape == (self.size, self.size):
            return image
        left, top, width, height = self._part(image.shape[1], image.shape[0])
        return _pad(_resize(image[top : top + height, left : left + width], self._target(width, height)), self.size)

    def map_box(self, box: Box, width: int, height: int) -> Box:
        """Where a box of an image lies in the stored one.

        Parameters
        ----------
        box : (x, y, w, h)
            Left, top, width and height in pixels of the image as it was decoded.
        width, height : int
            Size of that image.

        Returns
        -------
        (x, y, w, h)
            In pixels of the stored image. What "crop" cut off is cut off the box too: of a box outside, a width or
            height of 0 is left.
        """
        left, top, kept_width, kept_height = self._part(width, height)
        target = self._target(kept_width, kept_height)
        x, w = _map(box[0] - left, box[2], kept_width, target[1], self.size)
        y, h = _map(box[1] - top, box[3], kept_height, target[0], self.size)
        return x, y, w, h

    def _part(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of what is kept of an image."""
        if self.fit != "crop":
            return 0, 0, width, height
        side = min(width, height)
        return (width - side) // 2, (height - side) // 2, side, side

    def _target(self, width: int, height: int) -> tuple[int, int]:
        """Height and width at which an image of this size is stored, bars left aside."""
        if self.fit == "stretch":
            return self.size, self.size
        longer = max(height, width)
        return max(1, round(height * self.size / longer)), max(1, round(width * self.size / longer))

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocess:
        """Preprocess written by `to_dict`, of this version or an older one; StoreError if it is none this one knows."""
        try:
            return cls(**values)
        except (TypeError, UsageError) as error:
            raise StoreError(f"The stored preprocessing {dict(values)} is not one this version knows.") from error


def _map(start: float, length: float, kept: int, target: int, size: int) -> tuple[float, float]:
    """Map an interval along one side: cut to what was kept, scaled, moved by the bar before it."""
    low, high = np.clip((start, start + length), 0, kept) * (target / kept) + (size - target) // 2
    return float(low), float(high - low)


def _resize(image: npt.NDArray[np.uint8], target: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Bring an image to `target`: a side that is too long by area averaging, one that is too short bilinearly."""
    smaller = (min(image.shape[0], target[0]), min(image.shape[1], target[1]))
    if smaller != image.shape:
        image = shrink(image, smaller)
    if smaller != target:
        image = np.asarray(Image.fromarray(image).resize((target[1], target[0]), Image.Resampling.BILINEAR))
    return image


def _pad(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Put `image` in the middle of a black square."""
    if image.shape == (size, size):
        return image
    top, left = (size - image.shape[0]) // 2, (size - image.shape[1]) // 2
    square = np.zeros((size, size), dtype=np.uint8)
    square[top : top + image.shape[0], left : left + image.shape[1]] = image
    return square
