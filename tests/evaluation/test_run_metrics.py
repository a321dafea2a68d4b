from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run, plain
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy

MakePredictions = Callable[..., Predictions]


@pytest.mark.parametrize("hierarchical", [False, True])
def test_an_evaluation_is_strict_json(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions, hierarchical: bool
) -> None:
    result = evaluate_run(make_predictions(cohort, tree=tree if hierarchical else None), cohort, tree)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["label_space"] == list(NIH15.labels)
    assert list(result["thresholds"]["labels"]) == list(NIH15.labels)
    assert (result["thresholds"]["nodes"] is None) is not hierarchical
    assert result["test"]["images"] == len(cohort.rows("test"))
    assert result["test"]["tree"]["routing"] == ("hard" if hierarchical else "none")


def test_both_splits_are_measured_on_their_own_rows(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    made = make_predictions(cohort)
    result = evaluate_run(made, cohort, tree)
    for split in ("val", "test"):
        truth, probs = cohort.labels(cohort.rows(split)), made.align(cohort, split)[0]
        entry = result[split]["per_label"]["Effusion"]
        column = NIH15.index("Effusion")
        assert entry["ap"] == pytest.approx(average_precision_score(truth[:, column], probs[:, column]))
        assert entry["n_positive"] == truth[:, column].sum()


def small_cohort() -> Cohort:
    """Validation and test images without a single Hernia."""
    rows = [NIH15.encode([name]) for name in NIH15.labels if name != "Hernia"] * 2
    ids = [f"{i}.png" for i in range(len(rows))]
    split = ["val"] * (len(rows) // 2) + ["test"] * (len(rows) // 2)
    return Cohort(make_table(ids, ids, np.array(rows), NIH15, split=split, source="nih"), NIH15)


def test_what_is_undefined_is_null_and_counted_not_zero(tree: Taxonomy, make_predictions: MakePredictions) -> None:
    cohort = small_cohort()
    result = evaluate_run(make_predictions(cohort), cohort, tree)
    test = result["test"]
    assert test["per_label"]["Hernia"]["auroc"] is None
    assert test["per_label"]["Hernia"]["f1"] is None
    assert test["defined"]["macro_ap"] == {"n_defined": 14, "n_undefined": 1}
    assert test["defined"]["macro_ap_findings"] == {"n_defined": 13, "n_undefined": 1}
    others = [entry["ap"] for label, entry in test["per_label"].items() if label != "Hernia"]
    assert test["metrics"]["macro_ap"] == pytest.approx(np.mean(others))
    assert result["thresholds"]["labels"]["Hernia"] == {"threshold": 0.5, "fallback": True}


def test_a_cohort_without_test_images_is_measured_on_validation_alone(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    result = evaluate_run(make_predictions(cohort), cohort.select("val"), tree)
    assert "test" not in result
    assert result["val"]["metrics"]["macro_auroc"] > 0.5


def test_an_image_without_prediction_is_an_error(cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions):
    made = make_predictions(cohort)
    with pytest.raises(PredictionsError, match="val images have no val prediction"):
        evaluate_run(Predictions(made.frame.iloc[1:], NIH15), cohort, tree)


def test_plain_values_have_no_numpy_and_no_nan() -> None:
    value = {"a": np.float64("nan"), "b": np.array([1.0, np.inf]), "c": (np.int64(3), np.bool_(True)), "d": "x"}
    assert plain(value) == {"a": None, "b": [1.0, None], "c": [3, True], "d": "x"}
    assert type(plain(np.int64(3))) is int


def test_without_unknown_labels_nothing_is_said_of_them(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    """The same text to the last byte, whether the table never had a gap or has columns that could have one."""
    made = make_predictions(cohort, tree=tree)
    result = json.dumps(evaluate_run(made, cohort, tree))
    assert "n_known" not in result
    assert "not_learnt" not in result
    gapless = Cohort(cohort.table.astype(dict.fromkeys(NIH15.labels, "boolean")), NIH15)
    assert json.dumps(evaluate_run(made, gapless, tree)) == result


def test_what_is_unknown_is_counted_and_left_out(
    cohort: Cohort,
    make_cohort: Callable[..., Cohort],
    tree: Taxonomy,
    make_predictions: MakePredictions,
    hide: Callable[..., np.ndarray],
) -> None:
    def hidden(labels: np.ndarray) -> np.ndarray:
        known = hide(labels, NIH15, 0.3)
        known[:, NIH15.index("Edema")] = False
        known[:, NIH15.index("Mass")] = True
        return known

    partly, made = make_cohort(hide=hidden), make_predictions(cohort)
    result = evaluate_run(made, partly, tree, ["Edema"])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["not_learnt"] == ["Edema"]
    rows = partly.rows("test")
    known, truth, probs = partly.known(rows), cohort.labels(rows), made.align(partly, "test")[0]
    for k, label in enumerate(NIH15.labels):
        entry = result["test"]["per_label"][label]
        if label == "Mass":
            assert "n_known" not in entry
            continue
        told = known[:, k]
        assert entry["n_known"] == told.sum()
        assert entry["n_positive"] == truth[told, k].sum()
        if label == "Edema":
            assert (entry["n_known"], entry["ap"], entry["brier"], entry["f1"]) == (0, None, None, None)
        else:
            assert entry["ap"] == pytest.approx(average_precision_score(truth[told, k], probs[told, k]))
    assert result["test"]["defined"]["macro_ap"] == {"n_defined": 14, "n_undefined": 1}
    assert result["test"]["defined"]["brier"] == {"n_defined": 14, "n_undefined": 1}
    assert result["thresholds"]["labels"]["Edema"] == {"threshold": 0.5, "fallback": True}
    assert result["test"]["tree"]["findings"]["Edema"]["n"] == 0
    routed = evaluate_run(make_predictions(cohort, tree=tree), partly, tree)["test"]["tree"]
    told = tree.known(truth, known)
    for column, node in enumerate(tree.nodes):
        assert sum(routed["nodes"][node]["routed"].values()) == told[:, column].sum()
    assert {name: entry["n"] for name, entry in routed["findings"].items()} == {
        name: partly.counts("test")[name] for name in NIH15.findings
    }
