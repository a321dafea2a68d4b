"""What a line of a comparison predicts: which test images, and which labels.

Recipes predict everything. Another tool may lack labels (most have no output for No Finding) or images, and two lines
are compared fairly only on what both predict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.metrics import BoolArray
from chestxpert.evaluation.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Coverage:
    """Test images and labels that are predicted; every one of these images with every one of these labels.

    Parameters
    ----------
    images : (N,) bool array
        Of the N images of one split (test, unless it is said otherwise), in row order.
    labels : (K,) bool array
        In label order.
    """

    images: BoolArray
    labels: BoolArray

    @classmethod
    def of(cls, predictions: Predictions, cohort: Cohort, split: str = "test") -> Coverage:
        """What `predictions` hold of the images of a split of a cohort."""
        names, frame = cohort.image_ids[cohort.rows(split)], predictions.frame
        there = pd.Index(frame.loc[frame["split"] == split, "image_id"])
        images = np.asarray(pd.Index(names).isin(there), dtype=np.bool_)
        absent = predictions.absent
        return cls(images, np.array([name not in absent for name in cohort.label_space.labels], dtype=np.bool_))

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.images.all() and self.labels.all())

    def __and__(self, other: Coverage) -> Coverage:
        return Coverage(self.images & other.images, self.labels & other.labels)

    def same_as(self, other: Coverage) -> bool:
        """Whether both are the same images and labels."""
        return bool((self.images == other.images).all() and (self.labels == other.labels).all())

    def limit(self, predictions: Predictions, cohort: Cohort) -> Predictions:
        """Predictions without what is not covered: labels on every image, and images of the test side.

        Validation images stay, so thresholds are those that they were. Conditional probabilities are left out.
        """
        names = pd.Index(cohort.image_ids[cohort.rows("test")][~self.images])
        frame = predictions.frame
        kept = frame[~((frame["split"] == "test") & frame["image_id"].isin(names))].reset_index(drop=True)
        labels = predictions.label_space.labels
        kept = kept[["image_id", "split", *labels]].copy()
        kept[[name for name, covered in zip(labels, self.labels, strict=True) if not covered]] = np.nan
        return Predictions(kept, predictions.label_space, partial=True)

    def describe(self, cohort: Cohort) -> dict[str, Any]:
        """Plain values: how many images of how many patients, of how many, and the labels that are missing."""
        rows = cohort.rows("test")
        return {
            "images": int(self.images.sum()),
            "patients": len(np.unique(cohort.patients[rows[self.images]].astype(str))),
            "of_images": len(rows),
            "labels": int(self.labels.sum()),
            "absent": [name for name, there in zip(cohort.label_space.labels, self.labels, strict=True) if not there],
        }
