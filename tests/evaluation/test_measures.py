from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as oracle

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.measures import drawn_metrics, point_metrics
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Operating, Scored
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy

MakePredictions = Callable[..., Predictions]


@pytest.fixture(scope="module")
def scored(cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions) -> Scored:
    made = make_predictions(cohort, tree=tree)
    return Scored.of(made, cohort, "test", Operating.choose(made, cohort), tree)


def repeated(scored: Scored, rows: np.ndarray) -> Scored:
    assert scored.routed is not None
    arrays = (scored.truth, scored.probs, scored.decisions, scored.decisions_at_half, scored.routed)
    return Scored(scored.taxonomy, *(array[rows] for array in arrays), groups=scored.groups)


def test_every_drawn_metric_equals_the_plain_one_on_repeated_rows(cohort: Cohort, scored: Scored) -> None:
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 25, 3)
    drawn = drawn_metrics(scored, draws)
    assert {"macro_ap", "brier", "hierarchical_f1", "hard_macro_f1", "hard_exact_match"} <= set(drawn.overall)
    for draw, counts in enumerate(draws.counts[:, draws.patient_of_image]):
        plain = point_metrics(repeated(scored, np.repeat(np.arange(len(counts)), counts)))
        assert set(plain.overall) == set(drawn.overall)
        for name, values in drawn.overall.items():
            assert values[draw] == pytest.approx(plain.overall[name], abs=1e-9, nan_ok=True), name
        for name, values in drawn.per_label.items():
            np.testing.assert_allclose(values[draw], plain.per_label[name], atol=1e-9, err_msg=name)


def test_drawn_decision_metrics_equal_scikit_learn_with_weights(cohort: Cohort, scored: Scored) -> None:
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 10, 4)
    drawn = drawn_metrics(scored, draws)
    for draw, weights in enumerate(draws.counts[:, draws.patient_of_image]):
        truth, decisions, extra = scored.truth, scored.decisions, {"sample_weight": weights}
        micro = oracle.f1_score(truth, decisions, average="micro", **extra)
        assert drawn.overall["micro_f1"][draw] == pytest.approx(micro, abs=1e-9)
        exact = oracle.accuracy_score(truth, decisions, **extra)
        assert drawn.overall["exact_match"][draw] == pytest.approx(exact, abs=1e-9)
        present = (truth * weights[:, None]).sum(axis=0) > 0
        f1 = oracle.f1_score(truth, decisions, average=None, zero_division=0, **extra)
        np.testing.assert_allclose(drawn.per_label["f1"][draw][present], f1[present], atol=1e-9)
        brier = [oracle.brier_score_loss(truth[:, k], scored.probs[:, k], **extra) for k in np.flatnonzero(present)]
        np.testing.assert_allclose(drawn.per_label["brier"][draw][present], brier, atol=1e-9)


def test_macro_is_over_all_labels_and_findings_leave_no_finding_out(scored: Scored) -> None:
    measured = point_metrics(scored)
    column = NIH15.index("No Finding")
    for name in ("auroc", "ap", "f1"):
        values = measured.per_label[name]
        assert measured.overall[f"macro_{name}"] == pytest.approx(np.nanmean(values))
        assert measured.overall[f"macro_{name}_findings"] == pytest.approx(np.nanmean(np.delete(values, column)))


def test_groups_are_means_over_the_findings_that_training_shows_that_often(cohort: Cohort, scored: Scored) -> None:
    shares = {name: count / len(cohort.rows("train")) for name, count in cohort.counts("train").items()}
    ap = dict(zip(NIH15.labels, point_metrics(scored).per_label["ap"], strict=True))
    head = [ap[name] for name in NIH15.findings if shares[name] > 0.10]
    medium = [ap[name] for name in NIH15.findings if 0.01 <= shares[name] <= 0.10]
    assert head
    assert len(head) + len(medium) == 14  # so there is no tail
    overall = point_metrics(scored).overall
    assert overall["macro_ap_head"] == pytest.approx(np.nanmean(head))
    assert overall["macro_ap_medium"] == pytest.approx(np.nanmean(medium))
    assert np.isnan(overall["macro_ap_tail"])


def test_a_group_is_averaged_in_every_draw_too(cohort: Cohort, scored: Scored) -> None:
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 8, 2)
    rare = replace(scored, groups={"Hernia": "tail", "Fibrosis": "tail", "Mass": "head"})
    drawn = drawn_metrics(rare, draws)
    columns = [NIH15.index("Hernia"), NIH15.index("Fibrosis")]
    np.testing.assert_allclose(drawn.overall["macro_ap_tail"], np.nanmean(drawn.per_label["ap"][:, columns], axis=1))
    np.testing.assert_array_equal(drawn.overall["macro_ap_head"], drawn.per_label["ap"][:, NIH15.index("Mass")])
    assert np.isnan(drawn.overall["macro_ap_medium"]).all()


