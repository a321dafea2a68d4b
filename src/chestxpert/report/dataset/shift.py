"""How much more or less often each label occurs in test than in training and validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws, interval
from chestxpert.report.dataset.subject import TRAIN_VAL, Subject

FloatArray = npt.NDArray[np.float64]

ENDLESS = 1e6
"""A ratio that stands for one without end: in such a draw no image outside of test carries the label."""


@dataclass(frozen=True)
class Shift:
    """Prevalence of one label on both sides of the test set's border.

    Attributes
    ----------
    before, after : float
        Share of the known images of training and validation, and of test, that carry the label; NaN if none is known.
    difference, ratio : tuple of three float
        ``after - before`` and ``after / before``: value, and lower and upper end of its 95 % interval. NaN where it is
        not defined; an end of a ratio may be `ENDLESS`.
    """

    before: float
    after: float
    difference: tuple[float, float, float]
    ratio: tuple[float, float, float]

    @property
    def clear(self) -> bool:
        """Whether the interval of the difference leaves zero out."""
        _, low, high = self.difference
        return bool(low > 0 or high < 0)


def prevalence_shifts(subject: Subject, draws: int, seed: int = 0) -> dict[str, Shift]:
    """Shift of every label, most frequent first; none if one of the two sides has no images.

    Patients are drawn with replacement on each side by itself, since the two share none; intervals are percentile
    intervals (Davison and Hinkley, Bootstrap methods and their application, 1997, section 5.3.1).

    Parameters
    ----------
    subject : Subject
    draws : int
        At least 1.
    seed : int
        Test patients are drawn with `seed` + 1, so that the two sides are independent.
    """
    sides = [subject.rows(TRAIN_VAL), subject.rows(("test",))]
    if not all(map(len, sides)):
        return {}
    points, drawn = zip(*(_shares(subject, rows, draws, seed + side) for side, rows in enumerate(sides)), strict=True)
    return {
        label: _shift(points[0][column], points[1][column], drawn[0][:, column], drawn[1][:, column])
        for column, label in enumerate(subject.labels)
    }


def _shares(subject: Subject, rows: npt.NDArray[np.int64], draws: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Share of each label among some images, (K,), and in every draw of their patients, (D, K)."""
    held, known = subject.truth[rows], subject.known[rows]
    patients = PatientDraws.draw(subject.cohort.patients[rows], draws, seed)
    totals = patients.totals(np.hstack([held, known]))
    width = held.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return held.sum(axis=0) / known.sum(axis=0), totals[:, :width] / totals[:, width:]


def _shift(before: float, after: float, drawn_before: FloatArray, drawn_after: FloatArray) -> Shift:
    low, high, _ = interval(drawn_after - drawn_before)
    # Without a case on either side there is nothing to divide.
    if not (before > 0 and after > 0):
        return Shift(before, after, (after - before, low, high), (float("nan"),) * 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.minimum(drawn_after / drawn_before, ENDLESS)
    return Shift(before, after, (after - before, low, high), (after / before, *interval(ratios)[:2]))
