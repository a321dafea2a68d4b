"""Whole image files of every kind, and ways to damage them; for fuzz.py and for the tests."""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "pixels"))

from dicom_making import GREY12, make  # type: ignore[import-not-found]  # the tests' own builder
from pydicom import uid

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY = np.asarray(GREY12 // 17, dtype=np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)


def seeds() -> dict[str, bytes]:
    """Whole files by what they are; those whose encoder is not installed are left out."""
    grey, colour = Image.fromarray(GREY), Image.fromarray(COLOUR)
    files = {
        "png grey": _saved(grey, "PNG"),
        "png 16 bit": _saved(Image.fromarray(GREY12), "PNG"),
        "png 1 bit": _saved(grey.convert("1"), "PNG"),
        "png colour": _saved(colour, "PNG"),
        "png colour with alpha": _saved(colour.convert("RGBA"), "PNG"),
        "png palette": _saved(colour.quantize(64), "PNG"),
        "png interlaced": _interlaced(GREY),
        "jpeg grey": _saved(grey, "JPEG"),
        "jpeg colour": _saved(colour, "JPEG"),
        "jpeg progressive": _saved(colour, "JPEG", progressive=True),
        "jpeg cmyk": _saved(colour.convert("CMYK"), "JPEG"),
    }
    window = {"WindowCenter": 2000, "WindowWidth": 3000, "RescaleSlope": 1, "RescaleIntercept": 0, "PatientAge": "050Y"}
    for syntax in _SYNTAXES:
        lossy = syntax == uid.JPEGBaseline8Bit
        try:
            files[f"dicom {syntax.keyword}"] = make(
                GREY if lossy else GREY12, syntax, BitsStored=8 if lossy else 12, **window
            )
        except (ImportError, RuntimeError):
            continue
    for syntax in (uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEG2000Lossless, uid.JPEGLSLossless):
        try:
            files[f"dicom colour {syntax.keyword}"] = make(COLOUR, syntax)
        except (ImportError, RuntimeError):
            continue
    return files


_SYNTAXES = (
    *(
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    ),
    *(uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless),
    *(uid.JPEGLSNearLossless, uid.JPEG2000Lossless, uid.JPEG2000),
)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _interlaced(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Adam7, which Pillow reads and does not write."""
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(b"\0" + row.tobytes() for x, y, across, down in starts for row in pixels[y::down, x::across])
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 0, 0, 0, 1)
    return _join([(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


def damaged(number: int, files: dict[str, bytes], seed: int = 0) -> tuple[str, bytes]:
    """Input `number`: what it was made from, and its bytes. The same for the same seed."""
    rng = random.Random(f"{seed}/{number}")
    names = sorted(files)
    name = names[number % len(names)]
    data = files[name]
    other = files[rng.choice(names)]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(_DAMAGES)(data, other, rng)
    if data.startswith(SIGNATURE) and rng.random() < 0.7:
        data = _with_checksums(data)
    return name, data


def _flip(data: bytes, other: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _early(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Change bytes near the beginning, or where compressed pixels begin, which is where sizes and tables are."""
    changed = bytearray(data)
    begin = max(data.find(mark) for mark in (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xe0\x7f\x10\x00"))
    begin = max(begin, 0) if rng.random() < 0.7 else 0
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = begin + rng.randrange(200)
        if place < len(changed):
            changed[place] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(changed)


def _cut(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _remove(data: bytes, other: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + data[place + rng.choice((1, 2, 4, 100)) :]


def _splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Put a piece of another file in, or the rest of it."""
    place, begin = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    piece = other[begin : begin + rng.choice((4, 64, 1000))]
    return data[:place] + piece + data[place + rng.choice((0, len(piece), len(data))) :]


def _length(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Overwrite what may be a length or a size by an extreme one."""
    number = rng.choice(
        (0, 1, 2, 255, 32767, 65535, 60000, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 2, rng.randrange(2**32))
    )
    kind = rng.choice((">I", "<I", ">H", "<H"))
    packed = struct.pack(kind, number if kind[1] == "I" else number % 65536)
    place = (
        rng.randrange(max(1, len(data) - 4)) if rng.random() < 0.4 else rng.randrange(min(900, max(1, len(data) - 4)))
    )
    return data[:place] + packed + data[place + len(packed) :]


_TAGS = (
    *(b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x02\x00", b"\x28\x00\x08\x00", b"\x28\x00\x00\x01"),
    *(b"\x28\x00\x01\x01", b"\x28\x00\x03\x01", b"\x28\x00\x04\x00", b"\x28\x00\x50\x10", b"\x28\x00\x51\x10"),
    *(b"\x02\x00\x10\x00", b"\x02\x00\x00\x00", b"\xe0\x7f\x10\x00", b"\x28\x00\x52\x10", b"\x28\x00\x53\x10"),
)


def _element(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Change the representation, length or value of one of the elements that matter; or the size in a PNG or JPEG."""
    changed = bytearray(data)
    marks = [
        mark
        for mark in (*_TAGS, b"IHDR", b"\xff\xc0", b"\xff\xc2", b"\xff\xc3", b"\xff\xf7", b"\xff\x51")
        if mark in data
    ]
    if not marks:
        return data
    place = data.index(rng.choice(marks)) + rng.randrange(2, 14)
    for offset in range(rng.choice((1, 1, 2, 4))):
        if place + offset < len(changed):
            changed[place + offset] = rng.choice((0, 1, 8, 16, 32, 255, rng.randrange(256)))
    return bytes(changed)


def _chunks_about(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Shuffle, repeat or drop the chunks of a PNG; change the size in its header."""
    if not data.startswith(SIGNATURE):
        return _splice(data, other, rng)
    chunks = _split(data)
    way = rng.randrange(4)
    if way == 0:
        rng.shuffle(chunks)
    elif way == 1 and chunks:
        chunks.insert(rng.randrange(len(chunks)), rng.choice(chunks))
    elif way == 2 and chunks:
        chunks.pop(rng.randrange(len(chunks)))
    else:
        sizes = (0, 1, 39, 41, 9999, 65535, 100_000, 2**31 - 1)
        fields = struct.pack(
            ">IIBBBBB",
            rng.choice(sizes),
            rng.choice(sizes),
            rng.choice((1, 8, 16)),
            rng.randrange(8),
            0,
            0,
            rng.randrange(2),
        )
        chunks = [(name, fields if name == b"IHDR" else body) for name, body in chunks]
    return _join(chunks)


def _pixels_again(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Damage what lies under the compression of a PNG or of a deflated DICOM file, and compress it again."""
    try:
        if data.startswith(SIGNATURE):
            chunks = _split(data)
            rows = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
            rows = rng.choice((_flip, _cut, _remove, _splice))(rows, other, rng)
            return _join([(b"IHDR", chunks[0][1]), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])
        end = 144 + struct.unpack_from("<L", data, 140)[0]
        body = rng.choice((_flip, _length, _element, _cut, _splice))(zlib.decompress(data[end:], -15), other, rng)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return data[:end] + packer.compress(body) + packer.flush()
    except (zlib.error, struct.error, IndexError):
        return _early(data, other, rng)


_Damage = Callable[[bytes, bytes, random.Random], bytes]
_DAMAGES: tuple[_Damage, ...] = (
    *(
        _flip,
        _early,
        _early,
        _cut,
        _remove,
        _splice,
        _length,
        _length,
        _element,
        _element,
        _chunks_about,
        _pixels_again,
    ),
)


def _split(data: bytes) -> list[tuple[bytes, bytes]]:
    """Names and bodies of a PNG's chunks, as far as their lengths can be believed."""
    place, chunks = len(SIGNATURE), []
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        chunks.append((name, data[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def _join(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _with_checksums(data: bytes) -> bytes:
    """Make every checksum right, so that the damage is met by what reads the chunk."""
    return _join(_split(data))
