"""Inflating: by igzip where it is installed, which takes half the time of zlib, else by the standard library."""

from __future__ import annotations

import gzip
import zlib
from typing import IO, cast

try:
    from isal import igzip, isal_zlib
except ImportError:  # no wheel for this machine: slower, and the same bytes
    INFLATE_ERRORS: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error)
    HAS_IGZIP = False
else:
    INFLATE_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error, cast("type[Exception]", isal_zlib.error))
    HAS_IGZIP = True


def open_gzip(file: IO[bytes]) -> IO[bytes]:
    """What a gzip file holds, to be read from its beginning to its end; a failed read is one of `INFLATE_ERRORS`."""
    kind: type[gzip.GzipFile] = igzip.IGzipFile if HAS_IGZIP else gzip.GzipFile
    return cast("IO[bytes]", kind(fileobj=file, mode="rb"))


def inflate_raw(data: bytes, size: int) -> bytes:
    """Inflate a raw DEFLATE stream (RFC 1951), but no further than one byte past `size`, which gives a liar away."""
    inflater = (isal_zlib if HAS_IGZIP else zlib).decompressobj(wbits=-15)
    return bytes(inflater.decompress(data, size + 1))


def inflate_zlib(data: bytes, size: int) -> bytes:
    """Inflate a zlib stream (RFC 1950), but no further than one byte past `size`."""
    return bytes((isal_zlib if HAS_IGZIP else zlib).decompressobj().decompress(data, size + 1))


def adler32(data: bytes) -> int:
    """Adler-32 as zlib streams have it."""
    return isal_zlib.adler32(data) if HAS_IGZIP else zlib.adler32(data)


def crc32(data: bytes | memoryview, before: int = 0) -> int:
    """CRC-32 as zip, gzip and PNG have it, going on from that of what came before."""
    return isal_zlib.crc32(data, before) if HAS_IGZIP else zlib.crc32(data, before)
