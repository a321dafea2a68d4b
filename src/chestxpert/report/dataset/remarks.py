"""Remarks of quality control, read from the dataset folder and grouped as the page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from chestxpert.errors import DataError
from chestxpert.report.dataset.samples import Picture
from chestxpert.report.scales import grouped

QUALITY = "quality.csv"
SHOWN = 9
"""Remarks of each check that the page shows with pictures; the file has them all."""

CHECKS = {
    "undecodable": "The file is no whole image; it is left out of the data set.",
    "blank": "The whole image has one grey value.",
    "near-constant": "Nearly the whole image has one grey value.",
    "exact-duplicate": "Another image has the very same pixels.",
    "near-duplicate": "Another image looks almost the same.",
    "age": "The age is missing or impossible.",
    "non-square": "The image is not square, so black bars or a crop made it so.",
    "bit-depth": "The image was stored with another number of bits than most.",
    "label-version": "Two versions of the label table do not agree on the findings.",
    "rotated": "The chest seems to lie on its side or upside down.",
    "inverted": "Black and white seem to be exchanged.",
}
"""What each check means, in the order shown."""

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
    path = folder / QUALITY
    if not path.exists():
        return None
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table["value"] = pd.to_numeric(table["value"])
        return table[list(_COLUMNS)]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as the list of quality remarks ({error}). Prepare the data set again, or move the "
            "file away for a report without them."
        ) from error


def grouped_remarks(table: pd.DataFrame, picture: Picture) -> list[CheckRemarks]:
    """Remarks by check, those known here first; the first few of each with pictures."""
    found = dict.fromkeys([*CHECKS, *table["check"]])
    groups = [(check, table[table["check"] == check]) for check in found]
    return [
        CheckRemarks(
            check,
            CHECKS.get(check, ""),
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
