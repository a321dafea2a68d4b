"""NIH ChestX-ray14's files as NIH ships them: label table, official lists, boxes.

Source: Wang et al., ChestX-ray8, CVPR 2017, pp. 3462-3471; https://nihcc.app.box.com/v/ChestXray-NIHCC.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.table import make_table
from chestxpert.cohort.textfiles import TextTable, find_file, read_list, read_table
from chestxpert.errors import DataError, LabelError
from chestxpert.labels import LabelSpace

ENTRY_PATTERN = "Data_Entry_2017*.csv"
FIRST_ENTRIES, SECOND_ENTRIES = "Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv"
TRAIN_VAL_LIST = "train_val_list.txt"
TEST_LIST = "test_list.txt"
BOX_PATTERN = "BBox_List_2017.csv"
IMAGE_COLUMN = ("Image Index",)
PATIENT_COLUMN = ("Patient ID",)
BOX_COLUMNS = ("image_id", "finding", "x", "y", "w", "h")

_AGE = re.compile(r"(\d{1,3})\s*([YMWD]?)", re.IGNORECASE)


@dataclass(frozen=True)
class SourceTable:
    """A label table, read but not yet split.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of a Cohort's table. ``split`` holds what the table itself says, "" where it says nothing.
    rejects : list of Reject
        Rows that could not be used.
    """

    frame: pd.DataFrame
    rejects: list[Reject]


@dataclass(frozen=True)
class OfficialLists:
    """Image names of the two official lists; they share none."""

    train_val: frozenset[str]
    test: frozenset[str]


def read_entries(folder: Path, label_space: LabelSpace) -> SourceTable:
    """Read ``Data_Entry_2017*.csv`` of a folder, with the header of 2017 or of v2020, plain or gzipped.

    Of ``Data_Entry_2017.csv`` and ``Data_Entry_2017_v2020.csv`` in one folder, the second is read: it is NIH's own
    correction of the first.

    Raises
    ------
    DataError
        If there is no such table, if there are several others, or if it cannot be read.
    """
    path, _ = find_entries(folder)
    if path is None:
        raise DataError(
            f"{folder} holds no {ENTRY_PATTERN} (.csv or .csv.gz). Put NIH's label table beside the images; "
            "for NIH-CXR-LT's tables ask for the label space cxrlt20."
        )
    return read_entry_table(path, label_space)


def find_entries(folder: Path) -> tuple[Path | None, Path | None]:
    """NIH's label table in a folder, and the first version of it that lies beside it; None where there is none.

    Raises
    ------
    DataError
        If there are several tables, and not exactly the version of 2017 and that of 2020.
    """
    names = {name: [folder / (name + end) for end in ("", ".gz")] for name in (FIRST_ENTRIES, SECOND_ENTRIES)}
    first, second = ([path for path in paths if path.is_file()] for paths in names.values())
    found = {path for end in ("", ".gz") for path in folder.glob(ENTRY_PATTERN + end)}
    if len(first) == len(second) == 1 and found == {*first, *second}:
        return second[0], first[0]
    return find_file(folder, ENTRY_PATTERN), None


def read_entry_table(path: Path, label_space: LabelSpace) -> SourceTable:
    """Read one of NIH's label tables; DataError if it cannot be read."""
    table = read_table(path)
    finding = table.required(("Finding Labels",))
    rows, rejects = usable_rows(table, IMAGE_COLUMN, PATIENT_COLUMN, finding)
    encoded, refused = _encode({cells[finding] for _, cells in rows}, label_space)
    kept = [cells for _, cells in rows if cells[finding] in encoded]
    for line, cells in rows:
        if cells[finding] in refused:
            reason, detail = refused[cells[finding]]
            rejects.append(Reject(cells[table.required(IMAGE_COLUMN)], reason, f"line {line}: {detail}"))
    labels = np.array([encoded[cells[finding]] for cells in kept], dtype=np.bool_).reshape(-1, len(label_space))
    return SourceTable(_entry_frame(table, kept, labels, label_space), rejects)


def usable_rows(
    table: TextTable, image_names: tuple[str, ...], patient_names: tuple[str, ...], last: int
) -> tuple[list[tuple[int, list[str]]], list[Reject]]:
    """Rows with an image id not seen before, a patient, and a column `last`, cells stripped; the others as rejects."""
    image, patient = table.required(image_names), table.required(patient_names)
    rows: list[tuple[int, list[str]]] = []
    rejects: list[Reject] = []
    first_line: dict[str, int] = {}
    for line, raw in table.rows:
        cells = [cell.strip() for cell in raw]
        name = cells[image] if len(cells) > image else ""
        if len(cells) <= max(patient, last) or not name or not cells[patient]:
            rejects.append(Reject(name, "bad-row", f"{table.path.name} line {line}: {','.join(raw)[:120]!r}"))
        elif name in first_line:
            rejects.append(Reject(name, "duplicate-row", f"line {line}; line {first_line[name]} is used"))
        else:
            first_line[name] = line
            rows.append((line, cells))
    return rows, rejects


