"""What a run's test patients each contribute to every metric of it, means over labels included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chestxpert.evaluation.bootstrap import IntArray, PatientDraws
from chestxpert.evaluation.hierarchy import hierarchical_scores
from chestxpert.evaluation.levels import InnerNodes
from chestxpert.evaluation.measures import Measured, Values, averaged_values
from chestxpert.evaluation.metrics import BoolArray, FloatArray
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts
from chestxpert.evaluation.uncertainty.jackknife import influences


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A run without each of G groups of patients.

    Parameters
    ----------
    metrics : Measured
        As `drawn_metrics` gives them for G draws.
    inner : dict of (G, I) float64 arrays
        As `InnerNodes.drawn` does.
    by_level : (1 + G, L, 3) float64 array
        As `drawn_level_counts` does, of all patients in row 0.
    """

    metrics: Measured
    inner: Values
    by_level: FloatArray


@dataclass(frozen=True, eq=False)
class Spread:
    """How a run's metrics hang on its patients.

    Parameters
    ----------
    per_label, overall, inner : dicts of (G, K), (G,) and (G, I) float64 arrays
        Influences (see `jackknife.influences`) of the G groups of patients left out, on the metrics of labels, on
        those of the whole and on those of the tree's inner nodes. A mean over labels moves by the mean over the
        labels it is defined for.
    hierarchical : three (G, L) float64 arrays
        The same for hierarchical precision, recall and F1 of each level of the tree.
    carriers, inner_carriers : (K,) and (I,) int64 arrays
        How many patients carry the label or node, or have an image without it, whichever are fewer.
    behind, inner_behind : dicts of (K,) and (I,) int64 arrays
        Of `patients_behind`.
    auroc : AurocParts
        What each patient adds to the AUROC of each label.
    """

    per_label: Values
    overall: Values
    inner: Values
    hierarchical: tuple[FloatArray, ...]
    carriers: IntArray
    inner_carriers: IntArray
    behind: dict[str, IntArray]
    inner_behind: dict[str, IntArray]
    auroc: AurocParts

    @classmethod
    def of(
        cls, scored: Scored, point: Measured, inner: InnerNodes, measured: Values, draws: PatientDraws, left: LeftOut
    ) -> Spread:
        """How far each group of patients `left` out moves what a run and its inner nodes reach with all of them."""
        per_label = {name: influences(values, point.per_label[name]) for name, values in left.metrics.per_label.items()}
        return cls(
            per_label=per_label,
            overall=_overall_moves(scored, point, left.metrics, per_label),
            inner={name: influences(values, measured[name]) for name, values in left.inner.items()},
            hierarchical=_hierarchical_moves(left.by_level),
            carriers=carriers(scored.truth, draws.patient_of_image, scored.known),
            inner_carriers=carriers(inner.truth, draws.patient_of_image, inner.known),
            behind=patients_behind(scored.truth, scored.decisions, draws.patient_of_image, scored.known),
            inner_behind=patients_behind(inner.truth, inner.decisions, draws.patient_of_image, inner.known),
            auroc=AurocParts.of(scored.truth, scored.probs, draws.patient_of_image, scored.known),
        )


def _overall_moves(scored: Scored, point: Measured, left: Measured, per_label: Values) -> Values:
    averaged = averaged_values(per_label, scored.taxonomy.label_space, scored.groups)
    return {
        name: mean_move(averaged[name]) if name in averaged else influences(values, point.overall[name])
        for name, values in left.overall.items()
    }


def _hierarchical_moves(by_level: FloatArray) -> tuple[FloatArray, ...]:
    scores = hierarchical_scores(by_level)
    return tuple(influences(each[1:], each[0]) for each in scores)


def mean_move(moves: FloatArray) -> FloatArray:
    """(G,) mean over the labels of (G, K) influences, of those that are defined; NaN where none is."""
    defined = ~np.isnan(moves).any(axis=0)
    return np.asarray(moves[:, defined].mean(axis=1)) if defined.any() else np.full(len(moves), np.nan)


def carriers(truth: BoolArray, patient_of_image: IntArray, known: BoolArray | None = None) -> IntArray:
    """(K,) how many patients carry each label in a known image, or have one without it, whichever are fewer."""
    told = np.ones_like(truth) if known is None else known
    return np.minimum(*(patients_with(side & told, patient_of_image) for side in (truth, ~truth)))


def patients_behind(
    truth: BoolArray, decisions: BoolArray, patient_of_image: IntArray, known: BoolArray | None = None
) -> dict[str, IntArray]:
    """How many patients have a known image that recall, precision and F1 of each label are a share of.

    Parameters
    ----------
    truth, decisions : (N, K) bool arrays
    patient_of_image : (N,) int64 array
    known : (N, K) bool array, optional

    Returns
    -------
    dict of (K,) int64 arrays
        ``recall``: patients with the label; ``precision``: decided to have it; ``f1``: either.
    """
    told = np.ones_like(truth) if known is None else known
    images = {"recall": truth, "precision": decisions, "f1": truth | decisions}
    return {name: patients_with(chosen & told, patient_of_image) for name, chosen in images.items()}


def patients_with(images: BoolArray, patient_of_image: IntArray) -> IntArray:
    """(K,) how many patients have at least one of the images that each column of (N, K) chooses."""
    return np.array([len(np.unique(patient_of_image[column])) for column in images.T], dtype=np.int64)
