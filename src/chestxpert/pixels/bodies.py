"""Where the bytes of one image are, so that whoever decodes it fetches them: a process of its own as a rule."""

from __future__ import annotations

import os
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from chestxpert.errors import DataError
from chestxpert.pixels.inflate import INFLATE_ERRORS, crc32, inflate_raw

LARGEST = 200_000_000
"""Bytes of the largest image that is read. A radiograph has at most some 40 MB."""


@dataclass(frozen=True)
class TarSpan:
    """An image that lies in an archive as it is: a member of an uncompressed tar."""

    archive: str
    offset: int
    size: int


@dataclass(frozen=True)
class ZipSpan:
    """A member of a zip archive, as the archive's directory describes it."""

    archive: str
    header: int
    packed: int
    size: int
    crc: int
    method: int


Body = bytes | Path | TarSpan | ZipSpan
"""An image's bytes, its file, or its place in an archive."""


def fetch(body: Body) -> bytes:
    """Bytes of an image; DataError if its file or archive does not hold it."""
    if isinstance(body, Path):
        return _read_file(body)
    if isinstance(body, TarSpan):
        return _read(body.archive, body.offset, body.size)
    return _unzip(body) if isinstance(body, ZipSpan) else body


def _read_file(path: Path) -> bytes:
    if not path.is_file():  # a pipe or a device under an image's name would block for ever
        raise DataError("it is not a file that can be read")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise DataError(f"it has more than {LARGEST} bytes")
    return data


def _read(archive: str, offset: int, size: int) -> bytes:
    with open(archive, "rb") as file:  # noqa: PTH123
        file.seek(offset)
        data = file.read(size)
    if len(data) != size:
        raise DataError(f"the archive ends after {len(data)} of its {size} bytes")
    return data


def _unzip(span: ZipSpan) -> bytes:
    """Bytes of a member, checked against what the directory says of it (APPNOTE.TXT 6.3.10, section 4.3.7)."""
    header = _read(span.archive, span.header, 30)
    name, extra = struct.unpack_from("<HH", header, 26)
    if not header.startswith(b"PK\3\4"):
        raise DataError("the archive has something else where its directory says that it is")
    packed = _read(span.archive, span.header + 30 + name + extra, span.packed)
    try:
        data = packed if span.method == zipfile.ZIP_STORED else inflate_raw(packed, span.size)
    except INFLATE_ERRORS as error:
        raise DataError(f"it cannot be inflated: {error}") from error
    if len(data) != span.size or crc32(data) != span.crc:
        raise DataError("its size or checksum is not what the archive's directory says")
    return data


def head(body: Body, count: int) -> bytes:
    """First `count` bytes of a file or of a tar's member; fewer if it has no more."""
    if isinstance(body, Path):
        if not body.is_file():  # a pipe or a device would block for ever
            return b""
        with body.open("rb") as file:
            return file.read(count)
    if isinstance(body, TarSpan):
        return _read(body.archive, body.offset, min(count, body.size))
    return body[:count] if isinstance(body, bytes) else _unzip(body)[:count]


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change (ns): a file with both unchanged is taken to be the same."""
    found = os.stat(path)  # noqa: PTH116
    return found.st_size, found.st_mtime_ns
