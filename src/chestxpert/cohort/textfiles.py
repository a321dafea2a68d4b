"""Reading of text files that others made: lists and CSV tables, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chestxpert.errors import DataError

_LARGEST = 256 << 20  # NIH's own largest table is 9 MB; a damaged or hostile .gz can unfold without end


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
        """Position of the first of `names` that is a column, whatever its case; None if none is."""
        lowered = [name.casefold() for name in self.header]
        return next((lowered.index(name.casefold()) for name in names if name.casefold() in lowered), None)

    def required(self, names: Sequence[str]) -> int:
        """Like `column`, but DataError if none of `names` is a column."""
        position = self.column(names)
        if position is None:
            raise DataError(
                f"{self.path} has no column '{names[0]}'. Its header is {', '.join(self.header)[:300]!r}. "
                "Is it the label table as its publisher ships it?"
            )
        return position


def read_text(path: Path) -> str:
    """Whole text of a file, unzipped if its name ends in .gz; DataError if it is no UTF-8 text."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        text = data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}). Is the download complete?") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not a UTF-8 text file ({error.reason}). Was it saved by another program?"
        ) from error
    if len(data) > _LARGEST:
        raise DataError(f"{path} holds more than {_LARGEST >> 20} MiB of text. Is it the right file?")
    if "\0" in text:
        raise DataError(f"{path} holds zero bytes, so it is not a text file. Is the download complete?")
    return text


def read_table(path: Path) -> TextTable:
    """Read a CSV file as text.

    Raises
    ------
    DataError
        If the file cannot be read, is no CSV, or has no row below its header.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    try:
        rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: line {reader.line_num}: {error}.") from error
    if len(rows) < 2:
        raise DataError(f"{path} has {len(rows)} lines with text; expected a header and at least one row.")
    return TextTable(path, tuple(cell.strip() for cell in rows[0][1]), rows[1:])


def read_list(path: Path) -> list[str]:
    """Names in a text file with one name a line, in order; DataError if there are none."""
    names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
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
