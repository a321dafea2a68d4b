import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import RecipeError
from chestxpert.imbalance.draws.repeats import repeat_factor, repeat_factors


def labels(rows: int = 300, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, 5)) < [0.4, 0.2, 0.1, 0.03, 0.0]


def factors_by_hand(rows: list[list[int]], columns: int, threshold: float) -> list[float]:
    """The paper's three steps, label by label and image by image; `rows` holds each image's labels."""
    share = {c: sum(c in row for row in rows) / len(rows) for c in range(columns)}
    repeat = {c: max(1.0, math.sqrt(threshold / share[c])) for c in share if share[c] > 0}
    return [max((repeat[c] for c in row), default=1.0) for row in rows]


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=40), st.floats(0.01, 1))
def test_a_row_has_the_factor_of_its_rarest_label(rows: list[list[int]], threshold: float) -> None:
    given = np.array([[c in row for c in range(4)] for row in rows])
    assert repeat_factors(given, threshold).tolist() == pytest.approx(factors_by_hand(rows, 4, threshold))


def test_a_label_of_a_quarter_of_the_threshold_is_seen_twice() -> None:
    given = np.zeros((100, 2), bool)
    given[:1, 0] = True
    given[:50, 1] = True  # row 0 has both: the rarer one counts
    drawn = repeat_factor(given, np.random.default_rng(0), 1.0, threshold=0.04)
    assert sorted(drawn.tolist()) == [0, *range(100)]


def test_a_fraction_is_rounded_up_as_often_as_it_says() -> None:
    given, epochs = labels(), 400
    factors = repeat_factors(given, 0.05)
    rng = np.random.default_rng(7)
    times = np.stack(
        [np.bincount(repeat_factor(given, rng, 1.0, threshold=0.05), minlength=300) for _ in range(epochs)]
    )
    assert (times >= np.floor(factors)).all()
    assert (times <= np.ceil(factors)).all()
    fraction = factors - np.floor(factors)
    error = np.sqrt(fraction * (1 - fraction) / epochs)
    assert (np.abs(times.mean(axis=0) - factors) <= 4.5 * error + 1e-12).all()
    assert len({tuple(epoch) for epoch in times.tolist()}) > 100  # rounded anew in each epoch


def test_labels_above_the_threshold_are_not_repeated() -> None:
    drawn = repeat_factor(labels()[:, :3], np.random.default_rng(0), 1.0, threshold=0.05)
    assert drawn.tolist() == list(range(300))


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1])
def test_a_threshold_is_a_share(threshold: float) -> None:
    with pytest.raises(RecipeError, match="threshold is a share"):
        repeat_factor(labels(), np.random.default_rng(0), 1.0, threshold=threshold)
