"""Subject: the images that the page is about, with their labels in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.frequency import Group, frequency_groups
from chestxpert.cohort.table import SPLITS, Cohort
from chestxpert.report.results import finding_name

BoolArray = npt.NDArray[np.bool_]

TRAIN_VAL = ("train", "val")
PARTS: dict[str, Sequence[str]] = {
    "Training": ("train",),
    "Validation": ("val",),
    "Training and validation": TRAIN_VAL,
    "Test": ("test",),
    "All": SPLITS,
}
"""Rows of tables about splits, and the splits each is made of."""


@dataclass(frozen=True)
class Tally:
    """How often each label occurs among some images.

    Attributes
    ----------
    images : int
    counts, known : dict of str to int
        Images that carry the label, and images of which it is known whether they do.
    """

    images: int
    counts: dict[str, int]
    known: dict[str, int]

    def share(self, label: str) -> float | None:
        """Share of the known images that carry the label; None if it is known of none."""
        return self.counts[label] / self.known[label] if self.known[label] else None


@dataclass(frozen=True, eq=False)
class Subject:
    """Images of a cohort, without augmented copies.

    Attributes
    ----------
    cohort : Cohort
    copies : int
        Augmented copies that were left aside.
    labels : list of str
        In the order shown: most frequent in training first.
    truth, known : (N, K) bool array
        Columns in the order of `labels`; what is not known is False in `truth`.
    """

    cohort: Cohort
    copies: int
    labels: list[str]
    truth: BoolArray
    known: BoolArray

    @classmethod
    def of(cls, cohort: Cohort) -> Subject:
        """Subject of a whole cohort."""
        own = (cohort.table["origin"] == "").to_numpy()
        copies = len(own) - int(own.sum())
        if copies:
            cohort = Cohort(cohort.table[own].reset_index(drop=True), cohort.label_space)
        truth, known = cohort.labels(), cohort.known()
        order = np.argsort(-truth[cohort.rows("train")].sum(axis=0), kind="stable")
        labels = [cohort.label_space.labels[column] for column in order]
        return cls(cohort, copies, labels, truth[:, order], known[:, order])

    @property
    def findings(self) -> list[str]:
        """The labels shown without 'No Finding'."""
        return [label for label in self.labels if label != self.cohort.label_space.no_finding]

    @property
    def table(self) -> pd.DataFrame:
        """The cohort's table; its rows are those of `truth`."""
        return self.cohort.table

    def columns(self, labels: Sequence[str]) -> list[int]:
        """Columns of some labels in `truth` and `known`."""
        return [self.labels.index(label) for label in labels]

    def rows(self, splits: Sequence[str]) -> npt.NDArray[np.int64]:
        """Positions of the images of some splits, ascending."""
        return np.flatnonzero(self.table["split"].isin(list(splits)).to_numpy()).astype(np.int64)

    def tally(self, splits: Sequence[str]) -> Tally:
        """Counts over the images of some splits."""
        rows = self.rows(splits)
        counts, known = self.truth[rows].sum(axis=0).tolist(), self.known[rows].sum(axis=0).tolist()
        return Tally(len(rows), dict(zip(self.labels, counts, strict=True)), dict(zip(self.labels, known, strict=True)))

    @cached_property
    def groups(self) -> dict[str, Group]:
        """Head, medium or tail of every label, by the training images."""
        train = self.tally(("train",))
        return frequency_groups(train.counts, train.known)

    @property
    def unknown(self) -> dict[str, int]:
        """Images of which a label is not known, for the labels where there are any."""
        missing = (~self.known).sum(axis=0).tolist()
        return {label: count for label, count in zip(self.labels, missing, strict=True) if count}

    def describe(self, row: int) -> str:
        """The findings of an image in words."""
        found = [finding_name(self.labels[column]) for column in np.flatnonzero(self.truth[row])]
        return ", ".join(found) or "no finding"
