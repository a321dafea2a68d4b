"""A source folder with tables of another layout than NIH's: which label space, which rows, which side of the split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort import splits
from chestxpert.cohort.csv_columns import CsvColumns, Lateral
from chestxpert.cohort.csv_reader import CsvTable, read_csv_table
from chestxpert.cohort.csv_rules import LabelRules, Rule
from chestxpert.cohort.cxrlt import place_by_tables
from chestxpert.cohort.image_names import ImageNames
from chestxpert.cohort.maps import layout
from chestxpert.cohort.maps.layout import Layout, Tables
from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.source import SIMULATION_FILE, Source, Split
from chestxpert.cohort.table import label_array
from chestxpert.cohort.textfiles import find_file, read_table
from chestxpert.errors import CohortError, DataError
from chestxpert.labels import CXRLT20, NIH15, NO_FINDING, LabelSpace

CSV_SPLIT_WAYS = ("auto", "official", "random", "test")
"""As for NIH's layout, and "test": every image is for testing, to evaluate a run that learnt elsewhere."""


@dataclass(frozen=True)
class CsvSource(Source):
    """What the tables of a folder say, and how its images are found.

    Parameters
    ----------
    names : ImageNames
        Which image a file belongs to.
    notes : tuple of str
        What a user should know.
    without_patients : bool
        Whether each image counts as a patient because nobody says who is on it.
    """

    names: ImageNames
    notes: tuple[str, ...]
    without_patients: bool


def read_csv_source(folder: Path, columns: CsvColumns | str) -> CsvSource:
    """Read the label tables of a folder.

    Parameters
    ----------
    folder : Path
    columns : CsvColumns or str
        Where everything stands; or the name of a data set whose layout is known (`chestxpert.cohort.maps.LAYOUTS`).

    Raises
    ------
    DataError
        If a table is missing, cannot be read, or lacks a column.
    UsageError
        If there is no such layout.
    """
    if isinstance(columns, str):
        return read_layout_table(folder, columns, "")
    _check_folder(folder)
    return _source(folder, _own_tables(folder, columns), columns, None)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Name the folder that holds the label table and the images.")
    if (folder / SIMULATION_FILE).exists():
        raise DataError(f"{folder} holds simulated images in NIH's layout. Read it as such ('--format nih').")


def read_layout_table(folder: Path, name: str, table: str, lateral: Lateral = "reject") -> CsvSource:
    """Read the tables of a data set whose layout is known.

    Parameters
    ----------
    folder : Path
    name : str
        Of the data set (`chestxpert.cohort.maps.LAYOUTS`).
    table : str
        Of its label tables the one to read; "" for all.
    lateral : {"reject", "keep"}
        What becomes of images that are not frontal.

    Raises
    ------
    DataError, UsageError
        As `read_csv_source`.
    """
    _check_folder(folder)
    known = layout(name)
    return _source(folder, known.tables(folder, table), replace(known.columns, lateral=lateral), known)


def _own_tables(folder: Path, columns: CsvColumns) -> Tables:
    path = find_file(folder, columns.table)
    if path is None:
        raise DataError(f"{folder} holds no table {columns.table} (plain or .gz). Name the file (--table).")
    return [("", read_table(path, columns.delimiter))]


def _source(folder: Path, tables: Tables, columns: CsvColumns, known: Layout | None) -> CsvSource:
    name = columns.name or tables[0][1].path.name.partition(".")[0]
    rules = rules_of(columns, name)
    closed = known.closed if known is not None else columns.map is None or layout(columns.map).closed
    read = [read_csv_table(table, columns, rules, split, closed) for split, table in tables]
    frame, rejects = _together(read)
    frame = frame.assign(source=name)
    without = known is not None and known.without_patients
    return CsvSource(
        kind=name,
        label_space=rules.label_space,
        frame=frame,
        lists=None,
        boxes=pd.DataFrame(
            {key: pd.Series(dtype="str" if key in ("image_id", "finding") else np.float64) for key in _BOXES}
        ),
        rejects=rejects,
        names=ImageNames([*frame["image_id"], *(reject.image_id for reject in rejects if reject.image_id)]),
        notes=tuple(_notes(read, rules, without)),
        without_patients=without,
    )


_BOXES = ("image_id", "finding", "x", "y", "w", "h")


def rules_of(columns: CsvColumns, name: str) -> LabelRules:
    """What the label columns mean: a ready-made map's rules, or one finding a column.

    The findings of a table of one's own are nih15's if all its names are NIH's, else cxrlt20's if all are NIH-CXR-LT's,
    else a label space of their own, called after the data set.
    """
    if columns.map is not None:
        return layout(columns.map).rules
    named = columns.named
    space = next((space for space in (NIH15, CXRLT20) if all(finding in space for finding in named.values())), None)
    if space is None:
        space = _own_space(list(named.values()), name)
    rules = {column: Rule((space.canonical(finding),)) for column, finding in named.items()}
    return LabelRules(space, rules, complete=True)


