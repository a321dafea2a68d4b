"""A compressed frame's own header, read before any decoder sees it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from chestxpert.pixels.dicom_codestream import Size, check_frame, frame_size


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(marker: int, frame: bytes, more: bytes = b"", scan: bytes = b"scan") -> bytes:
    """Codestream by hand: one Huffman table, whatever `more` holds, a frame header, a scan."""
    return b"\xff\xd8" + more + _segment(marker, frame) + _segment(0xDA, b"\1\1\0\0\0\0") + scan + b"\xff\xd9"


HUFFMAN = _segment(0xC4, bytes(17))
FRAME = struct.pack(">BHHB3B", 12, 30, 20, 1, 1, 0x11, 0)


def _saved(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(file, kind)
    return file.getvalue()


def test_real_codestreams_say_their_size() -> None:
    assert frame_size(_saved("JPEG"), JPEGBaseline8Bit) == Size(20, 30, 1, 8)
    assert frame_size(_saved("JPEG2000"), JPEG2000Lossless) == Size(20, 30, 1, 8)
    assert frame_size(jpeg(0xC3, FRAME, HUFFMAN), JPEGLosslessSV1) == Size(20, 30, 1, 12)
    assert frame_size(jpeg(0xF7, FRAME), JPEGLSLossless) == Size(20, 30, 1, 12)
    assert frame_size(b"anything", RLELossless) is None


def test_fill_bytes_and_padding_are_passed_over() -> None:
    filled = jpeg(0xC3, FRAME, HUFFMAN + b"\xff\xff")
    assert frame_size(filled + b"\0", JPEGLosslessSV1) == Size(20, 30, 1, 12)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff\xd8\xff\xd9",
        b"GIF89a\xff\xd9",
        jpeg(0xC3, FRAME),  # without the table that a decoder needs
        jpeg(0xC0, FRAME, HUFFMAN),  # of another process
        jpeg(0xC3, FRAME, HUFFMAN + _segment(0xC3, FRAME)),  # two frames
        jpeg(0xC3, FRAME, HUFFMAN + _segment(0xD4, bytes(17))),  # a marker that has no segment
        jpeg(0xC3, FRAME, HUFFMAN + _segment(0xEE, b"Adobe" + bytes(6) + b"\x39")),  # a colour transform there is not
        jpeg(0xC3, FRAME[:-1], HUFFMAN),
        jpeg(0xC3, FRAME[:7] + b"\x22\0", HUFFMAN),  # subsampled
        jpeg(0xC3, FRAME[:7] + b"\x05\0", HUFFMAN),
        jpeg(0xC3, FRAME, HUFFMAN)[:-2],  # cut off
        b"\xff\xd8" + HUFFMAN + b"\xff\xfe\xff\xff\xff\xd9",  # a segment longer than the file
        b"\xff\xd8" + HUFFMAN + b"\xff\xfe\0\1\xff\xd9",
    ],
)
def test_damaged_jpeg_headers_are_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match=r"JPEG codestream|truncated"):
        frame_size(frame, JPEGLosslessSV1)


def siz(*numbers: int, parts: bytes = b"\x0b\1\1") -> bytes:
    head = b"\xff\x4f\xff\x51" + struct.pack(">HH8IH", 38 + len(parts), 0, *numbers, len(parts) // 3)
    return head + parts + bytes(20) + b"\xff\xd9"


def test_a_jpeg_2000_header_is_read() -> None:
    assert frame_size(siz(25, 30, 5, 0, 20, 30, 0, 0), JPEG2000Lossless) == Size(20, 30, 1, 12)
    signed = siz(20, 30, 0, 0, 20, 30, 0, 0, parts=b"\x8b\1\1")
    assert frame_size(signed, JPEG2000Lossless) == Size(20, 30, 1, 12)


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (b"", "truncated"),
        (siz(25, 30, 5, 0, 20, 30, 0, 0)[:-2], "truncated"),
        (b"\xff\xd9", "no JPEG 2000"),
        (siz(20, 30, 0, 0, 0, 30, 0, 0), "damaged"),
        (siz(20, 30, 0, 0, 20, 30, 0, 0, parts=b""), "damaged"),
        (siz(20, 30, 0, 0, 20, 30, 0, 0, parts=b"\x0b\2\1"), "subsampled"),
        (siz(20_000, 30_000, 0, 0, 1, 1, 0, 0), "more than 4096 tiles"),
    ],
)
def test_damaged_jpeg_2000_headers_are_refused(frame: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        frame_size(frame, JPEG2000Lossless)


def test_what_does_not_agree_with_the_elements_is_refused() -> None:
    frame = jpeg(0xC3, FRAME, HUFFMAN)
    check_frame(frame, JPEGLosslessSV1, 30, 20, 1, 16)
    for rows, columns, samples in ((31, 20, 1), (30, 21, 1), (30, 20, 3)):
        with pytest.raises(ValueError, match="its codestream has 20 x 30 pixels of 1 samples"):
            check_frame(frame, JPEGLosslessSV1, rows, columns, samples, 16)
    with pytest.raises(ValueError, match="samples of 12 bits"):
        check_frame(frame, JPEGLosslessSV1, 30, 20, 1, 8)
