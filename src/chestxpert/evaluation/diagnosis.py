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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws, interval
from chestxpert.evaluation.each import Each, one_by_one
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import FloatArray, macro
from chestxpert.evaluation.paired_cases import (
    Cases,
    Outcomes,
    drawn_alarms,
    drawn_recall,
    lost_counts,
    matched_hits,
    matched_recall,
    mean_recall,
    own_counts,
    paired_counts,
)
from chestxpert.evaluation.perfect_decisions import MEASURED, PerfectDecisions
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Operating
from chestxpert.taxonomy import Taxonomy

T = TypeVar("T")


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


@dataclass(frozen=True, eq=False)
class _Bench:
    """What every run is measured on; in row 0 of the draws stands the sample itself."""

    cases: Cases
    cohort: Cohort
    draws: PatientDraws


@dataclass(frozen=True, eq=False)
class _Alone:
    """One run of a hierarchy by itself: (D, F) arrays in draws.

    `alarms` are its positive decisions, `product` the recall of its probabilities with as many of them. `plain`,
    `perfect` and `others` are what `PerfectDecisions.measure` gives: as it is, with each decision perfect, and, on the
    sample alone, with all others perfect.
    """

    alarms: FloatArray
    product: FloatArray
    plain: Values
    perfect: Mapping[str, Values]
    others: Mapping[str, Values]


def diagnose(
    study: Mapping[str, Sequence[MeasuredRun]],
    against: Sequence[str],
    cohort: Cohort,
    draws: PatientDraws,
    each: Each = one_by_one,
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
    each : callable
        How independent parts of the work are done.

    Returns
    -------
    dict or None
        See docs/statistics.md; None where no recipe goes down a tree.
    """
    trees = {name: tree for name, runs in study.items() if (tree := runs[0].predictions.taxonomy) is not None}
    if not trees:
        return None
    bench = _Bench(Cases.of(cohort, "test"), cohort, draws.after_sample())
    alone = _by_recipe(each(_alone, bench, [run for name in trees for run in study[name]]), study, trees)
    alarms = {name: np.stack([run.alarms for run in runs], axis=2) for name, runs in alone.items()}
    matched = _matched(study, against, alarms, bench, each)
    flat = {name: _outcomes(study[name], cohort) for name in against}
    recipes = {}
    for name, tree in trees.items():
        own = {other: recalls[name] for other, recalls in matched.items()}
        product = macro(np.stack([run.product for run in alone[name]], axis=2), axis=2)
        pairing = _Pairing(bench, tree, _outcomes(study[name], cohort), flat, own, product)
        recipes[name] = pairing.describe() | {"perfect": _perfect(alone[name], tree, bench.cases.findings)}
    return {
        "against": list(against),
        "flat": {name: own_counts(bench.cases, own) for name, own in flat.items()},
        "recipes": recipes,
    }


def _outcomes(runs: Sequence[MeasuredRun], cohort: Cohort) -> Outcomes:
    return Outcomes.of([run.predictions for run in runs], [run.operating for run in runs], cohort, "test")


def _by_recipe(
    results: Iterator[T], study: Mapping[str, Sequence[MeasuredRun]], names: Iterable[str]
) -> dict[str, list[T]]:
    """Results of one run after the other, by recipe."""
    return {name: list(islice(results, len(study[name]))) for name in names}


def _alone(bench: _Bench, run: MeasuredRun) -> _Alone:
    cases, draws, predictions = bench.cases, bench.draws, run.predictions.aligned_once(bench.cohort)
    outcomes = Outcomes.of([predictions], [run.operating], bench.cohort, "test")
    alarms = drawn_alarms(cases, outcomes, draws)
    product = matched_recall(cases, outcomes.scores, alarms, draws)
    ready = PerfectDecisions(predictions, run.operating, bench.cohort, "test")
    plain, sample = ready.measure((), draws, {"ap": run.ap}), draws.first(1)
    names = {decision.name for decision in ready.tree.decisions}
    return _Alone(
        alarms=alarms[..., 0],
        product=product[..., 0],
        plain=plain,
        perfect={name: ready.measure({name}, draws, plain) for name in names},
        others={name: ready.measure(names - {name}, sample) for name in names},
    )


def _matched(
    study: Mapping[str, Sequence[MeasuredRun]],
    against: Sequence[str],
    alarms: Mapping[str, FloatArray],
    bench: _Bench,
    each: Each,
) -> dict[str, dict[str, FloatArray]]:
    """By flat recipe and hierarchy, recall of the former with as many positive decisions.

    A run's images are sorted once for all hierarchies.
    """
    ends = np.cumsum([own.shape[2] for own in alarms.values()])
    wanted = np.concatenate(list(alarms.values()), axis=2)
    asked = [(run, wanted) for name in against for run in study[name]]
    result = {}
    for name, hits in _by_recipe(each(_hits, bench, asked), study, against).items():
        recalls = np.split(mean_recall(bench.cases, hits, bench.draws), ends[:-1], axis=2)
        result[name] = {other: macro(part, axis=2) for other, part in zip(alarms, recalls, strict=True)}
    return result


def _hits(bench: _Bench, asked: tuple[MeasuredRun, FloatArray]) -> FloatArray:
    run, wanted = asked
    (scores,) = _outcomes([run], bench.cohort).scores
    return matched_hits(bench.cases, scores, wanted, bench.draws)


class _Pairing:
    """One hierarchical recipe, held against flat ones and against its own probabilities.

    Arrays are over draws and findings; row 0 is the sample itself.
    """

    def __init__(
        self,
        bench: _Bench,
        tree: Taxonomy,
        own: Outcomes,
        flat: Mapping[str, Outcomes],
        matched: Mapping[str, FloatArray],
        product: FloatArray,
    ) -> None:
        cases, draws = bench.cases, bench.draws
        self.cases, self.tree, self.own = cases, tree, own
        self.cells = {name: paired_counts(cases, own, other) for name, other in flat.items()}
        self.recall = drawn_recall(cases, own, draws)
        self.flat = {name: drawn_recall(cases, other, draws) for name, other in flat.items()}
        # Its own probabilities make, run by run, as many positive decisions as its own routing, not another run's.
        self.matched, self.product = matched, product

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


def _perfect(runs: Sequence[_Alone], tree: Taxonomy, findings: Sequence[str]) -> dict[str, Any]:
    """``as_it_is`` and, by decision, what is reached and gained with it perfect, and with all others perfect."""
    plain = [run.plain for run in runs]
    result: dict[str, Any] = {"as_it_is": {"macro": _means(plain), "findings": _each(plain, findings)}, "decisions": {}}
    for name in (decision.name for decision in tree.decisions):
        one, others = [run.perfect[name] for run in runs], [run.others[name] for run in runs]
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
