"""Precision-recall and ROC curves of the best recipe of each side, a plot a label, a line a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from chestxpert.report.canvas import Point
from chestxpert.report.external import half_words
from chestxpert.report.figure import Figure, Key, Table, side_key
from chestxpert.report.results import Results, finding_name
from chestxpert.report.scales import UNDEFINED, decimal, grouped, percent
from chestxpert.report.shortcut import CURVE_KEY, NAME, WORDS
from chestxpert.report.small_plot import UnitPlot

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """Test truth, and for each recipe drawn the probabilities of each of its seeds.

    Attributes
    ----------
    truth : (N, K) bool array
    probs : mapping of recipe to one (N, K) array a seed
    known : (N, K) bool array or None
        Where the truth is known; None where all of it is.
    floor : (N, K) array or None
        What the shortcut floor says.
    """

    truth: BoolArray
    probs: Mapping[str, Sequence[FloatArray]]
    known: BoolArray | None = None
    floor: FloatArray | None = None

    def floor_of(self, column: int) -> FloatArray | None:
        """Probabilities (n,) of the shortcut floor, on the images of which the label is known."""
        if self.floor is None:
            return None
        return self.floor[slice(None) if self.known is None else self.known[:, column], column]

    def label(self, column: int) -> tuple[BoolArray, dict[str, list[FloatArray]]]:
        """Truth (n,) of a label on the images of which it is known, and the probabilities there, a list a recipe."""
        rows = slice(None) if self.known is None else self.known[:, column]
        probs = {name: [seed[rows, column] for seed in seeds] for name, seeds in self.probs.items()}
        return self.truth[rows, column], probs


def _predicted(truth: BoolArray, probs: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Truth and probabilities of the images that were predicted: another tool may lack some, or the whole label."""
    there = ~np.isnan(probs)
    return truth[there], probs[there]


def precision_recall_points(truth: BoolArray, probs: FloatArray) -> FloatArray:
    """(n, 2) corners of the precision-recall steps, recall rising; the area below is the average precision."""
    if not len(truth):
        return np.empty((0, 2))
    hits, decided = _counts(truth, probs)
    recall, precision = hits / max(int(truth.sum()), 1), hits / decided
    rising = np.flatnonzero(np.diff(recall, prepend=0.0) > 0)
    before = np.append(0.0, recall[rising])[:-1]
    steps = [np.column_stack([ends, precision[rising]]) for ends in (before, recall[rising])]
    return np.stack(steps, axis=1).reshape(-1, 2)


def roc_points(truth: BoolArray, probs: FloatArray) -> FloatArray:
    """(n, 2) corners of the ROC curve from (0, 0) to (1, 1)."""
    if not len(truth):
        return np.empty((0, 2))
    hits, decided = _counts(truth, probs)
    across = (decided - hits) / max(int((~truth).sum()), 1)
    up = hits / max(int(truth.sum()), 1)
    return np.vstack([np.zeros((1, 2)), np.column_stack([across, up])])


