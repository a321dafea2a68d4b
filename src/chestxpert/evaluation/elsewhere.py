"""A run measured on images of another data set: on the findings that both share, and on nothing else.

Arrays are (N, K), K the run's labels in its order. A label is measured on the images whose truth is known, as if there
were no others. Thresholds are the run's own, chosen on its own validation images; nothing is chosen here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation import metrics
from chestxpert.evaluation.bootstrap import LEVEL, PatientDraws
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, ratio
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.uncertainty.estimates import estimate, kind_of
from chestxpert.evaluation.uncertainty.jackknife import influences, leave_out
from chestxpert.evaluation.uncertainty.spread import carriers, mean_move, patients_behind
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.labels import LabelSpace

METRICS = ("auroc", "ap", "f1")


@dataclass(frozen=True, eq=False)
class Seen:
    """What a run said of N images, beside what is known of them.

    Parameters
    ----------
    label_space : LabelSpace
        Of the run.
    truth, known : (N, K) bool arrays
        `known` is False throughout for a label that the data set does not have.
    probs : (N, K) float64 array
    patients : (N,) array of str
    unlabelled : frozenset of str
        Labels of the run that the data set does not have.
    """

    label_space: LabelSpace
    truth: BoolArray
    known: BoolArray
    probs: FloatArray
    patients: npt.NDArray[np.object_]
    unlabelled: frozenset[str]

    @classmethod
    def of(cls, predictions: Predictions, cohort: Cohort, rows: npt.NDArray[np.int64]) -> Seen:
        """Pair predictions with the rows of a cohort, findings by their canonical names.

        Raises
        ------
        PredictionsError
            If there are no rows, or one has no prediction.
        """
        if not len(rows):
            raise PredictionsError("There are no images to evaluate on.")
        space, other = predictions.label_space, cohort.label_space
        truth, known = (np.zeros((len(rows), len(space)), dtype=np.bool_) for _ in range(2))
        unlabelled = []
        for column, label in enumerate(space.labels):
            name = other.get(label)
            if name is None:
                unlabelled.append(label)
                continue
            values = cohort.table[name].iloc[rows]
            known[:, column] = ~values.isna().to_numpy(dtype=np.bool_)
            truth[:, column] = values.astype("boolean").fillna(False).to_numpy(dtype=np.bool_)
        return cls(
            space, truth, known, _aligned(predictions, cohort, rows), cohort.patients[rows], frozenset(unlabelled)
        )


def _aligned(predictions: Predictions, cohort: Cohort, rows: npt.NDArray[np.int64]) -> FloatArray:
    position = {name: row for row, name in enumerate(predictions.frame["image_id"])}
    wanted = cohort.image_ids[rows]
    missing = [name for name in wanted if name not in position]
    if missing:
        raise PredictionsError(f"{len(missing)} images have no prediction, for example {missing[0]}.")
    return predictions.probs[[position[name] for name in wanted]]


def why_not_shared(seen: Seen, not_learnt: Collection[str] = ()) -> dict[str, str]:
    """For each label of the run why it cannot be measured on these images; "" where it can.

    Parameters
    ----------
    seen : Seen
    not_learnt : collection of str
        Labels that no training image of the run could teach.
    """
    reasons = {}
    for column, label in enumerate(seen.label_space.labels):
        held = seen.truth[seen.known[:, column], column]
        if label in not_learnt:
            reasons[label] = "the run has not learnt it"
        elif label in seen.unlabelled:
            reasons[label] = "the data set has no such label"
        elif not len(held):
            reasons[label] = "not known for any of these images"
        elif not held.any():
            reasons[label] = f"no positive among {len(held):,} known images"
        elif held.all():
            reasons[label] = f"no negative among {len(held):,} known images"
        else:
            reasons[label] = ""
    return reasons


def measure(
    seen: Seen, labels: Sequence[str], thresholds: Mapping[str, float], draws: int, seed: int = 0
) -> dict[str, Any]:
    """AUROC, average precision and F1 of some labels, and their means over the findings among them.

    Parameters
    ----------
    seen : Seen
    labels : sequence of str
        Of the run; each with a positive and a negative, or its values are NaN.
    thresholds : mapping of str to float
        The run's own, by label.
    draws : int
        Bootstrap draws over patients.
    seed : int
        Of the draws.

    Returns
    -------
    dict
        ``images``, ``patients``, ``per_label`` (by label: ``n_known``, ``n_positive``, ``prevalence``, ``threshold``
        and each of `METRICS`) and ``macro`` (each of `METRICS`, over the findings without No Finding). A metric is a
        dict of ``value``, ``low``, ``high``, ``interval`` and ``n_draws``.
    """
    drawn = PatientDraws.draw(seen.patients, draws, seed)
    without = leave_out(drawn)
    columns = {label: seen.label_space.index(label) for label in labels}
    points = {label: _point(seen, column, thresholds[label]) for label, column in columns.items()}
    spread = {label: _drawn(seen, column, thresholds[label], drawn) for label, column in columns.items()}
    left = {label: _drawn(seen, column, thresholds[label], without) for label, column in columns.items()}
    moves = {label: {name: influences(left[label][name], points[label][name]) for name in METRICS} for label in columns}
    findings = [label for label in labels if label in seen.label_space.findings]
    return {
        "images": len(seen.truth),
        "patients": len(np.unique(seen.patients.astype(str))),
        "per_label": {
            label: _described(seen, column, thresholds[label], points[label], spread[label], moves[label], drawn)
            for label, column in columns.items()
        },
        "macro": {name: _macro(name, findings, points, spread, moves) for name in METRICS},
    }


def _point(seen: Seen, column: int, threshold: float) -> dict[str, float]:
    """The metrics of one label on its known images."""
    rows = seen.known[:, column]
    truth, probs = seen.truth[rows, column : column + 1], seen.probs[rows, column : column + 1]
    return {
        "auroc": float(metrics.auroc(truth, probs)[0]),
        "ap": float(metrics.average_precision(truth, probs)[0]),
        "f1": float(metrics.f1(truth, probs >= threshold)[0]),
    }


def _drawn(seen: Seen, column: int, threshold: float, draws: PatientDraws) -> dict[str, FloatArray]:
    """The same in every draw: (D,) arrays. Patients are drawn from all, whether the label is known for them or not."""
    rows = seen.known[:, column]
    mine = PatientDraws(draws.patient_of_image[rows], draws.counts)
    truth, probs = seen.truth[rows, column : column + 1], seen.probs[rows, column : column + 1]
    if not len(truth):
        return {name: np.full(len(draws), np.nan) for name in METRICS}
    auroc, ap = drawn_ranking(truth, probs, mine)
    decided = probs >= threshold
    hits, calls, held = (mine.totals(images)[:, 0] for images in (truth & decided, decided, truth))
    return {"auroc": auroc[:, 0], "ap": ap[:, 0], "f1": np.where(held > 0, ratio(2 * hits, calls + held), np.nan)}


def _described(
    seen: Seen, column: int, threshold: float, point: Mapping[str, float], drawn: Mapping[str, FloatArray],
    moves: Mapping[str, FloatArray], draws: PatientDraws,
) -> dict[str, Any]:  # fmt: skip
    known = seen.known[:, column]
    held = seen.truth[known, column]
    place, decided = draws.patient_of_image[known], seen.probs[known, column] >= threshold
    carried = int(carriers(held[:, np.newaxis], place)[0])
    counts = patients_behind(held[:, np.newaxis], decided[:, np.newaxis], place)
    behind = {name: int(patients[0]) for name, patients in counts.items()}
    return {
        "n_known": len(held),
        "n_positive": int(held.sum()),
        "prevalence": float(ratio(held.sum(), len(held))),
        "threshold": threshold,
        **{
            name: _with_interval(point[name], drawn[name], moves[name], kind_of(name), carried, behind.get(name, 0))
            for name in METRICS
        },
    }


def _macro(
    name: str, findings: Sequence[str], points: Mapping[str, Mapping[str, float]],
    drawn: Mapping[str, Mapping[str, FloatArray]], moves: Mapping[str, Mapping[str, FloatArray]],
) -> dict[str, Any]:  # fmt: skip
    kind = "jackknife" if name == "ap" else "percentile"
    value = float(macro([points[label][name] for label in findings]))
    if not findings:
        return _with_interval(value, np.array([np.nan]), np.array([np.nan]), kind) | {"n": 0}
    means = macro(np.stack([drawn[label][name] for label in findings]), axis=0)
    moved = mean_move(np.column_stack([moves[label][name] for label in findings]))
    return _with_interval(value, means, moved, kind) | {"n": len(findings)}


def _with_interval(
    value: float, drawn: FloatArray, moves: FloatArray, kind: str, carried: int = 0, behind: int = 0
) -> dict[str, Any]:
    """One figure with the interval that a study's comparison gives it."""
    entry = estimate(value, drawn, moves, kind, carried, behind)
    return {"value": value, "low": entry["low"], "high": entry["high"], "interval": kind} | {
        "n_draws": entry["n_draws"],
        "level": LEVEL,
    }
