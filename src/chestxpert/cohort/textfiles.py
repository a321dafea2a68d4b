"""Reading of text files that others made: lists and CSV tables, plain or gzipped.

Files may be damaged or hostile. They are read line by line within limits on bytes, on the length of a record and on
the number of cells, so that neither a .gz that unfolds without end nor a quote that never closes costs more than a
second and some memory; whatever does not fit is a DataError that says so.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from chestxpert.errors import DataError

LARGEST = 256 << 20
"""Bytes of text in one file; the largest public table (PadChest's, with its reports) has about a hundred MB."""

LONGEST = 1 << 20
"""Characters in one record of a table or one line of a list."""

MOST_CELLS = 16_000_000
"""Cells of one table: PadChest's has 5.8 million."""

MOST_LINES = 4_000_000
"""Lines of one file, empty ones too; the longest public table, MIMIC-CXR-JPG's, has 377,111."""

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_COMPLETE = "Is the download complete?"
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # BOM_UTF32_LE begins like the first


@dataclass(frozen=True)
class TextTable:
    """A CSV file as text.

    Parameters
    ----------
    path : Path
        Where it was read from.
    header : tuple of str
        Column names, outer spaces removed.
    rows : list of (int, list of str)
        Line number in the file, counted from 1, and cells; empty lines are left out.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[tuple[int, list[str]]]

    def column(self, names: Sequence[str]) -> int | None:
        """Position of the first of `names` that is a column, whatever its case; None if none is.

        Raises
        ------
        DataError
            If it stands in the header twice: which of the two is meant is not ours to guess.
        """
        for name in names:
            found = self._positions.get(name.casefold(), [])
            if len(found) > 1:
                raise DataError(f"{self.path} has {len(found)} columns called '{name}'. Keep the right one.")
            if found:
                return found[0]
        return None

    @cached_property
    def _positions(self) -> dict[str, list[int]]:
        """Positions of every column, by its name in lower case."""
        positions: dict[str, list[int]] = {}
        for position, name in enumerate(self.header):
            positions.setdefault(name.casefold(), []).append(position)
        return positions

    def required(self, names: Sequence[str]) -> int:
        """Like `column`, but DataError if none of `names` is a column."""
        position = self.column(names)
        if position is None:
            raise DataError(
                f"{self.path} has no column '{names[0]}'. Its header is {', '.join(self.header)[:300]!r}. "
                "Is it the label table as its publisher ships it?"
            )
        return position


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """Text of a file, unzipped if its name ends in .gz; whatever goes wrong while it is read becomes a DataError."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            start = file.read(4)
            if start.startswith(_WIDE):
                raise DataError(f"{path} is UTF-16 text. Save it as UTF-8 ('CSV UTF-8' in a spreadsheet program).")
            file.seek(0)
            yield io.TextIOWrapper(io.BufferedReader(_Limited(file, path)), encoding="utf-8-sig", newline="")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}). {_COMPLETE}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not a UTF-8 text file ({error.reason}). Was it saved by another program?"
        ) from error


class _Limited(io.RawIOBase):
    """Passes the bytes of a file on until there are more than `LARGEST`."""

    def __init__(self, file: gzip.GzipFile | io.BufferedReader, path: Path) -> None:
        self._file, self._path, self._left = file, path, LARGEST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        count = self._file.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise DataError(f"{self._path} holds more than {LARGEST >> 20} MiB of text. Is it the right file?")
        return count


class _Lines:
    """Lines of a file, none of which may hold a zero byte, nor a record of several lines more than `LONGEST`."""

    def __init__(self, file: IO[str], path: Path) -> None:
        self._file, self._path = file, path
        self.record = 0  # characters since the last whole record
        self._count = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(LONGEST + 1):
            self.record += len(line)
            self._count += 1
            if self._count > MOST_LINES:
                raise DataError(f"{self._path} has more than {MOST_LINES:,} lines. Is it the right file?")
            if self.record > LONGEST:
                raise DataError(
                    f"{self._path} has a record of more than {LONGEST:,} characters. Is a quotation mark missing?"
                )
            if "\0" in line:
                raise DataError(f"{self._path} holds zero bytes, so it is not a text file. {_COMPLETE}")
            yield line


def read_table(path: Path, separator: str | None = ",") -> TextTable:
    """Read a CSV file as text.

    Parameters
    ----------
    path : Path
    separator : str or None
        What stands between two cells; None takes whichever of comma, semicolon and tab cuts the header into most.

    Raises
    ------
    DataError
        If the file cannot be read, is no CSV (a quotation mark that opens and never closes, for one), has no row
        below its header, or is larger than any label table.
    """
    with _opened(path) as file:
        header, rows = _records(path, file, separator)
    if header is None or not rows:
        lines = len(rows) + (header is not None)
        raise DataError(f"{path} has {lines} lines with text; expected a header and at least one row.")
    return TextTable(path, tuple(cell.strip() for cell in header), rows)


def _records(path: Path, file: IO[str], separator: str | None) -> tuple[list[str] | None, list[tuple[int, list[str]]]]:
    """Header (None if the file is empty) and the rows below it, without empty ones."""
    lines = _Lines(file, path)
    source = iter(lines)
    first = next(source, "")
    reader = csv.reader(_again(first, source), delimiter=separator or guessed_separator(first), strict=True)
    rows: list[tuple[int, list[str]]] = []
    cells = 0
    try:
        for row in reader:
            lines.record = 0
            cells += len(row)
            if cells > MOST_CELLS:
                raise DataError(f"{path} has more than {MOST_CELLS:,} cells. Is it the right file?")
            if "".join(row).strip():
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: line {reader.line_num}: {error}.") from error
    return (rows[0][1], rows[1:]) if rows else (None, [])


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def guessed_separator(header: str) -> str:
    """Whichever of comma, semicolon and tab stands most often in a header line; a comma if none does."""
    return max((",", ";", "\t"), key=header.count)


def read_list(path: Path) -> list[str]:
    """Names in a text file with one name a line, in order; DataError if there are none."""
    names: list[str] = []
    with _opened(path) as file:
        lines = _Lines(file, path)
        for line in lines:
            lines.record = 0
            if name := line.strip():
                names.append(name)
    if not names:
        raise DataError(f"{path} is empty; expected one image name a line.")
    return names


def find_file(folder: Path, *patterns: str) -> Path | None:
    """Return the only file of `folder` itself that matches a pattern, plain or with .gz; None if there is none.

    Raises
    ------
    DataError
        If several match: which of them to read is not ours to guess.
    """
    found = sorted({path for pattern in patterns for end in ("", ".gz") for path in folder.glob(pattern + end)})
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(f"{folder} has several files where one is expected: {names}. Move all but one elsewhere.")
    return found[0] if found else None
