"""Preprocess: bring every image to one square size by area averaging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from chestxpert.errors import StoreError, UsageError

SMALLEST, LARGEST = 16, 2048


@dataclass(frozen=True)
class Preprocess:
    """What is done to an image before it is stored.

    The whole image is kept: its longer side becomes `size`, and black bars of equal width fill the shorter one up to a
    square (NIH's images are square, so they get none). Grey values are kept as they are: no stretch from minimum to
    maximum, which would make them depend on a single pixel such as a marker's.

    Parameters
    ----------
    size : int
        Side of the result in pixels, 16 to 2048.
    fit : {"pad"}
        How another aspect is made square.
    resample : {"area"}
        Every pixel of the result is the mean over the area it covers; smaller images are enlarged bilinearly.

    Raises
    ------
    UsageError
        If a value is out of range.
    """

    size: int = 224
    fit: str = "pad"
    resample: str = "area"

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or not SMALLEST <= self.size <= LARGEST:
            raise UsageError(f"The image size must be a whole number from {SMALLEST} to {LARGEST}, got {self.size!r}.")
        if self.fit != "pad" or self.resample != "area":
            raise UsageError(f"Images are fitted by 'pad' and 'area', got {self.fit!r} and {self.resample!r}.")

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return `image`, uint8 of shape (H, W), as uint8 of shape (size, size)."""
        if image.shape == (self.size, self.size):
            return image
        height, width = image.shape
        longer = max(height, width)
        target = (max(1, round(height * self.size / longer)), max(1, round(width * self.size / longer)))
        return _pad(_enlarge(image, target) if longer < self.size else shrink(image, target), self.size)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `from_dict` reads back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocess:
        """Preprocess written by `to_dict`; StoreError if this version does not know it."""
        try:
            return cls(**values)
        except (TypeError, UsageError) as error:
            raise StoreError(f"The stored preprocessing {dict(values)} is not one this version knows.") from error


def shrink(image: npt.NDArray[np.uint8], target: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Area-average an image down to `target`, each side no larger than the image's.

    Every pixel of the result is the mean of the area it covers, pixels on a border counted by their share; rounded
    half up. An image more than four times too large is first averaged over whole blocks, two or more blocks a pixel of
    the result: twice as fast, and off by a grey level here and there.

    Parameters
    ----------
    image : uint8 array of shape (H, W)
    target : (int, int)
        Height and width of the result.

    Returns
    -------
    uint8 array of shape `target`
    """
    block = (max(1, image.shape[1] // (2 * target[1])), max(1, image.shape[0] // (2 * target[0])))
    if block != (1, 1):
        image = np.asarray(Image.fromarray(image).reduce(block))
    across = np.ascontiguousarray(_average_rows(image, target[0]).T)
    return (_average_rows(across, target[1]).T + np.float32(0.5)).astype(np.uint8)


def _average_rows(values: npt.NDArray[Any], count: int) -> npt.NDArray[np.float32]:
    """Area-average axis 0 of an (H, W) array down to `count` rows."""
    if len(values) == count:
        return values.astype(np.float32)
    sources, weights = _taps(len(values), count)
    total = values[sources[0]] * weights[0][:, None]
    for source, weight in zip(sources[1:], weights[1:], strict=True):
        total += values[source] * weight[:, None]
    return np.asarray(total, dtype=np.float32)


@lru_cache(maxsize=64)
def _taps(size: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Source rows and their shares of each of `count` results, both of shape (taps, count)."""
    low = np.arange(count) * (size / count)
    high = np.arange(1, count + 1) * (size / count)
    sources = np.floor(low).astype(np.int64) + np.arange(-(-size // count) + 1)[:, None]
    share = np.clip(np.minimum(high, sources + 1) - np.maximum(low, sources), 0, None)
    return np.minimum(sources, size - 1), (share * (count / size)).astype(np.float32)


def _enlarge(image: npt.NDArray[np.uint8], target: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).resize((target[1], target[0]), Image.Resampling.BILINEAR))


def _pad(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Put `image` in the middle of a black square."""
    if image.shape == (size, size):
        return image
    top, left = (size - image.shape[0]) // 2, (size - image.shape[1]) // 2
    square = np.zeros((size, size), dtype=np.uint8)
    square[top : top + image.shape[0], left : left + image.shape[1]] = image
    return square
