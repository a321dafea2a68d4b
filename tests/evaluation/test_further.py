from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import label_ranking_loss, matthews_corrcoef, roc_auc_score

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.further import (
    CALIBRATION,
    CURVES,
    DECISIONS,
    drawn_curves,
    drawn_decisions,
    further_metrics,
)
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Operating, Scored
from chestxpert.evaluation.threshold_rules import ThresholdRule
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy

MakePredictions = Callable[..., Predictions]


@pytest.fixture(scope="module", params=[False, True], ids=["all known", "partly known"])
def scored(
    request: pytest.FixtureRequest, make_cohort: Callable[..., Cohort], tree: Taxonomy,
    make_predictions: MakePredictions, hide: Callable[..., np.ndarray],
) -> tuple[Scored, Cohort]:  # fmt: skip
    cohort = make_cohort(hide=(lambda labels: hide(labels, NIH15, 0.2)) if request.param else None)
    made = make_predictions(cohort)
    return Scored.of(made, cohort, "test", Operating.choose(made, cohort), tree), cohort


def test_it_is_scikit_learn_on_what_is_known(scored: tuple[Scored, Cohort]) -> None:
    run, _ = scored
    measured = further_metrics(run)
    assert list(measured.per_label) == [*DECISIONS, *CURVES, *CALIBRATION]
    known = np.ones_like(run.truth) if run.known is None else run.known
    for column in range(15):
        rows = known[:, column]
        truth = run.truth[rows, column]
        expected = {
            "mcc": matthews_corrcoef(truth, run.decisions[rows, column]),
            "partial_auroc": roc_auc_score(truth, run.probs[rows, column], max_fpr=0.1),
        }
        for name, value in expected.items():
            assert measured.per_label[name][column] == pytest.approx(value)
    if run.known is None:
        assert measured.overall["ranking_loss"] == pytest.approx(label_ranking_loss(run.truth, run.probs))


def test_every_draw_is_the_plain_metric_on_repeated_rows(scored: tuple[Scored, Cohort]) -> None:
    run, cohort = scored
    draws = PatientDraws.draw(cohort.patients[cohort.rows("test")], 12, 5)
    decided, curves = drawn_decisions(run, draws), drawn_curves(run, draws)
    assert set(decided.per_label) == set(DECISIONS)
    assert set(curves) == {*CURVES, *CALIBRATION} - {"ece_if_perfect"}
    for draw, weights in enumerate(draws.counts[:, draws.patient_of_image]):
        rows = np.repeat(np.arange(len(weights)), weights)
        arrays = (run.truth, run.probs, run.decisions, run.decisions_at_half)
        known = None if run.known is None else run.known[rows]
        plain = further_metrics(Scored(run.taxonomy, *(array[rows] for array in arrays), None, known))
        for name, values in [*decided.per_label.items(), *((name, curves[name]) for name in CURVES)]:
            np.testing.assert_allclose(values[draw], plain.per_label[name], atol=1e-9, err_msg=name)
        assert decided.overall["ranking_loss"][draw] == pytest.approx(plain.overall["ranking_loss"])


def test_thresholds_follow_the_rule_on_labels_and_nodes(
    cohort: Cohort, tree: Taxonomy, make_predictions: MakePredictions
) -> None:
    made = make_predictions(cohort, tree=tree)
    rule = ThresholdRule("sensitivity", 0.9)
    chosen, usual = Operating.choose(made, cohort, rule), Operating.choose(made, cohort)
    assert chosen.nodes is not None
    assert usual.nodes is not None
    assert (chosen.nodes.values < usual.nodes.values).any()
    rows = cohort.rows("val")
    truth, decided = cohort.labels(rows), chosen.labels.decide(made.align(cohort, "val")[0])
    reached = (truth & decided).sum(axis=0) / truth.sum(axis=0)
    assert (reached >= 0.9).all()
