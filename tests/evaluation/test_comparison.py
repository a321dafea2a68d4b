from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.contrasts import holm
from chestxpert.evaluation.derived import Derived
from chestxpert.evaluation.posthoc.lines import with_posthoc
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.labels import NIH15
from chestxpert.recipe import parse_posthoc
from chestxpert.taxonomy import Taxonomy

MakePredictions = Callable[..., Predictions]
MakeCohort = Callable[..., Cohort]
DRAWS = 80


@pytest.fixture(scope="module")
def study(cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions) -> dict[str, list[RunResult]]:
    def runs(architecture: str, skill: float, first: int) -> list[RunResult]:
        hierarchy = None if architecture == "flat" else tree
        made = (make_predictions(cohort, skill, first + seed, hierarchy) for seed in range(2))
        return [RunResult(seed, predictions, architecture) for seed, predictions in enumerate(made)]

    return {
        "flat-basic": runs("flat", 0.5, 0),
        "flat-weighted": runs("flat", 1.5, 10),
        "hierarchical-cascade": runs("cascade", 0.5, 20),
        "hierarchical-shared": runs("shared", 1.0, 30),
    }


@pytest.fixture(scope="module")
def comparison(study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy) -> dict:
    return compare_runs(study, cohort, tree, draws=DRAWS)


def test_it_is_strict_json_with_the_agreed_keys(comparison: dict, cohort: Cohort) -> None:
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison
    assert {"schema", "label_space", "cohort", "recipes", "contrasts", "verdict"} <= set(comparison)
    assert comparison["schema"] == 1
    assert comparison["label_space"] == list(NIH15.labels)
    assert comparison["cohort"]["fingerprint"] == cohort.fingerprint
    assert comparison["cohort"]["images"] == {split: len(cohort.rows(split)) for split in ("train", "val", "test")}
    assert comparison["cohort"]["patients"] == {split: cohort.n_patients(split) for split in ("train", "val", "test")}
    assert {entry["metric"] for entry in comparison["contrasts"]} == {"macro_ap", "macro_auroc", "macro_f1"}
    for entry in comparison["contrasts"]:
        assert {"a", "b", "metric", "difference", "low", "high", "p", "p_adjusted", "kind"} <= set(entry)
        assert entry["p"] <= entry["p_adjusted"]


def test_every_recipe_has_the_agreed_keys(comparison: dict) -> None:
    names = {"macro_auroc", "macro_ap", "macro_f1", "macro_f1_at_half", "micro_f1", "exact_match"}
    names |= {"hierarchical_f1", "brier", "macro_auroc_findings", "macro_ap_findings"}
    for name, recipe in comparison["recipes"].items():
        assert recipe["architecture"] == {"flat": "flat"}.get(name.split("-")[0], name.split("-")[-1])
        assert recipe["seeds"] == [0, 1]
        assert set(recipe["cost"]) == {"parameters", "train_seconds", "train_image_passes", "ms_per_image"}
        assert names <= set(recipe["metrics"])
        assert ("hard_macro_f1" in recipe["metrics"]) == (recipe["architecture"] != "flat")
        assert list(recipe["per_label"]) == list(NIH15.labels)
        for entry in recipe["per_label"].values():
            assert {"n_positive", "auroc", "ap", "f1", "threshold"} <= set(entry)


def test_every_recipe_meets_the_baseline_and_the_best_meet(comparison: dict) -> None:
    primary = [entry for entry in comparison["contrasts"] if entry["metric"] == "macro_ap"]
    assert [(entry["a"], entry["b"], entry["kind"]) for entry in primary] == [
        ("flat-weighted", "flat-basic", "baseline"),
        ("hierarchical-cascade", "flat-basic", "baseline"),
        ("hierarchical-shared", "flat-basic", "baseline"),
        ("hierarchical-shared", "flat-weighted", "best"),
    ]
    assert comparison["best"] == {"flat": "flat-weighted", "hierarchical": "hierarchical-shared"}
    assert comparison["contrasts"][0]["metric"] == "macro_ap"


