"""Read the picture of a DICOM file as 8-bit grey."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from chestxpert.pixels.decode import Decoded, Grey, Mode, check_size, stretch
from chestxpert.pixels.dicom_codecs import stored_values
from chestxpert.pixels.dicom_file import read_elements
from chestxpert.pixels.dicom_grey import show

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_PALETTE = "PALETTE COLOR"
_NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "PhotometricInterpretation")
_SQUARE = 0.01  # a difference of width and height that nobody sees


def read_dicom(data: bytes, grey: Grey = "stored") -> Decoded:
    """Read a DICOM file of one picture.

    Grey pictures go through the standard's pipeline, see `chestxpert.pixels.dicom_grey`. Colour (RGB, YBR) and palettes
    become ITU-R 601 luma, as in PNG and JPEG. Overlays are not drawn, and nothing of the header is kept.

    Parameters
    ----------
    data : bytes
        Contents of a file that `chestxpert.pixels.dicom_file.is_dicom` says is one.
    grey : {"stored", "minmax"}
        See `chestxpert.pixels.decode.read_image`.

    Raises
    ------
    Exception
        Of almost any kind if the file is damaged. ValueError, with the reason, for a file without a picture, with
        several frames, with floating-point values, with pixels that are not square, or which needs a decoder that is
        not installed.
    """
    elements = read_elements(io.BytesIO(data))
    photometric = _check(elements)
    values, photometric = _values(elements, photometric)
    bits = int(elements.BitsStored)
    if photometric in _GREY:
        return Decoded(show(values, elements, grey), bits, "grey", "dicom")
    mode: Mode = "palette" if photometric == _PALETTE else "colour"
    luma = _luma(values, 8 * values.dtype.itemsize if mode == "palette" else bits)
    return Decoded(stretch(luma) if grey == "minmax" else luma, bits, mode, "dicom")


def _values(elements: Dataset, photometric: str) -> tuple[npt.NDArray[Any], str]:
    """Stored values: (H, W), or red, green and blue, (H, W, 3)."""
    values, now = stored_values(elements)
    if photometric == _PALETTE:
        from pydicom.pixels.processing import apply_color_lut

        return apply_color_lut(values, elements)[..., :3], _PALETTE
    if photometric in _COLOUR and now != "RGB":
        raise ValueError(f"its colours, {now}, cannot be turned into RGB")
    return values, photometric if photometric in _GREY else now


def _check(elements: Dataset) -> str:
    """Refuse what cannot be shown, before anything is unfolded; return the Photometric Interpretation."""
    if "FloatPixelData" in elements or "DoubleFloatPixelData" in elements:
        raise ValueError("its pixels are floating-point numbers, which have no black and white")
    if "PixelData" not in elements:
        raise ValueError("it has no picture: the element Pixel Data is missing or cut off")
    missing = [keyword for keyword in _NEEDED if elements.get(keyword) in (None, "")]
    if missing:
        raise ValueError(f"it lacks the element {missing[0]}")
    check_size(int(elements.Columns), int(elements.Rows))
    frames = int(elements.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ValueError(f"it has {frames} frames; ChestXpert reads single pictures. Store each as a file of its own")
    _check_bits(elements)
    _check_square(elements)
    return _check_samples(elements)


def _check_samples(elements: Dataset) -> str:
    photometric = str(elements.PhotometricInterpretation).strip()
    samples = int(elements.get("SamplesPerPixel") or 1)
    elements.SamplesPerPixel = samples  # pydicom insists
    if photometric not in (*_GREY, *_COLOUR, _PALETTE):
        raise ValueError(f"its Photometric Interpretation is {photometric!r}, which ChestXpert does not show")
    if samples != (3 if photometric in _COLOUR else 1):
        raise ValueError(f"its pixels have {samples} samples, which does not fit {photometric}")
    if photometric not in _GREY and elements.PixelRepresentation != 0:
        raise ValueError(f"its pixels are signed, which does not fit {photometric}")
    return photometric


def _check_bits(elements: Dataset) -> None:
    allocated, stored = int(elements.BitsAllocated), int(elements.BitsStored)
    if allocated not in (8, 16, 32) or not 1 <= stored <= allocated or elements.PixelRepresentation not in (0, 1):
        raise ValueError(f"its samples have {stored} bits in {allocated}; ChestXpert reads 1 to 32 in 8, 16 or 32")
    high = elements.get("HighBit")
    if high not in (None, "") and int(high) != stored - 1:
        raise ValueError(f"its samples end at bit {high} where {stored} bits are stored (PS3.5 section 8.1.1)")


def _check_square(elements: Dataset) -> None:
    """Refuse pixels that are not square (C.7.6.3.1.7, 10.7.1): shown as squares they would squeeze the chest."""
    for keyword in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"):
        pair = elements.get(keyword)
        if pair is None or pair == "" or len(pair) != 2:
            continue
        down, across = float(pair[0]), float(pair[1])
        if down > 0 and across > 0 and abs(down / across - 1) > _SQUARE:
            raise ValueError(f"its pixels are not square: {keyword} is {down:g} by {across:g}. Resample it first")


def _luma(colours: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    """ITU-R 601 luma of (H, W, 3) unsigned values of so many bits."""
    if bits != 8:
        top = 2**bits - 1
        colours = (np.minimum(colours, top).astype(np.float64) * (255 / top) + 0.5).astype(np.uint8)
    return np.array(Image.fromarray(np.ascontiguousarray(colours, dtype=np.uint8)).convert("L"))
