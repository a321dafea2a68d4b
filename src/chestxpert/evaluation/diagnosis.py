"""The diagnosis of a study's hierarchies: what each loses and wins against flat recipes, and at which decision.

Three questions, answered for every hierarchical recipe under hard routing:

- Which cases does it find that the flat recipe misses, and the other way round, and at which decision are the latter
  lost (`paired_cases.paired_counts`)? How do the two compare with as many positive decisions each
  (`paired_cases.matched_recall`)?
- What does routing itself cost: how many more cases would the product of the same network's probabilities find, with
  as many positive decisions?
- What would be reached if one decision were perfect (`perfect_decisions`)?

Values are means over seeds, with intervals from the study's own bootstrap draws over patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws, interval
from chestxpert.evaluation.metrics import FloatArray, macro
from chestxpert.evaluation.paired_cases import (
    Cases,
    Outcomes,
    drawn_alarms,
    drawn_recall,
    lost_counts,
    matched_recall,
    own_counts,
    paired_counts,
)
from chestxpert.evaluation.perfect_decisions import MEASURED, PerfectDecisions
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Operating
from chestxpert.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """One run as the comparison has measured it.

    Parameters
    ----------
    predictions : Predictions
    operating : Operating
        Where it decides.
    ap : (1 + D, F) float64 array
        Average precision of each finding on test, in row 0, and in each of the draws.
    """

    predictions: Predictions
    operating: Operating
    ap: FloatArray


def diagnose(
    study: Mapping[str, Sequence[MeasuredRun]], against: Sequence[str], cohort: Cohort, draws: PatientDraws
) -> dict[str, Any] | None:
    """What comparison.json says under ``diagnosis``.

    Parameters
    ----------
    study : mapping of recipe name to its runs
    against : sequence of str
        The flat recipes to hold each hierarchy against; there may be none.
    cohort : Cohort
    draws : PatientDraws
        Over its test images.

    Returns
    -------
    dict or None
        See docs/statistics.md; None where no recipe goes down a tree.
    """
    trees = {name: tree for name, runs in study.items() if (tree := runs[0].predictions.taxonomy) is not None}
    if not trees:
        return None
    cases, draws = Cases.of(cohort, "test"), draws.after_sample()
    outcomes = {name: _outcomes(study[name], cohort) for name in (*against, *trees)}
    flat = {name: outcomes[name] for name in against}
    alarms = {name: drawn_alarms(cases, outcomes[name], draws) for name in trees}
    matched = {name: _matched(cases, other, alarms, draws) for name, other in flat.items()}
    recipes = {}
    for name, tree in trees.items():
        own = {other: recalls[name] for other, recalls in matched.items()}
        pairing = _Pairing(cases, tree, outcomes[name], flat, own, alarms[name], draws)
        recipes[name] = pairing.describe() | {"perfect": _perfect(study[name], tree, cohort, draws)}
    return {
        "against": list(against),
        "flat": {name: own_counts(cases, own) for name, own in flat.items()},
        "recipes": recipes,
    }


def _outcomes(runs: Sequence[MeasuredRun], cohort: Cohort) -> Outcomes:
    return Outcomes.of([run.predictions for run in runs], [run.operating for run in runs], cohort, "test")


def _matched(
    cases: Cases, flat: Outcomes, alarms: Mapping[str, FloatArray], draws: PatientDraws
) -> dict[str, FloatArray]:
    """By hierarchy, recall of a flat recipe with as many positive decisions; its images are sorted once for all."""
    ends = np.cumsum([own.shape[2] for own in alarms.values()])
    recalls = matched_recall(cases, flat.scores, np.concatenate(list(alarms.values()), axis=2), draws)
    return {name: macro(part, axis=2) for name, part in zip(alarms, np.split(recalls, ends[:-1], axis=2), strict=True)}


class _Pairing:
    """One hierarchical recipe, held against flat ones and against its own probabilities.

    Arrays are over draws and findings; row 0 is the sample itself.
    """

    def __init__(
        self,
        cases: Cases,
        tree: Taxonomy,
        own: Outcomes,
        flat: Mapping[str, Outcomes],
        matched: Mapping[str, FloatArray],
        alarms: FloatArray,
        draws: PatientDraws,
    ) -> None:
        self.cases, self.tree, self.own = cases, tree, own
        self.cells = {name: paired_counts(cases, own, other) for name, other in flat.items()}
        self.recall = drawn_recall(cases, own, draws)
        self.flat = {name: drawn_recall(cases, other, draws) for name, other in flat.items()}
        self.matched = matched
        # Each run's probabilities with as many positive decisions as its own routing makes, not another run's.
        product = [
            matched_recall(cases, own.scores[run : run + 1], alarms[..., run : run + 1], draws)
            for run in range(len(own.scores))
        ]
        self.product = macro(np.concatenate(product, axis=2), axis=2)

    def describe(self) -> dict[str, Any]:
        """``tree``, ``decisions``, ``findings`` and ``macro`` of the recipe's entry."""
        counts, lost = own_counts(self.cases, self.own), lost_counts(self.cases, self.own, self.tree)
        return {
            "tree": self.tree.name,
            "decisions": [decision.name for decision in self.tree.decisions],
            "findings": {
                finding: counts[finding] | {"lost": lost[k]} | self._finding(k, finding, counts[finding]["n"])
                for k, finding in enumerate(self.cases.findings)
            },
            "macro": self._macro(),
        }

    def _finding(self, k: int, finding: str, n: int) -> dict[str, Any]:
        def at_equal_numbers(other: FloatArray) -> dict[str, Any]:
            """What another ranking finds with as many positive decisions."""
            found = float(other[0, k]) * n if n else 0.0
            return {"found": found, "recall_difference": _estimate((self.recall - other)[:, k])}

        return {
            "product": at_equal_numbers(self.product),
            "against": {
                name: cells[finding]
                | {
                    "recall_difference": _estimate((self.recall - self.flat[name])[:, k]),
                    "matched": at_equal_numbers(self.matched[name]),
                }
                for name, cells in self.cells.items()
            },
        }

    def _macro(self) -> dict[str, Any]:
        def difference(other: FloatArray) -> dict[str, Any]:
            return {"recall_difference": _estimate(macro(self.recall - other))}

        return {
            "recall": _estimate(macro(self.recall)),
            "product": difference(self.product),
            "against": {
                name: difference(self.flat[name]) | {"matched": difference(self.matched[name])} for name in self.flat
            },
        }


