"""The taxonomy of a cohort: over its label space, and computed from its training images where it is."""

from __future__ import annotations

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.taxonomy import Taxonomy, taxonomy


def training_counts(cohort: Cohort) -> dict[str, int]:
    """Training images known to carry each label; augmented copies do not count, or copying would change the tree."""
    rows = cohort.rows("train")
    originals = rows[(cohort.table["origin"].iloc[rows] == "").to_numpy()]
    totals = np.asarray(cohort.labels(originals).sum(axis=0)).tolist()
    return dict(zip(cohort.label_space.labels, totals, strict=True))


def cohort_taxonomy(name: str, cohort: Cohort) -> Taxonomy:
    """Taxonomy called `name` over the cohort's label space (see `chestxpert.taxonomy.taxonomy`).

    Raises
    ------
    LabelError
        If there is none of that name, it cannot be read, or it does not fit the label space.
    """
    return taxonomy(name, cohort.label_space, training_counts(cohort))
