"""Layout: how a data set's publisher ships its tables, and what they say of NIH's findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.csv_rules import LabelRules
from chestxpert.cohort.textfiles import TextTable, find_file, read_table
from chestxpert.errors import DataError

Tables = list[tuple[str, TextTable]]


@dataclass(frozen=True)
class Layout:
    """One data set.

    Parameters
    ----------
    name : str
        Of the data set, its map and its format; the cohort's ``source``.
    title, citation : str
        For a person: what it is, and whom to cite.
    rules : LabelRules
        The map.
    columns : CsvColumns
        Where its tables hold what, columns that `tables` adds included.
    tables : callable
        From the folder, and the name of the label table to read ("" for all of them), to its tables, each with the side
        of the split that it stands for ("" if it says nothing).
    closed : bool
        Whether a name in a list of findings that the map does not have is an error.
    without_patients : bool
        Whether the publisher gives no patient ids: images then count as one patient each, and may be tested on only.
    """

    name: str
    title: str
    citation: str
    rules: LabelRules
    columns: CsvColumns
    tables: Callable[[Path, str], Tables]
    closed: bool = True
    without_patients: bool = False


def tables_by_split(folder: Path, names: Mapping[str, str], title: str, only: str = "") -> Tables:
    """Whichever of the tables ``{file name: split}`` a folder has, plain or gzipped; DataError if it has none.

    With `only`, that one alone; it may have another name than the publisher's.
    """
    names = {only: names.get(only.removesuffix(".gz"), "")} if only else names
    paths = {name: find_file(folder, name) for name in names}
    tables = [(names[name], read_table(path)) for name, path in paths.items() if path is not None]
    if not tables:
        raise DataError(f"{folder} holds none of {title}'s tables: {', '.join(names)} (plain or .gz).")
    return tables


def one_table(folder: Path, pattern: str, title: str) -> TextTable:
    """The only table of a folder that matches; DataError if there is none."""
    path = find_file(folder, pattern)
    if path is None:
        raise DataError(f"{folder} holds no {pattern} (plain or .gz), which {title} comes with.")
    return read_table(path)


def with_column(table: TextTable, name: str, cell: Callable[[Sequence[str]], str]) -> TextTable:
    """`table` with one more column; rows shorter or longer than the header stay so, and are refused later."""
    width = len(table.header)
    rows = [(line, [*cells, cell(cells)] if len(cells) == width else cells) for line, cells in table.rows]
    # A row that is one cell too long would now be taken for a whole one.
    rows = [(line, cells if len(cells) == width + 1 or len(cells) < width else [*cells, ""]) for line, cells in rows]
    return TextTable(table.path, (*table.header, name), rows)
