"""Unfold the pixels of a DICOM file: which decoder for which transfer syntax, and what to install where one is missing.

Only decoders under permissive licences are asked, and each by name: a GPL decoder that happens to be installed is not
used. Of several, those are asked that survive damaged files (`benchmarks/fuzz.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from chestxpert.pixels.dicom_codestream import check_frame

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID


@dataclass(frozen=True)
class Codec:
    """Decoders of one transfer syntax.

    Parameters
    ----------
    plugins : tuple of str
        pydicom's names of them, best first.
    packages : str
        What brings the first; "" where ChestXpert's own dependencies do.
    """

    plugins: tuple[str, ...]
    packages: str = ""


_LOSSLESS_JPEG = Codec(("gdcm",), "python-gdcm")
_JPEG_LS = Codec(("pyjpegls",), "pyjpegls")
_JPEG_2000 = Codec(("pylibjpeg", "pillow"), "pylibjpeg pylibjpeg-openjpeg")
_HIGH_THROUGHPUT = Codec(("pylibjpeg",), "pylibjpeg pylibjpeg-openjpeg")

CODECS: dict[str, Codec] = {
    "1.2.840.10008.1.2": Codec(()),
    "1.2.840.10008.1.2.1": Codec(()),
    "1.2.840.10008.1.2.1.99": Codec(()),
    "1.2.840.10008.1.2.2": Codec(()),
    "1.2.840.10008.1.2.5": Codec(("pydicom",)),  # RLE
    "1.2.840.10008.1.2.4.50": Codec(("pillow",)),  # JPEG baseline
    "1.2.840.10008.1.2.4.51": Codec(("pillow",)),  # JPEG extended: 8 bits
    "1.2.840.10008.1.2.4.57": _LOSSLESS_JPEG,
    "1.2.840.10008.1.2.4.70": _LOSSLESS_JPEG,
    "1.2.840.10008.1.2.4.80": _JPEG_LS,
    "1.2.840.10008.1.2.4.81": _JPEG_LS,
    "1.2.840.10008.1.2.4.90": _JPEG_2000,
    "1.2.840.10008.1.2.4.91": _JPEG_2000,
    "1.2.840.10008.1.2.4.201": _HIGH_THROUGHPUT,
    "1.2.840.10008.1.2.4.202": _HIGH_THROUGHPUT,
    "1.2.840.10008.1.2.4.203": _HIGH_THROUGHPUT,
}
"""By UID (PS3.5 section 10). The uncompressed ones need no decoder."""

_EXTENDED = "1.2.840.10008.1.2.4.51"


def stored_values(elements: Dataset) -> tuple[npt.NDArray[Any], str]:
    """Stored values of a picture of one frame, and the Photometric Interpretation they have now.

    Parameters
    ----------
    elements : pydicom.dataset.Dataset
        With ``file_meta`` and the elements of the Image Pixel module, whose sizes have been checked.

    Returns
    -------
    array of shape (H, W) or (H, W, 3)
        Integers, sign extended, with unused bits cleared. YBR is RGB now.
    str

    Raises
    ------
    ValueError
        If no decoder is there, or the frame is damaged.
    """
    from pydicom.encaps import get_frame
    from pydicom.pixels.decoders.base import get_decoder

    syntax = transfer_syntax(elements)
    codec = CODECS.get(syntax)
    if codec is None:
        raise ValueError(f"its transfer syntax, {_named(syntax)}, is not one that ChestXpert reads")
    if bool(codec.plugins) != bool(elements["PixelData"].is_undefined_length):
        raise ValueError(f"its transfer syntax, {_named(syntax)}, does not fit its pixels: are they compressed or not?")
    if not codec.plugins:
        values, about = get_decoder(syntax).as_array(elements, index=0)
        return values, str(about["photometric_interpretation"])
    _refuse_bits(elements, syntax, codec)
    check_frame(
        get_frame(elements.PixelData, 0, number_of_frames=1),
        syntax,
        int(elements.Rows),
        int(elements.Columns),
        int(elements.SamplesPerPixel),
        int(elements.BitsAllocated),
    )
    plugin = _choose(syntax, codec)
    try:
        values, about = get_decoder(syntax).as_array(elements, index=0, decoding_plugin=plugin)
    except RuntimeError as error:  # pydicom's, with the decoder's own in it
        said = str(error).rpartition(f"{plugin}: ")[2]
        raise ValueError(f"its frame, {_named(syntax)}, is damaged: {said}") from error
    return values, str(about["photometric_interpretation"])


def transfer_syntax(elements: Dataset) -> UID:
    """UID of the transfer syntax; where the file does not say, that of the encoding its elements were found in."""
    from pydicom.uid import UID

    said = elements.file_meta.get("TransferSyntaxUID")
    if said:
        return UID(str(said))
    implicit, little = elements.original_encoding
    found = UID("1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2")
    elements.file_meta.TransferSyntaxUID = found
    return found


def _choose(syntax: str, codec: Codec) -> str:
    """Best decoder that is installed; ValueError says what to install."""
    from pydicom.pixels.decoders.base import get_decoder

    installed = get_decoder(syntax).available_plugins
    for plugin in codec.plugins:
        if plugin in installed:
            return plugin
    raise ValueError(
        f"its transfer syntax is {_named(syntax)}, which needs a decoder that is not installed. Install all "
        f'decoders with "pip install \'chestxpert[dicom]\'", or this one with "pip install {codec.packages}"'
    )


def _refuse_bits(elements: Dataset, syntax: str, codec: Codec) -> None:
    """Refuse the numbers of bits that a decoder cannot do."""
    allocated, stored = int(elements.BitsAllocated), int(elements.BitsStored)
    if codec is _LOSSLESS_JPEG and allocated == 8 != stored:  # GDCM ends the process
        raise ValueError(f"its samples have {stored} bits in 8, which its transfer syntax does not allow")
    if syntax == _EXTENDED and stored > 8:
        raise ValueError(
            f"its transfer syntax is {_named(syntax)} with {stored} bits, which no decoder under a "
            "permissive licence reads. Convert it first, for example with 'dcmdjpeg' of the DCMTK"
        )


def _named(syntax: str) -> str:
    from pydicom.uid import UID

    return f"{UID(syntax).name} ({syntax})"
