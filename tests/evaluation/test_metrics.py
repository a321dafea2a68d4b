from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as oracle

from chestxpert.errors import PredictionsError
from chestxpert.evaluation import metrics


def random_case(seed: int, tied: bool, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 5)) < [0.5, 0.2, 0.05, 0.9, 0.02]
    truth[0] = True
    scores = rng.random((n, 5)) * 0.7 + truth * 0.3 * rng.random((n, 5))
    return truth, np.round(scores, 1) if tied else scores


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_every_per_label_metric_equals_scikit_learn(seed: int, tied: bool) -> None:
    truth, scores = random_case(seed, tied)
    decisions = scores >= 0.5
    columns = range(truth.shape[1])
    pairs = [
        (metrics.auroc(truth, scores), [oracle.roc_auc_score(truth[:, k], scores[:, k]) for k in columns]),
        (
            metrics.average_precision(truth, scores),
            [oracle.average_precision_score(truth[:, k], scores[:, k]) for k in columns],
        ),
        (metrics.precision(truth, decisions), oracle.precision_score(truth, decisions, average=None, zero_division=0)),
        (metrics.recall(truth, decisions), oracle.recall_score(truth, decisions, average=None)),
        (metrics.f1(truth, decisions), oracle.f1_score(truth, decisions, average=None)),
        (metrics.brier(truth, scores), [oracle.brier_score_loss(truth[:, k], scores[:, k]) for k in columns]),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    assert metrics.micro_f1(truth, decisions) == pytest.approx(oracle.f1_score(truth, decisions, average="micro"))
    assert metrics.exact_match(truth, decisions) == pytest.approx(oracle.accuracy_score(truth, decisions))
    assert metrics.macro(metrics.f1(truth, decisions)) == pytest.approx(
        oracle.f1_score(truth, decisions, average="macro")
    )


def test_scores_that_say_nothing_reach_one_half_and_the_prevalence() -> None:
    truth = np.array([[True], [False], [False], [False]])
    same = np.full((4, 1), 0.3)
    assert metrics.auroc(truth, same) == [0.5]
    assert metrics.average_precision(truth, same) == [0.25]


def test_a_label_without_positives_is_undefined_counted_and_left_out_of_the_mean() -> None:
    truth = np.array([[True, False, True], [False, False, True]])
    scores = np.array([[0.9, 0.4, 0.2], [0.1, 0.6, 0.7]])
    decisions = np.array([[True, True, False], [False, False, True]])
    assert np.isnan(metrics.auroc(truth, scores)).tolist() == [False, True, True]
    assert np.isnan(metrics.average_precision(truth, scores)).tolist() == [False, True, False]
    assert np.isnan(metrics.f1(truth, decisions)).tolist() == [False, True, False]
    assert np.isnan(metrics.precision(truth, decisions)).tolist() == [False, True, False]
    assert np.isnan(metrics.recall(truth, decisions)).tolist() == [False, True, False]
    assert metrics.macro(metrics.f1(truth, decisions)) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.n_defined(metrics.auroc(truth, scores)) == 1


def test_finding_nothing_is_an_f1_of_zero_but_no_precision() -> None:
    truth, nothing = np.ones((3, 1), dtype=bool), np.zeros((3, 1), dtype=bool)
    assert metrics.f1(truth, nothing) == [0.0]
    assert metrics.recall(truth, nothing) == [0.0]
    assert np.isnan(metrics.precision(truth, nothing)[0])


def test_macro_of_nothing_defined_is_undefined() -> None:
    assert np.isnan(metrics.macro([np.nan, np.nan]))
    assert np.isnan(metrics.micro_f1(np.zeros((2, 2)), np.zeros((2, 2))))
    assert np.isnan(metrics.exact_match(np.zeros((0, 2)), np.zeros((0, 2))))


def test_shapes_that_differ_and_nans_are_named() -> None:
    with pytest.raises(PredictionsError, match=r"\(2, 3\) and \(3, 2\)"):
        metrics.auroc(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(PredictionsError, match="NaNs among the probabilities"):
        metrics.average_precision(np.zeros((2, 1)), np.array([[0.5], [np.nan]]))


CASES = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.bool_, (n, 2)),
        hnp.arrays(np.int64, (n, 2), elements=st.integers(-8, 8)),
        st.permutations(range(n)),
    )
)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_order_of_rows_does_not_matter_nor_a_rising_transform_of_scores(
    case: tuple[np.ndarray, np.ndarray, list[int]],
) -> None:
    truth, scores, order = case
    for metric in (metrics.auroc, metrics.average_precision):
        value = metric(truth, scores)
        np.testing.assert_allclose(metric(truth[order], scores[order]), value, atol=1e-12)
        np.testing.assert_array_equal(metric(truth, np.exp(scores / 3.0) * 7 - 2), value)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_turning_scores_round_turns_auroc_round(case: tuple[np.ndarray, np.ndarray, list[int]]) -> None:
    truth, scores, _ = case
    np.testing.assert_allclose(metrics.auroc(truth, -scores), 1 - metrics.auroc(truth, scores), atol=1e-12)
    np.testing.assert_allclose(metrics.auroc(~truth, -scores), metrics.auroc(truth, scores), atol=1e-12)


