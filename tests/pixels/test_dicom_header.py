"""Headers give what a cohort needs, and nothing else."""

from __future__ import annotations

import dataclasses
import io
import os
from pathlib import Path

import numpy as np
import pytest
from dicom_making import GREY12, make
from pydicom import dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from chestxpert.errors import DataError
from chestxpert.pixels.dicom_header import DicomHeader, dicom_header, whole_years

TAGS = {
    "PatientName": "Doe^Jane",
    "PatientBirthDate": "19600101",
    "PatientSex": "F",
    "PatientAge": "063Y",
    "ViewPosition": "PA",
    "ImageLaterality": "U",
    "BodyPartExamined": "CHEST",
}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_the_elements_of_a_cohort_are_read(syntax: str, tmp_path: Path) -> None:
    data = make(GREY12, syntax, **TAGS)
    (tmp_path / "a").write_bytes(data)
    expected = DicomHeader("1.2.3.4", "P1", "F", 63, "PA", "U", "CHEST", "DX", "MONOCHROME2", 40, 48)
    assert dicom_header(data) == dicom_header(tmp_path / "a") == dicom_header(str(tmp_path / "a")) == expected


def test_name_and_birth_date_are_not_kept() -> None:
    kept = str(dataclasses.asdict(dicom_header(make(GREY12, **TAGS))))
    assert "Doe" not in kept
    assert "1960" not in kept


def test_what_is_missing_is_empty() -> None:
    header = dicom_header(make(GREY12, PatientID=None, Modality=None, PatientSex="", PatientAge=""))
    assert (header.patient_id, header.modality, header.sex, header.age, header.view) == ("", "", "", None, "")


def test_odd_values_are_cleaned_or_left_out() -> None:
    header = dicom_header(make(GREY12, PatientID=" A\tB ", ViewPosition="pa", PatientSex="female", PatientAge="old"))
    assert (header.patient_id, header.view, header.sex, header.age) == ("A B", "PA", "", None)


@pytest.mark.parametrize(
    ("age", "years"),
    [
        *[("045Y", 45), ("000Y", 0), ("018M", 1), ("011M", 0), ("060W", 1), ("365D", 0), ("800D", 2), ("45", 45)],
        *[("5y", 5), ("", None), ("Y", None), ("1000Y", None), ("-5Y", None), ("45.5Y", None)],
    ],
)
def test_ages_are_whole_years(age: str, years: int | None) -> None:
    assert whole_years(age) == years


def test_pixels_are_not_read(tmp_path: Path) -> None:
    """A file cut off within its pixels still has a header."""
    data = make(np.zeros((500, 500), np.uint16), **TAGS)
    assert dicom_header(data[:-400_000]).view == "PA"


def test_without_preamble() -> None:
    from dicom_making import elements

    file = io.BytesIO()
    dcmwrite(file, elements(GREY12, **TAGS), implicit_vr=True, little_endian=True)
    assert dicom_header(file.getvalue()).age == 63


def test_what_is_no_dicom_file_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("hello")
    (tmp_path / "empty.dcm").touch()
    os.mkfifo(tmp_path / "pipe.dcm")
    for path in tmp_path.iterdir():
        with pytest.raises(DataError, match=path.name):
            dicom_header(path)
    with pytest.raises(DataError, match="not a DICOM file"):
        dicom_header(b"hello")
    with pytest.raises(DataError, match="says nothing about an image"):
        dicom_header(b"\x08\x00" + bytes(200))
