"""Bootstrap over patients: whole patients are drawn with replacement, so images of one patient stay together.

A draw is a row of integers, how often each patient was drawn; every image of a patient weighs that much (Field and
Welsh, Bootstrapping clustered data, JRSS B 69, 2007). Nothing is copied: metrics are computed from the weights. The
draws depend on the patients, the number of draws and the seed alone, so all recipes and seeds of a study are
measured on the same ones and differences between them are paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.metrics import FloatArray

IntArray = npt.NDArray[np.int64]
Weights = npt.NDArray[np.floating[Any]]
"""Whole numbers, how much each image or patient weighs; floating, since products of those are fast."""

EXACT = 2**22
"""The type of weights is single precision below this weight of all images, so that four times it is exact there."""
LEVEL = 0.95
BESIDE = 512
"""Draws that are worked on together."""
DRAWS = 2000
"""How many draws a comparison takes unless it is told otherwise."""
FEWER = 500
"""Draws, the first of those of a comparison, for what stands beside its answer: subgroups, levels of the tree, the
diagnosis of hierarchies, the agreement of labels."""


@dataclass(frozen=True, eq=False)
class PatientDraws:
    """Bootstrap draws over the patients of a set of images.

    Parameters
    ----------
    patient_of_image : (N,) int64 array
        Position of each image's patient among the P patients.
    counts : (D, P) int32 array
        How often each patient is in each draw; every row sums to P.
    """

    patient_of_image: IntArray
    counts: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.counts)

    @classmethod
    def draw(cls, patient_ids: Sequence[str] | npt.NDArray[Any], draws: int, seed: int) -> PatientDraws:
        """Draw patients with replacement.

        Parameters
        ----------
        patient_ids : N strings
            The patient of each image. Their order does not matter.
        draws : int
            How many draws, at least 1.
        seed : int

        Raises
        ------
        PredictionsError
            If there is no image or no draw.
        """
        if len(patient_ids) == 0 or draws < 1:
            raise PredictionsError(
                f"A bootstrap needs images and draws, but there are {len(patient_ids)} images and {draws} draws."
            )
        names, patient_of_image = np.unique(np.asarray(patient_ids, dtype=str), return_inverse=True)
        rng = np.random.default_rng(seed)
        counts = np.empty((draws, len(names)), dtype=np.int32)
        for row in counts:
            row[:] = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        return cls(patient_of_image.astype(np.int64), counts)

    @cached_property
    def weights(self) -> list[tuple[slice, Weights]]:
        """The draws in parts, each with what every patient weighs in it: (P, d), draws side by side."""
        kind = np.dtype(np.float32 if self._heaviest < EXACT else np.float64)
        return [(part, np.ascontiguousarray(self.counts[part].T, dtype=kind)) for part in self.chunks(1, BESIDE)]

    @cached_property
    def _heaviest(self) -> int:
        """The largest weight that all images have together in a draw."""
        images = np.bincount(self.patient_of_image, minlength=self.counts.shape[1])
        return int((self.counts @ images).max(initial=0))

    def _sums_are_exact(self, values: npt.NDArray[Any]) -> bool:
        """Whether the type of `weights` holds weighted sums of these numbers exactly, in whichever order."""
        if values.dtype.kind not in "bui":
            return False
        largest = 1 if values.dtype.kind == "b" else int(np.abs(values).max(initial=0))
        return self._heaviest * largest < (4 * EXACT if self._heaviest < EXACT else 2**53)

    def __getstate__(self) -> dict[str, Any]:
        """The two arrays alone: what follows from them is made again where it is needed."""
        return {"patient_of_image": self.patient_of_image, "counts": self.counts}

    def followed_by(self, other: PatientDraws) -> PatientDraws:
        """These draws and, behind them, others over the same images."""
        return PatientDraws(self.patient_of_image, np.vstack([self.counts, other.counts]))

    def after_sample(self) -> PatientDraws:
        """The same draws behind a first one that is the sample itself, so that row 0 of a result is the estimate."""
        own = np.ones((1, self.counts.shape[1]), dtype=np.int32)
        return PatientDraws(self.patient_of_image, own).followed_by(self)

    def first(self, draws: int) -> PatientDraws:
        """The first of these draws, for what would take too long in all of them."""
        return PatientDraws(self.patient_of_image, self.counts[:draws])

    def totals(self, values: npt.ArrayLike) -> FloatArray:
        """Weighted sums over images in every draw.

        Parameters
        ----------
        values : (N, C) array
            Numbers of each image; counts stay exact.

        Returns
        -------
        (D, C) float64 array
        """
        columns = np.asarray(values)
        per_patient = np.empty((self.counts.shape[1], columns.shape[1]))
        for column in range(columns.shape[1]):
            per_patient[:, column] = np.bincount(
                self.patient_of_image, weights=columns[:, column], minlength=len(per_patient)
            )
        if self._sums_are_exact(columns):
            sums = [per_patient.T.astype(weights.dtype) @ weights for _, weights in self.weights]
            return np.ascontiguousarray(np.hstack(sums).T, dtype=np.float64)
        return np.vstack([self.counts[part] @ per_patient for part in self.chunks(self.counts.shape[1])])

    def chunks(self, width: int, cells: int = 256_000) -> Iterator[slice]:
        """Slices of draws, each small enough that draws times `width` stays near `cells` numbers.

        The default keeps a block of 32-bit numbers within a processor's own cache: 1 MB.
        """
        step = max(1, cells // max(1, width))
        for start in range(0, len(self), step):
            yield slice(start, min(start + step, len(self)))


def interval(
    draws: npt.ArrayLike, reflect_about: float | None = None, level: float = LEVEL
) -> tuple[float, float, int]:
    """Interval of a metric from the draws in which it is defined.

    The percentile interval by default; with `reflect_about` the basic one, 2 * estimate - percentiles (Davison and
    Hinkley, Bootstrap methods and their application, 1997, equation 5.6), which takes the bias of a resampled metric
    out where the percentile interval puts it in twice.

    Parameters
    ----------
    draws : (D,) array
        The metric in each draw, NaN where undefined.
    reflect_about : float, optional
        The estimate, of a metric in [0, 1]; the interval is cut off there too, and widened to hold the estimate where
        a handful of patients put all draws on one side of it.
    level : float
        Share of the draws inside, in (0, 1).

    Returns
    -------
    low, high : float
        NaN if no draw is defined.
    n_draws : int
        How many draws are.
    """
    values = np.asarray(draws, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan"), 0
    low, high = (float(edge) for edge in np.quantile(values, [(1 - level) / 2, (1 + level) / 2]))
    if reflect_about is not None:
        low, high = 2 * reflect_about - high, 2 * reflect_about - low
        low, high = max(0.0, min(low, reflect_about)), min(1.0, max(high, reflect_about))
    return low, high, len(values)


def two_sided_p(differences: npt.ArrayLike) -> float:
    """Two-sided bootstrap p-value of a paired difference against zero.

    Twice the smaller share of draws on one side of zero, zero itself counting for both; one draw is added to
    numerator and denominator (Davison and Hinkley, Bootstrap methods and their application, 1997, equation 4.11),
    so that p is never 0.

    Parameters
    ----------
    differences : (D,) array
        The difference in each draw, NaN where undefined.

    Returns
    -------
    float in (0, 1], or NaN if no draw is defined.
    """
    values = np.asarray(differences, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan")
    smaller = min(int((values <= 0).sum()), int((values >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(values) + 1))
