from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from chestxpert.evaluation.log_odds import WIDEST, finite_logit, logit, sigmoid


def test_sigmoid_is_exact_where_the_naive_one_overflows() -> None:
    x = np.array([-745.0, -50.0, 0.0, 50.0, 800.0])
    expected = [float(1 / (1 + mpmath.exp(-mpmath.mpf(value)))) for value in x]
    np.testing.assert_allclose(sigmoid(x), expected, rtol=1e-12)
    assert sigmoid([-1e4, 0.0, 1e4]).tolist() == [0.0, 0.5, 1.0]


@given(st.floats(-700, 700))
def test_sigmoid_is_scipys(x: float) -> None:
    assert sigmoid(x) == pytest.approx(special.expit(x), rel=1e-12)


@given(st.floats(1e-300, 1 - 1e-12))
def test_logit_is_scipys_and_turns_sigmoid_back(p: float) -> None:
    assert logit(p) == pytest.approx(special.logit(p), rel=1e-9, abs=1e-12)
    assert sigmoid(logit(p)) == pytest.approx(p, rel=1e-10)


def test_certain_probabilities_have_an_infinite_logit_unless_they_are_kept_away_from_it() -> None:
    assert logit([0.0, 1.0]).tolist() == [-np.inf, np.inf]
    np.testing.assert_allclose(logit([0.0, 0.25, 1.0], nearest=1e-3), np.log([1 / 999, 1 / 3, 999]))
    assert finite_logit([0.0, 0.5, 1.0]).tolist() == [-WIDEST, 0.0, WIDEST]
