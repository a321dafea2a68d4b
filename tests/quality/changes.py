"""What happens to a radiograph on its way through archives: each is one uint8 image to another of its shape."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

Change = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]


def jpeg(image: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def crop(image: npt.NDArray[np.uint8], share: float, at: float = 0.5) -> npt.NDArray[np.uint8]:
    """Leave out `share` of each side, all at the far end if `at` is 0, and enlarge the rest."""
    size = len(image)
    low, kept = size * share * at, size * (1 - share)
    box = (low, low, low + kept, low + kept)
    return np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, box=box))


def expose(image: npt.NDArray[np.uint8], gain: float, offset: float = 0) -> npt.NDArray[np.uint8]:
    return np.clip(image * gain + offset, 0, 255).astype(np.uint8)


FOUND: Mapping[str, Change] = {
    "nothing but a pixel": lambda image: np.where(np.arange(image.size).reshape(image.shape) == 7, 255, image).astype(
        np.uint8
    ),
    "JPEG of quality 50": lambda image: jpeg(image, 50),
    "brighter": lambda image: expose(image, 1.1, 5),
    "darker": lambda image: expose(image, 0.8, -5),
    "crop of 1 %": lambda image: crop(image, 0.01),
    "crop of 2 %": lambda image: crop(image, 0.02),
}
