"""Which errors are shown: of each finding the test images that the best recipe was surest and wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.metrics import BoolArray, FloatArray
from chestxpert.report.read import StudyFolder
from chestxpert.report.results import Results

EACH = 4
"""At most so many false alarms, and as many missed cases, of a finding."""

MOST = 150
"""At most so many pictures on a page; with many findings each has fewer."""


@dataclass(frozen=True)
class Error:
    """One image that the recipe got wrong for one finding.

    Attributes
    ----------
    image_id : str
    probability : float
        Mean over the recipe's seeds.
    truth : tuple of str
        All labels that the image carries.
    """

    image_id: str
    probability: float
    truth: tuple[str, ...]


@dataclass(frozen=True)
class Errors:
    """The errors of one finding that are shown, the surest first, how many there are, and the threshold."""

    finding: str
    threshold: float
    alarms: Sequence[Error]
    missed: Sequence[Error]
    n_alarms: int
    n_missed: int


def shown_recipe(results: Results) -> str | None:
    """Of the best of each side the better one on validation; the test images have no say."""
    scores = {name: _validation(results, name) for name in results.best}
    return max(scores, key=lambda name: scores[name]) if scores else None


def _validation(results: Results, name: str) -> float:
    value = results.recipe(name).get("validation", {}).get(results.primary)
    return float("-inf") if value is None else float(value)


def confident_errors(study: StudyFolder, name: str, findings: Sequence[str]) -> list[Errors]:
    """Confident errors of a recipe on the test images.

    A false alarm has a mean probability over the seeds of at least the mean threshold, a missed case one below it. No
    two errors of a kind are of one patient. Images of which the label is not known are no errors.

    Parameters
    ----------
    study : StudyFolder
    name : str
        A recipe of the study.
    findings : sequence of str
        In the order shown.

    Returns
    -------
    list of Errors
        One a finding that some test image tells about and that has a threshold.
    """
    cohort = study.cohort
    rows = cohort.rows("test")
    runs = [run.align(cohort, "test")[0] for run in study.predictions(name)]
    probs = np.mean(runs, axis=0)
    view = _View(cohort, rows, cohort.labels(rows), cohort.known(rows), np.asarray(probs, dtype=np.float64))
    each = min(EACH, max(1, MOST // (2 * max(1, len(findings)))))
    thresholds = {finding: study.results.thresholds(name, finding) for finding in findings}
    return [view.errors(finding, float(np.mean(cuts)), each) for finding, cuts in thresholds.items() if cuts]


@dataclass(frozen=True, eq=False)
class _View:
    """The test images under one recipe."""

    cohort: Cohort
    rows: npt.NDArray[np.int64]
    truth: BoolArray
    known: BoolArray
    probs: FloatArray

    def errors(self, finding: str, threshold: float, each: int) -> Errors:
        column = self.cohort.label_space.index(finding)
        decided, probs = self.probs[:, column] >= threshold, self.probs[:, column]
        told = self.known[:, column]
        alarms = np.flatnonzero(told & decided & ~self.truth[:, column])
        missed = np.flatnonzero(told & ~decided & self.truth[:, column])
        return Errors(
            finding, threshold,
            self._first(alarms[np.argsort(-probs[alarms], kind="stable")], column, each),
            self._first(missed[np.argsort(probs[missed], kind="stable")], column, each),
            len(alarms), len(missed),
        )  # fmt: skip

    def _first(self, order: npt.NDArray[np.int64], column: int, each: int) -> list[Error]:
        """The first of an order, one a patient."""
        chosen: list[Error] = []
        seen: set[str] = set()
        for place in order.tolist():
            patient = str(self.cohort.patients[self.rows[place]])
            if patient in seen:
                continue
            seen.add(patient)
            labels = zip(self.cohort.label_space.labels, self.truth[place], strict=True)
            truth = tuple(label for label, carried in labels if carried)
            chosen.append(Error(str(self.cohort.image_ids[self.rows[place]]), float(self.probs[place, column]), truth))
            if len(chosen) == each:
                break
        return chosen
