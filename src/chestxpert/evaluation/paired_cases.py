"""The same cases under two recipes: which of them both find, which only one, and where a hierarchy lost the others.

A recipe has several runs, one a seed. A run of one recipe and a run of the other make a 2 by 2 table of the cases of a
finding (the table of McNemar, Psychometrika 12, 1947); here it is averaged over all pairs of runs. Since every run of
one meets every run of the other, the mean of the products is the product of the means, image by image: no run is ever
matched with a run of the other recipe that has nothing to do with it but the number of its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, ratio
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.routing import FOUND, path_decisions, refused_at
from chestxpert.evaluation.scored import Operating, known_or_none
from chestxpert.evaluation.weighted_ranking import drawn_hits
from chestxpert.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class Cases:
    """The truth about F findings on the N images of a split.

    Parameters
    ----------
    findings : tuple of str
        In label order.
    held : (N, F) bool array
        Known to carry the finding: its cases.
    told : (N, F) bool array
        Known to carry it or not.
    """

    findings: tuple[str, ...]
    held: BoolArray
    told: BoolArray

    @classmethod
    def of(cls, cohort: Cohort, split: str) -> Cases:
        """Cases of every finding on the images of one split."""
        rows, space = cohort.rows(split), cohort.label_space
        columns = [space.index(finding) for finding in space.findings]
        labels, known = cohort.labels(rows)[:, columns], known_or_none(cohort, rows)
        told = np.ones_like(labels) if known is None else known[:, columns]
        return cls(space.findings, labels & told, told)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What the S runs of a recipe say of F findings on N images.

    Parameters
    ----------
    tree : Taxonomy or None
        That hard routing goes down; None for a flat recipe.
    refused : (S, N, F) int16 array
        As `refused_at` gives it; for a flat recipe `FOUND` where the finding is decided to be there, else 0.
    scores : (S, N, F) float64 array
        Probability of each finding.
    """

    tree: Taxonomy | None
    refused: npt.NDArray[np.int16]
    scores: FloatArray

    @classmethod
    def of(cls, runs: Sequence[Predictions], operating: Sequence[Operating], cohort: Cohort, split: str) -> Outcomes:
        """Outcomes of a recipe's runs on one split, each at its own thresholds."""
        pairs = zip(runs, operating, strict=True)
        refused, scores = zip(*(_outcome(run, own, cohort, split) for run, own in pairs), strict=True)
        return cls(runs[0].taxonomy, np.stack(refused), np.stack(scores))

    @cached_property
    def decided(self) -> BoolArray:
        """(S, N, F): which findings are decided to be there."""
        return np.asarray(self.refused == FOUND)

    @cached_property
    def share(self) -> FloatArray:
        """(N, F): share of the runs that decide so."""
        return np.asarray(self.decided.mean(axis=0))


def _outcome(
    run: Predictions, operating: Operating, cohort: Cohort, split: str
) -> tuple[npt.NDArray[np.int16], FloatArray]:
    space = cohort.label_space
    columns = [space.index(finding) for finding in space.findings]
    probs, given = run.align(cohort, split)
    if given is None or run.taxonomy is None or operating.nodes is None:
        decided = operating.labels.decide(probs)[:, columns]
        return np.where(decided, FOUND, 0).astype(np.int16), probs[:, columns]
    return refused_at(operating.nodes.decide(given), run.taxonomy), probs[:, columns]


def own_counts(cases: Cases, outcomes: Outcomes) -> dict[str, dict[str, Any]]:
    """Of each finding ``n`` cases, how many are ``found``, and ``false_alarms``; means over runs.

    A recipe with several runs has ``one_run_only``, the cases that one run finds and another of its runs does not,
    averaged over all ordered pairs of different runs: how many cases are won and lost by the seed alone.
    """
    runs = len(outcomes.decided)
    found = (cases.held * outcomes.share).sum(axis=0)
    alarms = ((cases.told & ~cases.held) * outcomes.share).sum(axis=0)
    # Of R runs, r find a case: r (R - r) of the R (R - 1) ordered pairs find it first and miss it then.
    torn = (cases.held * outcomes.share * (1 - outcomes.share)).sum(axis=0) * runs / max(runs - 1, 1)
    return {
        finding: {"n": int(cases.held[:, k].sum()), "found": float(found[k]), "false_alarms": float(alarms[k])}
        | ({"one_run_only": float(torn[k])} if runs > 1 else {})
        for k, finding in enumerate(cases.findings)
    }


