"""Rows: what is known of each sample beside its image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.errors import DataError, LabelError
from chestxpert.labels import LabelSpace

IntArray = npt.NDArray[np.int64]
TextArray = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Rows:
    """N samples without their images.

    Parameters
    ----------
    label_space : LabelSpace
    image_ids : (N,) object array of str
    patient_ids : (N,) object array of str, "" where unknown
    splits : (N,) object array of str, "train", "val", "test", or "" where unknown
    origins : (N,) object array of str, the image an augmented copy was made from, else ""
    targets : (N, K) float32 array in label order, 0, 1, or NaN where the label is unknown
    simulated : bool
        Whether any image is a drawing.
    """

    label_space: LabelSpace
    image_ids: TextArray
    patient_ids: TextArray
    splits: TextArray
    origins: TextArray
    targets: npt.NDArray[np.float32]
    simulated: bool = False

    def __len__(self) -> int:
        return len(self.image_ids)

    @classmethod
    def from_cohort(cls, cohort: Cohort) -> Rows:
        """All rows of a cohort, in its order."""
        targets = cohort.labels().astype(np.float32)
        targets[~cohort.known()] = np.nan
        return cls(
            label_space=cohort.label_space,
            image_ids=cohort.image_ids,
            patient_ids=cohort.patients,
            splits=cohort.table["split"].to_numpy(dtype=object),
            origins=cohort.table["origin"].to_numpy(dtype=object),
            targets=targets,
            simulated=cohort.simulated,
        )

    def take(self, rows: IntArray) -> Rows:
        """These rows, in this order."""
        texts = {name: getattr(self, name)[rows] for name in ("image_ids", "patient_ids", "splits", "origins")}
        return replace(self, **texts, targets=self.targets[rows])

    def of_split(self, split: str | None) -> IntArray:
        """Positions of the rows of a split, all if None; DataError if there are none."""
        if split is None:
            return np.arange(len(self))
        found = np.flatnonzero(self.splits == split).astype(np.int64)
        if not len(found):
            there = ", ".join(sorted({str(name) for name in self.splits if name})) or "none; ask for split=None"
            raise DataError(f"No image is in the split '{split}'. The splits there are: {there}.")
        return found

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """Rows one behind the other.

        Raises
        ------
        LabelError
            If they are not over the same labels in the same order.
        DataError
            If an image id stands twice.
        """
        first = parts[0]
        for part in parts:
            if part.label_space.fingerprint != first.label_space.fingerprint:
                raise LabelError(
                    f"Images over the labels of '{first.label_space.name}' and of '{part.label_space.name}' cannot be "
                    "put together: their targets differ in length or order. Prepare both with the same labels."
                )
        names = ("image_ids", "patient_ids", "splits", "origins", "targets")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        check_unique(joined["image_ids"])
        return cls(first.label_space, **joined, simulated=any(part.simulated for part in parts))


def check_unique(image_ids: TextArray) -> None:
    """Raise DataError if an image id stands more than once."""
    names, counts = np.unique(image_ids.astype(str), return_counts=True)
    twice = names[counts > 1]
    if len(twice):
        raise DataError(
            f"{len(twice)} image ids stand more than once, for example {twice[0]}. An image would count twice: give "
            "each source once, and images of different folders different names."
        )