def test_a_contrast_is_what_paired_draws_by_hand_give(
    comparison: dict, study: dict[str, list[RunResult]], cohort: Cohort
) -> None:
    rows = cohort.rows("test")
    draws = PatientDraws.draw(cohort.patients[rows], DRAWS, 0)

    def drawn(name: str) -> np.ndarray:
        runs = [
            drawn_ranking(cohort.labels(rows), run.predictions.align(cohort, "test")[0], draws) for run in study[name]
        ]
        return np.mean([np.nanmean(precision, axis=1) for _, precision in runs], axis=0)

    differences = drawn("hierarchical-shared") - drawn("flat-weighted")
    (entry,) = [e for e in comparison["contrasts"] if e["metric"] == "macro_ap" and e["kind"] == "best"]
    low, high, _ = interval(differences)
    assert (entry["low"], entry["high"]) == (pytest.approx(low), pytest.approx(high))
    assert entry["p"] == pytest.approx(two_sided_p(differences))
    means = {name: comparison["recipes"][name]["metrics"]["macro_ap"]["mean"] for name in study}
    assert entry["difference"] == pytest.approx(means["hierarchical-shared"] - means["flat-weighted"])


def test_the_order_of_rows_and_recipes_does_not_change_the_answer(
    comparison: dict, study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy
) -> None:
    order = np.random.default_rng(0).permutation(len(cohort))
    shuffled = Cohort(cohort.table.iloc[order].reset_index(drop=True), NIH15)
    again = compare_runs(dict(reversed(study.items())), shuffled, tree, draws=DRAWS)
    assert again["verdict"] == comparison["verdict"]
    for name, recipe in comparison["recipes"].items():
        for metric, values in recipe["metrics"].items():
            other = again["recipes"][name]["metrics"][metric]
            for key in ("mean", "low", "high"):
                assert other[key] == pytest.approx(values[key], abs=1e-9)


def test_the_same_predictions_under_two_names_show_no_difference(
    study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy
) -> None:
    twins = {"flat-basic": study["flat-basic"], "flat-twin": study["flat-basic"]}
    result = compare_runs(twins, cohort, tree, draws=DRAWS)
    for entry in result["contrasts"]:
        assert (entry["difference"], entry["low"], entry["high"], entry["p"]) == (0, 0, 0, 1)
    assert "no difference shown" in result["verdict"]


def test_a_simulated_cohort_is_said_to_be_one(
    make_cohort: MakeCohort, make_predictions: MakePredictions, tree: Taxonomy
) -> None:
    cohort = make_cohort(patients=40, source="simulated")
    result = compare_runs({"flat-basic": [RunResult(0, make_predictions(cohort))]}, cohort, tree, draws=20)
    assert result["cohort"]["simulated"] is True
    assert result["verdict"].startswith("On simulated images")


def test_every_figure_says_how_sure_it_is(comparison: dict, cohort: Cohort) -> None:
    for recipe in comparison["recipes"].values():
        for name, metric in recipe["metrics"].items():
            if metric["mean"] is None:  # the mean of a group without findings
                continue
            assert metric["interval"] == ("jackknife" if name.startswith("macro_ap") else "percentile")
            assert metric["bca"] is None or metric["bca"]["low"] <= metric["bca"]["high"]
            shares = metric["variance"]
            assert metric["sd_patients"] ** 2 == pytest.approx(shares["patients"])
            assert min(shares["seeds"], shares["seeds_by_patients"]) >= 0
            assert metric["over_seeds"]["low"] < metric["mean"] < metric["over_seeds"]["high"]
        auroc = recipe["metrics"]["macro_auroc"]
        assert auroc["obuchowski"]["error"] == pytest.approx(auroc["sd_patients"], rel=0.4)
        for label in recipe["per_label"].values():
            kinds = {name: label[name]["interval"] for name in ("auroc", "ap", "f1", "recall", "precision", "brier")}
            assert kinds == {
                "auroc": "logit-t",
                "ap": "logit-t-binomial",
                "f1": "wilson-f1",
                "recall": "wilson",
                "precision": "wilson",
                "brier": "percentile",
            }
            assert label["auroc"]["obuchowski"]["low"] < label["auroc"]["mean"]


