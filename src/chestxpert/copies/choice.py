"""Which training rows are copied, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.errors import DataError, UsageError
from chestxpert.imbalance.sampling import oversample, oversample_by_counts, rare_findings
from chestxpert.labels import LabelSpace
from chestxpert.streams import stream_seed

IntArray = npt.NDArray[np.int64]

DEFAULT_TARGET = 0.05

STUDY_COPIES: Mapping[str, int] = {
    "Fibrosis": 2_405, "Emphysema": 2_379, "Edema": 1_804, "Tortuous Aorta": 1_705,
    "Calcification of the Aorta": 1_369, "Subcutaneous Emphysema": 1_354, "Pneumonia": 1_105,
    "Pneumoperitoneum": 1_035, "Hernia": 1_005, "Pleural Thickening": 585, "Cardiomegaly": 389,
    "Pneumomediastinum": 325,
}  # fmt: skip
"""The original study's augmented images that carry each finding: 13,731 in all, from 2,101 originals."""

STUDY_IMAGES = 86_524
"""Images that the original study chose those from. It split them afterwards, so that copies got into validation."""


@dataclass(frozen=True)
class Wish:
    """How many copies are wanted: up to a share of the rows, or by numbers.

    Parameters
    ----------
    target : float or None
        Share of the training rows that each rare finding is brought up to, in (0, 1). None: by numbers.
    counts : mapping of str to int
        Copies that should carry each finding; by canonical name.
    max_copies : int
        Most copies of one image, at least 1.
    """

    target: float | None
    counts: Mapping[str, int]
    max_copies: int

    def __post_init__(self) -> None:
        if self.max_copies < 1:
            raise UsageError(f"An image is copied at most max_copies times, at least 1, but got {self.max_copies}.")
        if self.target is not None and not 0 < self.target < 1:
            raise UsageError(f"The target is a share of the training images between 0 and 1, but got {self.target}.")
        negative = [f"{name}={count}" for name, count in self.counts.items() if count < 1]
        if negative:
            raise UsageError(f"Each number of copies is at least 1, but got {', '.join(negative)}.")


def make_wish(
    space: LabelSpace,
    rows: int,
    target: float | None,
    copies: Mapping[str, int] | None,
    like_study: bool,
    max_copies: int,
) -> Wish:
    """Wish from arguments of which at most one is given; a target of `DEFAULT_TARGET` if none is.

    Raises
    ------
    UsageError
        If several ways are asked for at once, or a value is out of range.
    LabelError
        If a finding is unknown.
    """
    if (target is not None) + (copies is not None) + like_study > 1:
        raise UsageError("Give one of a target share, numbers of copies, and the study's numbers, not several.")
    if like_study:
        return Wish(None, study_copies(space, rows), max_copies)
    if copies is None:
        return Wish(DEFAULT_TARGET if target is None else target, {}, max_copies)
    named = {space.canonical(name): count for name, count in copies.items()}
    if len(named) < len(copies) or not named:
        raise UsageError(f"Numbers of copies name findings, each once, but got {', '.join(copies) or 'none'}.")
    return Wish(None, named, max_copies)


def study_copies(space: LabelSpace, rows: int) -> dict[str, int]:
    """The original study's numbers of copies, scaled from its 86,524 images to `rows` training rows.

    Findings that the label space does not have, and those whose number rounds to 0, are left out.
    """
    scaled = {name: round(count * rows / STUDY_IMAGES) for name, count in STUDY_COPIES.items() if name in space}
    return {space.canonical(name): count for name, count in scaled.items() if count}


def rows_to_copy(cohort: Cohort, wish: Wish, seed: int) -> IntArray:
    """Training rows of a cohort to be copied, ascending, each as often as it is copied.

    With a target they are the rows that ``sampling.oversample`` of a recipe without thinning repeats under the same
    seed.

    Raises
    ------
    DataError
        If the cohort has copies already, or no copy is wanted or possible.
    """
    if (cohort.table["origin"] != "").any():
        raise DataError(
            f"{int((cohort.table['origin'] != '').sum()):,} images of this data set are augmented copies already. "
            "A copy of a copy is changed twice: over-sample the data set that they were made from."
        )
    rows = cohort.rows("train")
    labels, space = cohort.labels(rows), cohort.label_space
    rng = np.random.default_rng(stream_seed(seed, "oversample"))
    if wish.target is not None:
        drawn = oversample(labels, space, rare_findings(space), wish.target, wish.max_copies, rng)
    else:
        drawn = oversample_by_counts(labels, space, wish.counts, wish.max_copies, rng)
    if len(drawn) == len(rows):
        raise DataError(
            f"There is nothing to copy among {len(rows):,} training images: no finding asked for is below its goal, "
            "or no image carries one. Ask for a higher target, or for numbers of copies of findings that are there."
        )
    return rows[drawn[len(rows) :]]


def goals(cohort: Cohort, wish: Wish) -> dict[str, int]:
    """Training images, copies included, that each finding served should end with, in label order."""
    space, before = cohort.label_space, cohort.counts("train")
    if wish.target is None:
        return {name: before[name] + wish.counts[name] for name in space.labels if name in wish.counts}
    wanted = int(np.ceil(wish.target * len(cohort.rows("train")) - 1e-9))
    return {name: max(wanted, before[name]) for name in rare_findings(space)}
