"""Remarks: one row for each thing that a check has found, and what every check means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.errors import DataError
from chestxpert.files import replace_when_whole

FILE = "quality.csv"
COLUMNS = ("check", "image_id", "other", "value", "detail")


@dataclass(frozen=True)
class Check:
    """What a remark of one kind means, and what to do about it; both in sentences."""

    meaning: str
    advice: str


CHECKS: Mapping[str, Check] = {
    "undecodable": Check(
        "The file is no whole image, so the data set does not have it.",
        "Get the file again and prepare the data set anew.",
    ),
    "blank": Check(
        "The whole image is of one grey level, so its labels cannot be learned or tested on it.",
        "Leave the image out of the label table.",
    ),
    "near-constant": Check(
        "The image is all but empty: one grey level, or hardly any difference between its areas.",
        "Look at it; leave it out of the label table if it shows no chest.",
    ),
    "exact-duplicate": Check(
        "Two images have the same pixels.",
        "Keep one. Under two patient ids, find out whose it is; in two splits, it is a leak.",
    ),
    "near-duplicate": Check(
        "Two images are one radiograph but for compression, exposure or a slight crop.",
        "Look at the pair, then treat it as an exact duplicate.",
    ),
    "age": Check(
        "The age is above 100 years or below 0.",
        "Correct it, or leave its cell empty; the findings are not touched by it.",
    ),
    "sex-changes": Check(
        "A patient is M in some images and F in others.",
        "Find out whether two patients share one id: a split by patient rests on it.",
    ),
    "non-square": Check(
        "The image is not square, so fitting it into a square added bars or took something away.",
        "Nothing, if all sources are so; if only some are, a network can tell them apart by it.",
    ),
    "bit-depth": Check(
        "The file stores its grey levels in another number of bits than most of the data set, or in fewer than 8.",
        "Look at it: coarse grey levels, or another export of the same archive.",
    ),
    "label-version": Check(
        "NIH's corrected table (v2020) gives other findings than the first (2017).",
        "Nothing: the corrected findings are used. Results on the first table are not comparable for these images.",
    ),
    "rotated": Check(
        "The chest seems to lie on its side or head; the value says by how many degrees, clockwise.",
        "Look at it; turn the file upright and prepare the data set anew.",
    ),
    "inverted": Check(
        "Black and white seem to be exchanged: lungs white, bones black.",
        "Look at it; invert the file and prepare the data set anew.",
    ),
}
"""Every check, in the order of ``quality.csv``."""


def remarks(
    check: str,
    image_ids: Iterable[str],
    details: Iterable[str],
    *,
    other: Iterable[str] | None = None,
    value: Sequence[float] | npt.NDArray[np.floating] | None = None,
) -> pd.DataFrame:
    """Remarks of one check as a table of `COLUMNS`; without `other` and `value` these are empty."""
    ids = list(image_ids)
    return pd.DataFrame(
        {
            "check": pd.Series([check] * len(ids), dtype="str"),
            "image_id": pd.Series(ids, dtype="str"),
            "other": pd.Series(["" for _ in ids] if other is None else list(other), dtype="str"),
            "value": np.full(len(ids), math.nan) if value is None else np.asarray(value, dtype=np.float64),
            "detail": pd.Series(list(details), dtype="str"),
        }
    )


def about_check(check: str, detail: str) -> pd.DataFrame:
    """One remark about a check itself: it names no image, and says why the check was not made, or not in full."""
    return remarks(check, [""], [detail])


def in_order(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """All remarks in one table, in the order of `CHECKS`; within a check as they come."""
    table = pd.concat([remarks("", [], []), *parts], ignore_index=True)
    rank = table["check"].map({name: position for position, name in enumerate(CHECKS)})
    return table.iloc[np.argsort(rank.to_numpy(dtype=np.int64), kind="stable")].reset_index(drop=True)


def write_quality(quality: pd.DataFrame, folder: str | Path) -> Path:
    """Write ``quality.csv`` into a folder, whole or not at all; same remarks, same bytes."""
    path = Path(folder) / FILE
    with replace_when_whole(path) as aside:
        quality[list(COLUMNS)].to_csv(aside, index=False, lineterminator="\n", float_format="%.6g", encoding="utf-8")
    return path


def read_quality(folder: str | Path) -> pd.DataFrame:
    """Read the ``quality.csv`` of a folder.

    Returns
    -------
    pandas.DataFrame
        Columns ``check``, ``image_id`` ("" in a remark about the check itself), ``other`` (a second image id, or
        ""), ``value`` (float, NaN where there is none) and ``detail``, all others text; one row a remark.

    Raises
    ------
    DataError
        If it is missing or not such a table.
    """
    path = Path(folder) / FILE
    again = "Run 'chestxpert data check DATASET --again'."
    try:
        kinds = {name: "float64" if name == "value" else "str" for name in COLUMNS}
        empty = {"value": [""]}  # only there: an image may be called 'nan'
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=empty, encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} is not there: the data set has not been checked yet. {again}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}). {again}") from error
    right = tuple(table.columns) == COLUMNS
    strange = sorted(set(table["check"]) - set(CHECKS)) if right else []
    if not right or strange:
        problem = f"it has the checks {strange[:3]}" if right else f"it has the columns {list(table.columns)}"
        raise DataError(f"{path} is no table of remarks of this version: {problem}. {again}")
    return table