def _counts(truth: BoolArray, probs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """True positives and decided positives at each distinct threshold, highest threshold first."""
    order = np.argsort(-probs)  # equal scores in any order: they are one threshold
    ends = np.flatnonzero(np.append(np.diff(probs[order]) != 0, True))
    return np.cumsum(truth[order])[ends].astype(np.float64), (ends + 1).astype(np.float64)


def _operating_point(truth: BoolArray, decided: BoolArray, roc: bool) -> Point | None:
    """Where a threshold stands on the curve; None where nothing is predicted, or decided and precision has no value."""
    if not len(truth):
        return None
    hits = int((truth & decided).sum())
    recall = hits / max(int(truth.sum()), 1)
    if roc:
        return int((~truth & decided).sum()) / max(int((~truth).sum()), 1), recall
    return (recall, hits / int(decided.sum())) if decided.any() else None


def precision_recall_figure(results: Results, labels: Sequence[str], columns: Sequence[int], scores: Scores) -> Figure:
    """Small multiples of precision against recall; `columns` holds each label's place in the arrays."""
    return Figure(
        anchor="fig-pr",
        title="Precision against recall",
        caption=(
            "The test split, one thin line a seed. The dashed line is guessing: the label's share of the images. "
            f"Marks stand where the threshold chosen on validation lands on test.{half_words(results)} The numbers are "
            "average precision, the mean over seeds." + _floor_words(scores)
        ),
        picture=_grid(results, labels, columns, scores, "ap", roc=False),
        tables=[_thresholds_table(results, labels, columns, scores)],
        keys=_keys(results, scores),
        grid=True,
    )


def roc_figure(results: Results, labels: Sequence[str], columns: Sequence[int], scores: Scores) -> Figure:
    """Small multiples of the true-positive rate against the false-positive rate."""
    return Figure(
        anchor="fig-roc",
        title="ROC curves",
        caption=(
            "True-positive rate against false-positive rate on the test split, one thin line a seed; the dashed "
            "diagonal is guessing. The numbers are AUROC, the mean over seeds. For rare findings, precision and "
            "recall tell more: a small false-positive rate can still be many false alarms." + _floor_words(scores)
        ),
        picture=_grid(results, labels, columns, scores, "auroc", roc=True),
        tables=[_auroc_table(results, labels, scores)],
        keys=_keys(results, scores),
        grid=True,
    )


def _floor_words(scores: Scores) -> str:
    return "" if scores.floor is None else WORDS


def _thresholds_table(results: Results, labels: Sequence[str], columns: Sequence[int], scores: Scores) -> Table:
    """What the recipes drawn reach at the thresholds that were chosen on validation."""
    rows = []
    for label, column in zip(labels, columns, strict=True):
        truth, _ = scores.label(column)
        share = percent(float(truth.mean()) if len(truth) else None)
        for name in scores.probs:
            chosen = results.thresholds(name, label)
            threshold = decimal(float(np.mean(chosen)) if chosen else None)
            metrics = (results.label(name, label, metric).words() for metric in ("ap", "precision", "recall", "f1"))
            rows.append([finding_name(label), name, share, threshold, *metrics])
        if scores.floor is not None:
            told = (decimal(results.floor(metric, label)) for metric in ("ap", "precision", "recall", "f1"))
            rows.append([finding_name(label), NAME, share, "", *told])
    head = ["finding", "recipe", "share of images", "threshold", "average precision", "precision", "recall", "F1"]
    return Table(head, rows, words=2)


def _auroc_table(results: Results, labels: Sequence[str], scores: Scores) -> Table:
    floors = [] if scores.floor is None else [NAME]
    rows = [
        [
            finding_name(label), *(results.label(name, label, "auroc").words() for name in scores.probs),
            *(decimal(results.floor("auroc", label)) for _ in floors),
        ]
        for label in labels
    ]  # fmt: skip
    return Table(["AUROC", *scores.probs, *floors], rows)


def _keys(results: Results, scores: Scores) -> list[Key]:
    recipes = [side_key(results.side(name), name) for name in scores.probs]
    return recipes if scores.floor is None else [*recipes, CURVE_KEY]


def _grid(
    results: Results, labels: Sequence[str], columns: Sequence[int], scores: Scores, metric: str, *, roc: bool
) -> Markup:
    plots = [_plot(results, label, column, scores, metric, roc) for label, column in zip(labels, columns, strict=True)]
    return Markup("").join(plots)


def _plot(results: Results, label: str, column: int, scores: Scores, metric: str, roc: bool) -> Markup:
    truth, recipes = scores.label(column)
    title, note = finding_name(label), f"{grouped(truth.sum())} of {grouped(len(truth))}"
    plot = UnitPlot(title, note, *(("false-positive rate", "true-positive") if roc else ("recall", "precision")))
    if not truth.any() or truth.all():
        plot.words(0.73, 0.48, UNDEFINED, "plain")
        why = "all test images are of one class" if len(truth) else "no test image tells"
        return plot.svg(f"{title}: {UNDEFINED}, {why}")
    prevalence = float(truth.mean())
    plot.curve([(0, 0), (1, 1)] if roc else [(0, prevalence), (1, prevalence)], "reference")
    points: Callable[[BoolArray, FloatArray], FloatArray] = roc_points if roc else precision_recall_points
    floor = scores.floor_of(column)
    if floor is not None:
        plot.curve(points(truth, floor), "floor")
    for name, seeds in recipes.items():
        with plot.canvas.about(name):
            for probs in seeds:
                plot.curve(points(*_predicted(truth, probs)), results.side(name))
    _marks(plot, results, label, (truth, recipes), roc)
    for place, name in enumerate(scores.probs):
        height = (0.05 + 0.12 * (len(scores.probs) - 1 - place)) if roc else 0.9 - 0.12 * place
        with plot.canvas.about(name):
            plot.words(0.97, height, decimal(results.label(name, label, metric).mean), results.side(name))
    means = ", ".join(f"{name} {decimal(results.label(name, label, metric).mean)}" for name in scores.probs)
    return plot.svg(f"{title}, {'AUROC' if roc else 'average precision'}: {means}")


def _marks(
    plot: UnitPlot, results: Results, label: str, scores: tuple[BoolArray, Mapping[str, list[FloatArray]]], roc: bool
) -> None:
    truth, recipes = scores
    for name, seeds in recipes.items():
        # Thresholds are in the order of the seeds, or not there at all.
        for probs, threshold in zip(seeds, results.thresholds(name, label), strict=False):
            held, scores_there = _predicted(truth, probs)
            point = _operating_point(held, scores_there >= threshold, roc)
            if point is not None:
                place = plot.x(point[0]), plot.y(point[1])
                with plot.canvas.about(name):
                    plot.canvas.marker(*place, results.hierarchical(name), f"dot {results.side(name)}", size=2.6)
