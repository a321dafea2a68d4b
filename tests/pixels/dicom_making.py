"""DICOM files made by hand, for tests."""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
)

GREY12 = ((np.sin(np.arange(40) / 5) * np.cos(np.arange(48) / 7)[:, None] + 1) * 2000).astype(np.uint16)
"""Smooth values of 12 bits, 48 rows of 40."""

_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def elements(stored: npt.NDArray[Any], **tags: Any) -> Dataset:
    """Elements of a picture; `tags` are put on top, and None removes one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that break the standard on purpose
        return _elements(stored, **tags)


def _elements(stored: npt.NDArray[Any], **tags: Any) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = DigitalXRayImageStorageForPresentation, "1.2.3.4"
    ds.PatientID, ds.Modality = "P1", "DX"
    ds.Rows, ds.Columns = stored.shape[:2]
    ds.SamplesPerPixel = stored.shape[2] if stored.ndim == 3 else 1
    if stored.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = "RGB" if stored.ndim == 3 else "MONOCHROME2"
    ds.BitsAllocated = 8 * stored.dtype.itemsize
    ds.BitsStored = tags.pop("BitsStored", ds.BitsAllocated)
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(stored.dtype.kind == "i")
    ds.add(DataElement("PixelData", "OB" if stored.dtype.itemsize == 1 else "OW", stored.tobytes()))
    for keyword, value in tags.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return ds


def lut(first: int, bits: int, entries: npt.ArrayLike, **more: Any) -> Sequence:
    """Modality or VOI LUT Sequence of one item."""
    item = Dataset()
    data = np.asarray(entries)
    item.add(DataElement("LUTDescriptor", "SS" if first < 0 else "US", [len(data) % 2**16, first, bits]))
    item.add(DataElement("LUTData", "OW", data.astype("<u2").tobytes()))
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return Sequence([item])


def write(ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """File of these elements, which are not compressed yet; preamble and meta information included."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = syntax if syntax in _NATIVE else ExplicitVRLittleEndian
    ds.file_meta = meta
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        _with_gdcm(ds, syntax)
    elif syntax == JPEGBaseline8Bit:
        _with_pillow(ds)
    elif syntax not in _NATIVE:
        ds.compress(syntax, generate_instance_uid=False)
    if syntax == ExplicitVRBigEndian and ds.BitsAllocated > 8:
        ds.PixelData = np.frombuffer(ds.PixelData, f"<u{ds.BitsAllocated // 8}").byteswap().tobytes()
    file, implicit, little = io.BytesIO(), syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(file, ds, enforce_file_format=True, implicit_vr=implicit, little_endian=little)
    return file.getvalue()


def make(stored: npt.NDArray[Any], syntax: UID = ExplicitVRLittleEndian, **tags: Any) -> bytes:
    """File of a picture."""
    return write(elements(stored, **tags), syntax)


def _with_pillow(ds: Dataset) -> None:
    """Compress by JPEG baseline, which pydicom does not."""
    from PIL import Image
    from pydicom.encaps import encapsulate

    shape = (ds.Rows, ds.Columns) if ds.SamplesPerPixel == 1 else (ds.Rows, ds.Columns, 3)
    file = io.BytesIO()
    Image.fromarray(np.frombuffer(ds.PixelData, np.uint8).reshape(shape)).save(file, "JPEG", quality=95)
    ds.PixelData = encapsulate([file.getvalue()])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    if ds.SamplesPerPixel == 3:
        ds.PhotometricInterpretation = "YBR_FULL_422"


def _with_gdcm(ds: Dataset, syntax: UID) -> None:
    """Compress by lossless JPEG, which only GDCM does."""
    import gdcm

    kinds = gdcm.TransferSyntax
    kind = kinds.JPEGLosslessProcess14_1 if syntax == JPEGLosslessSV1 else kinds.JPEGLosslessProcess14
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = str(Path(folder, "plain")), str(Path(folder, "packed"))
        dcmwrite(plain, ds, enforce_file_format=True)
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(plain)
        assert reader.Read()
        change.SetTransferSyntax(kinds(kind))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(packed)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        ds["PixelData"] = dcmread(packed)["PixelData"]
    ds.file_meta.TransferSyntaxUID = syntax
