from __future__ import annotations

import numpy as np
import pytest

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p

PATIENTS = np.array(["b", "a", "c", "b", "b", "a", "d"])


def weights(draws: PatientDraws) -> np.ndarray:
    return draws.counts[:, draws.patient_of_image]


def test_every_draw_takes_as_many_patients_as_there_are() -> None:
    draws = PatientDraws.draw(PATIENTS, 50, seed=1)
    assert draws.counts.shape == (50, 4)
    assert (draws.counts.sum(axis=1) == 4).all()
    assert (draws.counts >= 0).all()


def test_images_of_one_patient_are_drawn_together() -> None:
    drawn = weights(PatientDraws.draw(PATIENTS, 50, seed=1))
    for patient in "abcd":
        mine = drawn[:, patient == PATIENTS]
        assert (mine == mine[:, :1]).all()
    assert len(np.unique(drawn, axis=0)) > 20


def test_the_order_of_images_does_not_change_a_draw() -> None:
    order = np.random.default_rng(0).permutation(len(PATIENTS))
    straight, shuffled = PatientDraws.draw(PATIENTS, 20, 7), PatientDraws.draw(PATIENTS[order], 20, 7)
    np.testing.assert_array_equal(weights(shuffled), weights(straight)[:, order])


def test_the_same_seed_gives_the_same_draws_and_another_does_not() -> None:
    first = PatientDraws.draw(PATIENTS, 20, 7)
    np.testing.assert_array_equal(first.counts, PatientDraws.draw(PATIENTS, 20, 7).counts)
    assert (first.counts != PatientDraws.draw(PATIENTS, 20, 8).counts).any()


def test_totals_are_weighted_sums_over_images() -> None:
    draws = PatientDraws.draw(PATIENTS, 30, 2)
    values = np.random.default_rng(1).normal(size=(len(PATIENTS), 3))
    np.testing.assert_allclose(draws.totals(values), weights(draws) @ values, atol=1e-12)


def test_chunks_cover_all_draws_once() -> None:
    draws = PatientDraws.draw(PATIENTS, 23, 0)
    parts = [list(range(*part.indices(23))) for part in draws.chunks(width=7, cells=40)]
    assert [row for part in parts for row in part] == list(range(23))
    assert max(map(len, parts)) == 5


def test_a_bootstrap_of_nothing_is_refused() -> None:
    with pytest.raises(PredictionsError, match="0 images"):
        PatientDraws.draw([], 10, 0)
    with pytest.raises(PredictionsError, match="0 draws"):
        PatientDraws.draw(PATIENTS, 0, 0)


def test_percentile_interval_leaves_undefined_draws_out_and_counts_them() -> None:
    low, high, n_draws = interval(np.append(np.linspace(0, 1, 1001), [np.nan] * 9))
    assert (low, high, n_draws) == (pytest.approx(0.025), pytest.approx(0.975), 1001)
    low, high, n_draws = interval([np.nan, np.nan])
    assert np.isnan(low)
    assert np.isnan(high)
    assert n_draws == 0


def test_basic_interval_mirrors_the_percentiles_at_the_estimate() -> None:
    low, high, _ = interval(np.linspace(0.4, 0.6, 1001), reflect_about=0.42)
    assert (low, high) == (pytest.approx(0.84 - 0.595), pytest.approx(0.84 - 0.405))
    assert interval(np.linspace(0, 1, 1001), reflect_about=0.9)[1] == 1.0


def test_p_value_is_twice_the_share_beyond_zero_with_one_draw_added() -> None:
    assert two_sided_p([0.1] * 97 + [-0.1] * 2) == pytest.approx(2 * 3 / 100)
    assert two_sided_p([0.1] * 999) == pytest.approx(2 / 1000)
    assert two_sided_p([-0.1] * 999) == pytest.approx(2 / 1000)


def test_no_difference_at_all_has_a_p_value_of_one() -> None:
    assert two_sided_p(np.zeros(100)) == 1.0
    assert two_sided_p([0.1, -0.1] * 50) == 1.0
    assert np.isnan(two_sided_p([np.nan]))


def test_a_reflected_interval_holds_its_estimate_even_if_all_draws_lie_above_it() -> None:
    low, high, _ = interval([0.5, 0.6, 0.7], reflect_about=0.4)
    assert low < 0.4
    assert high == 0.4