def lost_counts(
    cases: Cases, outcomes: Outcomes, tree: Taxonomy, weight: FloatArray | None = None
) -> list[dict[str, float]]:
    """For each finding, the cases lost at each decision of its path; `weight` (N, F) counts them in part."""
    names = [decision.name for decision in tree.decisions]
    lost: list[dict[str, float]] = []
    for k, finding in enumerate(cases.findings):
        part = cases.held[:, k] if weight is None else cases.held[:, k] * weight[:, k]
        refused = outcomes.refused[:, :, k]
        lost.append(
            {
                name: float(((refused == names.index(name)) * part).sum() / len(refused))
                for name in path_decisions(finding, tree)
            }
        )
    return lost


def paired_counts(cases: Cases, hierarchical: Outcomes, flat: Outcomes) -> dict[str, dict[str, Any]]:
    """The 2 by 2 table of each finding's cases, by decision where the hierarchy loses them.

    Returns
    -------
    dict
        By finding ``both`` and ``only_hierarchical``, numbers of cases, and ``only_flat`` and ``neither``, numbers by
        the decision that turned them away. All of them add up to the cases; means over all pairs of runs.
    """
    if hierarchical.tree is None:
        raise ValueError("The first recipe of a pair must go down a tree.")
    both = (cases.held * hierarchical.share * flat.share).sum(axis=0)
    alone = (cases.held * hierarchical.share * (1 - flat.share)).sum(axis=0)
    only_flat = lost_counts(cases, hierarchical, hierarchical.tree, flat.share)
    neither = lost_counts(cases, hierarchical, hierarchical.tree, 1 - flat.share)
    return {
        finding: {
            "both": float(both[k]),
            "only_hierarchical": float(alone[k]),
            "only_flat": only_flat[k],
            "neither": neither[k],
        }
        for k, finding in enumerate(cases.findings)
    }


def drawn_recall(cases: Cases, outcomes: Outcomes, draws: PatientDraws) -> FloatArray:
    """(D, F) recall in each draw, mean over runs; NaN without cases."""
    return ratio(draws.totals(cases.held * outcomes.share), draws.totals(cases.held))


def drawn_alarms(cases: Cases, outcomes: Outcomes, draws: PatientDraws) -> FloatArray:
    """(D, F, S) images that each run decides to carry a finding, right or wrong, in each draw."""
    return np.stack([draws.totals(cases.told & decided) for decided in outcomes.decided], axis=2)


def matched_recall(cases: Cases, scores: FloatArray, alarms: FloatArray, draws: PatientDraws) -> FloatArray:
    """Recall that rankings reach with as many positive decisions as another recipe makes, finding by finding.

    At equal numbers of positive decisions, a higher recall is a higher precision and a higher F1 too, so one number
    compares the two sides. The cut is put where the numbers meet on the measured images, without a look at their
    labels; it is a comparison, and no threshold that could be used on other images.

    Parameters
    ----------
    cases : Cases
    scores : (S, N, F) array
        One ranking a run; their recalls are averaged.
    alarms : (D, F, C) array
        Positive decisions, as `drawn_alarms` counts them.
    draws : PatientDraws

    Returns
    -------
    (D, F, C) float64 array; NaN without cases
    """
    return mean_recall(cases, [matched_hits(cases, own, alarms, draws) for own in scores], draws)


def matched_hits(cases: Cases, scores: FloatArray, alarms: FloatArray, draws: PatientDraws) -> FloatArray:
    """(D, F, C) cases that one run's (N, F) scores find with as many positive decisions; see `matched_recall`."""
    return drawn_hits(cases.held, scores, alarms, draws, cases.told)


def mean_recall(cases: Cases, hits: Sequence[FloatArray], draws: PatientDraws) -> FloatArray:
    """Recall from the `matched_hits` of each run, in the mean over runs; NaN without cases."""
    return ratio(macro(hits, axis=0), draws.totals(cases.held)[:, :, None])
