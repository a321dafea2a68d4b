"""Partitions of images into subgroups: by a column of the cohort, by age band, by how many images a patient has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.errors import UsageError

AGES = (18, 40, 60, 80)
"""Where an age band ends: children, then adults by twenty years."""

DEFAULT = ("sex", "age", "view", "images")
MOST_GROUPS = 12
_WORDS = {"sex": {"F": "female", "M": "male"}, "images": {"1": "one image", "2": "several images"}}


@dataclass(frozen=True, eq=False)
class Partition:
    """Groups of N images that share no image.

    Parameters
    ----------
    name : str
    groups : tuple of str
        Those that hold an image.
    group_of_image : (N,) int64 array
        Position among the groups; -1 where it is not known.
    """

    name: str
    groups: tuple[str, ...]
    group_of_image: npt.NDArray[np.int64]

    @property
    def unknown(self) -> int:
        """Images in no group."""
        return int((self.group_of_image < 0).sum())

    def rows(self, group: str) -> npt.NDArray[np.int64]:
        """Positions of the images of a group."""
        return np.flatnonzero(self.group_of_image == self.groups.index(group)).astype(np.int64)


def partitions(cohort: Cohort, rows: npt.NDArray[np.int64], columns: Sequence[str] = DEFAULT) -> list[Partition]:
    """Partitions of some rows of a cohort.

    Parameters
    ----------
    cohort : Cohort
    rows : (N,) int64 array
    columns : sequence of str
        Any column of the cohort's table, a label included; ``age`` goes by bands, and ``images`` is whether a patient
        has one of these rows or several.

    Raises
    ------
    UsageError
        If there is no such column, or it has more than `MOST_GROUPS` values.
    """
    return [_partition(cohort, rows, column) for column in columns]


def _partition(cohort: Cohort, rows: npt.NDArray[np.int64], column: str) -> Partition:
    if column == "age":
        return _of_ages(cohort.table["age"].to_numpy(dtype=np.float64)[rows])
    if column == "images":
        _, patient, images = np.unique(cohort.patients[rows].astype(str), return_inverse=True, return_counts=True)
        return _of_texts("images", np.where(images[patient] > 1, "2", "1"))
    name = cohort.label_space.get(column) or column
    if name not in cohort.table:
        there = ", ".join(["images", *map(str, cohort.table.columns)])
        raise UsageError(f"The cohort has no column '{column}' to make subgroups by. It has: {there}.")
    values = cohort.table[name].iloc[rows]
    if name in cohort.label_space:
        told = values.astype("boolean").map({True: f"with {name}", False: f"without {name}"}, na_action="ignore")
        values = told.astype(object).where(values.notna(), "")
    return _of_texts(name, values.astype(str).to_numpy())


def _of_texts(name: str, texts: npt.NDArray[np.object_] | npt.NDArray[np.str_]) -> Partition:
    values = sorted(set(texts.tolist()) - {""})
    if len(values) > MOST_GROUPS:
        raise UsageError(
            f"Column '{name}' has {len(values):,} different values, and subgroups are at most {MOST_GROUPS}. Choose a "
            "column with fewer."
        )
    words = _WORDS.get(name, {})
    place = {value: position for position, value in enumerate(values)} | {"": -1}
    places = np.array([place[text] for text in texts.tolist()], dtype=np.int64)
    return Partition(name, tuple(words.get(value, value) for value in values), places)


def _of_ages(ages: npt.NDArray[np.float64]) -> Partition:
    edges = [0, *AGES]
    names = [f"{low} to {high - 1}" for low, high in pairwise(edges)] + [f"{edges[-1]} and over"]
    band = np.digitize(ages, AGES)
    band[np.isnan(ages)] = -1
    used = sorted(set(band.tolist()) - {-1})
    place = {value: position for position, value in enumerate(used)} | {-1: -1}
    places = np.array([place[value] for value in band.tolist()], dtype=np.int64)
    return Partition("age", tuple(names[value] for value in used), places)


__all__ = ["AGES", "DEFAULT", "MOST_GROUPS", "Partition", "partitions"]
