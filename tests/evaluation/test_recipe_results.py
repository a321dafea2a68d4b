from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.contrasts import REFLECTED
from chestxpert.evaluation.measured_runs import RunMeasures, RunResult, recipe_values
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.recipe_results import describe_recipe
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.taxonomy import Taxonomy

MakePredictions = Callable[..., Predictions]
COSTS = [
    {"parameters": 10, "train_seconds": 2.0, "train_image_passes": 100, "note": "x"},
    {"parameters": 10, "train_seconds": 4.0, "train_image_passes": 101},
]


@pytest.fixture(scope="module")
def entry(cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions) -> dict[str, object]:
    runs = [RunResult(k, make_predictions(cohort, seed=k, tree=tree), "shared", COSTS[k]) for k in range(2)]
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 60, 0)
    measured = [RunMeasures.of(run, cohort, tree, draws) for run in runs]
    values = recipe_values(runs, measured, "macro_ap")
    result = describe_recipe(runs, measured, values, cohort, tree)
    result["alone"] = [evaluate_run(run.predictions, cohort, tree) for run in runs]
    return result


def test_a_value_is_the_mean_over_seeds_and_their_spread_stands_beside_it(entry: dict) -> None:
    for name, metric in entry["metrics"].items():
        # None, as evaluation.json has it, is NaN: no finding of this cohort is of the tail.
        alone = np.array([result["test"]["metrics"][name] for result in entry["alone"]], dtype=np.float64)
        assert np.isnan(alone).all() == (name == "macro_ap_tail")
        assert metric["per_seed"] == pytest.approx(alone, nan_ok=True), name
        assert metric["mean"] == pytest.approx(np.mean(alone), nan_ok=True), name
        assert metric["sd_seeds"] == pytest.approx(np.std(alone, ddof=1), nan_ok=True), name
    for label, values in entry["per_label"].items():
        alone = [result["test"]["per_label"][label]["ap"] for result in entry["alone"]]
        assert values["ap"]["mean"] == pytest.approx(np.mean(alone))


def test_thresholds_of_all_seeds_are_kept(entry: dict) -> None:
    for label, values in entry["per_label"].items():
        alone = [result["thresholds"]["labels"][label]["threshold"] for result in entry["alone"]]
        assert values["thresholds"] == alone
        assert values["threshold"] == pytest.approx(np.mean(alone))


def test_validation_is_told_apart_from_test(entry: dict) -> None:
    alone = [result["val"]["metrics"]["macro_ap"] for result in entry["alone"]]
    assert entry["validation"]["macro_ap"] == pytest.approx(np.mean(alone))
    assert entry["validation"]["macro_ap"] != entry["metrics"]["macro_ap"]["mean"]


def test_costs_are_means_over_seeds_and_unknown_ones_are_none(entry: dict) -> None:
    assert entry["cost"] == {
        "parameters": 10, "train_seconds": 3.0, "train_image_passes": 100.5, "ms_per_image": None,
    }  # fmt: skip
    assert type(entry["cost"]["parameters"]) is int


def test_what_networks_are_asked_is_a_mean_over_seeds_where_all_seeds_say_it(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    shares = [{"A": 1.0, "B": 0.5}, {"A": 1.0, "B": 0.25}]
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 5, 0)
    for costs, expected in (
        ([{"asked": share} for share in shares], {"A": 1.0, "B": 0.375}),
        ([{"asked": shares[0]}, {}], None),
    ):
        runs = [RunResult(k, make_predictions(cohort, seed=k, tree=tree), "cascade", costs[k]) for k in range(2)]
        measured = [RunMeasures.of(run, cohort, tree, draws) for run in runs]
        values = recipe_values(runs, measured, "macro_ap")
        assert describe_recipe(runs, measured, values, cohort, tree)["cost"].get("asked") == expected


def test_counts_along_the_tree_are_means_that_still_add_up(entry: dict) -> None:
    assert entry["tree"]["routing"] == "hard"
    for finding, counts in entry["tree"]["findings"].items():
        assert counts["found"] + sum(counts["lost"].values()) == pytest.approx(counts["n"])
        assert counts["n"] == entry["per_label"][finding]["n_positive"]
        alone = [result["test"]["tree"]["findings"][finding]["found"] for result in entry["alone"]]
        assert counts["found"] == pytest.approx(np.mean(alone))


def test_macro_average_precision_has_the_jackknife_interval_and_says_so(entry: dict) -> None:
    kinds = {name: metric["interval"] for name, metric in entry["metrics"].items()}
    assert {name for name, kind in kinds.items() if kind == "jackknife"} == set(REFLECTED)
    empty = entry["metrics"]["macro_ap_tail"]
    assert np.isnan([empty["mean"], empty["low"], empty["high"]]).all()
    assert empty["n_draws"] == empty["n_defined"] == 0
    for name, metric in entry["metrics"].items():
        if name != "macro_ap_tail":
            assert metric["low"] < metric["high"]
            assert metric["n_draws"] == 60
