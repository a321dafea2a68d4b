from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.bootstrap import interval
from chestxpert.evaluation.uncertainty.smallest import Equivalence, checked_margin, detectable_difference

DRAWS = np.random.default_rng(0).normal(0.002, 0.003, 2000)


def test_the_detectable_difference_is_the_textbooks_2_8_standard_errors() -> None:
    assert detectable_difference(0.01) == pytest.approx(0.028, abs=5e-5)


@given(st.floats(0.001, 0.2), st.integers(1, 20), st.floats(0.5, 0.99))
def test_a_test_finds_it_as_often_as_it_says(error: float, tests: int, power: float) -> None:
    """Share of normal estimates about that difference that pass the two-sided test at .05 over the number of tests."""
    difference = detectable_difference(error, tests, power=power)
    assert norm.sf(norm.isf(0.025 / tests) - difference / error) == pytest.approx(power)


def test_more_tests_need_a_larger_difference() -> None:
    sizes = [detectable_difference(0.01, tests) for tests in (0, 1, 2, 10)]
    assert sizes[0] == sizes[1] < sizes[2] < sizes[3]
    assert np.isnan(detectable_difference(float("nan")))


def test_equivalence_is_two_one_sided_tests_on_the_draws() -> None:
    tested = Equivalence.of(DRAWS, 0.01)
    assert (tested.low, tested.high) == interval(DRAWS, level=0.9)[:2]
    assert tested.p == ((DRAWS >= 0.01).sum() + 1) / 2001
    assert tested.shown()
    assert not tested.shown(p_adjusted=0.06)
    mirrored = Equivalence.of(-DRAWS, 0.01)
    assert mirrored.p == tested.p


@given(st.floats(0.0005, 0.02))
def test_a_small_p_and_an_interval_inside_the_margin_say_the_same(margin: float) -> None:
    tested = Equivalence.of(DRAWS, margin)
    inside = -margin < tested.low and tested.high < margin
    if abs(tested.p - 0.05) > 0.002:  # one draw more or less
        assert (tested.p < 0.05) == inside


def test_no_difference_shown_is_not_equivalence() -> None:
    wide = np.random.default_rng(1).normal(0, 0.05, 2000)
    assert not Equivalence.of(wide, 0.01).shown()
    assert Equivalence.of(wide, 0.01).p > 0.3


def test_undefined_draws_are_left_out_and_none_at_all_is_nan() -> None:
    assert Equivalence.of(np.append(DRAWS, np.nan), 0.01) == Equivalence.of(DRAWS, 0.01)
    nothing = Equivalence.of([np.nan], 0.01)
    assert np.isnan(nothing.p)
    assert not nothing.shown()


@pytest.mark.parametrize("margin", [0.0, -0.01, 1.0, float("nan"), float("inf")])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    with pytest.raises(PredictionsError, match="margin of equivalence must lie between 0 and 1"):
        checked_margin(margin)


def test_a_margin_passes_through() -> None:
    assert checked_margin(0.01) == 0.01
    assert checked_margin(None) is None
