"""Other tools' predictions in a comparison: equal to a run's where they are the same, fair where they are partial."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.external import evaluate_predictions, read_external
from chestxpert.evaluation.predictions import Predictions
from chestxpert.taxonomy import Taxonomy

DRAWS = 40


@pytest.fixture(scope="module")
def flat(cohort: Cohort, make_predictions: Callable[..., Predictions]) -> Predictions:
    return make_predictions(cohort)


@pytest.fixture(scope="module")
def study(
    cohort: Cohort, flat: Predictions, tree: Taxonomy, make_predictions: Callable[..., Predictions]
) -> dict[str, list[RunResult]]:
    """A flat and a hierarchical recipe."""
    shared = make_predictions(cohort, 0.8, seed=5, tree=tree)
    return {"flat-basic": [RunResult(0, flat)], "hierarchical-shared": [RunResult(0, shared, "shared")]}


@pytest.fixture(scope="module")
def partial(cohort: Cohort, make_predictions: Callable[..., Predictions]) -> pd.DataFrame:
    """Without validation rows, without No Finding and Hernia, and without the first nine test images."""
    frame = make_predictions(cohort, 1.6, seed=9).frame
    return frame[frame["split"] == "test"].iloc[9:].drop(columns=["split", "No Finding", "Hernia"])


@pytest.fixture(scope="module")
def joined(cohort: Cohort, study: dict[str, list[RunResult]], tree: Taxonomy, partial: pd.DataFrame) -> dict[str, Any]:
    outside = read_external("theirs", partial, cohort, allow_missing=True).results
    return compare_runs({**study, "theirs": outside}, cohort, tree, draws=DRAWS)


def test_a_run_that_is_exported_and_read_again_has_the_same_figures(
    cohort: Cohort, flat: Predictions, tree: Taxonomy, tmp_path: Path
) -> None:
    flat.frame.sample(frac=1, random_state=3).to_csv(tmp_path / "mine.csv", index=False, float_format="%.17g")
    run = compare_runs({"flat-basic": [RunResult(0, flat)]}, cohort, tree, draws=DRAWS)
    mine = evaluate_predictions({"mine": tmp_path / "mine.csv"}, cohort, draws=DRAWS)
    for key in ("metrics", "validation", "per_label", "levels", "tree"):
        assert mine["recipes"]["mine"][key] == run["recipes"]["flat-basic"][key]
    for part in ("operating", "calibration", "groups", "subgroups"):
        assert mine[part]["recipes"]["mine"] == run[part]["recipes"]["flat-basic"]
    assert (
        mine["operating"]["net_benefit"]["recipes"]["mine"] == run["operating"]["net_benefit"]["recipes"]["flat-basic"]
    )
    assert mine["recipes"]["mine"]["external"]["thresholds_chosen_on"] == "val"


def test_a_partial_line_is_measured_on_what_it_has_as_scikit_learn_measures_it(
    cohort: Cohort, partial: pd.DataFrame, joined: dict[str, Any]
) -> None:
    line, rows = joined["recipes"]["theirs"], cohort.rows("test")[9:]
    truth, space = cohort.labels(rows), cohort.label_space
    values = partial.set_index("image_id").loc[cohort.image_ids[rows]]
    found = {name: [] for name in ("auroc", "ap", "f1")}
    for label in values.columns:
        held, probs = truth[:, space.index(label)], values[label].to_numpy()
        oracle = {
            "auroc": roc_auc_score(held, probs), "ap": average_precision_score(held, probs),
            "f1": f1_score(held, probs >= 0.5),
        }  # fmt: skip
        for name, value in oracle.items():
            assert line["per_label"][label][name]["mean"] == pytest.approx(value)
            found[name].append(value)
        assert line["per_label"][label]["n_positive"] == held.sum()
        assert line["per_label"][label]["n_known"] == len(rows)
        assert line["per_label"][label]["threshold_fallback"]
    for name, each in found.items():
        assert line["metrics"][f"macro_{name}"]["mean"] == pytest.approx(np.mean(each))
        assert line["metrics"][f"macro_{name}"]["n_undefined"] == 2
    for label in ("No Finding", "Hernia"):
        assert line["per_label"][label]["ap"]["mean"] is None
        assert line["per_label"][label]["n_known"] == 0
    assert line["external"]["coverage"]["absent"] == ["Hernia", "No Finding"]
    assert line["external"]["thresholds_chosen_on"] is None
    assert all(value is None for value in line["validation"].values())
    # P(any finding) is not said, and 'minority' has Hernia below it: neither is made up.
    assert all(node["auroc"]["mean"] is None for node in line["levels"]["inner"].values())


def test_it_is_held_against_the_baseline_on_what_both_predict(
    cohort: Cohort, flat: Predictions, partial: pd.DataFrame, joined: dict[str, Any]
) -> None:
    rows, labels = cohort.rows("test")[9:], list(partial.columns[1:])
    columns = [cohort.label_space.index(label) for label in labels]
    truth, probs = cohort.labels(rows)[:, columns], flat.align(cohort, "test")[0][9:][:, columns]
    entry = next(c for c in joined["contrasts"] if c["a"] == "theirs" and c["metric"] == "macro_ap")
    assert (entry["b"], entry["kind"]) == ("flat-basic", "external")
    assert entry["shared"]["b"] == pytest.approx(average_precision_score(truth, probs, average="macro"))
    assert entry["shared"]["a"] == joined["recipes"]["theirs"]["metrics"]["macro_ap"]["mean"]
    assert entry["difference"] == pytest.approx(entry["shared"]["a"] - entry["shared"]["b"])
    assert (entry["shared"]["images"], entry["shared"]["labels"]) == (len(rows), 13)
    cut = next(c for c in joined["contrasts"] if c["a"] == "theirs" and c["metric"] == "macro_f1")
    thresholds = [joined["recipes"]["flat-basic"]["per_label"][label]["threshold"] for label in labels]
    assert cut["shared"]["b"] == pytest.approx(f1_score(truth, probs >= np.array(thresholds), average="macro"))


def test_recipes_are_what_they_are_without_it(
    cohort: Cohort, study: dict[str, list[RunResult]], tree: Taxonomy, joined: dict[str, Any]
) -> None:
    alone = compare_runs(study, cohort, tree, draws=DRAWS)
    for key in ("verdict", "best", "baseline", "diagnosis", "primary", "cohort"):
        assert joined[key] == alone[key]
    assert [c for c in joined["contrasts"] if c["kind"] != "external"] == alone["contrasts"]
    for name in study:
        assert joined["recipes"][name] == alone["recipes"][name]
        for part in ("operating", "calibration", "groups", "subgroups"):
            assert joined[part]["recipes"][name] == alone[part]["recipes"][name]
        assert joined["floor"] is None or joined["floor"]["above"][name] == alone["floor"]["above"][name]


def test_names_are_compared_with_the_first(
    cohort: Cohort, make_predictions: Callable[..., Predictions], partial: pd.DataFrame
) -> None:
    frames = {name: make_predictions(cohort, skill, seed).frame for seed, (name, skill) in
              enumerate({"first": 0.6, "weak": 0.2, "strong": 2.5}.items())}  # fmt: skip
    result = evaluate_predictions(frames, cohort, draws=200, margin=0.01)
    assert result["baseline"] == "first"
    assert result["best"] == {"flat": None, "hierarchical": None}
    assert {(c["a"], c["b"], c["kind"]) for c in result["contrasts"]} == {
        ("weak", "first", "baseline"), ("strong", "first", "baseline"),
    }  # fmt: skip
    assert (
        "of the best of the others on validation (strong) was higher than that of the one named first (first)"
        in (result["verdict"])
    )
    assert all("equivalent" in c["equivalence"] for c in result["contrasts"])
    mixed = evaluate_predictions({**frames, "theirs": partial}, cohort, draws=DRAWS, allow_missing=True)
    assert "no difference shown between weak and the one named first (first)" in mixed["verdict"]
    assert "the others are not ranked, for want of validation images" in mixed["verdict"]
    assert "best" not in mixed["verdict"]


def test_the_verdict_begins_with_the_images_that_it_speaks_of(
    cohort: Cohort, flat: Predictions, partial: pd.DataFrame
) -> None:
    patients = len(set(cohort.patients[cohort.rows("test")[9:]]))
    two = evaluate_predictions({"mine": flat.frame, "theirs": partial}, cohort, draws=DRAWS, allow_missing=True)
    start = f"On {len(partial)} test images of {patients} patients, "
    assert two["verdict"].startswith(start)
    assert "over the 13 of 15 labels that were predicted; what these tools learnt from is not known." in two["verdict"]
    one = evaluate_predictions({"theirs": partial}, cohort, draws=DRAWS, allow_missing=True)
    assert one["verdict"].startswith(f"{start}theirs reached a macro average precision of")
    assert one["contrasts"] == []


def test_a_cohort_without_validation_and_training_images_will_do(cohort: Cohort, partial: pd.DataFrame) -> None:
    only = cohort.select("test")
    result = evaluate_predictions({"theirs": partial}, only, draws=DRAWS, allow_missing=True)
    mine = evaluate_predictions({"theirs": partial}, cohort, draws=DRAWS, allow_missing=True)
    # Groups of frequency come from training images, and there are none.
    ours, theirs = (each["recipes"]["theirs"]["per_label"] for each in (mine, result))
    assert ours == theirs
    assert result["floor"] is None


def test_what_cannot_be_compared_is_said(cohort: Cohort, flat: Predictions) -> None:
    tested = flat.frame[flat.frame["split"] == "test"].drop(columns="split")
    halves = {"a": tested.iloc[:20], "b": tested.iloc[20:]}
    with pytest.raises(PredictionsError, match="'b' and 'a' share no test image and label"):
        evaluate_predictions(halves, cohort, draws=DRAWS, allow_missing=True)
    with pytest.raises(PredictionsError, match="no runs to compare"):
        evaluate_predictions({}, cohort)


def test_a_finding_nobody_has_is_undefined_and_nothing_warns(cohort: Cohort, flat: Predictions) -> None:
    """One label alone, without a positive among the images that are there."""
    rows = cohort.rows("test")
    held = cohort.labels(rows)[:, cohort.label_space.index("Hernia")]
    names = cohort.image_ids[rows[~held]][:12]
    few = flat.frame[flat.frame["image_id"].isin(names)][["image_id", "Hernia"]]
    result = evaluate_predictions({"mine": flat.frame, "few": few}, cohort, draws=DRAWS, allow_missing=True)
    assert result["recipes"]["few"]["metrics"]["macro_ap"]["mean"] is None
    assert result["contrasts"][0]["p"] is None
    assert "macro average precision is not defined on these images" in result["verdict"]


def test_the_floor_is_held_below_a_partial_line_on_its_own_labels(
    make_cohort: Callable[..., Cohort], make_predictions: Callable[..., Predictions]
) -> None:
    from dataclasses import replace

    plain = make_cohort()
    sexes = np.random.default_rng(0).choice(["M", "F"], len(plain))
    cohort = replace(plain, table=plain.table.assign(sex=sexes))
    frame = make_predictions(cohort).frame.drop(columns="No Finding")
    result = evaluate_predictions({"mine": frame}, cohort, draws=DRAWS)
    floor, line = result["floor"], result["recipes"]["mine"]
    each = [line["per_label"][name]["ap"]["mean"] - floor["per_label"][name]["ap"]["mean"]
            for name in cohort.label_space.findings if line["per_label"][name]["ap"]["mean"] is not None]  # fmt: skip
    assert floor["above"]["mine"]["macro_ap"]["mean"] == pytest.approx(np.mean(each))
    assert not math.isclose(
        floor["above"]["mine"]["macro_ap"]["mean"],
        line["metrics"]["macro_ap"]["mean"] - floor["metrics"]["macro_ap"]["mean"],
    )