def _perfect(runs: Sequence[MeasuredRun], tree: Taxonomy, cohort: Cohort, draws: PatientDraws) -> dict[str, Any]:
    """``as_it_is`` and, by decision, what is reached and gained with it perfect, and with all others perfect."""
    sample = PatientDraws(draws.patient_of_image, draws.counts[:1])
    ready = [PerfectDecisions(run.predictions, run.operating, cohort, "test") for run in runs]
    plain = [own.measure((), draws, {"ap": run.ap}) for own, run in zip(ready, runs, strict=True)]
    names, findings = [decision.name for decision in tree.decisions], cohort.label_space.findings
    result: dict[str, Any] = {"as_it_is": {"macro": _means(plain), "findings": _each(plain, findings)}, "decisions": {}}
    for name in names:
        one = [run.measure({name}, draws, before) for run, before in zip(ready, plain, strict=True)]
        others = [run.measure(set(names) - {name}, sample) for run in ready]
        result["decisions"][name] = {
            "macro": _means(one),
            "gain": {key: _gain(one, plain, key) for key in MEASURED},
            "findings": _each(one, findings),
            "others_perfect": {key: float(_mean(others, key)[0]) for key in MEASURED},
        }
    return result


def _mean(runs: Sequence[Mapping[str, FloatArray]], key: str) -> FloatArray:
    """(D,) mean over the findings, mean over runs."""
    return macro([macro(run[key]) for run in runs], axis=0)


def _means(runs: Sequence[Mapping[str, FloatArray]]) -> dict[str, Any]:
    return {key: _estimate(_mean(runs, key), reflected=key == "ap") for key in MEASURED}


def _gain(
    perfect: Sequence[Mapping[str, FloatArray]], plain: Sequence[Mapping[str, FloatArray]], key: str
) -> dict[str, float | int]:
    """What a perfect decision adds; average precision with the basic interval, see docs/statistics.md."""
    drawn = _mean(perfect, key) - _mean(plain, key)
    gain = _estimate(drawn)
    if key == "ap":
        gain["low"], gain["high"] = 2 * gain["mean"] - gain["high"], 2 * gain["mean"] - gain["low"]
    return gain


def _each(runs: Sequence[Mapping[str, FloatArray]], findings: Sequence[str]) -> dict[str, dict[str, float]]:
    """Each finding's values on the sample, mean over runs."""
    keys = ("ap", "found", "false_alarms")
    return {
        finding: {key: float(macro([run[key][0, k] for run in runs])) for key in keys}
        for k, finding in enumerate(findings)
    }


def _estimate(drawn: FloatArray, reflected: bool = False) -> dict[str, float | int]:
    """Value on the sample, in row 0, and its interval from the other rows; `reflected` as for macro AP."""
    mean = float(drawn[0])
    low, high, n_draws = interval(drawn[1:], mean if reflected else None)
    return {"mean": mean, "low": low, "high": high, "n_draws": n_draws}
