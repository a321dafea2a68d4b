"""From stored values to what a DICOM picture shows: the standard's greyscale pipeline.

PS3.4 section N.2 fixes the order: Modality LUT (PS3.3 C.11.1), then VOI LUT or window (C.11.2), then the inversion of
MONOCHROME1 (C.7.6.3.1.2) or of a Presentation LUT Shape (C.8.11.3.1.2). Each step looks at one value alone, so for up
to 16 bits the steps are worked out once for each value there can be, and looked up for the pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chestxpert.pixels.decode import Grey, look_up, stretch

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Values = npt.NDArray[np.float64]

_TABLE_BITS = 16


def show(stored: npt.NDArray[Any], elements: Dataset, grey: Grey = "stored") -> npt.NDArray[np.uint8]:
    """Grey values that a picture shows.

    Without VOI LUT and without window, the whole range of values that Bits Stored allows is mapped to black to white:
    such values are meant to be shown as they are (PS3.3 A.8.3.4: then "the stored pixel values are in P-Values").

    Parameters
    ----------
    stored : integer array of shape (H, W)
        Stored values, sign extended.
    elements : pydicom.dataset.Dataset
        Bits Stored, Pixel Representation, Photometric Interpretation, and whichever elements of the pipeline there are.
        Of several windows or VOI LUTs, which are alternative views (C.11.2.1.2), the first is shown.
    grey : {"stored", "minmax"}
        "minmax" stretches what the pipeline gives, so that the least value that is no padding becomes black and the
        greatest white.

    Returns
    -------
    uint8 array of shape (H, W)
        0 is black. Padding (Pixel Padding Value, C.7.5.1.1.2) is black whatever it is stored as.

    Raises
    ------
    ValueError
        If values lie outside Bits Stored, or an element of the pipeline makes no sense.
    """
    low, high = _range(elements)
    least, greatest = int(stored.min()), int(stored.max())
    if least < low or greatest > high:
        raise ValueError(f"its values go from {least} to {greatest}; Bits Stored allows only {low} to {high}")
    padding = _padding(elements, low, high)
    if grey == "minmax":
        return _stretched(stored, _shares(stored.astype(np.float64), elements, low, high), padding)
    if high - low >= 2**_TABLE_BITS:
        return _blacken(_to_bytes(_shares(stored.astype(np.float64), elements, low, high)), stored, padding)
    every = np.arange(low, high + 1)
    table = _blacken(_to_bytes(_shares(every.astype(np.float64), elements, low, high)), every, padding)
    return look_up(table, stored, low)


def _range(elements: Dataset) -> tuple[int, int]:
    """Least and greatest value that Bits Stored and Pixel Representation allow."""
    bits = int(elements.BitsStored)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if elements.PixelRepresentation == 1 else (0, 2**bits - 1)


def _shares(stored: Values, elements: Dataset, low: int, high: int) -> Values:
    """All steps for stored values: 0 for black to 1 for white."""
    values, bottom, top = _modality(stored, elements, low, high)
    shares = _voi(values, elements, bottom, top)
    return 1 - shares if _inverted(elements) else shares


def _modality(stored: Values, elements: Dataset, low: int, high: int) -> tuple[Values, float, float]:
    """Modality LUT (C.11.1), with the least and greatest value it can give."""
    if sequence := elements.get("ModalityLUTSequence"):
        values, top = _look_up(stored, sequence[0], elements)
        return values, 0.0, top
    slope, intercept = _number(elements, "RescaleSlope", 1.0), _number(elements, "RescaleIntercept", 0.0)
    if slope == 0:
        raise ValueError("its Rescale Slope is 0")
    ends = sorted((low * slope + intercept, high * slope + intercept))
    return stored * slope + intercept, ends[0], ends[1]


def _voi(values: Values, elements: Dataset, bottom: float, top: float) -> Values:
    """VOI LUT or window (C.11.2), or none; 0 to 1."""
    if sequence := elements.get("VOILUTSequence"):
        looked_up, top = _look_up(values, sequence[0], elements)
        return looked_up / top
    centre, width = _number(elements, "WindowCenter", None), _number(elements, "WindowWidth", None)
    if centre is None or width is None:
        return (values - bottom) / (top - bottom)
    return window(values, centre, width, str(elements.get("VOILUTFunction") or "LINEAR").strip())


def window(values: Values, centre: float, width: float, function: str = "LINEAR") -> Values:
    """Apply a window (PS3.3 C.11.2.1.2 and C.11.2.1.3): 0 for black to 1 for white.

    Parameters
    ----------
    values : float64 array
        After the Modality LUT.
    centre, width : float
        Window Center and Window Width.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        VOI LUT Function. LINEAR spans ``centre - 0.5`` plus or minus half of ``width - 1``.

    Raises
    ------
    ValueError
        If the width is too small for the function, or the function is not one of the three.
    """
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise ValueError(f"its VOI LUT Function is {function!r}; the standard has LINEAR, LINEAR_EXACT and SIGMOID")
    if width < 1 if function == "LINEAR" else width <= 0:
        raise ValueError(f"its window is {width:g} wide, which {function} does not allow")
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:  # one step, at its lower end: C.11.2.1.2.1 puts 'less or equal' there
        return (values > centre).astype(np.float64)
    return np.clip((values - centre) / width + 0.5, 0.0, 1.0)


def _inverted(elements: Dataset) -> bool:
    """Whether low values are white.

    Presentation LUT Shape says the same as Photometric Interpretation where both are right (C.8.11.3.1.2): one
    inversion, not two. Where they contradict each other, the shape is followed, as other viewers do.
    """
    shape = str(elements.get("PresentationLUTShape") or "").strip()
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return str(elements.PhotometricInterpretation).strip() == "MONOCHROME1"


def _look_up(values: Values, item: Dataset, elements: Dataset) -> tuple[Values, float]:
    """Values after a LUT (C.11.1.1.1, C.11.2.1.1), and the greatest one its entries' bits allow."""
    count, first, bits = (int(part) for part in item.LUTDescriptor)
    if not 1 <= bits <= 16:
        raise ValueError(f"its lookup table has entries of {bits} bits")
    count = count or 2**16
    entries = _entries(item, elements, count)
    if len(entries) < count:
        raise ValueError(f"its lookup table has {len(entries)} entries where it says {count}")
    if int(entries[:count].max()) >= 2**bits:
        raise ValueError(f"its lookup table has an entry of {int(entries.max())}, too large for {bits} bits")
    places = np.clip(np.rint(values) - first, 0, count - 1).astype(np.int64)
    return entries[places].astype(np.float64), float(2**bits - 1)


