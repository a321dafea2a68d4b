"""NIH-CXR-LT's three label tables: ChestX-ray14's images under 20 labels.

Source: Holste et al., Long-Tailed Classification of Thorax Diseases on Chest X-Ray, DALI at MICCAI 2022;
its tables ``miccai2023_nih-cxr-lt_labels_{train,val,test}.csv``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.nih import (
    OfficialLists,
    SourceTable,
    find_entries,
    is_contradiction,
    patient_id,
    read_entries,
    usable_rows,
)
from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.splits import official_sides
from chestxpert.cohort.table import SPLITS, make_table
from chestxpert.cohort.textfiles import TextTable, find_file, read_table
from chestxpert.errors import DataError, LabelError
from chestxpert.labels import NIH15, LabelSpace

PATTERN = "*nih-cxr-lt_labels_{split}.csv"
ID_COLUMN = ("id",)
PATIENT_COLUMN = ("subj_id",)

_VALUES = {"0": False, "1": True, "0.0": False, "1.0": True}


def read_cxrlt(folder: Path, label_space: LabelSpace) -> SourceTable:
    """Read whichever of the three tables a folder has, plain or gzipped.

    View, sex and age come from ``Data_Entry_2017*.csv`` where that is there too; NIH-CXR-LT's tables have none.
    ``split`` of the result names the table that each row stands in.

    Raises
    ------
    DataError
        If none of the tables is there, or one cannot be read or lacks a label.
    """
    paths = {split: find_file(folder, PATTERN.format(split=split)) for split in SPLITS}
    tables = [_read_one(path, split, label_space) for split, path in paths.items() if path is not None]
    if not tables:
        raise DataError(
            f"{folder} holds none of NIH-CXR-LT's tables ({PATTERN.format(split='{train,val,test}')}, .csv or "
            ".csv.gz). Put them beside the images; for NIH's own table ask for the label space nih15."
        )
    frame = pd.concat([table.frame for table in tables], ignore_index=True)
    rejects = [reject for table in tables for reject in table.rejects]
    again = frame["image_id"].duplicated()
    rejects += [
        Reject(name, "duplicate-row", f"in the {split} table; an earlier table has it")
        for name, split in zip(frame["image_id"][again], frame["split"][again], strict=True)
    ]
    return SourceTable(_with_persons(frame[~again].reset_index(drop=True), folder), rejects)


def _read_one(path: Path, split: str, label_space: LabelSpace) -> SourceTable:
    table = read_table(path)
    columns = _label_columns(table, label_space)
    rows, rejects = usable_rows(table, ID_COLUMN, PATIENT_COLUMN, max(columns))
    image, patient = table.required(ID_COLUMN), table.required(PATIENT_COLUMN)
    kept, labels = [], []
    for line, cells in rows:
        row = _label_row(cells, columns)
        if row is None or is_contradiction(row, label_space):
            reason = "bad-row" if row is None else "contradiction"
            rejects.append(
                Reject(cells[image], reason, f"{path.name} line {line}: labels {[cells[c] for c in columns]}")
            )
        else:
            kept.append(cells)
            labels.append(row)
    encoded = np.array(labels, dtype=np.bool_).reshape(-1, len(label_space))
    patients = [patient_id(cells[patient]) for cells in kept]
    return SourceTable(
        make_table([cells[image] for cells in kept], patients, encoded, label_space, split=split), rejects
    )


def _label_columns(table: TextTable, label_space: LabelSpace) -> list[int]:
    """Column of every label, in LabelSpace order; DataError if one is missing or a column is unknown."""
    found: dict[str, int] = {}
    for position, name in enumerate(table.header):
        if name.casefold() in (*ID_COLUMN, *PATIENT_COLUMN) or not name:
            continue
        try:
            label = label_space.canonical(name)
        except LabelError as error:
            raise DataError(f"{table.path}: {error}") from error
        if label in found:
            raise DataError(f"{table.path} has two columns for '{label}'. Keep the right one.")
        found[label] = position
    missing = [label for label in label_space.labels if label not in found]
    if missing:
        raise DataError(f"{table.path} has no column for {', '.join(missing)}. Is it NIH-CXR-LT's table?")
    return [found[label] for label in label_space.labels]


def _label_row(cells: list[str], columns: list[int]) -> npt.NDArray[np.bool_] | None:
    """Labels of one row, None if a cell is neither 0 nor 1."""
    values = [_VALUES.get(cells[column]) for column in columns]
    return None if None in values else np.array(values, dtype=np.bool_)


def _with_persons(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Fill in view, sex and age from NIH's own table, if it is there."""
    if find_entries(folder)[0] is None:
        return frame
    known = read_entries(folder, NIH15).frame.set_index("image_id")
    for column in ("view", "sex", "age"):
        values = frame["image_id"].map(known[column])
        frame[column] = values if column == "age" else values.fillna("")
    return frame


def place_by_lists(frame: pd.DataFrame, lists: OfficialLists) -> npt.NDArray[np.object_]:
    """Side of every image by the official lists; one in neither goes where its patient is, else where its table says.

    Returns
    -------
    object array of shape (N,)
        "train_val" or "test".
    """
    sides = official_sides(frame["image_id"].to_numpy(dtype=object), lists)
    patients = frame["patient_id"].to_numpy(dtype=object)
    home = dict.fromkeys(patients[frame["split"] == "test"], "test")
    home |= dict(zip(patients[sides != ""], sides[sides != ""], strict=True))  # the lists outrank the tables
    placed = [side or home.get(patient, "train_val") for side, patient in zip(sides, patients, strict=True)]
    return np.array(placed, dtype=object)


def place_by_tables(frame: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Split of every image by the table it stands in, made disjoint: a patient goes to test before val before train.

    Returns
    -------
    object array of shape (N,)
        "train", "val" or "test".
    """
    rank = frame["split"].map({name: position for position, name in enumerate(SPLITS)})
    furthest = rank.groupby(frame["patient_id"]).transform("max")
    return np.array([SPLITS[position] for position in furthest], dtype=object)
