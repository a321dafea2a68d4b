"""A study's lines, measured: what all parts of its results beyond the comparison are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.each import Each, one_by_one
from chestxpert.evaluation.external_lines import Ground, Line
from chestxpert.evaluation.measured_runs import RunMeasures


@dataclass(frozen=True, eq=False)
class Study:
    """What all parts are computed from.

    Parameters
    ----------
    lines : mapping of recipe to its runs, measured
    ground : Ground
        With draws over the cohort's test images.
    detailed : sequence of str
        Recipes with intervals of everything.
    seed : int
        Of the draws.
    each : callable
        How independent parts of the work are done.
    """

    lines: Mapping[str, Line]
    ground: Ground
    detailed: Sequence[str]
    seed: int
    each: Each = one_by_one

    @property
    def cohort(self) -> Cohort:
        """What the lines are measured on."""
        return self.ground.cohort

    @property
    def measured(self) -> dict[str, Sequence[RunMeasures]]:
        """The runs of each recipe."""
        return {name: line.measured for name, line in self.lines.items()}