def _entries(item: Dataset, elements: Dataset, count: int) -> npt.NDArray[Any]:
    """Entries of a LUT: numbers, or bytes of them in one or two bytes each."""
    data = item.LUTData
    if not isinstance(data, bytes):
        return np.atleast_1d(np.asarray(data, dtype=np.int64))
    if len(data) < 2 * count:
        return np.frombuffer(data, dtype=np.uint8)
    little = elements.original_encoding[1] is not False
    return np.frombuffer(data, dtype="<u2" if little else ">u2", count=count)


def _number(elements: Dataset, keyword: str, default: Any) -> Any:
    """Value of an element that may be missing or empty, the first where there are several."""
    try:
        value = elements.get(keyword)
        if value is None or value == "" or value == []:
            return default
        number = float(value) if isinstance(value, (int, float, str)) else float(value[0])
    except (TypeError, ValueError) as error:
        raise ValueError(f"its {keyword} is no number") from error
    if not np.isfinite(number):
        raise ValueError(f"its {keyword} is {number}")
    return number


def _padding(elements: Dataset, low: int, high: int) -> tuple[int, int] | None:
    """Least and greatest stored value that is padding (C.7.5.1.1.2), if there is any."""
    value = _number(elements, "PixelPaddingValue", None)
    if value is None:
        return None
    limit = _number(elements, "PixelPaddingRangeLimit", value)
    ends = [int(end) - (2 ** int(elements.BitsAllocated) if end > high and low < 0 else 0) for end in (value, limit)]
    return min(ends), max(ends)


def _blacken(
    shown: npt.NDArray[np.uint8], stored: npt.NDArray[Any], padding: tuple[int, int] | None
) -> npt.NDArray[np.uint8]:
    if padding is not None:
        shown[(stored >= padding[0]) & (stored <= padding[1])] = 0
    return shown


def _stretched(stored: npt.NDArray[Any], shares: Values, padding: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    if padding is None:
        return stretch(shares)
    picture = (stored < padding[0]) | (stored > padding[1])
    if not picture.any():
        return np.zeros(stored.shape, dtype=np.uint8)
    return _blacken(stretch(np.where(picture, shares, shares[picture].min())), stored, padding)


def _to_bytes(shares: Values) -> npt.NDArray[np.uint8]:
    return np.floor(shares * 255 + 0.5).astype(np.uint8)
