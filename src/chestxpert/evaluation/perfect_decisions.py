"""What a hierarchy would reach if one of its decisions were perfect: which one holds it back.

A decision is asked of the images where its parent holds. A perfect one answers each of those as the truth does. Of an
image where its parent does not hold the question has no answer, so there the network's own stays: a perfect decision C
does not make up for images that A and B should never have let down to it. (If it did, every last decision would be
found to be all that is wrong, since the truth of a leaf is the truth of its finding.) Where a label is unknown, the
network's own answer stays too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import BoolArray, FloatArray, ratio
from chestxpert.evaluation.paired_cases import Cases
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.routing import path_decisions
from chestxpert.evaluation.scored import Operating, known_or_none
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.taxonomy import Taxonomy

Answers = TypeVar("Answers", bound=np.generic)

MEASURED = ("ap", "hard_recall", "hard_f1")
"""What is measured: average precision of the product of probabilities, recall and F1 of hard routing."""


def perfected(
    answers: npt.NDArray[Answers],
    labels: BoolArray,
    taxonomy: Taxonomy,
    decisions: Collection[str],
    known: BoolArray | None = None,
) -> npt.NDArray[Answers]:
    """Answers of a tree, those of some decisions as the truth has them wherever these are asked.

    Parameters
    ----------
    answers : (N, M) array
        Probability of each node given its parent, or whether it is decided to hold.
    labels : (N, K) bool array in label order
    taxonomy : Taxonomy
    decisions : collection of str
        Names of the decisions to be made perfect.
    known : (N, K) bool array, optional
        Where the labels are known; everywhere by default.

    Returns
    -------
    (N, M) array of the same kind
    """
    result, targets, asked = answers.copy(), taxonomy.targets(labels, known), taxonomy.mask(labels, known)
    for name in decisions:
        columns = taxonomy.columns(name)
        here = asked[:, columns]
        result[:, columns][here] = targets[:, columns][here]
    return result


class PerfectDecisions:
    """One run of a hierarchy on one split, ready to be measured with any of its decisions perfect.

    Parameters
    ----------
    run : Predictions
        With conditional probabilities.
    operating : Operating
        The run's thresholds; they stay where they are.
    cohort : Cohort
    split : str
    """

    def __init__(self, run: Predictions, operating: Operating, cohort: Cohort, split: str) -> None:
        rows = cohort.rows(split)
        _, given = run.align(cohort, split)
        if given is None or run.taxonomy is None or operating.nodes is None:
            raise ValueError("Only a hierarchy has decisions that could be perfect.")
        self.tree = run.taxonomy
        self._given, self._on = given, operating.nodes.decide(given)
        self._labels, self._known = cohort.labels(rows), known_or_none(cohort, rows)
        self._cases = Cases.of(cohort, split)
        self._columns = [cohort.label_space.index(finding) for finding in self._cases.findings]

    def measure(self, perfect: Collection[str], draws: PatientDraws, plain: Values | None = None) -> Values:
        """Each of `MEASURED`, and ``found`` and ``false_alarms`` of hard routing, in every draw.

        Parameters
        ----------
        perfect : collection of str
            Names of the perfect decisions; none of them measures the run as it is.
        draws : PatientDraws
        plain : dict, optional
            What this method gave without perfect decisions on the same draws. Average precision of a finding that is
            not below any of `perfect` is taken from there instead of being computed again.

        Returns
        -------
        dict of (D, F) float64 arrays
        """
        cases = self._cases
        on = perfected(self._on, self._labels, self.tree, perfect, self._known)
        decided = self.tree.route(on, np.ones(on.shape[1]))[:, self._columns]
        found, held = draws.totals(cases.held & decided), draws.totals(cases.held)
        false_alarms = draws.totals(cases.told & ~cases.held & decided)
        return {
            "ap": self._average_precision(perfect, draws, plain),
            "hard_recall": ratio(found, held),
            "hard_f1": np.where(held > 0, ratio(2 * found, found + false_alarms + held), np.nan),
            "found": found,
            "false_alarms": false_alarms,
        }

    def _average_precision(self, perfect: Collection[str], draws: PatientDraws, plain: Values | None) -> FloatArray:
        given = perfected(self._given, self._labels, self.tree, perfect, self._known)
        probs = self.tree.marginals_from_conditionals(given)[:, self._columns]
        moved = np.array(
            [
                plain is None or not set(perfect).isdisjoint(path_decisions(finding, self.tree))
                for finding in self._cases.findings
            ]
        )
        result = np.empty((len(draws), len(moved))) if plain is None else plain["ap"].copy()
        part = (self._cases.held[:, moved], probs[:, moved], draws)
        result[:, moved] = drawn_ranking(*part, known=self._cases.told[:, moved])[1]
        return result
