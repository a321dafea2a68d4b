"""Which image of a cohort each row of a stranger's table is of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.csv_cells import split_of
from chestxpert.cohort.image_names import ImageNames
from chestxpert.cohort.rejects import Reject
from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.external.columns import Columns
from chestxpert.evaluation.external.numbers import real_numbers
from chestxpert.evaluation.external.table import StrangersTable

MEASURED = ("val", "test")
FLOATS = (float, np.floating)
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Placed:
    """Rows of a table that are measured, and their images.

    Parameters
    ----------
    rows : (r,) array
        Places in the table.
    images : (r,) array
        The same rows' places in the cohort; validation and test images alone.
    seeds : (r,) int64 array or None
        What the column says, if there is one.
    training : int
        Rows of training images, of which nothing is measured.
    rejects : list of Reject
        Rows of no image, or of several that the name cannot tell apart.
    """

    rows: Rows
    images: Rows
    seeds: npt.NDArray[np.int64] | None
    training: int
    rejects: list[Reject]


def place_rows(table: StrangersTable, columns: Columns, cohort: Cohort) -> Placed:
    """Find each row's image by its name, with or without folder and suffix.

    Raises
    ------
    PredictionsError
        If a row names no image, none names one of the cohort, an image stands twice (for one seed), or the table puts
        an image on another side of the split than the cohort.
    """
    rows, images, rejects = _matched(table, columns, cohort)
    sides = cohort.table["split"].to_numpy(dtype=object)[images]
    measured = np.isin(sides.astype(str), MEASURED)
    training = int((~measured).sum())
    rows, images, sides = rows[measured], images[measured], sides[measured]
    _check_sides(table, columns, rows, sides)
    seeds = None if columns.seed is None else _seeds(table, columns.seed, rows)
    _check_once(table, cohort, rows, images, seeds)
    return Placed(rows, images, seeds, training, rejects)


def _matched(table: StrangersTable, columns: Columns, cohort: Cohort) -> tuple[Rows, Rows, list[Reject]]:
    ids = cohort.image_ids.tolist()
    names, place = ImageNames(ids), {image_id: row for row, image_id in enumerate(ids)}
    rows, images, rejects = [], [], []
    for row, cell in enumerate(table.columns[columns.image]):
        name = _text(cell)
        if not name:
            raise PredictionsError(f"There is no image in {table.place(row)}, but one row is to be one image.")
        found = names.match(name)
        if len(found) == 1:
            rows.append(row)
            images.append(place[found[0]])
        else:
            several = ", ".join(found[:3])
            rejects.append(
                Reject(name, "ambiguous-image", f"{table.place(row)} could be any of {several}")
                if found
                else Reject(name, "unknown-image", f"{table.place(row)}")
            )
    if not rows:
        raise PredictionsError(
            f"None of the {len(table.lines)} images of {table.name} is in the data set: it says "
            f"'{rejects[0].image_id}', where the data set has names such as '{ids[0]}'. "
            f"Column '{table.header[columns.image]}' was taken."
        )
    return np.array(rows, dtype=np.intp), np.array(images, dtype=np.intp), rejects


def _text(cell: Any) -> str:
    """What a cell says; nothing where it is one of the many things that tables hold in place of a missing value."""
    missing = cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, FLOATS) and np.isnan(cell))
    return "" if missing else str(cell).strip()


def _check_sides(table: StrangersTable, columns: Columns, rows: Rows, sides: npt.NDArray[np.object_]) -> None:
    """PredictionsError if the table's own split is another: the tool may have learnt from what would be measured."""
    if columns.split is None:
        return
    cells = [_text(cell) for cell in table.columns[columns.split][rows]]
    for row, cell in zip(rows, cells, strict=True):
        if cell and not split_of(cell, {}):
            raise PredictionsError(f"The split is '{cell}' in {table.place(int(row))}; there are train, val and test.")
    wrong = [at for at, cell in enumerate(cells) if cell and split_of(cell, {}) != sides[at]]
    if wrong:
        first = wrong[0]
        raise PredictionsError(
            f"{len(wrong)} images stand on another side of the split than in the data set, the first in "
            f"{table.place(int(rows[first]))}: '{cells[first]}', where the data set has '{sides[first]}'. What a tool "
            "learnt from cannot measure it. Leave such rows out and add --allow-missing; leave the column out only if "
            "you know that the tool learnt from none of these images."
        )


def _seeds(table: StrangersTable, column: int, rows: Rows) -> npt.NDArray[np.int64]:
    values = real_numbers(table, column)[rows]
    wrong = np.flatnonzero(~((values >= 0) & (values == np.floor(values)) & (values < 2**31)))
    if len(wrong):
        row = int(rows[wrong[0]])
        raise PredictionsError(
            f"The seed is '{_text(table.columns[column][row])}' in {table.place(row)}; it is a whole number from 0 on."
        )
    return values.astype(np.int64)


def _check_once(
    table: StrangersTable, cohort: Cohort, rows: Rows, images: Rows, seeds: npt.NDArray[np.int64] | None
) -> None:
    each = list(zip(images.tolist(), [0] * len(rows) if seeds is None else seeds.tolist(), strict=True))
    twice = [key for key, count in Counter(each).items() if count > 1]
    if twice:
        first = [int(rows[at]) for at, key in enumerate(each) if key == twice[0]]
        raise PredictionsError(
            f"{len(twice)} images stand in {table.name} more than once, for example "
            f"{cohort.image_ids[twice[0][0]]}: {table.place(first[0])} and {table.place(first[1])}. "
            "Keep one row an image; several seeds need a column 'seed' or a file each."
        )
