"""Who is in each split: images, patients, views, sex and age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.report.figure import Table
from chestxpert.report.figures_cohort import SPLITS
from chestxpert.report.scales import decimal, grouped, percent

Parts = Mapping[str, Sequence[str]]


def cohort_table(cohort: Cohort, parts: Parts | None = None) -> Table:
    """A row a part of the cohort, with counts, and shares among what is known.

    Parameters
    ----------
    cohort : Cohort
    parts : mapping of str to sequence of str
        Words for each part, and the splits it is made of; each split by itself if None.
    """
    rows = []
    for words, splits in ({word: [split] for split, word in SPLITS.items()} if parts is None else parts).items():
        part = cohort.table[cohort.table["split"].isin(splits)]
        patients = int(part["patient_id"].nunique())
        ages = part["age"].dropna()
        copies = int((part["origin"] != "").sum())
        rows.append(
            [
                words + (f", {grouped(copies)} augmented copies among them" if copies else ""),
                grouped(len(part)),
                grouped(patients),
                decimal(len(part) / patients if patients else None, 2),
                _share(part["view"], "AP"),
                _share(part["sex"], "F"),
                decimal(float(np.median(ages)) if len(ages) else None, 0),
            ]
        )
    return Table(["split", "images", "patients", "images a patient", "AP views", "women", "median age"], rows)


def _share(values: Any, wanted: str) -> str:
    """Share of `wanted` among the values that are known."""
    known = values[values != ""]
    return percent(float((known == wanted).mean()) if len(known) else None, 0)
