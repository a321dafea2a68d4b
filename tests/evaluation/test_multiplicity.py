from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from chestxpert.evaluation.contrasts import holm
from chestxpert.evaluation.uncertainty.multiplicity import benjamini_hochberg


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_equals_scipy(p_values: list[float]) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p_values), false_discovery_control(p_values), atol=1e-12)


def test_benjamini_and_hochbergs_own_example() -> None:
    """Their table of 15 comparisons (1995, section 4.1): four are discoveries at .05, Holm's method finds three."""
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p_values += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert (benjamini_hochberg(p_values) <= 0.05).sum() == 4
    assert (holm(p_values) <= 0.05).sum() == 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_it_is_never_stricter_than_holm_nor_milder_than_the_raw_p(p_values: list[float]) -> None:
    adjusted = benjamini_hochberg(p_values)
    assert (adjusted <= holm(p_values) + 1e-12).all()
    assert (adjusted >= np.array(p_values) - 1e-12).all()


def test_what_was_not_tested_does_not_count() -> None:
    np.testing.assert_allclose(benjamini_hochberg([0.02, np.nan, 0.04]), [0.04, np.nan, 0.04])
    assert benjamini_hochberg([]).shape == (0,)
