from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.log_odds import logit, sigmoid
from chestxpert.evaluation.reliability import (
    cox,
    drawn_cox,
    ece,
    ece_if_perfect,
    equal_mass_bins,
    reliability,
    share_interval,
)


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=st.integers(0, 30).map(lambda v: v / 30)), st.integers(1, 12)
)
def test_bins_follow_the_scores_and_keep_equal_ones_together(scores: np.ndarray, bins: int) -> None:
    where = equal_mass_bins(scores, bins)
    assert where.min() >= 0
    assert where.max() < bins
    order = np.argsort(scores)
    assert (np.diff(where[order]) >= 0).all()
    for value in np.unique(scores):
        assert len(set(where[scores == value].tolist())) == 1
    if len(np.unique(scores)) == len(scores):
        sizes = np.bincount(where, minlength=bins)
        assert sizes.max() - sizes.min() <= 1


def test_the_points_of_a_reliability_plot_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    probs = rng.permutation(np.linspace(0.01, 0.99, 200))[:, None]
    truth = rng.random((200, 1)) < probs**2
    (mine,) = reliability(truth, probs)
    share, said = calibration_curve(truth[:, 0], probs[:, 0], n_bins=10, strategy="quantile")
    np.testing.assert_allclose(mine["share"], share)
    np.testing.assert_allclose(mine["mean_prob"], said)
    assert mine["n"].tolist() == [20] * 10
    assert ece(truth, probs)[0] == pytest.approx(np.abs(share - said).mean())


def test_error_by_hand() -> None:
    # Two bins of two: .2 said and nothing there, .8 said and half of it there.
    probs = np.array([[0.1], [0.3], [0.7], [0.9]])
    truth = np.array([[False], [False], [True], [False]])
    assert ece(truth, probs, bins=2).tolist() == [pytest.approx((0.2 + 0.3) / 2)]
    assert np.isnan(ece(truth, probs, np.zeros_like(truth), bins=2)[0])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_error_is_between_the_overall_bias_and_one(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    truth, probs = rng.random((50, 2)) < 0.3, rng.random((50, 2))
    value, bias = ece(truth, probs, bins=bins), np.abs(truth.mean(axis=0) - probs.mean(axis=0))
    assert (value >= bias - 1e-12).all()
    assert (value <= 1).all()
    np.testing.assert_allclose(ece(truth, probs, bins=1), bias)


def test_slope_and_intercept_are_scikit_learns_without_penalty() -> None:
    rng = np.random.default_rng(2)
    probs = sigmoid(rng.normal(-1, 2, (400, 3)))
    truth = rng.random((400, 3)) < sigmoid(0.5 * logit(probs) + 0.3)
    known = rng.random((400, 3)) < 0.8
    fitted = cox(truth, probs, known)
    for label in range(3):
        rows = known[:, label]
        x = logit(probs[rows, label])[:, None]
        oracle = LogisticRegression(C=1e12, tol=1e-12, max_iter=10_000).fit(x, truth[rows, label])
        assert fitted.slope[label] == pytest.approx(oracle.coef_[0, 0], abs=1e-4)
        assert fitted.intercept[label] == pytest.approx(oracle.intercept_[0], abs=1e-4)
        # The intercept alone makes as many findings as there are.
        shifted = sigmoid(x[:, 0] + fitted.in_the_large[label])
        assert shifted.sum() == pytest.approx(truth[rows, label].sum())


def test_probabilities_made_too_extreme_have_the_slope_that_undoes_it() -> None:
    rng = np.random.default_rng(3)
    honest = sigmoid(rng.normal(0, 1.5, (50_000, 1)))
    truth = rng.random(honest.shape) < honest
    extreme = sigmoid(2 * logit(honest) + 1)
    assert cox(truth, honest).slope[0] == pytest.approx(1, abs=0.03)
    fitted = cox(truth, extreme)
    plain = cox(truth, honest)
    assert fitted.slope[0] == pytest.approx(plain.slope[0] / 2)
    assert fitted.intercept[0] == pytest.approx(plain.intercept[0] - plain.slope[0] / 2)


def test_there_is_no_slope_where_no_finite_one_fits() -> None:
    truth = np.array([[False], [False], [True], [True]])
    separated = cox(truth, np.array([[0.1], [0.4], [0.4], [0.9]]))
    constant = cox(truth, np.full((4, 1), 0.2))
    for fitted in (separated, constant):
        assert np.isnan([fitted.slope[0], fitted.intercept[0]]).all()
    assert constant.in_the_large[0] == pytest.approx(logit(0.5) - logit(0.2))
    nobody = cox(np.zeros_like(truth), np.full((4, 1), 0.2))
    assert np.isnan([nobody.slope[0], nobody.intercept[0], nobody.in_the_large[0]]).all()


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray, PatientDraws]:
    rng = np.random.default_rng(4)
    patients = np.repeat(np.arange(300), rng.integers(1, 5, 300))
    lean = rng.normal(size=300)[patients, None]  # images of one patient resemble each other
    probs = sigmoid(rng.normal(-1.5, 1.2, (len(patients), 2)) + lean)
    truth = rng.random(probs.shape) < sigmoid(0.8 * logit(probs) - 0.2)
    known = rng.random(probs.shape) < 0.9
    return truth, probs, known, PatientDraws.draw(patients.astype(str), 60, 0)


