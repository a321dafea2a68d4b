"""Rows from label tables: an NIH folder, or any CSV file with one row an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.source import read_source, split_source
from chestxpert.cohort.table import SPLITS, Cohort
from chestxpert.cohort.textfiles import TextTable, read_table
from chestxpert.errors import DataError, LabelError
from chestxpert.labels import LabelSpace
from chestxpert.pixels.build import find_images
from chestxpert.torch_data.rows import Rows, check_unique

ID_COLUMNS = ("image_id", "Image Index", "id")
PATIENT_COLUMNS = ("patient_id", "Patient ID", "subj_id")
FINDINGS_COLUMNS = ("Finding Labels", "findings")

_VALUES = {"1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "-1": np.nan, "-1.0": np.nan, "": np.nan, "nan": np.nan}


def read_nih_folder(
    folder: Path, space: LabelSpace, val_fraction: float, seed: int
) -> tuple[Rows, dict[str, Path], list[Reject]]:
    """Rows, image files by image id, and what is left out, as `prepare` would have them."""
    tables = read_source(folder, space)
    images, rejects = find_images(folder)
    there = tables.frame["image_id"].isin(images.keys())
    lost = [Reject(str(name), "missing-image", "no file of this name") for name in tables.frame["image_id"][~there]]
    if not there.any():
        example = f", for example {lost[0].image_id}" if lost else ""
        raise DataError(
            f"No row of the table in {folder} has an image file below it{example}. Does the folder hold both the label "
            "table and the PNG files it names?"
        )
    split = split_source(tables, tables.frame[there].reset_index(drop=True), "auto", val_fraction, seed)
    rows = Rows.from_cohort(Cohort(split.frame.reset_index(drop=True), space))
    return rows, images, [*tables.rejects, *rejects, *lost, *split.rejects]


def read_label_table(path: Path, space: LabelSpace) -> Rows:
    """Rows of a CSV file (plain or .gz) with one row an image; see `ChestXrayDataset.from_files` for its columns.

    Raises
    ------
    DataError
        If there is no such file, or a row cannot be read; the message names its line.
    LabelError
        If a finding is unknown.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}. Name a CSV file with a row for each image, or NIH's folder.")
    table = read_table(path)
    cells = [(line, [cell.strip() for cell in raw]) for line, raw in table.rows]
    short = next((line for line, row in cells if len(row) < len(table.header)), None)
    if short is not None:
        raise DataError(f"{path} line {short} has fewer cells than the header has columns ({len(table.header)}).")
    name = table.required(ID_COLUMNS)
    rows = Rows(
        label_space=space,
        image_ids=_column(cells, name),
        patient_ids=_column(cells, table.column(PATIENT_COLUMNS)),
        splits=_splits(table, cells),
        origins=_column(cells, None),
        targets=_targets(table, cells, space),
    )
    if (rows.image_ids == "").any():
        raise DataError(f"{path} has a row without an image id ('{table.header[name]}').")
    check_unique(rows.image_ids)
    return rows


Lines = Sequence[tuple[int, list[str]]]


def _column(cells: Lines, position: int | None) -> npt.NDArray[np.object_]:
    return np.array(["" if position is None else row[position] for _, row in cells], dtype=object)


def _splits(table: TextTable, cells: Lines) -> npt.NDArray[np.object_]:
    splits = _column(cells, table.column(("split",)))
    for (line, _), split in zip(cells, splits, strict=True):
        if split and split not in SPLITS:
            raise DataError(f"{table.path} line {line}: the split is one of {', '.join(SPLITS)}, but got '{split}'.")
    return splits


def _targets(table: TextTable, cells: Lines, space: LabelSpace) -> npt.NDArray[np.float32]:
    """Targets (N, K) from one column of findings, or from a column for each label."""
    findings = table.column(FINDINGS_COLUMNS)
    if findings is not None:
        rows = [_from_text(row[findings], space, f"{table.path} line {line}") for line, row in cells]
    else:
        columns = _label_columns(table, space)
        rows = [_from_numbers([row[c] for c in columns], f"{table.path} line {line}") for line, row in cells]
    targets = np.array(rows, dtype=np.float32).reshape(-1, len(space))
    _check_no_finding(targets, cells, space, table.path)
    return targets


def _from_text(text: str, space: LabelSpace, where: str) -> npt.NDArray[np.float32]:
    if not text:
        raise DataError(f"{where} names no finding. Write '{space.no_finding or 'one'}' if there is none.")
    try:
        return space.encode(space.parse(text)).astype(np.float32)
    except LabelError as error:
        raise LabelError(f"{where}: {error}") from None


def _from_numbers(texts: Sequence[str], where: str) -> npt.NDArray[np.float32]:
    try:
        return np.array([_VALUES[text.casefold()] for text in texts], dtype=np.float32)
    except KeyError as error:
        raise DataError(f"{where}: a label is 1, 0, or -1 or empty where unknown, but got {error}.") from None


def _label_columns(table: TextTable, space: LabelSpace) -> list[int]:
    found = {space.get(name): position for position, name in enumerate(table.header)}
    missing = [label for label in space.labels if label not in found]
    if missing:
        raise DataError(
            f"{table.path} has neither a column '{FINDINGS_COLUMNS[0]}' nor one for {', '.join(missing)}. A label that "
            "nobody looked for needs a column too: leave its cells empty, which means unknown."
        )
    return [found[label] for label in space.labels]


def _check_no_finding(targets: npt.NDArray[np.float32], cells: Lines, space: LabelSpace, path: Path) -> None:
    if space.no_finding is None:
        return
    finding = (targets[:, [space.index(name) for name in space.findings]] == 1).any(axis=1)
    both = np.flatnonzero(finding & (targets[:, space.index(space.no_finding)] == 1))
    if len(both):
        line = cells[int(both[0])][0]
        raise DataError(f"{path} line {line} says both a finding and '{space.no_finding}'. Correct the table.")