PER_LABEL = (metrics.auroc, metrics.average_precision, metrics.precision, metrics.recall, metrics.f1, metrics.brier)

MASKED = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.bool_, (n, 3)),
        hnp.arrays(np.int64, (n, 3), elements=st.integers(0, 8)).map(lambda values: values / 8),
        hnp.arrays(np.bool_, (n, 3)),
    )
)


@settings(max_examples=100, deadline=None)
@given(MASKED)
def test_a_label_is_measured_as_if_its_unknown_images_were_not_there(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    truth, probs, known = case
    for metric in PER_LABEL:
        values = probs if metric in (metrics.auroc, metrics.average_precision, metrics.brier) else probs >= 0.5
        masked = metric(truth, values, known)
        for k in range(3):
            rows = known[:, k]
            alone = metric(truth[rows, k : k + 1], values[rows, k : k + 1])
            np.testing.assert_allclose(masked[k], alone[0], rtol=1e-12, err_msg=metric.__name__)


@settings(max_examples=60, deadline=None)
@given(MASKED)
def test_what_is_behind_an_unknown_label_does_not_change_a_digit(
    case: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    truth, probs, known = case
    for metric in (*PER_LABEL, metrics.micro_f1, metrics.exact_match):
        values = probs if metric in (metrics.auroc, metrics.average_precision, metrics.brier) else probs >= 0.5
        np.testing.assert_array_equal(metric(truth, values, known), metric(truth ^ ~known, values, known))
        np.testing.assert_array_equal(metric(truth, values, np.ones_like(known)), metric(truth, values))


@settings(max_examples=60, deadline=None)
@given(MASKED)
def test_metrics_over_labels_together_count_known_entries(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    truth, probs, known = case
    decided = probs >= 0.5
    pairs = [(truth[i, k], decided[i, k]) for i, k in zip(*np.nonzero(known), strict=True)]
    held, said = (np.array(column, dtype=bool) for column in zip(*pairs, strict=True)) if pairs else np.empty((2, 0))
    f1 = oracle.f1_score(held, said, zero_division=np.nan) if np.any(held) or np.any(said) else np.nan
    np.testing.assert_allclose(metrics.micro_f1(truth, decided, known), f1)
    right = [all(t == d for t, d, k in zip(*row, strict=True) if k) for row in zip(truth, decided, known, strict=True)]
    counted = [value for value, told in zip(right, known, strict=True) if told.any()]
    expected = np.mean(counted) if counted else np.nan
    np.testing.assert_allclose(metrics.exact_match(truth, decided, known), expected)


def test_a_label_that_is_known_nowhere_has_no_metric_at_all() -> None:
    truth, known = np.array([[True, True], [False, False]]), np.array([[True, False], [True, False]])
    for metric in PER_LABEL:
        value = metric(truth, truth.astype(float), known)
        assert not np.isnan(value[0])
        assert np.isnan(value[1]), metric.__name__
    assert np.isnan(metrics.exact_match(truth, truth, np.zeros_like(known)))
    assert np.isnan(metrics.micro_f1(truth, truth, np.zeros_like(known)))


def test_what_is_known_must_have_the_shape_of_the_truth() -> None:
    for metric in (*PER_LABEL, metrics.micro_f1, metrics.exact_match):
        with pytest.raises(PredictionsError, match=r"\(2, 3\), but got \(2, 1\)"):
            metric(np.zeros((2, 3)), np.zeros((2, 3)), np.ones((2, 1)))