def test_every_contrast_has_its_permutation_test_and_what_could_be_seen(comparison: dict) -> None:
    assert comparison["permutations"] == {"unit": "patient", "number": DRAWS, "seed": 0}
    assert comparison["margin"] is None
    for entry in comparison["contrasts"]:
        assert 1 / (DRAWS + 1) <= entry["p_permutation"] <= entry["p_permutation_adjusted"] <= 1
        assert entry["p"] <= entry["p_bh"] <= entry["p_adjusted"]
        assert entry["mdd"]["alone"] < entry["mdd"]["adjusted"]
        assert entry["mdd"]["tests"] == 4
        assert "equivalence" not in entry
        assert ("obuchowski" in entry) == (entry["metric"] == "macro_auroc")


def test_a_margin_tests_every_contrast_for_equivalence(
    study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy
) -> None:
    twins = {"flat-basic": study["flat-basic"], "flat-twin": study["flat-basic"]}
    result = compare_runs(twins, cohort, tree, draws=DRAWS, margin=0.02)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["margin"] == 0.02
    assert all(entry["equivalence"]["equivalent"] for entry in result["contrasts"])
    assert "equivalent within the margin of 0.02" in result["verdict"]
    with pytest.raises(PredictionsError, match="margin of equivalence"):
        compare_runs(twins, cohort, tree, draws=DRAWS, margin=2.0)


def test_one_seed_says_nothing_of_seeds(study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy) -> None:
    single = {name: runs[:1] for name, runs in study.items() if name != "hierarchical-cascade"}
    result = compare_runs(single, cohort, tree, draws=20)
    metric = result["recipes"]["flat-basic"]["metrics"]["macro_ap"]
    assert metric["over_seeds"] is None
    assert metric["variance"]["seeds"] is None
    assert all(entry["seeds"] is None for entry in result["contrasts"])


def test_progress_counts_runs(study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy) -> None:
    seen: list[tuple[int, int]] = []
    compare_runs(study, cohort, tree, draws=5, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 8) for done in range(1, 9)]


def test_what_cannot_be_compared_is_refused(study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy) -> None:
    with pytest.raises(PredictionsError, match="no recipe"):
        compare_runs({}, cohort, tree)
    with pytest.raises(PredictionsError, match=r"no runs to compare \(empty\)"):
        compare_runs({"empty": []}, cohort, tree)
    with pytest.raises(PredictionsError, match="differ in seed"):
        compare_runs({"twice": [study["flat-basic"][0]] * 2}, cohort, tree)
    with pytest.raises(PredictionsError, match="no test images"):
        compare_runs(study, cohort.select("val"), tree)
    with pytest.raises(PredictionsError, match="primary metric must be one of"):
        compare_runs(study, cohort, tree, primary="accuracy")


def test_without_unknown_labels_a_comparison_says_nothing_of_them(comparison: dict) -> None:
    text = json.dumps(comparison)
    assert "n_known" not in text
    assert "not_learnt" not in text


def test_a_comparison_with_unknown_labels_rests_on_the_known_ones(
    study: dict[str, list[RunResult]],
    make_cohort: MakeCohort,
    cohort: Cohort,
    tree: Taxonomy,
    hide: Callable[..., np.ndarray],
) -> None:
    partly = make_cohort(hide=lambda labels: hide(labels, NIH15, 0.3))
    runs = {name: study[name] for name in ("flat-weighted", "hierarchical-shared")}
    runs["flat-weighted"] = [replace(run, not_learnt=["Hernia"]) for run in runs["flat-weighted"]]
    result = compare_runs(runs, partly, tree, draws=DRAWS)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["recipes"]["flat-weighted"]["not_learnt"] == ["Hernia"]
    assert "not_learnt" not in result["recipes"]["hierarchical-shared"]
    rows = partly.rows("test")
    draws = PatientDraws.draw(partly.patients[rows], DRAWS, 0)
    known, truth = partly.known(rows), cohort.labels(rows)

    def drawn(name: str) -> np.ndarray:
        each = [
            drawn_ranking(truth, run.predictions.align(partly, "test")[0], draws, known=known)[1] for run in runs[name]
        ]
        return np.mean([np.nanmean(precision, axis=1) for precision in each], axis=0)

    (entry,) = [e for e in result["contrasts"] if e["metric"] == "macro_ap"]
    low, high, _ = interval(drawn(entry["a"]) - drawn(entry["b"]))
    assert (entry["low"], entry["high"]) == (pytest.approx(low), pytest.approx(high))
    label = result["recipes"]["flat-weighted"]["per_label"]["Effusion"]
    column = NIH15.index("Effusion")
    assert label["n_known"] == known[:, column].sum()
    assert label["n_positive"] == truth[known[:, column], column].sum()


