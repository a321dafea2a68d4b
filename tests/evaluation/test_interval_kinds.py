from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chestxpert.evaluation.bootstrap import PatientDraws, interval
from chestxpert.evaluation.metrics import auroc, ratio
from chestxpert.evaluation.uncertainty.intervals import bca, jackknifed, logit_t
from chestxpert.evaluation.uncertainty.jackknife import influences, leave_out
from chestxpert.evaluation.weighted_ranking import drawn_ranking


def weighted_mean(values: np.ndarray, draws: PatientDraws) -> np.ndarray:
    return ratio(draws.totals(values[:, None]), draws.totals(np.ones((len(values), 1))))[:, 0]


def test_bca_is_scipys_on_data_without_clusters() -> None:
    """Two bootstraps of skewed data differ by chance alone, and much less than BCa differs from percentiles."""
    data = np.random.default_rng(0).exponential(size=40)
    draws = PatientDraws.draw([f"{row:03d}" for row in range(40)], 20_000, 1)
    drawn = weighted_mean(data, draws)
    moves = influences(weighted_mean(data, leave_out(draws)), data.mean())
    low, high = bca(drawn, float(data.mean()), moves)
    theirs = stats.bootstrap((data,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(2))
    assert (low, high) == (
        pytest.approx(theirs.confidence_interval.low, abs=0.02),
        pytest.approx(theirs.confidence_interval.high, abs=0.02),
    )
    assert high - interval(drawn)[1] > 0.05


def test_bca_is_scipys_to_the_last_digit_on_scipys_own_draws() -> None:
    data = np.random.default_rng(4).exponential(size=25)
    theirs = stats.bootstrap((data,), np.var, n_resamples=999, method="BCa", rng=np.random.default_rng(2))
    left_out = [np.delete(data, row).var() for row in range(25)]
    ours = bca(theirs.bootstrap_distribution, data.var(), influences(left_out, data.var()))
    assert ours == (
        pytest.approx(theirs.confidence_interval.low, abs=1e-12),
        pytest.approx(theirs.confidence_interval.high, abs=1e-12),
    )


def test_the_percentile_interval_is_scipys_on_scipys_own_draws() -> None:
    data = np.random.default_rng(6).exponential(size=25)
    theirs = stats.bootstrap((data,), np.mean, n_resamples=999, method="percentile", rng=np.random.default_rng(2))
    low, high, n_draws = interval(theirs.bootstrap_distribution)
    assert n_draws == 999
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)


def test_bca_of_clustered_auroc_takes_whole_patients() -> None:
    """Each image three times over: the same interval, since the patients are the same."""
    rng = np.random.default_rng(1)
    owner = np.array([f"{patient:03d}" for patient in rng.integers(0, 30, 70)])
    truth = rng.random((70, 1)) < 0.4
    scores = np.round(truth + rng.normal(size=(70, 1)), 1)

    def interval_of(copies: int) -> tuple[float, float]:
        held, values = np.tile(truth, (copies, 1)), np.tile(scores, (copies, 1))
        draws = PatientDraws.draw(np.tile(owner, copies), 400, 0)
        whole = auroc(held, values)
        left_out = drawn_ranking(held, values, leave_out(draws))[0]
        return bca(drawn_ranking(held, values, draws)[0][:, 0], float(whole[0]), influences(left_out, whole)[:, 0])

    assert interval_of(3) == (pytest.approx(interval_of(1)[0]), pytest.approx(interval_of(1)[1]))


def test_bca_without_bias_or_skewness_is_the_percentile_interval() -> None:
    drawn = np.linspace(-1, 1, 2001)
    assert bca(drawn, 0.0, np.array([-1.0, 1.0])) == (
        pytest.approx(interval(drawn)[0]),
        pytest.approx(interval(drawn)[1]),
    )


def test_bca_leaves_undefined_draws_out() -> None:
    drawn, moves = np.random.default_rng(0).normal(size=300), np.array([1.0, -2.0, 1.0, 3.0])
    with_gaps = np.insert(drawn, [5, 70], np.nan)
    assert bca(with_gaps, 0.1, moves) == bca(drawn, 0.1, moves)


@pytest.mark.parametrize("drawn", [[], [np.nan], [0.2, 0.3], [0.7, 0.9]])
def test_bca_is_not_told_from_draws_on_one_side(drawn: list[float]) -> None:
    assert np.isnan(bca(np.array(drawn), 0.5, np.array([1.0, -1.0]))).all()


def test_bca_of_what_never_varies_is_a_point() -> None:
    assert bca(np.full(9, 0.5), 0.5, np.zeros(4)) == (0.5, 0.5)


def test_the_jackknife_interval_is_centred_on_the_estimate_less_its_bias() -> None:
    moves = np.array([-0.5, 0.1, 0.1])  # bias 0.1, standard deviation .346, error .2
    low, high = jackknifed(0.6, moves)
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low == pytest.approx(2 * 1.959964 * 0.2)
    assert jackknifed(0.02, moves)[0] == 0
    assert jackknifed(0.6, np.array([-0.3, -0.3, -0.3]))[1] == 0.6  # never without the estimate itself
    assert np.isnan(jackknifed(0.5, np.array([np.nan, np.nan]))).all()
    assert np.isnan(jackknifed(0.5, np.array([0.1]))).all()


def test_the_log_odds_interval_by_hand() -> None:
    reach = stats.t(4).ppf(0.975) * 0.05 / (0.8 * 0.2)
    expected = [1 / (1 + np.exp(-(np.log(4) + side * reach))) for side in (-1, 1)]
    np.testing.assert_allclose(logit_t(0.8, 0.05, 5), expected)


def test_the_log_odds_interval_grows_as_fewer_patients_carry_a_finding_and_stays_within_bounds() -> None:
    widths = [np.subtract(*logit_t(0.9, 0.08, patients)[::-1]) for patients in (1000, 20, 5, 3, 2)]
    assert widths == sorted(widths)
    assert 0 < logit_t(0.97, 0.2, 2)[0] < logit_t(0.97, 0.2, 2)[1] <= 1


@pytest.mark.parametrize(
    ("value", "error", "patients"), [(0.8, 0.1, 1), (1.0, 0.1, 9), (0.8, 0.0, 9), (0.8, np.nan, 9)]
)
def test_one_patient_or_no_spread_tells_no_interval(value: float, error: float, patients: int) -> None:
    assert np.isnan(logit_t(value, error, patients)).all()
