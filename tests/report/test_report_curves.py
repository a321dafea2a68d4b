import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from chestxpert.report.figures_curves import Scores, precision_recall_points, roc_points
from chestxpert.report.small_plot import _thinned


@given(st.integers(0, 10_000), st.integers(2, 60), st.booleans())
def test_curves_enclose_the_areas_that_are_reported(seed: int, size: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(size) < 0.3
    truth[:2] = True, False
    probs = rng.integers(0, 5, size) / 4 if tied else rng.random(size)
    recall, precision = np.array(precision_recall_points(truth, probs)).T
    assert np.trapezoid(precision, recall) == pytest.approx(average_precision_score(truth, probs))
    across, up = np.array(roc_points(truth, probs)).T
    assert np.trapezoid(up, across) == pytest.approx(roc_auc_score(truth, probs))
    assert (across[-1], up[-1]) == (1.0, 1.0)


@given(st.lists(st.tuples(st.floats(0, 150), st.floats(0, 150)), min_size=1, max_size=80))
def test_thinning_moves_nothing_by_more_than_a_quarter_pixel(points: list[tuple[float, float]]) -> None:
    kept = _thinned(points)
    for x, y in points:
        assert min(_distance((x, y), a, b) for a, b in zip(kept, kept[1:] + kept[-1:], strict=True)) <= 0.36


def _distance(p: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    start, end, point = (np.array(each) for each in (a, b, p))
    along = end - start
    share = 0.0 if not along.any() else np.clip((point - start) @ along / (along @ along), 0, 1)
    return float(np.linalg.norm(point - start - share * along))


def test_thinning_shortens_a_long_stair() -> None:
    stair = [(x / 100, 10.0) for x in range(10_000)]
    assert _thinned(stair) == [(0.0, 10.0), (100.0, 10.0)]


def test_curves_of_a_label_are_drawn_from_the_images_that_tell() -> None:
    rng = np.random.default_rng(0)
    truth, known, probs = rng.random((50, 2)) < 0.4, rng.random((50, 2)) < 0.6, rng.random((50, 2))
    held, recipes = Scores(truth, {"flat-basic": [probs]}, known).label(1)
    np.testing.assert_array_equal(held, truth[known[:, 1], 1])
    np.testing.assert_array_equal(recipes["flat-basic"][0], probs[known[:, 1], 1])
    np.testing.assert_array_equal(Scores(truth, {}).label(0)[0], truth[:, 0])