def test_derived_lines_are_measured_and_change_nothing_of_the_recipes(
    study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy, comparison: dict[str, Any]
) -> None:
    """Not their contrasts, not who is best, not the verdict; though the corrected line may be the better one."""
    corrected = with_posthoc(study, cohort, parse_posthoc("platt,isotonic"))
    best = [replace(run, derived=Derived("ensemble", ("flat-basic",), {})) for run in study["hierarchical-shared"][:1]]
    result = compare_runs({"mix": best, **corrected}, cohort, tree, draws=DRAWS)
    own = [entry for entry in result["contrasts"] if entry["kind"] not in ("posthoc", "ensemble")]
    assert own == comparison["contrasts"]
    for key in ("best", "baseline", "verdict", "primary", "diagnosis", "subgroups", "floor"):
        assert result[key] == comparison[key]
    for part in ("groups", "operating", "calibration"):
        assert set(result[part]["recipes"]) == set(result["recipes"])
        for name in comparison["recipes"]:
            assert result[part]["recipes"][name] == comparison[part]["recipes"][name]
    for name, recipe in comparison["recipes"].items():
        assert result["recipes"][name] == recipe
        assert "derived" not in recipe
        line = result["recipes"][f"{name}+platt"]
        assert line["derived"]["kind"] == "posthoc"
        assert line["derived"]["of"] == [name]
        assert len(line["derived"]["runs"]) == len(recipe["seeds"])
        if recipe["architecture"] == "flat":
            assert line["metrics"]["macro_auroc"] == recipe["metrics"]["macro_auroc"]
            assert line["metrics"]["macro_ap"] == recipe["metrics"]["macro_ap"]
        assert line["metrics"]["brier"] != recipe["metrics"]["brier"]
    json.dumps(result, allow_nan=False)


def test_each_line_is_held_against_what_it_was_made_of_in_a_family_of_its_own(
    study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy
) -> None:
    corrected = with_posthoc(study, cohort, parse_posthoc("platt,temperature,em"))
    mix = [replace(study["flat-basic"][0], derived=Derived("ensemble", ("flat-basic", "hierarchical-shared"), {}))]
    result = compare_runs({**corrected, "mix": mix}, cohort, tree, draws=DRAWS, margin=0.05)
    families: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for entry in result["contrasts"]:
        if entry["kind"] == "posthoc":
            assert entry["a"].startswith(entry["b"] + "+")
            families.setdefault(("posthoc", entry["b"], entry["metric"]), []).append(entry)
        elif entry["kind"] == "ensemble":
            assert entry["a"] == "mix"
            families.setdefault(("ensemble", "", entry["metric"]), []).append(entry)
    assert len(families) == 5 * (len(study) + 1)
    for (kind, *_), family in families.items():
        assert len(family) == (3 if kind == "posthoc" else 2)
        np.testing.assert_allclose([e["p_adjusted"] for e in family], holm([e["p"] for e in family]))
        permuted = kind == "posthoc" and family[0]["metric"] in ("macro_ap", "macro_auroc", "macro_f1")
        for entry in family:
            assert (entry["p_permutation"] is not None) == (entry["p_permutation_adjusted"] is not None) == permuted
            assert entry["mdd"]["tests"] == len(family)
            assert entry["seeds"] is None  # the same networks on both sides
            assert "equivalence" not in entry
        for entry in family:
            means = [result["recipes"][entry[side]]["metrics"][entry["metric"]]["mean"] for side in "ab"]
            assert entry["difference"] == pytest.approx(means[0] - means[1])


def test_lines_need_the_recipes_they_were_made_of(
    study: dict[str, list[RunResult]], cohort: Cohort, tree: Taxonomy
) -> None:
    alone = [replace(study["flat-basic"][0], derived=Derived("posthoc", ("gone",), {}))]
    with pytest.raises(PredictionsError, match="no runs to compare"):
        compare_runs({"gone+platt": alone}, cohort, tree)
    with pytest.raises(PredictionsError, match="no runs of gone"):
        compare_runs({**study, "gone+platt": alone}, cohort, tree)