def _encode(
    texts: Iterable[str], label_space: LabelSpace
) -> tuple[dict[str, npt.NDArray[np.bool_]], dict[str, tuple[str, str]]]:
    """Label row of every text of findings that can be read, and (reason, detail) of every one that cannot."""
    encoded: dict[str, npt.NDArray[np.bool_]] = {}
    refused: dict[str, tuple[str, str]] = {}
    for text in texts:
        try:
            row = label_space.encode(label_space.parse(text))
        except LabelError as error:
            refused[text] = ("unknown-finding", str(error))
            continue
        if is_contradiction(row, label_space):
            refused[text] = ("contradiction", f"the findings are {text!r}")
        else:
            encoded[text] = row
    return encoded, refused


def is_contradiction(row: npt.NDArray[np.bool_], label_space: LabelSpace) -> bool:
    """Whether a label row says both a finding and No Finding, or neither."""
    if label_space.no_finding is None:
        return False
    says_none = bool(row[label_space.index(label_space.no_finding)])
    return says_none == (int(row.sum()) > says_none)


def _entry_frame(
    table: TextTable, rows: list[list[str]], labels: npt.NDArray[np.bool_], label_space: LabelSpace
) -> pd.DataFrame:
    """Cohort table of the rows that could be read; age, sex and view are empty where the file has none."""

    def cells(*names: str) -> list[str]:
        position = table.column(names)
        return [row[position] if position is not None and position < len(row) else "" for row in rows]

    return make_table(
        cells(*IMAGE_COLUMN),
        [patient_id(text) for text in cells(*PATIENT_COLUMN)],
        labels,
        label_space,
        age=[_years(text) for text in cells("Patient Age")],
        sex=[_one_of(text, ("M", "F")) for text in cells("Patient Gender", "Patient Sex")],
        view=[_one_of(text, ("PA", "AP")) for text in cells("View Position")],
    )


def patient_id(text: str) -> str:
    """Patient id as NIH's own table writes it: ``00000013`` of NIH-CXR-LT is ``13``."""
    return (text.lstrip("0") or "0") if text.isdecimal() else text


def _years(text: str) -> float:
    """Age in years from ``58``, ``058Y`` (the header of 2017), ``010M``, ``003W`` or ``001D``; NaN for all else."""
    match = _AGE.fullmatch(text)
    if match is None:
        return math.nan
    count, unit = int(match[1]), match[2].upper() or "Y"
    return float(count // {"Y": 1, "M": 12, "W": 52, "D": 365}[unit])


def _one_of(text: str, known: tuple[str, ...]) -> str:
    return text.upper() if text.upper() in known else ""


def read_lists(folder: Path) -> OfficialLists | None:
    """Read ``train_val_list.txt`` and ``test_list.txt``, plain or gzipped; None if neither is there.

    Raises
    ------
    DataError
        If only one is there, or if an image stands in both.
    """
    paths = {name: find_file(folder, name) for name in (TRAIN_VAL_LIST, TEST_LIST)}
    missing = [name for name, path in paths.items() if path is None]
    if len(missing) == 2:
        return None
    if missing:
        raise DataError(
            f"{folder} holds one official list, but not {missing[0]}. Put it there, or split at random "
            "('--split random')."
        )
    train_val, test = (frozenset(read_list(path)) for path in paths.values() if path is not None)
    if both := sorted(train_val & test):
        raise DataError(
            f"{len(both)} images stand in both {TRAIN_VAL_LIST} and {TEST_LIST}, for example {both[0]}. "
            "An image is for training or for testing: correct the lists."
        )
    return OfficialLists(train_val, test)


def read_boxes(folder: Path, label_space: LabelSpace) -> tuple[pd.DataFrame, list[Reject]]:
    """Read ``BBox_List_2017.csv``, whose own header is malformed (``Bbox [x,y,w,h],,,``).

    Parameters
    ----------
    folder : Path
        Where the file may be.
    label_space : LabelSpace
        Gives the findings their names; NIH writes 'Infiltrate' here for 'Infiltration'.

    Returns
    -------
    boxes : pandas.DataFrame
        Columns ``image_id``, ``finding``, ``x``, ``y``, ``w``, ``h``: left, top, width, height in pixels of a
        1024 x 1024 image. No rows if there is no file.
    rejects : list of Reject
        Rows that could not be read.
    """
    path = find_file(folder, BOX_PATTERN)
    rows = read_table(path).rows if path is not None else []
    boxes: list[tuple[str, str, float, float, float, float]] = []
    rejects: list[Reject] = []
    for line, cells in rows:
        try:
            boxes.append(_box(cells, label_space))
        except (ValueError, LabelError) as error:
            rejects.append(Reject(cells[0].strip(), "bad-box", f"{BOX_PATTERN} line {line}: {error}"))
    frame = pd.DataFrame(boxes, columns=list(BOX_COLUMNS))
    return frame.astype({"image_id": "str", "finding": "str"} | dict.fromkeys("xywh", np.float64)), rejects


def _box(cells: list[str], label_space: LabelSpace) -> tuple[str, str, float, float, float, float]:
    if len(cells) < 6:
        raise ValueError(f"it has {len(cells)} cells, expected image, finding, x, y, w, h")
    x, y, w, h = (float(cell) for cell in cells[2:6])
    if not (all(math.isfinite(value) for value in (x, y, w, h)) and x >= 0 and y >= 0 and w > 0 and h > 0):
        raise ValueError(f"x, y, w, h are {cells[2:6]}, expected a place and a positive size")
    return cells[0].strip(), label_space.canonical(cells[1]), x, y, w, h