def _own_space(findings: list[str], name: str) -> LabelSpace:
    labels: dict[str, str] = {}
    for finding in findings:
        spelt = NO_FINDING if NIH15.get(finding) == NO_FINDING else finding
        labels.setdefault(" ".join(spelt.replace("_", " ").split()).casefold(), spelt)
    no_finding = NO_FINDING if NO_FINDING in labels.values() else None
    aliases = {alias: NO_FINDING for alias, label in NIH15.aliases.items() if label == no_finding}
    return LabelSpace(name, tuple(labels.values()), no_finding, aliases)


def _together(read: Sequence[CsvTable]) -> tuple[pd.DataFrame, list[Reject]]:
    """Rows of all tables, those of an image that an earlier table has among the rejects."""
    frame = pd.concat([table.frame for table in read], ignore_index=True) if len(read) > 1 else read[0].frame
    rejects = [reject for table in read for reject in table.rejects]
    again = frame["image_id"].duplicated()
    rejects += [Reject(name, "duplicate-row", "an earlier table has it") for name in frame["image_id"][again]]
    return frame[~again].reset_index(drop=True), rejects


def _notes(read: Sequence[CsvTable], rules: LabelRules, without_patients: bool) -> list[str]:
    notes = []
    space = rules.label_space
    unlabelled = [name for name in space.findings if name not in rules.labelled]
    if unlabelled:
        notes.append(f"{', '.join(unlabelled)}: not labelled here, so unknown in every row.")
    if undecided := sum(table.undecided for table in read):
        notes.append(
            f"{undecided:,} rows say that {space.no_finding} does not hold, but name none of the findings: it is "
            "unknown there."
        )
    others: Counter[str] = sum((table.others for table in read), Counter())
    if others:
        most = ", ".join(f"{name} ({count:,})" for name, count in others.most_common(5))
        notes.append(f"{len(others):,} names in the lists stand for no finding of {space.name}; most often: {most}.")
    if without_patients:
        notes.append(
            "The tables name no patients, so each image counts as a patient of its own. If patients repeat, intervals "
            "are too narrow."
        )
    return notes


def split_csv_source(source: CsvSource, frame: pd.DataFrame, way: str, val_fraction: float, seed: int) -> Split:
    """Split the rows of `frame`, which are the rows of `source` whose images are there.

    Parameters
    ----------
    source : CsvSource
    frame : pandas.DataFrame
        Rows to split.
    way : {"auto", "official", "random", "test"}
        "official" takes the tables' own sides, a patient of several going to test before val before train; "auto" is
        official where every row has a side, else random; "test" puts every image to the test side.
    val_fraction : float
        Share of the patients that are not for testing who become validation.
    seed : int

    Raises
    ------
    CohortError
        If an official split is asked for and cannot be had, a side would be empty, or the source names no patients and
        more than testing is asked for.
    """
    if source.without_patients and way not in ("auto", "test"):
        raise CohortError(
            f"{source.kind} names no patients, so it cannot be split by patient, and a split by image would put one "
            "patient's images on both sides. It can test a run that learnt elsewhere: '--split test'."
        )
    if way == "test" or source.without_patients:
        note = "Every image is for testing: evaluate a run that learnt elsewhere ('chestxpert evaluate')."
        return Split(frame.assign(split="test"), "test", [], (*source.notes, note))
    labels = label_array(frame, source.label_space)
    patients = frame["patient_id"].to_numpy(dtype=object)
    sided = bool((frame["split"] != "").all())
    if way == "official" and not sided:
        raise CohortError(
            "An official split was asked for, but not every row says on which side it is. Name the column (split: in "
            "the YAML file), or split at random ('--split random')."
        )
    if way == "random" or not sided:
        split = splits.random_split(patients, labels, val_fraction, seed)
        return Split(frame.assign(split=split), "random", [], source.notes)
    split, notes = _official(frame, patients, labels, val_fraction, seed)
    return Split(frame.assign(split=split), "tables", [], (*source.notes, *notes))


def _official(
    frame: pd.DataFrame,
    patients: npt.NDArray[np.object_],
    labels: npt.NDArray[np.bool_],
    val_fraction: float,
    seed: int,
) -> tuple[npt.NDArray[np.object_], list[str]]:
    """The tables' own sides. Val stands in for test if there is none; without val it is cut from train."""
    stated = frame["split"].to_numpy(dtype=object)
    notes = []
    if not (stated == "test").any() and (stated == "val").any():
        stated = np.where(stated == "val", "test", stated).astype(object)
        notes.append("There is no test side, so the validation rows are it.")
    split = place_by_tables(frame.assign(split=stated))
    if moved := int((split != stated).sum()):
        notes.append(f"{moved:,} images follow their patient to another side than their row says.")
    sides = np.where(split == "test", "test", "train_val").astype(object)
    splits.check_sides(sides, patients)
    if not (split == "val").any():
        split = splits.cut_validation(sides, patients, labels, val_fraction, seed)
        notes.append("Validation is cut from train by patient.")
    if not (split == "train").any():
        raise CohortError(
            "No row is on the train side. Split at random ('--split random'), or only test ('--split test')."
        )
    return split, notes


__all__ = ["CSV_SPLIT_WAYS", "CsvSource", "read_csv_source", "read_layout_table", "split_csv_source"]
