from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix

from chestxpert.errors import UsageError
from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.decision_curve import THRESHOLDS, net_benefit, treat_all


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(
            hnp.arrays(np.bool_, (n, 1)), hnp.arrays(np.float64, (n, 1), elements=st.floats(0, 1, width=16))
        )
    ),
    st.sampled_from(THRESHOLDS),
)
def test_net_benefit_is_the_formula_on_a_confusion_matrix(
    case: tuple[np.ndarray, np.ndarray], threshold: float
) -> None:
    truth, probs = case
    ((_, alarms), (_, hits)) = confusion_matrix(truth[:, 0], probs[:, 0] >= threshold, labels=[False, True])
    expected = hits / len(truth) - alarms / len(truth) * threshold / (1 - threshold)
    (value,) = net_benefit(truth, probs, [threshold])
    assert value[0] == pytest.approx(expected)
    assert value[0] <= truth.mean() + 1e-12


def test_by_hand() -> None:
    # Vickers and Elkin's arithmetic: at t = .2 a false alarm costs a quarter of a case.
    truth = np.array([[True], [True], [False], [False], [False]])
    probs = np.array([[0.9], [0.1], [0.5], [0.3], [0.0]])
    assert net_benefit(truth, probs, [0.2]).tolist() == [[pytest.approx((1 - 2 * 0.25) / 5)]]
    assert treat_all([0.4], [0.2]).tolist() == [[pytest.approx(0.4 - 0.6 * 0.25)]]


def test_a_probability_of_just_the_threshold_is_acted_on() -> None:
    truth, probs = np.array([[True], [False]]), np.array([[0.25], [0.25]])
    assert net_benefit(truth, probs, [0.25]).tolist() == [[pytest.approx((1 - 1 / 3) / 2)]]
    assert net_benefit(truth, probs, [0.2500001]).tolist() == [[0.0]]


def test_acting_on_all_and_on_none_are_the_two_ends() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((50, 3)) < 0.2
    np.testing.assert_allclose(net_benefit(truth, np.ones((50, 3))), treat_all(truth.mean(axis=0)))
    assert not net_benefit(truth, np.zeros((50, 3))).any()
    np.testing.assert_allclose(net_benefit(truth, truth.astype(float)), np.tile(truth.mean(axis=0), (13, 1)))


def test_in_draws_it_is_that_of_repeated_rows_of_known_labels() -> None:
    rng = np.random.default_rng(1)
    truth, probs, known = rng.random((30, 2)) < 0.3, rng.random((30, 2)), rng.random((30, 2)) < 0.8
    draws = PatientDraws.draw([str(number // 2) for number in range(30)], 12, 0)
    drawn = net_benefit(truth, probs, known=known, draws=draws)
    assert drawn.shape == (12, 13, 2)
    for draw, weights in enumerate(draws.counts[:, draws.patient_of_image]):
        rows = np.repeat(np.arange(30), weights)
        np.testing.assert_allclose(drawn[draw], net_benefit(truth[rows], probs[rows], known=known[rows]), atol=1e-12)


def test_certainty_has_no_price() -> None:
    with pytest.raises(UsageError, match=r"\[0, 1\)"):
        net_benefit(np.ones((1, 1)), np.ones((1, 1)), [0.5, 1.0])
