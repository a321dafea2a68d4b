"""Wilson's interval of shares of clustered images, against published figures and what must not matter to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import ratio
from chestxpert.evaluation.uncertainty.intervals import logit_t
from chestxpert.evaluation.uncertainty.jackknife import influences, jackknife_error, leave_out
from chestxpert.evaluation.uncertainty.shares import f1_of_patients, share_of_patients, wilson
from chestxpert.evaluation.uncertainty.spread import patients_behind, patients_with


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_that_of_newcombes_table(hits: int, n: int, low: float, high: float) -> None:
    """Newcombe, Two-sided confidence intervals for the single proportion, Stat Med 17, 1998, table I, method 3."""
    ends = wilson(hits / n, n)
    assert (float(ends[0]), float(ends[1])) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def recall_of(found: np.ndarray, owner: np.ndarray) -> tuple[float, float, int]:
    """Share of the images that are found, its jackknife error over patients, and how many patients there are."""
    draws = PatientDraws.draw([f"{patient:04d}" for patient in owner], 1, 0)
    without = leave_out(draws)
    left = ratio(without.totals(found[:, None]), without.totals(np.ones((len(found), 1))))[:, 0]
    share = float(found.mean())
    return share, float(jackknife_error(influences(left, share))), len(np.unique(owner))


def test_with_one_image_a_patient_it_is_wilsons_for_one_image_less() -> None:
    """The jackknife's variance of a share is that of an unbiased one: p (1 - p) / (n - 1)."""
    found = np.arange(40) < 13
    share, error, patients = recall_of(found, np.arange(40))
    assert share_of_patients(share, error, patients, patients) == pytest.approx(wilson(13 / 40, 39))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_more_images_of_the_same_patients_narrow_nothing(seed: int, copies: int) -> None:
    rng = np.random.default_rng(seed)
    owner, found = np.repeat(np.arange(15), 3), rng.random(45) < 0.4
    once = recall_of(found, owner)
    again = recall_of(np.tile(found, copies), np.tile(owner, copies))
    assert again == pytest.approx(once)
    apart = recall_of(np.tile(found, copies), np.arange(45 * copies))
    narrow, wide = share_of_patients(*apart, 99), share_of_patients(*once, 99)
    if 0 < once[0] < 1 and once[1] > 0.05:
        assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_never_found_is_not_certain_to_be_never_found() -> None:
    assert share_of_patients(0.0, 0.0, 12, 12) == pytest.approx(wilson(0.0, 12))
    low, high = f1_of_patients(0.0, 0.0, 12, 4)
    assert low == 0
    top = float(wilson(0.0, 12)[1])
    assert high == pytest.approx(2 * top / (1 + top))
    assert share_of_patients(1.0, 0.0, 7, 7)[0] == pytest.approx(7 / (7 + 1.959964**2), rel=1e-6)


def test_a_single_patient_is_worth_one_image_however_small_the_error() -> None:
    assert share_of_patients(0.5, 1e-4, 30, 1) == pytest.approx(wilson(0.5, 1))
    assert share_of_patients(0.5, 1e-4, 1, 30) == pytest.approx(wilson(0.5, 1))
    assert share_of_patients(0.5, 0.1, 30, 2) == pytest.approx(wilson(0.5, 25))


@given(st.floats(0.01, 0.99), st.floats(0.005, 0.3))
def test_the_interval_of_f1_is_that_of_the_share_it_is_a_function_of(f1: float, error: float) -> None:
    """To the first order: F1 moved by h is F* moved by h times the slope of F* = F1 / (2 - F1)."""
    step = 1e-6
    slope = ((f1 + step) / (2 - f1 - step) - f1 / (2 - f1)) / step
    low, high = share_of_patients(f1 / (2 - f1), error * slope, 50, 50)
    found = f1_of_patients(f1, error, 50, 50)
    assert found == (pytest.approx(low / (1 + low) * 2, rel=1e-4), pytest.approx(high / (1 + high) * 2, rel=1e-4))
    assert 0 <= found[0] < f1 < found[1] <= 1


def test_where_there_is_no_share_or_nobody_there_is_no_interval() -> None:
    for ends in (share_of_patients(np.nan, 0.1, 9, 9), share_of_patients(0.5, 0.1, 9, 0), f1_of_patients(0, 0, 0, 0)):
        assert np.isnan(ends).all()


def test_patients_are_counted_where_the_truth_is_known() -> None:
    owner = np.array([0, 0, 1, 2, 3])
    truth = np.array([[1, 1, 1, 0, 0]], dtype=bool).T
    decided = np.array([[0, 0, 0, 1, 1]], dtype=bool).T
    known = np.array([[1, 1, 1, 1, 0]], dtype=bool).T
    counts = {name: int(values[0]) for name, values in patients_behind(truth, decided, owner, known).items()}
    assert counts == {"recall": 2, "precision": 1, "f1": 3}
    assert patients_behind(truth, decided, owner)["f1"].tolist() == [4]
    assert patients_with(np.zeros((5, 2), dtype=bool), owner).tolist() == [0, 0]


def test_average_precision_of_few_positives_is_known_no_better_than_a_share_of_as_many() -> None:
    """Boyd, Eng and Page's logit interval, typed in: logit(AP) -+ 1.96 / sqrt(n AP (1 - AP))."""
    value, patients = 0.2, 16
    reach = 1.959964 / (patients * 0.16) ** 0.5
    expected = [1 / (1 + np.exp(-(np.log(0.25) + side * reach))) for side in (-1, 1)]
    assert logit_t(value, 1e-3, patients, binomial=True) == pytest.approx(expected, rel=1e-6)
    assert logit_t(value, 0.2, patients, binomial=True) == logit_t(value, 0.2, patients)
    assert np.isnan(logit_t(value, 0.0, patients, binomial=True)).all()
