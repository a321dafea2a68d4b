"""Remarks of quality control, read from the dataset folder and grouped as the page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from chestxpert.quality import CHECKS, read_quality
from chestxpert.quality.remarks import FILE as QUALITY
from chestxpert.report.dataset.samples import Picture
from chestxpert.report.scales import grouped

SHOWN = 9
"""Remarks of each check that the page shows with pictures; the file has them all."""

_COLUMNS = ("check", "image_id", "other", "value", "detail")


@dataclass(frozen=True)
class Remark:
    """One remark with pictures of what it is about: (image id, data URI or empty)."""

    pictures: list[tuple[str, str]]
    value: str
    detail: str


@dataclass(frozen=True)
class CheckRemarks:
    """Remarks of one check."""

    check: str
    meaning: str
    count: str
    images: str
    remarks: list[Remark]
    more: int


def read_remarks(folder: Path) -> pd.DataFrame | None:
    """Remarks of a dataset folder; None if it was prepared without quality control.

    Raises
    ------
    DataError
        If the file cannot be read as remarks.
    """
    return read_quality(folder) if (folder / QUALITY).exists() else None


def grouped_remarks(table: pd.DataFrame, picture: Picture) -> list[CheckRemarks]:
    """Remarks by check; the first few of each with pictures."""
    groups = [(check, table[table["check"] == check]) for check in CHECKS]
    return [
        CheckRemarks(
            check,
            CHECKS[check].meaning,
            grouped(len(part)),
            grouped(len(set(part["image_id"]) | set(part["other"]) - {""})),
            [_remark(row, picture) for row in part.head(SHOWN).itertuples(index=False)],
            max(len(part) - SHOWN, 0),
        )
        for check, part in groups
        if len(part)
    ]


def _remark(row: object, picture: Picture) -> Remark:
    image_id, other, value, detail = (getattr(row, name) for name in _COLUMNS[1:])
    names = [name for name in (image_id, other) if name]
    return Remark([(name, picture(name)) for name in names], "" if value != value else f"{value:g}", detail)
