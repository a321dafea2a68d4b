"""Decode an image file into 8-bit grey."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from chestxpert.errors import DataError

FORMATS = ("PNG", "JPEG")
MAX_PIXELS = 100_000_000
"""Larger images are refused before they are unfolded. A radiograph has at most some 20 million pixels."""


Mode = Literal["grey", "grey-alpha", "colour", "colour-alpha", "palette"]
_MODES: dict[str, Mode] = {"LA": "grey-alpha", "RGB": "colour", "RGBA": "colour-alpha", "P": "palette", "PA": "palette"}


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image as 8-bit grey, and how it was stored.

    Parameters
    ----------
    pixels : uint8 array of shape (H, W)
        0 is black. C order, owns its memory.
    bits : int
        Bits of a stored sample: 1, 8 or 16 in a PNG, 8 in a JPEG.
    mode : {"grey", "grey-alpha", "colour", "colour-alpha", "palette"}
    format : str
        "png" or "jpeg".
    """

    pixels: npt.NDArray[np.uint8]
    bits: int
    mode: Mode
    format: str


def decode(source: str | Path | bytes) -> npt.NDArray[np.uint8]:
    """Pixels of `read_image`: uint8 array of shape (H, W)."""
    return read_image(source).pixels


def read_image(source: str | Path | bytes) -> Decoded:
    """Read a PNG or JPEG as 8-bit grey.

    Grey, grey with alpha, colour, colour with alpha (519 files of ChestX-ray14: equal channels), palette, 1-bit and
    16-bit are understood. Colour becomes ITU-R 601 luma, which leaves equal channels as they are; alpha is left
    aside; 16 bits become 8 by division by 257, so that black stays 0 and white becomes 255. A JPEG is turned upright
    if it says so. Grey values are never stretched.

    Parameters
    ----------
    source : str, Path or bytes
        A file, or its contents.

    Returns
    -------
    Decoded

    Raises
    ------
    DataError
        If it is no whole PNG or JPEG, or has more than `MAX_PIXELS` pixels.
    """
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), "the image")
    path = Path(source)
    if not path.is_file():  # a pipe or a device under an image's name would block for ever
        raise DataError(f"{path} is not a file that can be read.")
    return _decode(path, str(path))


def _decode(file: Path | io.BytesIO, name: str) -> Decoded:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata we do not use
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                _check_size(image.size)
                bits = {"1": 1, "I": 16}.get(image.mode.partition(";")[0], 8)
                mode = _MODES.get(image.mode, "grey")
                return Decoded(_grey(image), bits, mode, str(image.format).lower())
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{name} is too large: {error}") from error
    except Exception as error:  # Pillow's decoders raise almost any exception for a damaged file
        reason = "it is neither PNG nor JPEG" if isinstance(error, UnidentifiedImageError) else str(error)
        raise DataError(f"{name} cannot be decoded: {reason or type(error).__name__}") from error


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"it has {size[0]} x {size[1]} pixels, more than {MAX_PIXELS}")


def _grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode.startswith("I"):  # I;16 and its relatives: 16-bit grey; "I" is what Pillow before 11 makes of it
        wide = np.asarray(image).astype(np.uint32)
        return ((np.minimum(wide, 65535) + 128) // 257).astype(np.uint8)
    if image.format == "JPEG":
        ImageOps.exif_transpose(image, in_place=True)
    return np.array(image if image.mode == "L" else image.convert("L"), dtype=np.uint8)
