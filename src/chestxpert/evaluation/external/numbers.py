"""Cells of a stranger's table as probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.external.table import StrangersTable
from chestxpert.evaluation.metrics import FloatArray

MISSING = ("", "nan", "na", "n/a", "null", "none", "<na>")
_SHOWN = 40


def real_numbers(table: StrangersTable, column: int) -> FloatArray:
    """(R,) float64 values of a column; NaN where a cell is empty or says so.

    Raises
    ------
    PredictionsError
        If a cell is no number; the message names the first.
    """
    cells = table.columns[column]
    if cells.dtype.kind in "fiub":
        return cells.astype(np.float64)
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        values[row] = _number(table, column, row, cell)
    return values


def _number(table: StrangersTable, column: int, row: int, cell: Any) -> float:
    text = "" if cell is None else str(cell).strip()
    if text.casefold() in MISSING:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        hint = " Write decimals with a point." if "," in text else ""
        raise PredictionsError(
            f"{table.header[column]} is {text[:_SHOWN]!r} in {table.place(row)}, which is no number.{hint}"
        ) from None


def probabilities(table: StrangersTable, column: int, rows: npt.NDArray[np.intp], logits: bool) -> FloatArray | None:
    """(r,) probabilities of some rows, from probabilities or from logits; None where the column is empty throughout.

    Raises
    ------
    PredictionsError
        If a value is missing, infinite, or outside [0, 1] though it is to be a probability.
    """
    every = real_numbers(table, column)
    if np.isnan(every).all():
        return None
    values, name = every[rows], table.header[column]
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        raise PredictionsError(
            f"{name} has no value in {len(missing)} rows that are to be measured, the first in "
            f"{table.place(int(rows[missing[0]]))}. Leave such rows out and add --allow-missing, or the whole column: "
            "it is then not measured."
        )
    wrong = np.flatnonzero(~np.isfinite(values) if logits else ~((values >= 0) & (values <= 1)))
    if len(wrong):
        what = "logits that are not finite" if logits else "values outside 0 to 1"
        hint = "" if logits else _scale_hint(values)
        raise PredictionsError(
            f"{name} has {len(wrong)} {what}, for example {values[wrong[0]]:g} in "
            f"{table.place(int(rows[wrong[0]]))}.{hint}"
        )
    return np.asarray(expit(values), dtype=np.float64) if logits else values


def _scale_hint(values: FloatArray) -> str:
    """What numbers that are no probabilities may be instead."""
    if not np.isfinite(values).all():
        return ""
    if values.min() >= 0 and 2 < values.max() <= 100:
        return " If these are per cent, divide them by 100; if they are logits, say so with --logits."
    return " If these are logits, say so with --logits."
