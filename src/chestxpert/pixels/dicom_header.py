"""What a DICOM header says about an image, for those who have no table: nothing else of it is read or kept."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from chestxpert.errors import DataError
from chestxpert.pixels.decode import reason
from chestxpert.pixels.dicom_file import is_dicom, read_elements

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_KEYWORDS = (
    "SOPInstanceUID",
    "PatientID",
    "PatientSex",
    "PatientAge",
    "ViewPosition",
    "ImageLaterality",
    "BodyPartExamined",
    "Modality",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
)
_YEARS = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}


@dataclass(frozen=True)
class DicomHeader:
    """Elements of a DICOM file that a cohort can use; "" or None where the file does not say.

    Parameters
    ----------
    sop_instance_uid : str
        Names this image, world wide (PS3.3 C.12.1).
    patient_id : str
        As the hospital has it (C.7.1.1). It may identify a person: replace it before anything is shared.
    sex : {"M", "F", "O", ""}
        Patient's Sex (C.7.1.1).
    age : int or None
        Whole years, from Patient's Age (C.7.2.2; PS3.5 section 6.2, AS).
    view : str
        View Position (C.8.11.5), such as "PA", "AP" or "LL".
    laterality : str
        Image Laterality.
    body_part : str
        Body Part Examined, such as "CHEST".
    modality : str
        "CR" or "DX" for a radiograph (C.7.3.1.1.1).
    photometric : str
        Photometric Interpretation, such as "MONOCHROME1".
    width, height : int or None
        Columns and Rows.
    """

    sop_instance_uid: str
    patient_id: str
    sex: str
    age: int | None
    view: str
    laterality: str
    body_part: str
    modality: str
    photometric: str
    width: int | None
    height: int | None


def dicom_header(source: str | Path | bytes) -> DicomHeader:
    """Read a DICOM file's header, without its pixels.

    Parameters
    ----------
    source : str, Path or bytes
        A file, or its contents.

    Returns
    -------
    DicomHeader

    Raises
    ------
    DataError
        If it is no DICOM file, or too damaged to be read.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), "The file")
    path = Path(source)
    if not path.is_file():  # a pipe would block for ever
        raise DataError(f"{path} is not a file that can be read.")
    try:
        with path.open("rb") as file:
            return _read(file, str(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _read(file: BinaryIO, name: str) -> DicomHeader:
    if not is_dicom(file.read(132)):
        raise DataError(f"{name} is not a DICOM file.")
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about values that break the standard's letter
            return _header(read_elements(file, _KEYWORDS))
    except Exception as error:  # pydicom raises almost any exception for a damaged file
        raise DataError(f"The DICOM header of {name} cannot be read: {reason(error)}") from error


def _header(elements: Dataset) -> DicomHeader:
    if not any(keyword in elements for keyword in _KEYWORDS):
        raise ValueError("it says nothing about an image")
    sex = _text(elements, "PatientSex").upper()
    return DicomHeader(
        sop_instance_uid=_text(elements, "SOPInstanceUID"),
        patient_id=_text(elements, "PatientID"),
        sex=sex if sex in ("M", "F", "O") else "",
        age=whole_years(_text(elements, "PatientAge")),
        view=_text(elements, "ViewPosition").upper(),
        laterality=_text(elements, "ImageLaterality").upper(),
        body_part=_text(elements, "BodyPartExamined").upper(),
        modality=_text(elements, "Modality").upper(),
        photometric=_text(elements, "PhotometricInterpretation").upper(),
        width=_whole(elements, "Columns"),
        height=_whole(elements, "Rows"),
    )


def whole_years(age: str) -> int | None:
    """Years of an age string such as "045Y", "018M", "003W" or "010D" (PS3.5 section 6.2); None if it is none."""
    match = re.fullmatch(r"(\d{1,3})([YMWD]?)", age.strip().upper())
    return int(int(match[1]) / _YEARS[match[2] or "Y"]) if match else None


def _text(elements: Dataset, keyword: str) -> str:
    """Value of an element as one line; the first of several."""
    value = elements.get(keyword)
    if value is None:
        return ""
    first = value if isinstance(value, str) else next(iter(value), "")
    return " ".join(str(first).replace("\0", " ").split())


def _whole(elements: Dataset, keyword: str) -> int | None:
    value = elements.get(keyword)
    return int(value) if isinstance(value, int) else None
