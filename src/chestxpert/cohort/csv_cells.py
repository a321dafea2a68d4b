"""Cells of other people's tables: marks, views, sexes, ages, lists of names. Pure functions of text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from chestxpert.cohort.csv_rules import HOLDS, NOT, SILENT, UNCERTAIN

POSITIVE = ("1", "1.0", "true", "yes", "y", "positive")
NEGATIVE = ("0", "0.0", "false", "no", "n", "negative")
UNSURE = ("-1", "-1.0", "u", "uncertain")
MISSING = ("", "nan", "na", "n/a", "null")

LATERAL = "lateral"
_VIEWS = {
    **dict.fromkeys(["pa", "posteroanterior", "postero-anterior"], "PA"),
    **dict.fromkeys(["ap", "ap supine", "ap_horizontal", "ap erect", "anteroposterior", "antero-posterior"], "AP"),
    **dict.fromkeys(["l", "ll", "rl", "lat", "lateral", "left lateral", "xtable lateral", "swimmers"], LATERAL),
    **dict.fromkeys(["lao", "rao", "lpo", "rpo", "costal"], LATERAL),  # oblique views, and views of the ribs
}
_SEXES = {**dict.fromkeys(["m", "male"], "M"), **dict.fromkeys(["f", "female"], "F")}
_SPLITS = {
    **dict.fromkeys(["train", "training"], "train"),
    **dict.fromkeys(["val", "valid", "validate", "validation", "dev"], "val"),
    **dict.fromkeys(["test", "testing"], "test"),
}
_DICOM_AGE = re.compile(r"(\d{1,3})([YMWD])")
_OLDEST = 150.0
_ITEM = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|nan)\s*(?:,|$)""")


def mark_table(
    positive: tuple[str, ...] = POSITIVE,
    negative: tuple[str, ...] = NEGATIVE,
    uncertain: tuple[str, ...] = UNSURE,
    missing: tuple[str, ...] = MISSING,
) -> dict[str, int]:
    """Mark of every cell that can be read, by its text in lower case."""
    kinds = ((missing, SILENT), (uncertain, UNCERTAIN), (negative, NOT), (positive, HOLDS))
    return {_key(text): int(mark) for texts, mark in kinds for text in texts}


def _key(text: str) -> str:
    return text.strip().casefold()


def view_of(text: str, views: Mapping[str, str]) -> str:
    """One of "PA", "AP", "lateral" and "" (not known); the user's own names come first."""
    key = _key(text)
    return views[key] if key in views else _VIEWS.get(key, "")


def sex_of(text: str, sexes: Mapping[str, str]) -> str:
    """One of "M", "F" and "" (not known)."""
    key = _key(text)
    return sexes[key] if key in sexes else _SEXES.get(key, "")


def split_of(text: str, splits: Mapping[str, str]) -> str:
    """One of "train", "val", "test" and "" (not known)."""
    key = _key(text)
    return splits[key] if key in splits else _SPLITS.get(key, "")


def age_of(text: str) -> float:
    """Age in years from ``58``, ``58.0`` or DICOM's ``058Y`` (PS3.5, 6.2, AS); NaN for all else, and beyond 150."""
    text = text.strip()
    match = _DICOM_AGE.fullmatch(text.upper())
    if match is not None:
        years = float(int(match[1]) // {"Y": 1, "M": 12, "W": 52, "D": 365}[match[2]])
    else:
        try:
            years = float(text)
        except ValueError:
            return math.nan
    return years if 0 <= years <= _OLDEST else math.nan


def names_in(text: str, separator: str) -> tuple[str, ...] | None:
    """Names in a cell such as ``Effusion|Mass`` or, as Python writes a list, ``['effusion', 'mass']``.

    Returns
    -------
    tuple of str, or None if the cell looks like a list and cannot be read as one
        Outer spaces removed, inner ones made single; empty names are left out.
    """
    text = text.strip()
    if not text.startswith("["):
        return _tidy(text.split(separator))
    if not text.endswith("]"):
        return None
    inner, position, names = text[1:-1].strip(), 0, []
    while position < len(inner):
        match = _ITEM.match(inner, position)
        if match is None:
            return None
        names.append(match[1] or match[2] or "")
        position = match.end()
    return _tidy(names)


def _tidy(names: list[str]) -> tuple[str, ...]:
    return tuple(tidy for name in names if (tidy := " ".join(name.split())))
