"""Lines that another tool predicted, in a comparison: each against the baseline, on what both predict.

In a study of trained recipes they stand beside these, in families of tests of their own, and never decide which recipe
is best; so they leave every figure of the recipes as it is. Without recipes the first of them is the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.contrasts import RecipeValues, contrast, judged
from chestxpert.evaluation.coverage import Coverage
from chestxpert.evaluation.measured_runs import RunMeasures, RunResult, recipe_values
from chestxpert.evaluation.scored import Decided, Operating, Scored
from chestxpert.evaluation.threshold_rules import ThresholdRule
from chestxpert.taxonomy import Taxonomy

Permutation = Callable[[Sequence[Scored], Sequence[Scored]], Mapping[str, float]]


@dataclass(frozen=True, eq=False)
class Line:
    """The runs of one line, measured."""

    runs: Sequence[RunResult]
    measured: Sequence[RunMeasures]
    values: RecipeValues

    @property
    def decided(self) -> list[Decided]:
        """Each run with its thresholds."""
        return decided(self.runs, self.measured)


def decided(runs: Sequence[RunResult], measured: Sequence[RunMeasures]) -> list[Decided]:
    """Runs with the thresholds at which they were measured."""
    return [Decided(run.predictions, own.operating) for run, own in zip(runs, measured, strict=True)]


@dataclass(frozen=True, eq=False)
class Ground:
    """What lines are measured on, and how.

    Parameters
    ----------
    cohort : Cohort
    taxonomy : Taxonomy
    draws : PatientDraws
    rule : ThresholdRule
    primary : str
    """

    cohort: Cohort
    taxonomy: Taxonomy
    draws: PatientDraws
    rule: ThresholdRule
    primary: str

    def coverage(self, line: Line) -> Coverage:
        """What all seeds of a line predict."""
        found = [Coverage.of(run.predictions, self.cohort) for run in line.runs]
        result = found[0]
        for other in found[1:]:
            result = result & other
        return result

    def limited(self, line: Line, own: Coverage, to: Coverage) -> Line:
        """The line measured on `to`, a part of its `own`, at the thresholds it has."""
        if own.same_as(to):
            return line
        runs = [RunResult(run.seed, to.limit(run.predictions, self.cohort), "flat") for run in line.runs]
        measured = [self.measure(run, whole.operating) for run, whole in zip(runs, line.measured, strict=True)]
        return Line(runs, measured, recipe_values(runs, measured, self.primary))

    def measure(self, run: RunResult, operating: Operating | None = None) -> RunMeasures:
        """Measure a run, at the thresholds that its validation rows give or at others."""
        return RunMeasures.of(run, self.cohort, self.taxonomy, self.draws, self.rule, operating)

    def scored(self, runs: Sequence[Decided]) -> list[Scored]:
        """The runs of a line on the test images."""
        return [run.scored(self.cohort, self.taxonomy) for run in runs]


def external_contrasts(
    lines: Mapping[str, Line],
    pairs: Sequence[tuple[str, str]],
    kind: str,
    metrics: Sequence[str],
    ground: Ground,
    permuted: Permutation,
    margin: float | None = None,
) -> list[dict[str, Any]]:
    """Each pair on what both predict; one family of tests a metric.

    Parameters
    ----------
    lines : mapping of name to Line
    pairs : sequence of (a, b)
        Differences are a minus b.
    kind : {"baseline", "external"}
    metrics : sequence of str
    ground : Ground
    permuted : callable
        The p-values of the permutation test of two lines, by metric.
    margin : float, optional

    Returns
    -------
    list of dict
        As `contrasts.contrasts` gives them, each with ``shared``: what both predict (`Coverage.describe`), and the
        metric of either line there.

    Raises
    ------
    PredictionsError
        If two lines share no image or no label.
    """
    entries: dict[str, list[dict[str, Any]]] = {metric: [] for metric in metrics}
    swapped: dict[tuple[str, str], Mapping[str, float]] = {}
    for a, b in pairs:
        own = {name: ground.coverage(lines[name]) for name in (a, b)}
        both = own[a] & own[b]
        if not both.images.any() or not both.labels.any():
            raise PredictionsError(
                f"'{a}' and '{b}' share no test image and label, so they cannot be compared. Evaluate them apart."
            )
        sides = {name: ground.limited(lines[name], own[name], both) for name in (a, b)}
        swapped[a, b] = permuted(*(ground.scored(sides[name].decided) for name in (a, b)))
        values, shared = {name: side.values for name, side in sides.items()}, both.describe(ground.cohort)
        for metric in metrics:
            reached = {"a": values[a].test[metric], "b": values[b].test[metric]}
            entries[metric].append(contrast(values, metric, a, b, kind, margin) | {"shared": shared | reached})
    return [entry for metric in metrics for entry in judged(entries[metric], swapped)]


def best_other(lines: Mapping[str, Line], ground: Ground) -> str | None:
    """The best on validation of all lines but the first.

    None where validation cannot tell: one other line alone, one that was not scored there, or lines that were scored
    on different images or labels.
    """
    others = list(lines)[1:]
    scores = {name: lines[name].values.validation for name in others}
    if len(others) < 2 or any(math.isnan(score) for score in scores.values()):
        return None
    scored_on = [Coverage.of(lines[name].runs[0].predictions, ground.cohort, "val") for name in others]
    if not all(coverage.same_as(scored_on[0]) for coverage in scored_on):
        return None
    return max(others, key=lambda name: scores[name])
