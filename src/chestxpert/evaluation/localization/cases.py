"""Which boxes are measured: of one side of the split, each finding of an image once, in the frame that maps cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chestxpert.dataset import Dataset
from chestxpert.errors import DataError, UsageError
from chestxpert.evaluation.localization.geometry import areas, frame_edges
from chestxpert.evaluation.metrics import FloatArray

SIDES = ("test", "val", "all")


@dataclass(frozen=True, eq=False)
class Case:
    """A finding on an image, with its boxes: what a map is held against.

    Parameters
    ----------
    image_id, finding, patient, split : str
    boxes : (n, 4) float64 array
        Edges in shares of the frame, n at least 1.
    """

    image_id: str
    finding: str
    patient: str
    split: str
    boxes: FloatArray

    @property
    def key(self) -> tuple[str, str]:
        """What maps are found by."""
        return self.image_id, self.finding


@dataclass(frozen=True, eq=False)
class Cases:
    """All cases of a data set, those to be measured, and what was left out.

    Parameters
    ----------
    every : list of Case
        Of all splits: they say where a finding usually lies.
    measured : list of Case
        Of the side asked for.
    counts : dict
        ``boxes``, ``measured``, ``by_split`` (boxes), ``outside`` (boxes that nothing of is left in the frame),
        ``unlabelled`` (boxes whose image does not carry the finding as a label).
    """

    every: list[Case]
    measured: list[Case]
    counts: dict[str, Any]

    @classmethod
    def of(cls, dataset: Dataset, side: str, covers: str) -> Cases:
        """Read them from a data set.

        Parameters
        ----------
        dataset : Dataset
        side : {"test", "val", "all"}
        covers : {"stored", "original"}
            The frame; see `geometry.frame_edges`.

        Raises
        ------
        UsageError
            If there is no such side.
        DataError
            If there is no box to measure.
        """
        if side not in SIDES:
            raise UsageError(f"Boxes of the split {', '.join(SIDES[:-1])} or {SIDES[-1]} are measured, got '{side}'.")
        every, counts = _read(dataset, covers)
        measured = [case for case in every if side in ("all", case.split)]
        counts["measured"] = sum(len(case.boxes) for case in measured)
        if not measured:
            raise DataError(
                f"{dataset.folder} has {counts['boxes']} boxes, and none on an image of the split '{side}': "
                f"{counts['by_split']}. Choose another --split, or prepare the data set with {_BOX_FILE} beside its "
                "label table."
            )
        return cls(every, measured, counts)


_BOX_FILE = "BBox_List_2017.csv"


def _read(dataset: Dataset, covers: str) -> tuple[list[Case], dict[str, Any]]:
    """Cases in the order of findings, then of the cohort's images: results do not hang on the order of boxes."""
    cohort, index = dataset.cohort, dataset.store.index
    place = {name: row for row, name in enumerate(cohort.image_ids)}
    sizes = dict(zip(index["image_id"], zip(index["width"], index["height"], strict=True), strict=True))
    kept: dict[tuple[int, int], list[FloatArray]] = {}
    counts: dict[str, Any] = {"boxes": 0, "outside": 0, "unlabelled": 0, "by_split": {}}
    splits, labels = cohort.table["split"].to_numpy(dtype=object), cohort.labels()
    for image_id, name, *box in dataset.boxes[["image_id", "finding", "x", "y", "w", "h"]].itertuples(index=False):
        row, column = place[image_id], cohort.label_space.index(name)
        edges = frame_edges((box[0], box[1], box[2], box[3]), covers, dataset.store.preprocess, sizes[image_id])
        counts["boxes"] += 1
        counts["by_split"][splits[row]] = counts["by_split"].get(splits[row], 0) + 1
        counts["unlabelled"] += int(not labels[row, column])
        if areas(edges)[0] <= 0:
            counts["outside"] += 1
            continue
        kept.setdefault((column, row), []).append(edges)
    cases = [
        Case(
            str(cohort.image_ids[row]),
            cohort.label_space.labels[column],
            str(cohort.patients[row]),
            str(splits[row]),
            np.array(kept[column, row]),
        )
        for column, row in sorted(kept)
    ]
    return cases, counts
