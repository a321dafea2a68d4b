"""Which maps belong to the cases: what is missing, what cannot be measured, and what is of no case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chestxpert.errors import DataError, LabelError, UsageError
from chestxpert.evaluation.localization.cases import Case
from chestxpert.evaluation.localization.maps import HeatMaps, read_maps
from chestxpert.evaluation.localization.measure import BASELINES
from chestxpert.labels import LabelSpace

MOST = 4
"""Folders of maps that one page can tell apart."""


def open_all(places: Sequence[str | Path]) -> list[HeatMaps]:
    """Open folders of maps that are to be held against each other.

    Raises
    ------
    DataError
        If one cannot be read.
    UsageError
        If there is none or too many, two have one name, or they do not cover the same.
    """
    if not 1 <= len(places) <= MOST:
        raise UsageError(f"Name 1 to {MOST} folders of maps, got {len(places)}.")
    opened = [read_maps(place) for place in places]
    names = [maps.name for maps in opened]
    if len(set(names)) < len(names) or set(names) & set(BASELINES):
        raise UsageError(
            f"Folders of maps are known by their names, got {', '.join(names)}. Give each a name of its own, other "
            f"than {', '.join(BASELINES)}."
        )
    if len({maps.covers for maps in opened}) > 1:
        raise UsageError(
            "These maps do not cover the same: "
            + ", ".join(f"{maps.name} the {maps.covers} image" for maps in opened)
            + ". Compare maps of one kind."
        )
    return opened


def match(maps: HeatMaps, cases: Sequence[Case], label_space: LabelSpace) -> tuple[list[int | None], dict[str, Any]]:
    """The row of every case's map, and what there is to say.

    Returns
    -------
    rows : list of N int or None
        None where the map is missing or cannot be measured.
    told : dict
        ``maps`` (entries of the index), ``usable``, ``missing`` and ``not_finite`` (lists of image id and finding),
        ``other`` (entries that are of no measured case), ``unknown_findings``.

    Raises
    ------
    DataError
        If two maps are of one finding on one image, by two names of the finding.
    """
    table: dict[tuple[str, str], int] = {}
    unknown: set[str] = set()
    for (image_id, finding), row in maps.rows.items():
        try:
            key = (image_id, label_space.canonical(str(finding)))
        except LabelError:
            unknown.add(finding)
            continue
        if key in table:
            raise DataError(
                f"{maps.name} has two maps of {key[1]} on {image_id}, by two names of the finding. Keep one of them."
            )
        table[key] = row
    rows: list[int | None] = []
    lists: dict[str, list[list[str]]] = {"missing": [], "not_finite": []}
    for case in cases:
        place = table.get(case.key)
        reason = "missing" if place is None else "" if np.isfinite(maps.read(place)).all() else "not_finite"
        if reason:
            lists[reason].append(list(case.key))
        rows.append(None if reason else place)
    matched = sum(case.key in table for case in cases)
    usable = sum(row is not None for row in rows)
    told = {"maps": len(maps.rows), "usable": usable, **lists, "other": len(maps.rows) - matched}
    return rows, told | {"unknown_findings": sorted(unknown)}