def test_one_half_is_reported_beside_the_validation_thresholds(scored: Scored) -> None:
    measured = point_metrics(scored)
    expected = oracle.f1_score(scored.truth, scored.probs >= 0.5, average="macro", zero_division=0)
    assert measured.overall["macro_f1_at_half"] == pytest.approx(expected)
    assert measured.overall["macro_f1_at_half"] != measured.overall["macro_f1"]


def test_a_flat_run_has_no_hard_metrics(cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions) -> None:
    made = make_predictions(cohort)
    measured = point_metrics(Scored.of(made, cohort, "test", Operating.choose(made, cohort), tree))
    assert not [name for name in measured.overall if name.startswith("hard_")]
    assert "hierarchical_f1" in measured.overall


@pytest.fixture(scope="module")
def partly(scored: Scored, hide: Callable[..., np.ndarray]) -> Scored:
    """`scored` with 30 % of its labels unknown, and all of some images."""
    known = hide(scored.truth, NIH15, 0.3, seed=1)
    known[::9] = False
    return replace(scored, known=known)


def test_drawn_metrics_with_unknown_labels_equal_the_plain_ones_on_repeated_rows(
    cohort: Cohort, partly: Scored
) -> None:
    assert partly.known is not None
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 25, 3)
    drawn = drawn_metrics(partly, draws)
    for draw, counts in enumerate(draws.counts[:, draws.patient_of_image]):
        rows = np.repeat(np.arange(len(counts)), counts)
        plain = point_metrics(replace(repeated(partly, rows), known=partly.known[rows]))
        assert set(plain.overall) == set(drawn.overall)
        for name, values in drawn.overall.items():
            assert values[draw] == pytest.approx(plain.overall[name], abs=1e-9, nan_ok=True), name
        for name, values in drawn.per_label.items():
            np.testing.assert_allclose(values[draw], plain.per_label[name], atol=1e-9, err_msg=name)


def test_drawn_decision_metrics_with_unknown_labels_equal_scikit_learn_on_the_known_rows(
    cohort: Cohort, partly: Scored
) -> None:
    assert partly.known is not None
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 6, 4)
    drawn = drawn_metrics(partly, draws)
    for draw, weights in enumerate(draws.counts[:, draws.patient_of_image]):
        for k in range(15):
            rows = partly.known[:, k] & (weights > 0)
            held, decided = partly.truth[rows, k], partly.decisions[rows, k]
            extra = {"sample_weight": weights[rows]}
            brier = oracle.brier_score_loss(held, partly.probs[rows, k], **extra)
            assert drawn.per_label["brier"][draw, k] == pytest.approx(brier, abs=1e-9)
            f1 = oracle.f1_score(held, decided, zero_division=0, **extra) if held.any() else np.nan
            assert drawn.per_label["f1"][draw, k] == pytest.approx(f1, abs=1e-9, nan_ok=True)
        entries = partly.known & (weights > 0)[:, None]
        each = np.broadcast_to(weights[:, None], entries.shape)[entries]
        micro = oracle.f1_score(partly.truth[entries], partly.decisions[entries], sample_weight=each)
        assert drawn.overall["micro_f1"][draw] == pytest.approx(micro, abs=1e-9)


def test_what_is_behind_an_unknown_label_changes_no_metric(cohort: Cohort, partly: Scored) -> None:
    assert partly.known is not None
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 5, 0)
    other = replace(partly, truth=partly.truth ^ ~partly.known)
    for one, two in (
        (point_metrics(partly), point_metrics(other)),
        (drawn_metrics(partly, draws), drawn_metrics(other, draws)),
    ):
        for name in one.overall:
            np.testing.assert_array_equal(one.overall[name], two.overall[name], err_msg=name)
        for name in one.per_label:
            np.testing.assert_array_equal(one.per_label[name], two.per_label[name], err_msg=name)


def test_a_mask_that_hides_nothing_changes_no_digit(cohort: Cohort, scored: Scored) -> None:
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 5, 0)
    whole = replace(scored, known=np.ones_like(scored.truth))
    for one, two in (
        (point_metrics(scored), point_metrics(whole)),
        (drawn_metrics(scored, draws), drawn_metrics(whole, draws)),
    ):
        for name in one.overall:
            np.testing.assert_array_equal(one.overall[name], two.overall[name], err_msg=name)
