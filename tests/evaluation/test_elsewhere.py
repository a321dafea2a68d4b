"""Measuring on what two data sets share: each label on its known images, as if there were no others."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.elsewhere import Seen, measure, why_not_shared
from chestxpert.evaluation.elsewhere_text import evaluation_table
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.uncertainty.intervals import jackknifed, logit_t
from chestxpert.evaluation.uncertainty.shares import f1_of_patients
from chestxpert.labels import CXRLT20, NIH15, LabelSpace

SPACE = LabelSpace("small", ("Effusion", "Mass", "Hernia", "No Finding"))
RNG = np.random.default_rng(3)
N = 60
TRUTH = np.column_stack([RNG.random((N, 3)) < 0.4, np.zeros(N)]).astype(bool)
TRUTH[:, 3] = ~TRUTH[:, :3].any(axis=1)
KNOWN = RNG.random((N, 4)) < 0.7
PROBS = np.round(0.3 * TRUTH + 0.7 * RNG.random((N, 4)), 2)
PATIENTS = np.array([f"p{n // 3}" for n in range(N)], dtype=object)
SEEN = Seen(SPACE, TRUTH & KNOWN, KNOWN, PROBS, PATIENTS, frozenset())
THRESHOLDS = {"Effusion": 0.5, "Mass": 0.4, "Hernia": 0.6, "No Finding": 0.5}


def test_each_label_is_measured_on_its_known_images() -> None:
    result = measure(SEEN, SPACE.labels, THRESHOLDS, draws=50)
    for column, label in enumerate(SPACE.labels):
        rows = KNOWN[:, column]
        truth, probs = TRUTH[rows, column], PROBS[rows, column]
        entry = result["per_label"][label]
        assert (entry["n_known"], entry["n_positive"]) == (rows.sum(), truth.sum())
        assert entry["auroc"]["value"] == pytest.approx(roc_auc_score(truth, probs))
        assert entry["ap"]["value"] == pytest.approx(average_precision_score(truth, probs))
        assert entry["f1"]["value"] == pytest.approx(f1_score(truth, probs >= THRESHOLDS[label]))


def test_intervals_are_over_patients_as_if_each_draw_were_made() -> None:
    """Against draws made by hand: each patient's images as often as the patient was drawn."""
    result = measure(SEEN, ["Effusion", "Mass"], THRESHOLDS, draws=40, seed=4)
    drawn = PatientDraws.draw(PATIENTS, 40, 4)
    values: dict[str, list[list[float]]] = {"auroc": [], "ap": [], "f1": []}
    for counts in drawn.counts:
        rows = np.repeat(np.arange(N), counts[drawn.patient_of_image])
        per_label: dict[str, list[float]] = {"auroc": [], "ap": [], "f1": []}
        for column, label in enumerate(["Effusion", "Mass"]):
            mine = rows[KNOWN[rows, column]]
            truth, probs = TRUTH[mine, column], PROBS[mine, column]
            per_label["auroc"].append(roc_auc_score(truth, probs))
            per_label["ap"].append(average_precision_score(truth, probs))
            per_label["f1"].append(f1_score(truth, probs >= THRESHOLDS[label]))
        for name, numbers in per_label.items():
            values[name].append(numbers)
    for name in values:
        table = np.array(values[name])
        entry, macro = result["per_label"]["Mass"][name], result["macro"][name]
        assert (entry["n_draws"], macro["n_draws"], macro["n"]) == (40, 40, 2)
        if name != "ap":
            assert (macro["low"], macro["high"]) == pytest.approx(np.quantile(table.mean(axis=1), [0.025, 0.975]))


