"""What a source held and the data set does not: rejects by reason."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from chestxpert.cohort.rejects import REASONS
from chestxpert.errors import DataError
from chestxpert.prepare import REJECTS
from chestxpert.report.figure import Table
from chestxpert.report.scales import grouped


def left_out_table(folder: Path) -> Table:
    """Number of rejects by reason, with what it means and an example; no rows if nothing was left out.

    Raises
    ------
    DataError
        If the list of rejects is missing or unreadable.
    """
    path = folder / REJECTS
    try:
        rejects = pd.read_csv(path, dtype=str, keep_default_na=False)
        first = rejects.drop_duplicates("reason").set_index("reason")
        counts = rejects["reason"].value_counts()
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}). Prepare the data set again.") from error
    order = [reason for reason in dict.fromkeys([*REASONS, *counts.index]) if reason in counts.index]
    rows = [
        [reason, REASONS.get(reason, ""), _example(first.loc[reason]), grouped(int(counts[reason]))] for reason in order
    ]
    return Table(["reason", "is", "the first of them", "number"], rows, words=3, note="Left out, by reason")


def _example(row: pd.Series) -> str:
    words = [str(row["image_id"]), str(row["detail"])]
    return ": ".join(word for word in words if word)[:160]
