"""Cohorts from lists, and names for what the fixtures give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.labels import NIH15
from chestxpert.pixels.store import ImageStore

Images = npt.NDArray[np.uint8]
MakeStore = Callable[..., ImageStore]


def make_cohort(ids: Sequence[str], **columns: Any) -> Cohort:
    """Cohort of images without findings, each of a patient of its own, in train; any column may be given."""
    labels = columns.pop("labels", np.eye(len(NIH15), dtype=np.bool_)[[NIH15.index("No Finding")] * len(ids)])
    patients = columns.pop("patients", [f"p{i}" for i in range(len(ids))])
    return Cohort(make_table(ids, patients, labels, NIH15, **({"split": "train"} | columns)), NIH15)