def test_intervals_of_labels_and_of_mean_average_precision_leave_patients_out_by_hand() -> None:
    labels = ["Effusion", "Mass"]
    result = measure(SEEN, labels, THRESHOLDS, draws=5)
    names = np.unique(PATIENTS)

    def of(rows: np.ndarray, metric: Callable[..., float], values: np.ndarray) -> np.ndarray:
        mine = [rows & KNOWN[:, column] for column in range(2)]
        return np.array([metric(TRUTH[m, k], values[m, k]) for k, m in enumerate(mine)])

    def left_out(metric: Callable[..., float], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        whole = of(np.ones(N, dtype=bool), metric, values)
        each = np.array([of(patient != PATIENTS, metric, values) for patient in names])
        return whole, (len(names) - 1) * (whole - each)

    whole, moves = left_out(average_precision_score, PROBS)
    mass = result["per_label"]["Mass"]
    sides = [len(set(PATIENTS[KNOWN[:, 1] & (TRUTH[:, 1] == side)])) for side in (True, False)]
    error = moves[:, 1].std(ddof=1) / len(names) ** 0.5
    by_hand = logit_t(whole[1], error, min(sides), binomial=True)
    assert (mass["ap"]["low"], mass["ap"]["high"]) == pytest.approx(by_hand)
    assert mass["ap"]["interval"] == "logit-t-binomial"
    decided = PROBS >= 0.4
    f1, moved = left_out(f1_score, decided)
    either = len(set(PATIENTS[KNOWN[:, 1] & (TRUTH[:, 1] | decided[:, 1])]))
    by_hand = f1_of_patients(f1[1], moved[:, 1].std(ddof=1) / len(names) ** 0.5, either, min(sides))
    assert (mass["f1"]["low"], mass["f1"]["high"]) == pytest.approx(by_hand)
    assert mass["f1"]["interval"] == "wilson-f1"
    macro = result["macro"]["ap"]
    assert (macro["low"], macro["high"]) == pytest.approx(jackknifed(float(whole.mean()), moves.mean(axis=1)))
    assert macro["interval"] == "jackknife"


def test_no_finding_is_measured_but_is_no_finding() -> None:
    with_it, without = (measure(SEEN, labels, THRESHOLDS, draws=10) for labels in (SPACE.labels, SPACE.findings))
    assert with_it["macro"] == without["macro"]
    assert "No Finding" in with_it["per_label"]


def test_reasons_why_a_label_is_not_shared() -> None:
    truth, known = TRUTH.copy(), np.ones_like(KNOWN)
    truth[:, 0], truth[:, 1], known[:, 2] = True, False, False
    seen = Seen(SPACE, truth, known, PROBS, PATIENTS, frozenset({"No Finding"}))
    assert why_not_shared(seen) == {
        "Effusion": "no negative among 60 known images",
        "Mass": "no positive among 60 known images",
        "Hernia": "not known for any of these images",
        "No Finding": "the data set has no such label",
    }
    assert why_not_shared(SEEN, ["Mass"])["Mass"] == "the run has not learnt it"
    assert not any(why_not_shared(SEEN)[label] for label in ("Effusion", "Hernia", "No Finding"))


def table(space: LabelSpace, **held: list[bool]) -> Cohort:
    labels = np.zeros((3, len(space)), dtype=bool)
    for name, values in held.items():
        labels[:, space.index(name)] = values
    labels[:, space.index("No Finding")] = ~labels.any(axis=1)
    frame = make_table(["a", "b", "c"], ["1", "2", "2"], labels, space, split="test", source="x")
    return Cohort(frame, space)


def test_findings_are_matched_by_name_across_label_spaces() -> None:
    cohort = table(CXRLT20, Pleural_Thickening=[True, False, True], Tortuous_Aorta=[False, True, False])
    predictions = Predictions.from_arrays(["c", "b", "a"], "test", np.tile([[0.3], [0.2], [0.1]], (1, 15)), NIH15)
    seen = Seen.of(predictions, cohort, np.array([0, 2]))
    assert seen.truth[:, NIH15.index("Pleural_Thickening")].tolist() == [True, True]
    assert seen.probs[:, 0].tolist() == [0.1, 0.3]
    assert seen.unlabelled == frozenset()
    back = Predictions.from_arrays(["a", "b", "c"], "test", np.full((3, 20), 0.5), CXRLT20)
    assert "Tortuous Aorta" in Seen.of(back, table(NIH15, Mass=[True, False, False]), np.arange(3)).unlabelled


def test_unknown_cells_of_a_table_are_not_absent() -> None:
    cohort = table(NIH15, Mass=[True, False, False])
    cohort.table["Hernia"] = pd.array([None, False, None], dtype="boolean")  # as a cohort with unknown labels has it
    predictions = Predictions.from_arrays(["a", "b", "c"], "test", np.full((3, 15), 0.5), NIH15)
    seen = Seen.of(predictions, cohort, np.arange(3))
    assert seen.known[:, NIH15.index("Hernia")].tolist() == [False, True, False]
    assert seen.known[:, NIH15.index("Mass")].all()


def test_images_without_a_prediction_are_refused() -> None:
    predictions = Predictions.from_arrays(["a", "b"], "test", np.full((2, 15), 0.5), NIH15)
    with pytest.raises(PredictionsError, match="1 images have no prediction, for example c"):
        Seen.of(predictions, table(NIH15), np.arange(3))
    with pytest.raises(PredictionsError, match="no images to evaluate"):
        Seen.of(predictions, table(NIH15), np.arange(0))


def test_nothing_shared_is_said_and_not_averaged() -> None:
    result: dict[str, Any] = {
        "run": {"name": "flat"}, "data": {"name": "x"}, "external": True, "simulated": False, "own": None,
        "shared": [], "not_shared": {"Mass": "the run has not learnt it"}, "notes": ["one", "two"],
        "here": measure(SEEN, [], THRESHOLDS, draws=5),
    }  # fmt: skip
    assert np.isnan(result["here"]["macro"]["auroc"]["value"])
    result["here"]["macro"] = {name: {"value": None} for name in ("auroc", "ap", "f1")}
    text = evaluation_table(result)
    assert "0 findings are shared" in text
    assert "| **mean of 0** | | | | - | - | - | - | - | - |" in text
    assert "note: two" in text
