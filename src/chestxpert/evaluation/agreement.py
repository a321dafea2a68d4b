"""How far a data set's labels agree with another source of labels for the same images, such as radiologists' reading.

Mined labels are wrong in places, and figures against them are capped by that. Two sources share the findings that both
name; an image counts for a finding where both know it. Neither source is taken for the truth by kappa; PPV and
sensitivity are those of the data set's labels against the other source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.elsewhere import Seen, measure, why_not_shared
from chestxpert.evaluation.estimates import Estimate, estimate
from chestxpert.evaluation.metrics import BoolArray, FloatArray, known_columns, pair, ratio
from chestxpert.evaluation.predictions import Predictions

RATES = ("kappa", "ppv", "sensitivity")


@dataclass(frozen=True, eq=False)
class Crossed:
    """Two sources' labels counted together, each (..., K).

    Parameters
    ----------
    both, only_here, only_there, neither : arrays
        Images that carry a label by both sources, by this one alone, by the other alone, by none.
    """

    both: FloatArray
    only_here: FloatArray
    only_there: FloatArray
    neither: FloatArray

    @classmethod
    def of(
        cls,
        here: npt.ArrayLike,
        there: npt.ArrayLike,
        known: npt.ArrayLike | None = None,
        draws: PatientDraws | None = None,
    ) -> Crossed:
        """Count (N, K) labels where both are known: (K,) arrays, or (D, K) ones with draws over the same images."""
        mine, values = pair(here, there, "labels of the other source")
        other = values.astype(np.bool_)
        mask = known_columns(known, mine.shape)
        told = np.ones_like(mine) if mask is None else mask
        parts = (mine & other & told, mine & ~other & told, ~mine & other & told, ~mine & ~other & told)
        if draws is None:
            return cls(*(part.sum(axis=0).astype(np.float64) for part in parts))
        return cls(*(draws.totals(part) for part in parts))

    @property
    def images(self) -> FloatArray:
        """Images that both know."""
        return self.both + self.only_here + self.only_there + self.neither

    def kappa(self) -> FloatArray:
        """Agreement beyond chance, (p_o - p_e) / (1 - p_e) (Cohen, Educ Psychol Meas 20, 1960).

        NaN without images, and where both sources say the same one thing of every image: chance alone does so too.
        Kappa of a rare finding is low even where sources seldom differ (Feinstein and Cicchetti, J Clin Epidemiol 43,
        1990); the counts stand beside it.
        """
        here, there = self.both + self.only_here, self.both + self.only_there
        n = self.images
        chance = ratio(here * there + (n - here) * (n - there), n**2)
        return ratio(ratio(self.both + self.neither, n) - chance, 1 - chance)

    def ppv(self) -> FloatArray:
        """Share of the images with the label here that have it there too; NaN without any."""
        return ratio(self.both, self.both + self.only_here)

    def sensitivity(self) -> FloatArray:
        """Share of the images with the label there that have it here too; NaN without any."""
        return ratio(self.both, self.both + self.only_there)


@dataclass(frozen=True, eq=False)
class SharedImages:
    """The images that two label sources share, with the labels of both in this cohort's order.

    Parameters
    ----------
    rows : (n,) int64 array
        Rows of the cohort.
    here, there, known : (n, K) bool arrays
        `known` where both sources know the label.
    missing : frozenset of str
        Labels of the cohort that the other source does not name, or knows of none of these images.
    """

    rows: npt.NDArray[np.int64]
    here: BoolArray
    there: BoolArray
    known: BoolArray
    missing: frozenset[str]

    @classmethod
    def of(cls, cohort: Cohort, other: Cohort) -> SharedImages:
        """Match by image id.

        Raises
        ------
        PredictionsError
            If no image is in both.
        """
        position = {name: row for row, name in enumerate(other.image_ids)}
        rows = np.array([row for row, name in enumerate(cohort.image_ids) if name in position], dtype=np.int64)
        if not len(rows):
            raise PredictionsError("The two label sources share no image, so there is nothing to hold against another.")
        there = np.array([position[name] for name in cohort.image_ids[rows]])
        names = [other.label_space.get(label) for label in cohort.label_space.labels]
        columns = [None if name is None else other.label_space.index(name) for name in names]
        labels, known = other.labels(there), other.known(there)
        nothing = np.zeros(len(rows), dtype=np.bool_)
        told = np.column_stack([nothing if column is None else known[:, column] for column in columns])
        return cls(
            rows,
            cohort.labels(rows),
            np.column_stack([nothing if column is None else labels[:, column] for column in columns]),
            told & cohort.known(rows),
            frozenset(label for column, label in enumerate(cohort.label_space.labels) if not told[:, column].any()),
        )


def describe_agreement(cohort: Cohort, shared: SharedImages, draws: int, seed: int) -> dict[str, Any]:
    """Agreement of the two sources on all images that they share, of every split.

    Returns
    -------
    dict
        ``images``, ``patients``, ``not_named`` (labels that the other source lacks), ``draws`` and ``per_label``: of
        each other label the counts ``both``, ``only_here``, ``only_there``, ``neither`` and each of `RATES` with its
        interval over patients.
    """
    drawn = PatientDraws.draw(cohort.patients[shared.rows], draws, seed)
    point = Crossed.of(shared.here, shared.there, shared.known)
    spread = Crossed.of(shared.here, shared.there, shared.known, drawn)
    rates = {name: (getattr(point, name)(), getattr(spread, name)()) for name in RATES}
    return {
        "images": len(shared.rows),
        "patients": drawn.counts.shape[1],
        "not_named": [label for label in cohort.label_space.labels if label in shared.missing],
        "draws": draws,
        "per_label": {
            label: {name: int(getattr(point, name)[column]) for name in ("both", "only_here", "only_there", "neither")}
            | {name: _estimate(values[column], many[:, column]) for name, (values, many) in rates.items()}
            for column, label in enumerate(cohort.label_space.labels)
            if label not in shared.missing
        },
    }


def _estimate(value: float, draws: FloatArray) -> Estimate:
    return estimate([value], [draws])


def measure_against_both(
    predictions: Predictions,
    cohort: Cohort,
    shared: SharedImages,
    thresholds: Mapping[str, float],
    draws: int,
    seed: int,
) -> dict[str, Any] | None:
    """A run on the shared test images, once against each source; None if no test image is shared.

    Both times on the entries that both sources know, so that what differs is the labels alone. Thresholds are the run's
    own, chosen on this cohort's validation labels.

    Returns
    -------
    dict
        ``here`` and ``there`` as `chestxpert.evaluation.elsewhere.measure` gives them, over the labels that have a
        positive and a negative by both sources; ``not_measured``: the others, each with the reason.
    """
    inside = (cohort.table["split"].to_numpy() == "test")[shared.rows]
    if not inside.any():
        return None
    rows = shared.rows[inside]
    seen = {
        side: _seen(predictions, cohort, rows, labels[inside], shared.known[inside])
        for side, labels in (("here", shared.here), ("there", shared.there))
    }
    reasons = {side: why_not_shared(view) for side, view in seen.items()}
    labels = [label for label in cohort.label_space.labels if not any(why[label] for why in reasons.values())]
    return {
        **{side: measure(view, labels, thresholds, draws, seed) for side, view in seen.items()},
        "not_measured": {
            label: _reason(label, shared, reasons) for label in cohort.label_space.labels if label not in labels
        },
    }


def _reason(label: str, shared: SharedImages, reasons: Mapping[str, Mapping[str, str]]) -> str:
    if label in shared.missing:
        return "the other source says nothing of it"
    words = {"here": "by this data set", "there": "by the other source"}
    return "; ".join(f"{words[side]}: {why[label]}" for side, why in reasons.items() if why[label])


def _seen(
    predictions: Predictions, cohort: Cohort, rows: npt.NDArray[np.int64], truth: BoolArray, known: BoolArray
) -> Seen:
    view = Seen.of(predictions, cohort, rows)
    return Seen(view.label_space, truth & known, known, view.probs, view.patients, frozenset())
