"""Decode an image file into 8-bit grey."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from chestxpert.errors import DataError
from chestxpert.pixels import dicom_file, png

MAX_PIXELS = 100_000_000
"""Larger images are refused before they are unfolded. A radiograph has at most some 20 million pixels."""

MAX_BYTES = 2**30
"""Larger files are refused before they are read."""

Mode = Literal["grey", "grey-alpha", "colour", "colour-alpha", "palette"]
Grey = Literal["stored", "minmax"]

_MODES: dict[str, Mode] = {"LA": "grey-alpha", "RGB": "colour", "RGBA": "colour-alpha", "P": "palette", "PA": "palette"}
_MODES |= {"YCbCr": "colour", "CMYK": "colour"}
_STRIP = 2**18
_8_OF_16 = ((np.arange(65536) + 128) // 257).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image as 8-bit grey, and how it was stored.

    Parameters
    ----------
    pixels : uint8 array of shape (H, W)
        0 is black. C order, owns its memory.
    bits : int
        Bits of a stored sample, as the file says: 1, 2, 4, 8 or 16 in a PNG (of a palette's index where there is
        one), 8 in a JPEG, Bits Stored of a DICOM file.
    mode : {"grey", "grey-alpha", "colour", "colour-alpha", "palette"}
    format : {"png", "jpeg", "dicom"}
    """

    pixels: npt.NDArray[np.uint8]
    bits: int
    mode: Mode
    format: str


def decode(source: str | Path | bytes) -> npt.NDArray[np.uint8]:
    """Pixels of `read_image`: uint8 array of shape (H, W)."""
    return read_image(source).pixels


def read_image(source: str | Path | bytes, *, grey: Grey = "stored") -> Decoded:
    """Read a PNG, JPEG or DICOM file as 8-bit grey.

    The file's own bytes say what it is, never its name. Grey, grey with alpha, colour, colour with alpha (519 files of
    ChestX-ray14: equal channels), palette, and 1 to 16 bits are understood. Colour becomes ITU-R 601 luma, which leaves
    equal channels as they are; alpha is left aside; 16 bits become 8 by division by 257, so that black stays 0 and
    white becomes 255 (of 16-bit colour Pillow keeps the upper 8 bits). A JPEG is turned upright if it says so. For
    DICOM see `chestxpert.pixels.dicom`.

    Parameters
    ----------
    source : str, Path or bytes
        A file, or its contents.
    grey : {"stored", "minmax"}
        Whether grey values stay as they are stored, or are stretched so that the darkest pixel of each image becomes 0
        and its brightest 255 (before they are reduced to 8 bits). Stretched values depend on single pixels, such as a
        marker's.

    Returns
    -------
    Decoded

    Raises
    ------
    DataError
        If it is no whole PNG, JPEG or DICOM picture that can be shown, or has more than `MAX_PIXELS` pixels.
    """
    data, name = _contents(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata we do not use
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _read(data, grey)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{name} is too large: {error}") from error
    except Exception as error:  # decoders raise almost any exception for a damaged file
        raise DataError(f"{name} cannot be decoded: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What an exception says, on one line and without control characters; its name if it says nothing."""
    if isinstance(error, UnidentifiedImageError):
        return "it is neither PNG, JPEG nor DICOM"
    if isinstance(error, RecursionError):
        return "its parts are nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    said = " ".join(str(error).split()) or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in said)  # it may quote the damaged file


def _contents(source: str | Path | bytes) -> tuple[bytes, str]:
    """Bytes of a source, and what to call it."""
    if isinstance(source, bytes):
        return source, "the image"
    path = Path(source)
    if not path.is_file():  # a pipe or a device under an image's name would block for ever
        raise DataError(f"{path} is not a file that can be read.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is too large: it has {path.stat().st_size} bytes, more than {MAX_BYTES}.")
        return path.read_bytes(), str(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _read(data: bytes, grey: Grey) -> Decoded:
    if dicom_file.is_dicom(data):
        from chestxpert.pixels.dicom import read_dicom  # pydicom takes a quarter of a second to load

        return read_dicom(data, grey)
    if data.startswith(png.SIGNATURE):
        png.check_whole(data)
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
        check_size(*image.size)
        bits, mode = _bits(image), _MODES.get(image.mode, "grey")
        kind = "png" if image.format == "PNG" else "jpeg"  # Pillow calls a JPEG with a second picture MPO
        return Decoded(_grey(image, kind, grey), bits, mode, kind)


def check_size(width: int, height: int) -> None:
    """ValueError if an image has no pixel, or more than `MAX_PIXELS`."""
    if width < 1 or height < 1:
        raise ValueError(f"it has {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise ValueError(f"it is too large: {width} x {height} pixels, more than {MAX_PIXELS}")


def _bits(image: ImageFile.ImageFile) -> int:
    """Bits of a stored sample: Pillow's raw mode names them after a semicolon where they are not 8."""
    arguments: Any = image.tile[0].args if image.tile else ""
    raw = arguments if isinstance(arguments, str) else str(arguments[0])
    digits = raw.partition(";")[2].rstrip("BLNIR")
    return int(digits) if digits.isdigit() else {"1": 1, "I": 16}.get(image.mode, 8)


def _grey(image: Image.Image, kind: str, grey: Grey) -> npt.NDArray[np.uint8]:
    if image.mode.startswith("I"):  # I;16 and its relatives: 16-bit grey; "I" is what Pillow before 11 makes of it
        wide = np.asarray(image)
        return stretch(wide) if grey == "minmax" else look_up(_8_OF_16, wide)
    if kind == "jpeg":
        ImageOps.exif_transpose(image, in_place=True)
    pixels = np.array(image if image.mode == "L" else image.convert("L"), dtype=np.uint8)
    return stretch(pixels) if grey == "minmax" else pixels


def look_up(
    table: npt.NDArray[np.uint8], values: npt.NDArray[np.integer[Any]], first: int = 0
) -> npt.NDArray[np.uint8]:
    """Entries of a table, whose first stands for the value `first`, for whole values of shape (H, W)."""
    found = np.empty(values.shape, dtype=np.uint8)
    strip = max(1, _STRIP // values.shape[1])
    for top in range(0, len(values), strip):  # an index takes eight bytes a pixel: not for all of them at once
        found[top : top + strip] = table[values[top : top + strip].astype(np.intp) - first]
    return found


def stretch(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Spread real values, shape (H, W), so that the least becomes 0 and the greatest 255; a flat image becomes 0."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.zeros(values.shape, dtype=np.uint8)
    return np.floor((values.astype(np.float64) - low) * 255 / (high - low) + 0.5).astype(np.uint8)
