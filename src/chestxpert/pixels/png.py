"""Whether a PNG is whole, before it is unfolded."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_SAMPLES = {2: 3, 4: 2, 6: 4}  # by kind of colour; all others have one
_DEFLATE = 1032  # what a byte can unfold to at most


def check_whole(data: bytes) -> None:
    """Compare the checksum of every critical chunk, up to the last, and the pixels' bytes with the size.

    Pillow leaves those of the pixels aside, and shows an image whose bytes have changed where zlib does not notice.

    Parameters
    ----------
    data : bytes
        A file that begins with `SIGNATURE`.

    Raises
    ------
    ValueError
        If the file ends too early, or a critical chunk has changed since it was written (PNG specification, section
        5.3: chunk layout; 13.2: a decoder treats such an error in a critical chunk as fatal).
    """
    view, place, name, packed = memoryview(data), len(SIGNATURE), b"", 0
    while name != b"IEND":
        if place + 12 > len(data):
            raise ValueError("the file is truncated")
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            raise ValueError("the file is truncated")
        critical = not name[0] & 0x20  # an upper-case first letter: needed to show the image
        if critical and zlib.crc32(view[place + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise ValueError(f"the checksum of its {name.decode('ascii', 'replace')} chunk is wrong: it is damaged")
        packed += length if name == b"IDAT" else 0
        place = end
    if _unpacked(data) > _DEFLATE * packed:
        raise ValueError("its pixels are too few for its size: it is damaged")


def _unpacked(data: bytes) -> int:
    """Bytes of all pixels, at the least, as the header says (PNG specification, section 11.2.1)."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    return int(width * height * depth * _SAMPLES.get(colour, 1) // 8)
