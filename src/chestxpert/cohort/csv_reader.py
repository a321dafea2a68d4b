"""One table, columns named by a CsvColumns, to rows of a cohort: every row is used or stands among the rejects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.csv_cells import LATERAL, age_of, mark_table, names_in, sex_of, split_of, view_of
from chestxpert.cohort.csv_columns import CsvColumns, filled_in
from chestxpert.cohort.csv_rules import HOLDS, NOT, SILENT, UNCERTAIN, Labelled, LabelRules, Marks, apply_rules
from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.table import make_table
from chestxpert.cohort.textfiles import TextTable

_SHOWN = 120


@dataclass(frozen=True)
class CsvTable:
    """A table, read but not yet split.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of a Cohort's table; a label that is not known in every row is nullable boolean. ``split`` holds what
        the table says, "" where it says nothing.
    rejects : list of Reject
    undecided : int
        Rows that deny No Finding though the label space's findings are all absent: No Finding is unknown there.
    others : Counter
        Names in lists of findings that the rules do not have, and in how many rows.
    """

    frame: pd.DataFrame
    rejects: list[Reject]
    undecided: int
    others: Counter[str]


@dataclass(frozen=True)
class _Row:
    """What a usable line says, but for its findings."""

    line: int
    image: str
    patient: str
    view: str
    cells: list[str]


def read_csv_table(
    table: TextTable, columns: CsvColumns, rules: LabelRules, split: str = "", closed: bool = True
) -> CsvTable:
    """Read the rows of a table.

    Parameters
    ----------
    table : TextTable
    columns : CsvColumns
        Where image, patient, labels and the rest are.
    rules : LabelRules
        What label columns mean; a column of the rules that the table lacks says nothing.
    split : str
        Side of every row, where `columns` names no column for it.
    closed : bool
        Whether a name in a list of findings that the rules do not have makes its row unusable (it may be a finding
        misspelt); else such names are counted in `others`.

    Raises
    ------
    DataError
        If the table lacks a column that `columns` names, or every label column.
    """
    rows, rejects = _usable(table, columns)
    others: Counter[str] = Counter()
    if columns.label_list is not None:
        rows, names, marks = _list_marks(table, columns, rules, rows, closed, rejects, others)
    else:
        rows, names, marks = _column_marks(table, columns, rules, rows, rejects)
    rows, marks = _one_an_image(rows, marks, columns, rejects)
    labelled = apply_rules(rules, names, marks)
    keep = _labelled_rows(rows, labelled, rejects)
    frame = _frame(table, columns, rules, [rows[i] for i in np.flatnonzero(keep)], labelled, keep, split)
    return CsvTable(frame, rejects, int((labelled.undecided & keep).sum()), others)


def _usable(table: TextTable, columns: CsvColumns) -> tuple[list[_Row], list[Reject]]:
    """Rows with as many cells as the header, an image, a patient and a view that is asked for."""
    image, patient = filled_in(columns.image, table), filled_in(columns.patient, table)
    pattern = re.compile(columns.patient_pattern) if columns.patient_pattern else None
    view = None if columns.view is None else filled_in(columns.view, table)
    views = _lowered(columns.views)
    rows: list[_Row] = []
    rejects: list[Reject] = []
    for line, cells in table.rows:
        where = f"{table.path.name} line {line}"
        if len(cells) != len(table.header):
            rejects.append(
                Reject("", "bad-row", f"{where}: {len(cells)} cells under {len(table.header)} columns: {_shown(cells)}")
            )
            continue
        name, owner = image(cells), _found(pattern, patient(cells))
        if not name or not owner or "\n" in name + owner or "\r" in name + owner:
            what = "image" if not name else "patient" if not owner else "name in one line"
            rejects.append(Reject(name, "bad-row", f"{where}: no {what}: {_shown(cells)}"))
            continue
        seen = "" if view is None else view_of(view(cells), views)
        if seen == LATERAL and columns.lateral == "reject":
            rejects.append(Reject(name, "lateral-view", f"{where}: {'' if view is None else view(cells)}"))
            continue
        rows.append(_Row(line, name, owner, "" if seen == LATERAL else seen, cells))
    return rows, rejects


def _found(pattern: re.Pattern[str] | None, text: str) -> str:
    if pattern is None:
        return text
    match = pattern.search(text)
    return "" if match is None else (match[1] if pattern.groups else match[0]) or ""


def _shown(cells: Sequence[str]) -> str:
    return repr(",".join(cells)[:_SHOWN])


def _lowered(values: Mapping[str, str]) -> dict[str, str]:
    return {key.strip().casefold(): value for key, value in values.items()}


def _column_marks(
    table: TextTable, columns: CsvColumns, rules: LabelRules, rows: list[_Row], rejects: list[Reject]
) -> tuple[list[_Row], list[str], Marks]:
    """Marks of one column a finding; a cell that is no mark rejects its row."""
    places = {name: table.column((name,)) for name in rules.rules}
    if all(place is None for place in places.values()):
        table.required((next(iter(rules.rules)),))
    used = {name: place for name, place in places.items() if place is not None}
    readable = mark_table(columns.positive, columns.negative, columns.uncertain, columns.missing)
    marks = np.full((len(rows), len(used)), SILENT, dtype=np.int8)
    kept: list[int] = []
    for position, row in enumerate(rows):
        values = [readable.get(row.cells[place].strip().casefold()) for place in used.values()]
        wrong = [name for name, value in zip(used, values, strict=True) if value is None]
        if wrong:
            cell = row.cells[used[wrong[0]]][:_SHOWN]
            detail = f"{table.path.name} line {row.line}: {wrong[0]} is {cell!r}, which is no 1, 0, -1 or nothing"
            rejects.append(Reject(row.image, "bad-row", detail))
        else:
            marks[position] = [value for value in values if value is not None]
            kept.append(position)
    return [rows[i] for i in kept], list(used), marks[kept]


def _list_marks(
    table: TextTable,
    columns: CsvColumns,
    rules: LabelRules,
    rows: list[_Row],
    closed: bool,
    rejects: list[Reject],
    others: Counter[str],
) -> tuple[list[_Row], list[str], Marks]:
    """Marks of one column with a list: what it names holds, what it does not name does not.

    An empty list says nothing, and one without No Finding (or its like) does not deny it.
    """
    assert columns.label_list is not None
    place = table.required((columns.label_list,))
    names = list(rules.rules)
    at = {name.casefold(): column for column, name in enumerate(names)}
    unsaid = [NOT if rules.rules[name].holds != (rules.label_space.no_finding,) else SILENT for name in names]
    marks = np.tile(np.array(unsaid, dtype=np.int8), (len(rows), 1))
    kept: list[int] = []
    for position, row in enumerate(rows):
        cell = row.cells[place]
        found = names_in(cell, columns.label_separator)
        unknown = [] if found is None else [name for name in found if name.casefold() not in at]
        if found is None or (closed and unknown):
            reason = "bad-row" if found is None else "unknown-finding"
            what = f"{cell[:_SHOWN]!r} is no list" if found is None else f"{unknown[0]!r} is no name of a finding here"
            rejects.append(Reject(row.image, reason, f"{table.path.name} line {row.line}: {what}"))
            continue
        others.update(set(unknown))
        if found:
            marks[position, [at[name.casefold()] for name in found if name.casefold() in at]] = HOLDS
        else:
            marks[position] = SILENT
        kept.append(position)
    return [rows[i] for i in kept], names, marks[kept]


def _one_an_image(
    rows: list[_Row], marks: Marks, columns: CsvColumns, rejects: list[Reject]
) -> tuple[list[_Row], Marks]:
    """One row an image: the first, or with "vote" what most of its rows say."""
    groups: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        groups.setdefault(row.image, []).append(position)
    firsts = [positions[0] for positions in groups.values()]
    if columns.repeated == "vote":
        voted = [_majority(marks[positions]) for positions in groups.values()]
        return [rows[i] for i in firsts], np.array(voted, dtype=np.int8).reshape(-1, marks.shape[1])
    for positions in groups.values():
        rejects += [
            Reject(rows[i].image, "duplicate-row", f"line {rows[i].line}; line {rows[positions[0]].line} is used")
            for i in positions[1:]
        ]
    return [rows[i] for i in firsts], marks[firsts]


def _majority(votes: Marks) -> Marks:
    """(C,) marks from (R, C) votes: what more than half say; uncertain without a majority."""
    half = len(votes) / 2
    result = np.full(votes.shape[1], UNCERTAIN, dtype=np.int8)
    for mark in (HOLDS, NOT, SILENT):
        result[(votes == mark).sum(axis=0) > half] = mark
    return result


def _labelled_rows(rows: list[_Row], labelled: Labelled, rejects: list[Reject]) -> npt.NDArray[np.bool_]:
    """Rows that settle some label and do not contradict themselves; the others go to the rejects."""
    silent = ~labelled.known.any(axis=1)
    for position in np.flatnonzero(labelled.contradiction | silent):
        row = rows[position]
        if labelled.contradiction[position]:
            rejects.append(Reject(row.image, "contradiction", f"line {row.line} says a finding and No Finding"))
        else:
            rejects.append(Reject(row.image, "unlabelled", f"line {row.line} settles no label"))
    return np.asarray(~labelled.contradiction & ~silent)


def _frame(
    table: TextTable,
    columns: CsvColumns,
    rules: LabelRules,
    rows: list[_Row],
    labelled: Labelled,
    keep: npt.NDArray[np.bool_],
    split: str,
) -> pd.DataFrame:
    def texts(column: str | None) -> list[str]:
        if column is None:
            return [""] * len(rows)
        fill = filled_in(column, table)
        return [fill(row.cells) for row in rows]

    sexes, splits = _lowered(columns.sexes), _lowered(columns.splits)
    return make_table(
        [row.image for row in rows],
        [row.patient for row in rows],
        labelled.labels[keep],
        rules.label_space,
        known=labelled.known[keep],
        view=[row.view for row in rows],
        sex=[sex_of(text, sexes) for text in texts(columns.sex)],
        age=[age_of(text) for text in texts(columns.age)],
        split=[split_of(text, splits) for text in texts(columns.split)] if columns.split is not None else split,
    )
