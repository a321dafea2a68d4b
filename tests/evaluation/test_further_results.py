"""What comparison.json holds beyond the comparison: each part beside the functions it is made of."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws, interval
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.decision_curve import THRESHOLDS, net_benefit, treat_all
from chestxpert.evaluation.floor import shortcut_floor
from chestxpert.evaluation.groups import group_members
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.rates import mcc
from chestxpert.evaluation.reliability import cox, reliability
from chestxpert.evaluation.threshold_rules import ThresholdRule
from chestxpert.evaluation.thresholds import chosen_thresholds
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy

MakePredictions = Callable[..., Predictions]
DRAWS = 60
RULE = ThresholdRule("youden")
EFFUSION = NIH15.index("Effusion")


@pytest.fixture(scope="module")
def people(cohort: Cohort) -> Cohort:
    """The cohort with two sexes, and one view of half the images."""
    number = np.array([int(patient) for patient in cohort.patients])
    sex = np.where(number % 3 == 0, "F", "M")
    view = np.where(np.arange(len(cohort)) % 2, "AP", "")
    return Cohort(cohort.table.assign(sex=sex, view=view, age=20.0 + number % 60), NIH15)


@pytest.fixture(scope="module")
def study(people: Cohort, tree: Taxonomy, make_predictions: MakePredictions) -> dict[str, list[RunResult]]:
    made = {"flat-basic": (0.5, None), "flat-better": (1.5, None), "flat-middling": (1.0, None), "tree": (1.0, tree)}
    return {
        name: [
            RunResult(seed, make_predictions(people, skill, 7 * seed, along), "shared" if along else "flat")
            for seed in range(2)
        ]
        for name, (skill, along) in made.items()
    }


@pytest.fixture(scope="module")
def comparison(study: dict[str, list[RunResult]], people: Cohort, tree: Taxonomy) -> dict:
    other = Cohort(people.table.iloc[::2].reset_index(drop=True), NIH15)
    return compare_runs(
        study, people, tree, draws=DRAWS, rule=RULE, subgroups=("sex", "view", "Infiltration"), other=other
    )


def test_it_is_strict_json_under_keys_of_its_own(comparison: dict) -> None:
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison
    assert list(comparison)[-6:] == ["groups", "operating", "calibration", "subgroups", "floor", "agreement"]
    assert comparison["operating"]["detailed"] == ["flat-basic", "flat-better", "tree"]
    for key in ("groups", "operating", "calibration"):
        assert list(comparison[key]["recipes"]) == ["flat-basic", "flat-better", "flat-middling", "tree"]
    assert list(comparison["subgroups"]["recipes"]) == comparison["operating"]["detailed"]


def test_thresholds_follow_the_rule_that_is_stated(
    comparison: dict, study: dict[str, list[RunResult]], people: Cohort
) -> None:
    assert comparison["operating"]["rule"] == "youden"
    assert comparison["operating"]["sentence"] == RULE.sentence
    rows = people.rows("val")
    for name, runs in study.items():
        entry = comparison["recipes"][name]["per_label"]["Effusion"]
        for run, threshold in zip(runs, entry["thresholds"], strict=True):
            scores = run.predictions.align(people, "val")[0]
            assert threshold == chosen_thresholds(people.labels(rows), scores, None, RULE.threshold).values[EFFUSION]


def test_what_is_dear_has_intervals_for_the_recipes_an_answer_rests_on(
    comparison: dict, study: dict[str, list[RunResult]], people: Cohort
) -> None:
    rows, operating = people.rows("test"), comparison["operating"]["recipes"]
    for name in study:
        entry = operating[name]["per_label"]["Effusion"]
        assert entry["mcc"]["n_draws"] == DRAWS
        assert (entry["partial_auroc"]["n_draws"] == DRAWS) == (name != "flat-middling")
        values = []
        for seed, run in enumerate(study[name]):
            threshold = comparison["recipes"][name]["per_label"]["Effusion"]["thresholds"][seed]
            decided = run.predictions.align(people, "test")[0][:, [EFFUSION]] >= threshold
            values.append(mcc(people.labels(rows)[:, [EFFUSION]], decided)[0])
        assert entry["mcc"]["mean"] == pytest.approx(np.mean(values))
        assert operating[name]["macro"]["mcc"]["n_defined"] == 15


def test_sensitivity_is_the_recall_that_stood_there_before(comparison: dict) -> None:
    for name, recipe in comparison["recipes"].items():
        entry = comparison["operating"]["recipes"][name]
        assert entry["macro"]["sensitivity"]["mean"] == pytest.approx(recipe["metrics"]["macro_recall"]["mean"])
        recall = recipe["per_label"]["Mass"]["recall"]
        assert entry["per_label"]["Mass"]["sensitivity"] == pytest.approx(
            {key: recall[key] for key in ("mean", "low", "high", "n_draws")}
        )


def test_groups_hold_what_their_findings_have(comparison: dict, people: Cohort) -> None:
    members = group_members(people)
    assert comparison["groups"]["findings"] == members
    for name, groups in comparison["groups"]["recipes"].items():
        each = comparison["recipes"][name]["per_label"]
        for group, findings in members.items():
            if findings:
                mean = np.mean([each[finding]["ap"]["mean"] for finding in findings])
                assert groups[group]["ap"]["mean"] == pytest.approx(mean)
            else:
                assert groups[group]["ap"]["mean"] is None
            assert "slope" not in groups[group]


def test_calibration_is_that_of_the_seeds(comparison: dict, study: dict[str, list[RunResult]], people: Cohort) -> None:
    truth = people.labels(people.rows("test"))
    runs = [run.predictions.align(people, "test")[0] for run in study["flat-better"]]
    slopes = [cox(truth, probs).slope for probs in runs]
    mine = comparison["calibration"]["recipes"]["flat-better"]
    assert mine["per_label"]["Effusion"]["slope"]["mean"] == pytest.approx(np.mean([s[EFFUSION] for s in slopes]))
    assert mine["median"]["slope"] == pytest.approx(np.mean([np.nanmedian(slope) for slope in slopes]))
    plotted = comparison["calibration"]["reliability"]["flat-better"]
    expected = reliability(truth, runs[0])[EFFUSION]
    assert plotted["seed"] == 0
    assert plotted["per_label"]["Effusion"]["positives"] == expected["positives"].tolist()
    for low, share, high in zip(
        *(plotted["per_label"]["Effusion"][key] for key in ("low", "share", "high")), strict=True
    ):
        assert 0 <= low <= share <= high <= 1
        assert low < high


def test_a_decision_curve_leads_the_better_of_all_and_none(
    comparison: dict, study: dict[str, list[RunResult]], people: Cohort
) -> None:
    rows = people.rows("test")
    truth, told = people.labels(rows), comparison["operating"]["net_benefit"]
    draws = PatientDraws.draw(people.patients[rows], DRAWS, 0)
    runs = [run.predictions.align(people, "test")[0] for run in study["tree"]]
    curve = np.mean([net_benefit(truth, probs) for probs in runs], axis=0)[:, EFFUSION]
    everybody = treat_all(truth.mean(axis=0))[:, EFFUSION]
    entry = told["recipes"]["tree"]["Effusion"]
    assert told["thresholds"] == list(THRESHOLDS)
    assert told["treat_all"]["Effusion"] == pytest.approx(everybody)
    assert entry["model"]["mean"] == pytest.approx(curve)
    assert entry["lead"]["mean"] == pytest.approx(curve - np.maximum(everybody, 0))
    drawn = np.mean([net_benefit(truth, probs, draws=draws) for probs in runs], axis=0)[..., EFFUSION]
    share = draws.totals(truth) / draws.totals(np.ones((len(rows), 1)))
    leads = drawn - np.maximum(treat_all(share)[..., EFFUSION], 0)
    assert entry["lead"]["low"][4] == pytest.approx(interval(leads[:, 4])[0])


def test_subgroups_are_those_asked_for(comparison: dict) -> None:
    told = comparison["subgroups"]
    assert told["by"] == ["sex", "view", "Infiltration"]
    assert told["draws"] == DRAWS
    assert list(told["recipes"]["tree"]["sex"]["groups"]) == ["female", "male"]
    assert told["recipes"]["tree"]["view"]["unknown"] > 0
    assert set(told["recipes"]["tree"]["Infiltration"]["gaps"]) == {"with Infiltration"}


def test_the_floor_is_measured_as_a_recipe_is_and_held_against_the_best(comparison: dict) -> None:
    floor = comparison["floor"]
    assert {"view=AP", "sex=F", "age"} <= set(floor["features"])
    assert set(floor["metrics"]) == {
        name for name in comparison["recipes"]["flat-basic"]["metrics"] if not name.startswith("hard_")
    }
    assert set(floor["per_label"]) == set(NIH15.labels)
    # Nothing in this made-up table is of use.
    assert floor["metrics"]["macro_auroc"]["mean"] == pytest.approx(0.5, abs=0.08)
    assert floor["levels"]["means"].keys() == comparison["recipes"]["tree"]["levels"]["means"].keys()
    # The means are over the findings that a recipe's are over, which are those that the group can measure.
    for by, own in comparison["subgroups"]["recipes"]["tree"].items():
        assert floor["subgroups"][by]["groups"].keys() == own["groups"].keys()
        for group, entry in own["groups"].items():
            there = floor["subgroups"][by]["groups"][group]["macro"]["auroc"]
            assert (there["n_defined"], there["n_undefined"]) == tuple(
                entry["macro"]["auroc"][key] for key in ("n_defined", "n_undefined")
            )
    above = floor["above"]["flat-better"]["macro_auroc"]
    best = comparison["recipes"]["flat-better"]["metrics"]["macro_auroc"]
    assert above["mean"] == pytest.approx(best["mean"] - floor["metrics"]["macro_auroc"]["mean"])
    assert above["low"] > 0


def test_single_labels_are_held_against_the_floor_draw_by_draw(
    comparison: dict, study: dict[str, list[RunResult]], people: Cohort
) -> None:
    rows = people.rows("test")
    truth = people.labels(rows)[:, EFFUSION]
    floor = shortcut_floor(people)
    assert floor is not None
    base = floor.predictions.align(people, "test")[0][:, EFFUSION]
    runs = [run.predictions.align(people, "test")[0][:, EFFUSION] for run in study["flat-better"]]
    told = comparison["floor"]["above"]["flat-better"]["per_label"]
    assert set(told) == set(NIH15.labels)
    entry = told["Effusion"]["auroc"]
    points = [roc_auc_score(truth, probs) - roc_auc_score(truth, base) for probs in runs]
    assert entry["mean"] == pytest.approx(np.mean(points))
    draws, drawn = PatientDraws.draw(people.patients[rows], DRAWS, 0), []
    for counts in draws.counts:
        weight = counts[draws.patient_of_image].astype(float)
        mine = np.mean([roc_auc_score(truth, probs, sample_weight=weight) for probs in runs])
        drawn.append(mine - roc_auc_score(truth, base, sample_weight=weight))
    assert (entry["low"], entry["high"]) == pytest.approx(interval(np.array(drawn))[:2])


def test_agreement_with_the_same_labels_is_whole(comparison: dict) -> None:
    told = comparison["agreement"]
    assert told["not_named"] == []
    assert told["per_label"]["Effusion"]["kappa"]["mean"] == 1
    for both in told["recipes"].values():
        assert both["here"] == both["there"]


def test_without_a_table_to_learn_from_there_is_no_floor(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    result = compare_runs({"flat-basic": [RunResult(0, make_predictions(cohort))]}, cohort, tree, draws=5)
    assert result["floor"] is None
    assert "agreement" not in result
    assert result["operating"]["rule"] == "f1"
