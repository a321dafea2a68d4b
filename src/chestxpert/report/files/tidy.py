"""Long tables of numbers: a row an estimate, a value a column, every digit. For R, pandas and spreadsheets."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Record = dict[str, Any]
"""One row: column and value; None where it is not defined."""

KEPT = frozenset({"mean", "low", "high", "n_defined"})
"""Columns that stand although nothing in them is defined."""


def entry(values: object) -> Record:
    """What lies in a stored value: its own numbers and words, and those one level below by joined names.

    ``{"mean": 1, "bca": {"low": 0}}`` becomes ``{"mean": 1, "bca_low": 0}``. Lists have no place in a row.
    """
    found: Record = {}
    for key, value in (values if isinstance(values, Mapping) else {}).items():
        if isinstance(value, Mapping):
            found |= {f"{key}_{inner}": one for inner, one in entry(value).items()}
        elif not isinstance(value, list | tuple):
            found[key] = value
    return found


def estimates(values: object, column: str = "metric", /, **keys: object) -> Iterator[Record]:
    """A row for each estimate (what has a ``mean``) among some values; `keys` lead the row, its name is in `column`."""
    for name, value in (values if isinstance(values, Mapping) else {}).items():
        if isinstance(value, Mapping) and "mean" in value:
            yield {**keys, column: name, **entry(value)}


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV (RFC 4180, but with plain line ends): floats with all digits, empty where nothing is defined.

    Columns are those of all rows, in the order in which they appear; one that is empty in every row is left out.
    """
    columns = list(dict.fromkeys(column for record in records for column in record))
    told = [c for c in columns if c in KEPT or any(_cell(record.get(c)) != "" for record in records)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(told)
    writer.writerows([_cell(record.get(column)) for column in told] for record in records)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, float) else str(value)
