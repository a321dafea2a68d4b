"""The diagnosis as comparison.json holds it: it agrees with the rest, and with counting by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws, interval
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.measured_runs import RunMeasures
from chestxpert.evaluation.measures import point_metrics
from chestxpert.evaluation.perfect_decisions import PerfectDecisions
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Operating, Scored
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy, taxonomy

MakePredictions = Callable[..., Predictions]
Study = dict[str, list[RunResult]]
CLINICAL = taxonomy("clinical", NIH15)
DRAWS = 60


@pytest.fixture(scope="module")
def study(cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions) -> Study:
    def runs(architecture: str, skill: float, first: int, along: Taxonomy | None = None) -> list[RunResult]:
        made = (make_predictions(cohort, skill, first + seed, along) for seed in range(2))
        return [RunResult(seed, predictions, architecture) for seed, predictions in enumerate(made)]

    return {
        "flat-basic": runs("flat", 0.5, 0),
        "flat-other": runs("flat", 0.2, 40),
        "flat-weighted": runs("flat", 1.5, 10),
        "hierarchical-cascade": runs("cascade", 0.5, 20, tree),
        "hierarchical-clinical": runs("shared", 1.0, 30, CLINICAL),
    }


@pytest.fixture(scope="module")
def comparison(study: Study, cohort: Cohort, tree: Taxonomy) -> dict[str, Any]:
    return compare_runs(study, cohort, tree, draws=DRAWS)


def test_it_is_strict_json_over_every_hierarchy_and_the_flat_recipes_of_the_contrasts(comparison: dict) -> None:
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison
    diagnosis = comparison["diagnosis"]
    assert diagnosis["against"] == ["flat-weighted", "flat-basic"] == list(diagnosis["flat"])
    assert list(diagnosis["recipes"]) == ["hierarchical-cascade", "hierarchical-clinical"]
    for name, along in (("hierarchical-cascade", "study"), ("hierarchical-clinical", "clinical")):
        entry = diagnosis["recipes"][name]
        assert entry["tree"] == along
        assert entry["decisions"] == [decision.name for decision in taxonomy(along, NIH15).decisions]
        assert list(entry["findings"]) == list(NIH15.findings)
        assert list(entry["perfect"]["decisions"]) == entry["decisions"]


def test_it_counts_what_the_comparison_counts(comparison: dict, study: Study, cohort: Cohort, tree: Taxonomy) -> None:
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], DRAWS, 0)
    for name, entry in comparison["diagnosis"]["recipes"].items():
        recipe = comparison["recipes"][name]
        for finding, own in entry["findings"].items():
            along = recipe["tree"]["findings"][finding]
            assert (own["n"], own["found"]) == pytest.approx((along["n"], along["found"]))
            assert own["lost"] == pytest.approx(along["lost"])
            routed = recipe["tree"]["nodes"][finding]["routed"]
            assert own["false_alarms"] == pytest.approx(routed["fp"])
            plain = entry["perfect"]["as_it_is"]["findings"][finding]
            assert plain["ap"] == pytest.approx(recipe["per_label"][finding]["ap"]["mean"])
            assert (plain["found"], plain["false_alarms"]) == pytest.approx((own["found"], own["false_alarms"]))
        for flat, counts in comparison["diagnosis"]["flat"].items():
            for finding, own in counts.items():
                assert own["found"] == pytest.approx(comparison["recipes"][flat]["tree"]["findings"][finding]["found"])
        as_it_is = entry["perfect"]["as_it_is"]["macro"]["ap"]
        mean = recipe["metrics"]["macro_ap_findings"]["mean"]
        drawn = [RunMeasures.of(run, cohort, tree, draws).drawn.overall["macro_ap_findings"] for run in study[name]]
        low, high, _ = interval(np.mean(drawn, axis=0), reflect_about=mean)
        assert (as_it_is["mean"], as_it_is["low"], as_it_is["high"]) == pytest.approx((mean, low, high))


def test_recall_differences_are_those_of_recall_on_the_same_draws(
    comparison: dict, study: Study, cohort: Cohort, tree: Taxonomy
) -> None:
    """Recall of hard routing minus the flat recipe's, drawn by hand from copies of patients' images."""
    rows = cohort.rows("test")
    draws = PatientDraws.draw(cohort.patients[rows], DRAWS, 0)
    truth = cohort.labels(rows)

    def decided(run: RunResult) -> np.ndarray:
        scored = Scored.of(run.predictions, cohort, "test", Operating.choose(run.predictions, cohort), tree)
        return scored.decisions if scored.routed is None else scored.routed

    decisions = {name: [decided(run) for run in study[name]] for name in comparison["diagnosis"]["flat"]}
    decisions["hierarchical-cascade"] = [decided(run) for run in study["hierarchical-cascade"]]

    def recall(name: str, copies: np.ndarray) -> np.ndarray:
        held = truth[copies].sum(axis=0)
        with np.errstate(invalid="ignore"):
            return np.mean([(run & truth)[copies].sum(axis=0) / held for run in decisions[name]], axis=0)[:14]

    copies = [np.repeat(np.arange(len(rows)), own[draws.patient_of_image]) for own in draws.counts]
    for flat in ("flat-weighted", "flat-basic"):
        drawn = np.array([recall("hierarchical-cascade", own) - recall(flat, own) for own in copies])
        entry = comparison["diagnosis"]["recipes"]["hierarchical-cascade"]
        means = entry["macro"]["against"][flat]["recall_difference"]
        point = recall("hierarchical-cascade", np.arange(len(rows))) - recall(flat, np.arange(len(rows)))
        assert means["mean"] == pytest.approx(np.nanmean(point))
        assert (means["low"], means["high"]) == pytest.approx(interval(np.nanmean(drawn, axis=1))[:2])
        for k, finding in enumerate(NIH15.findings):
            own = entry["findings"][finding]["against"][flat]["recall_difference"]
            low, high, n_draws = interval(drawn[:, k])
            assert (own["mean"], own["low"], own["high"]) == pytest.approx((point[k], low, high))
            assert own["n_draws"] == n_draws


def among_highest(truth: np.ndarray, scores: np.ndarray, called: int) -> int:
    """Cases among the `called` highest scores, which are all different here."""
    return int(truth[np.argsort(-scores)[:called]].sum())


def test_equal_numbers_are_those_of_the_very_hierarchy_and_run(
    comparison: dict, study: Study, cohort: Cohort, tree: Taxonomy
) -> None:
    rows = cohort.rows("test")
    truth = cohort.labels(rows)
    for name in ("hierarchical-cascade", "hierarchical-clinical"):
        entry = comparison["diagnosis"]["recipes"][name]
        own = [
            Scored.of(run.predictions, cohort, "test", Operating.choose(run.predictions, cohort), tree)
            for run in study[name]
        ]
        for k, finding in enumerate(NIH15.findings):
            assert all(scored.routed is not None for scored in own)
            called = [int(scored.routed[:, k].sum()) for scored in own if scored.routed is not None]
            for flat in ("flat-weighted", "flat-basic"):
                flats = [run.predictions.align(cohort, "test")[0][:, k] for run in study[flat]]
                pairs = [among_highest(truth[:, k], scores, n) for scores in flats for n in called]
                matched = entry["findings"][finding]["against"][flat]["matched"]
                assert matched["found"] == pytest.approx(np.mean(pairs))
                recall = (entry["findings"][finding]["found"] - np.mean(pairs)) / truth[:, k].sum()
                assert matched["recall_difference"]["mean"] == pytest.approx(recall)
            alone = [among_highest(truth[:, k], scored.probs[:, k], n) for scored, n in zip(own, called, strict=True)]
            assert entry["findings"][finding]["product"]["found"] == pytest.approx(np.mean(alone))


def test_the_gain_in_average_precision_has_the_basic_interval(comparison: dict, study: Study, cohort: Cohort) -> None:
    """Twice the gain minus the percentiles; recall and F1, whose draws are not biased, have percentiles."""
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], DRAWS, 0).after_sample()
    ready = [
        PerfectDecisions(run.predictions, Operating.choose(run.predictions, cohort), cohort, "test")
        for run in study["hierarchical-cascade"]
    ]
    plain, perfect = [run.measure((), draws) for run in ready], [run.measure({"B"}, draws) for run in ready]
    gains = comparison["diagnosis"]["recipes"]["hierarchical-cascade"]["perfect"]["decisions"]["B"]["gain"]
    for key, gain in gains.items():
        drawn = np.mean(
            [np.nanmean(b[key], axis=1) - np.nanmean(a[key], axis=1) for a, b in zip(plain, perfect, strict=True)],
            axis=0,
        )
        low, high, _ = interval(drawn[1:])
        expected = (2 * drawn[0] - high, 2 * drawn[0] - low) if key == "ap" else (low, high)
        assert (gain["mean"], gain["low"], gain["high"]) == pytest.approx((drawn[0], *expected))


def test_gains_are_differences_and_macro_values_are_means(comparison: dict, study: Study, cohort: Cohort) -> None:
    entry = comparison["diagnosis"]["recipes"]["hierarchical-clinical"]["perfect"]
    for decision in entry["decisions"].values():
        for key, gain in decision["gain"].items():
            assert gain["mean"] == pytest.approx(
                decision["macro"][key]["mean"] - entry["as_it_is"]["macro"][key]["mean"]
            )
            assert gain["low"] <= gain["high"]
        assert decision["macro"]["ap"]["mean"] == pytest.approx(
            np.mean([own["ap"] for own in decision["findings"].values()])
        )
    first = entry["decisions"]["root"]
    assert first["others_perfect"]["ap"] > first["macro"]["ap"]["mean"]
    scored = [
        Scored.of(run.predictions, cohort, "test", Operating.choose(run.predictions, cohort), CLINICAL)
        for run in study["hierarchical-clinical"]
    ]
    hard = np.mean([point_metrics(own).per_label["hard_f1"][:14].mean() for own in scored])
    assert entry["as_it_is"]["macro"]["hard_f1"]["mean"] == pytest.approx(hard)


def test_a_recall_that_false_alarms_bought_vanishes_at_equal_numbers(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    """A hierarchy that cries wolf finds more than a flat recipe at its own thresholds, and less with as many cries."""
    wolf = make_predictions(cohort, 0.3, 5, tree)
    frame = wolf.frame.copy()
    val = (frame["split"] == "val").to_numpy()
    given_columns = [column for column in frame if column.startswith("given:")]
    frame.loc[val, given_columns] = frame.loc[val, given_columns] / 4  # so that thresholds come out low
    cried = Predictions(frame, NIH15, tree)
    runs = {
        "flat-basic": [RunResult(0, make_predictions(cohort, 2.0, 1), "flat")],
        "tree": [RunResult(0, cried, "shared")],
    }
    entry = compare_runs(runs, cohort, tree, draws=20)["diagnosis"]["recipes"]["tree"]["macro"]["against"]["flat-basic"]
    assert entry["recall_difference"]["low"] > 0
    assert entry["matched"]["recall_difference"]["high"] < 0


def test_without_one_side_it_says_what_there_is(study: Study, cohort: Cohort, tree: Taxonomy) -> None:
    flat = compare_runs({"flat-basic": study["flat-basic"]}, cohort, tree, draws=5)
    assert "diagnosis" not in flat
    alone = compare_runs({"hierarchical-cascade": study["hierarchical-cascade"]}, cohort, tree, draws=5)["diagnosis"]
    assert alone["against"] == []
    assert alone["recipes"]["hierarchical-cascade"]["findings"]["Mass"]["against"] == {}
    assert alone["recipes"]["hierarchical-cascade"]["findings"]["Mass"]["product"]["recall_difference"]["n_draws"] == 5


def test_a_finding_without_cases_has_no_recall(
    make_cohort: Callable[..., Cohort], make_predictions: MakePredictions, tree: Taxonomy
) -> None:
    def hidden(labels: np.ndarray) -> np.ndarray:
        known = np.ones_like(labels)
        known[:, NIH15.index("Hernia")] = False
        return known

    cohort = make_cohort(hide=hidden)
    runs = {
        "flat-basic": [RunResult(0, make_predictions(cohort), "flat")],
        "tree": [RunResult(0, make_predictions(cohort, tree=tree), "shared")],
    }
    result = compare_runs(runs, cohort, tree, draws=5)
    entry = result["diagnosis"]["recipes"]["tree"]
    hernia = entry["findings"]["Hernia"]
    assert (hernia["n"], hernia["found"], hernia["false_alarms"]) == (0, 0, 0)
    assert hernia["against"]["flat-basic"]["recall_difference"] == {
        "mean": None,
        "low": None,
        "high": None,
        "n_draws": 0,
    }
    assert hernia["against"]["flat-basic"]["matched"]["found"] == 0
    assert entry["perfect"]["as_it_is"]["findings"]["Hernia"]["ap"] is None
    assert entry["macro"]["recall"]["mean"] is not None