def test_one_step_comes_close_to_fitting_every_draw_anew(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray, PatientDraws],
) -> None:
    truth, probs, known, draws = sample
    drawn = drawn_cox(truth, probs, cox(truth, probs, known), draws, known)
    anew = [
        cox(truth[rows], probs[rows], known[rows])
        for rows in (np.repeat(np.arange(len(truth)), weights) for weights in draws.counts[:, draws.patient_of_image])
    ]
    for name in ("slope", "intercept", "in_the_large"):
        exact = np.stack([getattr(fitted, name) for fitted in anew])
        ends, expected = (np.quantile(part, [0.05, 0.95], axis=0) for part in (getattr(drawn, name), exact))
        assert (np.abs(ends - expected) < 0.1 * np.ptp(expected, axis=0)).all(), name
        assert np.corrcoef(getattr(drawn, name)[:, 0], exact[:, 0])[0, 1] > 0.98


def test_bins_in_draws_are_sums_over_repeated_rows(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray, PatientDraws],
) -> None:
    truth, probs, known, draws = sample
    for label, entry in enumerate(reliability(truth, probs, known, draws)):
        rows = known[:, label]
        where = equal_mass_bins(probs[rows, label])
        for draw in (0, 17):
            weights = draws.counts[draw, draws.patient_of_image][rows]
            shares, errors = [], 0.0
            for number in np.unique(where):
                inside = where == number
                total = weights[inside].sum()
                shares.append((weights * truth[rows, label])[inside].sum() / total)
                errors += abs((weights * (probs[rows, label] - truth[rows, label]))[inside].sum()) / weights.sum()
            np.testing.assert_allclose(entry["drawn_share"][draw], shares)
            assert entry["drawn_error"][draw] == pytest.approx(errors)


def test_a_draw_without_positives_has_no_slope_and_few_positives_no_interval() -> None:
    rng = np.random.default_rng(6)
    probs = sigmoid(rng.normal(size=(80, 2)))
    truth = np.column_stack([np.arange(80) < 30, np.arange(80) < 10])
    patients = np.where(np.arange(80) < 30, 0, np.arange(80) - 29)  # one patient has all positives of the first
    counts = np.ones((2, patients.max() + 1), dtype=np.int32)
    counts[1, 0], counts[1, 1] = 0, 2
    fitted = cox(truth, probs)
    drawn = drawn_cox(truth, probs, fitted, PatientDraws(patients, counts))
    assert np.isnan([drawn.slope[1, 0], drawn.intercept[1, 0], drawn.in_the_large[1, 0]]).all()
    assert drawn.slope[0, 0] == pytest.approx(fitted.slope[0])
    assert drawn.in_the_large[0, 0] == pytest.approx(fitted.in_the_large[0])
    assert np.isnan(drawn.slope[:, 1]).all()
    assert np.isfinite(fitted.slope[1])


@pytest.mark.parametrize("middle", [-4.0, -1.5, 0.0])
def test_perfect_probabilities_reach_the_error_that_is_foretold(middle: float) -> None:
    rng = np.random.default_rng(8)
    probs = np.tile(sigmoid(rng.normal(middle, 1, (400, 1))), (1, 600))
    reached = ece(rng.random(probs.shape) < probs, probs).mean()
    assert ece_if_perfect(probs[:, :1])[0] == pytest.approx(reached, rel=0.05)


def test_an_error_that_is_foretold_counts_known_images() -> None:
    rng = np.random.default_rng(9)
    probs, known = rng.random((80, 2)), rng.random((80, 2)) < 0.5
    expected = [ece_if_perfect(probs[known[:, k], k : k + 1])[0] for k in range(2)]
    np.testing.assert_allclose(ece_if_perfect(probs, known), expected)
    assert np.isnan(ece_if_perfect(probs, np.zeros_like(known))).all()


def test_the_interval_of_a_bin_is_wilsons_for_independent_images() -> None:
    """By hand: 0 of 39 reaches up to z^2 / (39 + z^2), 10 of 40 from .142 to .402."""
    drawn = np.tile([0.0, 0.25], (50, 1))
    low, high = share_interval(np.array([0.0, 0.25]), np.array([39.0, 40.0]), drawn)
    assert low.tolist() == [0.0, pytest.approx(0.1419, abs=1e-4)]
    assert high.tolist() == [pytest.approx(3.8415 / 42.8415, abs=1e-4), pytest.approx(0.4019, abs=1e-4)]


def test_images_of_one_patient_widen_the_interval_of_a_bin() -> None:
    """Every patient four times over: as wide as with a quarter of the images."""
    rng = np.random.default_rng(10)
    held = rng.random(100) < 0.3
    draws = PatientDraws.draw(np.repeat(np.arange(100), 4).astype(str), 400, 0)
    drawn = draws.totals(np.repeat(held, 4)[:, None]) / draws.totals(np.ones((400, 1)))
    share = np.array([held.mean()])
    found = share_interval(share, np.array([400.0]), drawn)
    alone = share_interval(share, np.array([100.0]), np.tile(share, (2, 1)))
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(alone), atol=0.01)
