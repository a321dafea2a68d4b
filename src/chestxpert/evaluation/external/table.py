"""A stranger's table of predictions as it is: columns of cells, from CSV, parquet or memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chestxpert.cohort.textfiles import read_table
from chestxpert.errors import PredictionsError

PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, eq=False)
class StrangersTable:
    """Columns of cells.

    Parameters
    ----------
    name : str
        Of the file, for messages and for the record.
    header : tuple of str
    columns : sequence of (R,) arrays
        Text from CSV; whatever type it has from parquet or memory.
    lines : (R,) int64 array
        Where each row stands: line of a CSV file, else the row counted from 1.
    sha256 : str
        Of the file's bytes; "" for a table in memory.
    """

    name: str
    header: tuple[str, ...]
    columns: Sequence[npt.NDArray[Any]]
    lines: npt.NDArray[np.int64]
    sha256: str = ""

    @property
    def in_text(self) -> bool:
        """Whether `lines` are lines of a text file."""
        return bool(self.sha256) and Path(self.name).suffix not in PARQUET

    def place(self, row: int) -> str:
        """Where a row stands, in words."""
        return f"{'line' if self.in_text else 'row'} {self.lines[row]} of {self.name}"

    @classmethod
    def of(cls, source: str | Path | pd.DataFrame) -> StrangersTable:
        """Read a file by its suffix (.parquet, .pq; all else is CSV, plain or .gz), or take a table in memory.

        Raises
        ------
        PredictionsError
            If there is no such file, a line of it has too many or too few cells, or it has no row.
        DataError
            If it is no CSV.
        """
        if isinstance(source, pd.DataFrame):
            return _from_frame(source, "the table", "")
        path = Path(source)
        if not path.is_file():
            raise PredictionsError(f"There is no file {path}. Name a CSV or parquet file with one row an image.")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix not in PARQUET:
            return _from_text(path, digest)
        try:
            return _from_frame(pq.read_table(path).to_pandas(), path.name, digest)
        except (OSError, pa.ArrowException) as error:
            raise PredictionsError(f"{path} is no readable parquet file ({error}).") from error


def _from_text(path: Path, digest: str) -> StrangersTable:
    table = read_table(path, None)
    wrong = [(line, len(cells)) for line, cells in table.rows if len(cells) != len(table.header)]
    if wrong:
        raise PredictionsError(
            f"{len(wrong)} lines of {path} do not have as many cells as its header, which has {len(table.header)}: "
            f"line {wrong[0][0]} has {wrong[0][1]}. Was it written to its end?"
        )
    cells = np.array([row for _, row in table.rows], dtype=object)
    lines = np.array([line for line, _ in table.rows], dtype=np.int64)
    return StrangersTable(path.name, table.header, list(cells.T), lines, digest)


def _from_frame(frame: pd.DataFrame, name: str, digest: str) -> StrangersTable:
    if not isinstance(frame.index, pd.RangeIndex):  # an index that says something is a column like others
        (level, *others) = frame.index.names
        twin = not others and int((frame.columns == level).sum()) == 1 and frame.index.equals(pd.Index(frame[level]))
        frame = frame.reset_index(drop=twin, allow_duplicates=True)
    if not len(frame):
        raise PredictionsError(f"{name} has no rows; expected one an image.")
    header = tuple(str(column).strip() for column in frame.columns)
    columns = [frame.iloc[:, place].to_numpy() for place in range(len(header))]
    return StrangersTable(name, header, columns, np.arange(1, len(frame) + 1, dtype=np.int64), digest)
