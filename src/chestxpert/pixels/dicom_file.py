"""Open a DICOM file (PS3.10) without letting a damaged one take all memory."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

INFLATED = 2**30
"""A deflated data set may unfold to this many bytes."""

_DEFLATED = "1.2.840.10008.1.2.1.99"
_BARE = (b"\x08\x00", b"\x02\x00")  # group 0008 or 0002, little endian


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is DICOM.

    Parameters
    ----------
    head : bytes
        At least the first 132 bytes, or all there are.

    Returns
    -------
    bool
        True where "DICM" follows a preamble (PS3.10 section 7.1), and where the file begins with the first group of a
        data set instead, as older software wrote it.
    """
    return head[128:132] == b"DICM" or head[:2] in _BARE


def read_elements(file: BinaryIO, keywords: tuple[str, ...] | None = None) -> Dataset:
    """Read the elements of an open DICOM file.

    Parameters
    ----------
    file : binary file
        At its beginning; all of it is read if it is deflated.
    keywords : tuple of str, optional
        Which elements, and none from Pixel Data on; all of them, pixels included, if None.

    Returns
    -------
    pydicom.dataset.Dataset
        With ``file_meta``.

    Raises
    ------
    Exception
        Of almost any kind if the file is damaged; ValueError if it would unfold to more than `INFLATED` bytes.
    """
    from pydicom import dcmread
    from pydicom.filereader import read_dataset
    from pydicom.tag import Tag

    tags: list[BaseTag | int] | None = [Tag(keyword) for keyword in keywords] if keywords else None
    if file.read(132)[128:] != b"DICM":
        file.seek(0)
    try:
        meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_after_meta)
        deflated = meta.get("TransferSyntaxUID") == _DEFLATED
    except NotImplementedError:  # meta written with implicit VRs, against the standard; pydicom knows what to do
        deflated = False
    if deflated:
        return _inflated(file, meta, tags)
    file.seek(0)
    return dcmread(file, stop_before_pixels=tags is not None, force=True, specific_tags=tags)


def _after_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2


def _inflated(file: BinaryIO, meta: Dataset, tags: list[BaseTag | int] | None) -> Dataset:
    """Elements of a deflated data set (PS3.5 section A.5), whose open file stands behind the meta information."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset

    unfolding = zlib.decompressobj(-zlib.MAX_WBITS)
    whole = unfolding.decompress(file.read(), INFLATED)
    if unfolding.unconsumed_tail:
        raise ValueError(f"it unfolds to more than {INFLATED} bytes")
    if not unfolding.eof:
        raise ValueError("the file is truncated")
    elements = read_dataset(io.BytesIO(whole), is_implicit_VR=False, is_little_endian=True, specific_tags=tags)
    elements.file_meta = FileMetaDataset(meta)
    return elements
