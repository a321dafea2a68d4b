"""Members of archives, one after the other; nothing is unpacked, and what is not safe is not read."""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from chestxpert.pixels.bodies import LARGEST, Body, TarSpan, ZipSpan
from chestxpert.pixels.inflate import INFLATE_ERRORS, open_gzip

ArchiveKind = Literal["tar", "tar.gz", "zip"]
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")

MOST_MEMBERS = 2_000_000
MOST_UNFOLDED = 100
"""A gzip file that unfolds to more than this many times its size, and `_GRACE`, is a bomb. Radiographs as PNG or JPEG
stay below 1.1, uncompressed ones below 10."""
_GRACE = 256 << 20

_STORED_OR_DEFLATED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE: tuple[type[Exception], ...] = (
    tarfile.TarError, zipfile.BadZipFile, NotImplementedError, ValueError, *INFLATE_ERRORS,
)  # fmt: skip
_BLOCK = 512


class DamagedArchiveError(Exception):
    """An archive that cannot be read any further; the message says why, for a person."""


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Parameters
    ----------
    path : str
        As the archive has it, with '/' between its parts.
    turn : int
        How many members came before it.
    refused : str
        Why it is not to be read; "" if it is safe.
    body : callable
        Gives its bytes, or where they are. To be called, if at all, before the next member is asked for.
    """

    path: str
    turn: int
    refused: str
    body: Callable[[], Body]


def kind_of(path: Path) -> ArchiveKind:
    """What an archive is by its first bytes: some browsers unzip a .tar.gz and leave its name."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"\x1f\x8b"):
        return "tar.gz"
    return "zip" if start in (b"PK\3\4", b"PK\5\6") else "tar"


def members(path: Path, kind: ArchiveKind, position: Callable[[int], None] = lambda place: None) -> Iterator[Member]:
    """Files in an archive, in its own order; folders are left out.

    Parameters
    ----------
    path : Path
        The archive.
    kind : {"tar", "tar.gz", "zip"}
        See `kind_of`.
    position : callable
        Told how many bytes of the archive have been read, now and then.

    Raises
    ------
    DamagedArchiveError
        When what was given before is all that can be read.
    OSError
        If the disk fails.
    """
    try:
        yield from _zip_members(path, position) if kind == "zip" else _tar_members(path, kind == "tar.gz", position)
    except _UNREADABLE as error:
        raise DamagedArchiveError(str(error) or type(error).__name__) from error


def refusal(name: str) -> str:
    """Why a member's name is not safe; "" if it is."""
    if "\0" in name:
        return "its name holds a zero byte"
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "its path is absolute"
    if ".." in re.split(r"[/\\]", name):
        return "its path leads out of the archive"
    return ""


def _zip_members(path: Path, position: Callable[[int], None]) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    if len(entries) > MOST_MEMBERS:
        raise DamagedArchiveError(f"it has {len(entries)} members, more than {MOST_MEMBERS}")
    for turn, entry in enumerate(entries):
        position(entry.header_offset)
        if not entry.is_dir():
            span = ZipSpan(
                str(path), entry.header_offset, entry.compress_size, entry.file_size, entry.CRC, entry.compress_type
            )
            yield Member(entry.filename.replace("\\", "/"), turn, _zip_refusal(entry), lambda span=span: span)  # type: ignore[misc]


def _zip_refusal(entry: zipfile.ZipInfo) -> str:
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is a link or a device"
    if entry.flag_bits & 1:
        return "it is encrypted"
    if entry.compress_type not in _STORED_OR_DEFLATED:
        return f"it is packed by method {entry.compress_type}, which is neither stored nor deflated"
    if max(entry.file_size, entry.compress_size) > LARGEST:
        return f"it has {entry.file_size} bytes, more than {LARGEST}"
    return refusal(entry.orig_filename)


def _tar_members(path: Path, zipped: bool, position: Callable[[int], None]) -> Iterator[Member]:
    with path.open("rb") as raw, open_gzip(raw) if zipped else raw as unfolded:
        file = _Forward(unfolded, raw if zipped else None)
        with tarfile.open(fileobj=file, mode="r:") as archive:  # type: ignore[call-overload]
            turn = 0
            while (entry := archive.next()) is not None:
                archive.members = []  # tarfile keeps all of them, for random access
                turn += 1
                if turn > MOST_MEMBERS:
                    raise DamagedArchiveError(f"it has more than {MOST_MEMBERS} members")
                if not entry.isdir():
                    yield Member(entry.name, turn, _tar_refusal(entry), _tar_body(path, file, entry, zipped))
                position(raw.tell())
        if file.last != bytes(_BLOCK):  # tarfile takes anything it does not understand for the end
            raise DamagedArchiveError("it ends, or becomes unreadable, before its end is marked")
        if zipped:
            file.drain()  # a gzip file's checksum comes last


def _tar_refusal(entry: tarfile.TarInfo) -> str:
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.issparse():
        return "it is a link, a device or a sparse file"
    if entry.size > LARGEST:
        return f"it has {entry.size} bytes, more than {LARGEST}"
    return refusal(entry.name)


def _tar_body(path: Path, file: _Forward, entry: tarfile.TarInfo, zipped: bool) -> Callable[[], Body]:
    def body() -> Body:
        if not zipped:
            return TarSpan(str(path), entry.offset_data, entry.size)
        file.seek(entry.offset_data)
        data = file.read(entry.size)
        if len(data) != entry.size:
            raise DamagedArchiveError(f"it ends within {entry.name}")
        return data

    return body


class _Forward:
    """A tar as a file that is only ever read forward, and never more of it at once than a member may have.

    Parameters
    ----------
    file : binary file
        What is read.
    packed : binary file, optional
        The gzip file below it, to tell a bomb by how much it unfolds.
    """

    def __init__(self, file: IO[bytes], packed: IO[bytes] | None) -> None:
        self._file, self._packed, self._place = file, packed, 0
        self.last = b""

    def tell(self) -> int:
        return self._place

    def read(self, size: int) -> bytes:
        if size > LARGEST:  # a header that claims to be larger than any image
            raise DamagedArchiveError(f"one of its headers has {size} bytes")
        try:
            data = self._file.read(size)
        except INFLATE_ERRORS as error:
            raise DamagedArchiveError(str(error) or type(error).__name__) from error
        self._place += len(data)
        if size == _BLOCK:
            self.last = data
        if self._packed is not None and self._place > _GRACE + MOST_UNFOLDED * self._packed.tell():
            raise DamagedArchiveError(f"it unfolds to more than {MOST_UNFOLDED} times its size")
        return data

    def seek(self, place: int) -> int:
        if self._packed is None:
            self._place = self._file.seek(place)
        while self._place < place and self.read(min(place - self._place, 1 << 20)):
            pass
        return self._place

    def drain(self) -> None:
        while self.read(1 << 20):
            pass
