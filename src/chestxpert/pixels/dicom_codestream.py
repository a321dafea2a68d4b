"""What a compressed frame says of itself, read before a decoder believes it.

Decoders reserve memory for the size that the codestream names, whatever the DICOM elements say; and some end the whole
process, rather than raise, where the header of a frame is damaged. So a frame whose header is not whole, or does not
agree with Rows, Columns and Samples per Pixel, is never handed to one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_JPEG_FRAMES: dict[str, tuple[int, ...]] = {
    "1.2.840.10008.1.2.4.50": (0xC0,),  # baseline
    "1.2.840.10008.1.2.4.51": (0xC0, 0xC1),  # extended sequential
    "1.2.840.10008.1.2.4.57": (0xC3,),  # lossless
    "1.2.840.10008.1.2.4.70": (0xC3,),
    "1.2.840.10008.1.2.4.80": (0xF7,),  # JPEG-LS
    "1.2.840.10008.1.2.4.81": (0xF7,),
}
"""Start-of-frame markers (ITU-T T.81 table B.1, T.87 section C.2.2) that each JPEG transfer syntax allows."""

_ALL_FRAMES = frozenset({0xF7, *range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SUBSAMPLED = (0xC0, 0xC1)
_HUFFMAN, _SCAN, _ADOBE, _JPEG_LS = 0xC4, 0xDA, 0xEE, 0xF7
_OTHERS = frozenset({_HUFFMAN, 0xDB, 0xDD, 0xF8, 0xFE, *range(0xE0, 0xF0)})
"""Segments that may stand before the scan: tables, the restart interval, JPEG-LS parameters, comments, applications."""

_MOST_TILES = 4096

DAMAGED = "the header of its JPEG codestream is damaged"


@dataclass(frozen=True)
class Size:
    """Width, height, samples a pixel and bits a sample."""

    width: int
    height: int
    samples: int
    bits: int


def frame_size(frame: bytes, syntax: str) -> Size | None:
    """Size that a compressed frame has by its own header.

    Parameters
    ----------
    frame : bytes
        Codestream of one frame.
    syntax : str
        UID of the transfer syntax.

    Returns
    -------
    Size or None
        None for a syntax whose frames do not say, which is RLE.

    Raises
    ------
    ValueError
        If the header is damaged, or of another kind than the syntax has.
    """
    if syntax in _JPEG_FRAMES:
        return _jpeg_size(frame, _JPEG_FRAMES[syntax])
    if syntax.startswith(("1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20")):
        return _jpeg_2000_size(frame)
    return None


def _jpeg_size(frame: bytes, allowed: tuple[int, ...]) -> Size:
    """Walk the marker segments from the first up to the scan (ITU-T T.81 section B.2)."""
    _check_end(frame)
    seen: set[int] = set()
    size = None
    for marker, segment in _segments(frame):
        if marker in _ALL_FRAMES:
            if size is not None or marker not in allowed:
                raise ValueError(f"its JPEG codestream is of kind {marker:X}, which does not fit its transfer syntax")
            size = _jpeg_frame(segment, marker)
        elif marker not in _OTHERS or (marker == _ADOBE and not _is_adobe(segment)):
            raise ValueError(DAMAGED)
        seen.add(marker)
    if size is None or (_HUFFMAN not in seen and _JPEG_LS not in seen):
        raise ValueError(DAMAGED)
    return size


def _is_adobe(segment: bytes) -> bool:
    """Whether an APP14 segment says a colour transform that there is, or is not Adobe's."""
    return segment[:5] != b"Adobe" or (len(segment) == 12 and segment[11] <= 2)


def _check_end(frame: bytes) -> None:
    """ValueError without the end marker, which all of these formats share: decoders fill up what is missing."""
    if not frame.rstrip(b"\0\xff").endswith(b"\xff\xd9"):  # bytes that make the length even may follow
        raise ValueError("its codestream is truncated")


def _segments(frame: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and contents of every segment before the first scan."""
    if frame[:2] != b"\xff\xd8":
        raise ValueError("its frame is no JPEG codestream")
    place = 2
    while frame[place : place + 2] != bytes((0xFF, _SCAN)):
        if place + 4 > len(frame) or frame[place] != 0xFF:
            raise ValueError(DAMAGED)
        marker, length = struct.unpack_from(">BH", frame, place + 1)
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        segment = frame[place + 4 : place + 2 + length]
        if length < 2 or len(segment) != length - 2:
            raise ValueError(DAMAGED)
        yield marker, segment
        place += 2 + length


def _jpeg_frame(segment: bytes, marker: int) -> Size:
    """Read a frame header (ITU-T T.81 section B.2.2)."""
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        raise ValueError(DAMAGED)
    bits, height, width, samples = struct.unpack_from(">BHHB", segment)
    factors = segment[7::3]
    if any(not (1 <= factor >> 4 <= 4 and 1 <= factor & 15 <= 4) for factor in factors):
        raise ValueError(DAMAGED)
    if marker not in _SUBSAMPLED and any(factor != 0x11 for factor in factors):
        raise ValueError("its lossless JPEG codestream is subsampled")
    return Size(width, height, samples, bits)


def _jpeg_2000_size(frame: bytes) -> Size:
    """Read the SIZ segment (ITU-T T.800 section A.5.1), which is the first of a codestream."""
    _check_end(frame)
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)  # behind the boxes of a JP2 file, which do not belong there
    if start < 0 or len(frame) < start + 44:
        raise ValueError("its frame is no JPEG 2000 codestream")
    right, bottom, left, top, tile_width, tile_height, _, _, samples = struct.unpack_from(">8IH", frame, start + 8)
    parts = frame[start + 42 : start + 42 + 3 * samples]
    if not parts or len(parts) != 3 * samples or not (tile_width and tile_height):
        raise ValueError("the header of its JPEG 2000 codestream is damaged")
    if any(step != 1 for place, step in enumerate(parts) if place % 3):
        raise ValueError("its JPEG 2000 codestream is subsampled")
    if -(-right // tile_width) * -(-bottom // tile_height) > _MOST_TILES:
        raise ValueError(f"its JPEG 2000 codestream has more than {_MOST_TILES} tiles")
    return Size(right - left, bottom - top, samples, (max(parts[::3]) & 0x7F) + 1)


def check_frame(frame: bytes, syntax: str, rows: int, columns: int, samples: int, bits_allocated: int) -> None:
    """ValueError if a frame's own header is damaged or does not agree with the DICOM elements."""
    size = frame_size(frame, syntax)
    if size is None:
        return
    if (size.width, size.height, size.samples) != (columns, rows, samples):
        raise ValueError(
            f"its codestream has {size.width} x {size.height} pixels of {size.samples} samples, its header says "
            f"{columns} x {rows} of {samples}"
        )
    if bits_allocated not in (8, 16):
        raise ValueError(f"its samples have {bits_allocated} bits, which its transfer syntax does not have")
    if not 1 <= size.bits <= bits_allocated:
        raise ValueError(f"its codestream has samples of {size.bits} bits, its header allows {bits_allocated}")
