from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.imbalance.draws.by_label import class_balanced, progressive, square_root

Draw = Callable[[np.ndarray, np.random.Generator, float], np.ndarray]
POWER: list[tuple[Draw, float]] = [(class_balanced, 0.0), (square_root, 0.5)]


def many_labels(rows: int = 120, seed: int = 3) -> np.ndarray:
    """Rows with none, one or several labels; the last label is nobody's."""
    return np.random.default_rng(seed).random((rows, 4)) < [0.5, 0.2, 0.05, 0.0]


def one_label(counts: list[int]) -> np.ndarray:
    """Rows with exactly one label, `counts` rows of each."""
    return np.repeat(np.eye(len(counts), dtype=bool), counts, axis=0)


def chances(labels: np.ndarray, power: float) -> list[float]:
    """Chance of each row in a single draw by hand: choose a label, then one of its rows."""
    bags = [[row for row in range(len(labels)) if labels[row, label]] for label in range(labels.shape[1])]
    bags.append([row for row in range(len(labels)) if not any(labels[row])])
    bags = [bag for bag in bags if bag]
    total = sum(len(bag) ** power for bag in bags)
    chance = [0.0] * len(labels)
    for bag in bags:
        for row in bag:
            chance[row] += len(bag) ** power / total / len(bag)
    return chance


def mean_times(draw: Draw, labels: np.ndarray, progress: float, epochs: int) -> np.ndarray:
    rng = np.random.default_rng(11)
    times = [np.bincount(draw(labels, rng, progress), minlength=len(labels)) for _ in range(epochs)]
    return np.asarray(np.mean(times, axis=0))


@pytest.mark.parametrize(("draw", "power"), POWER)
def test_rows_are_drawn_as_often_as_choosing_a_label_and_then_a_row_does(draw: Draw, power: float) -> None:
    labels, epochs = many_labels(), 1500
    expected = len(labels) * np.array(chances(labels, power))
    assert expected.max() > 3 * expected.min()
    # Going through a label's rows evenly varies less than drawing each time anew, whose spread this is.
    spread = np.sqrt(expected / epochs)
    assert (np.abs(mean_times(draw, labels, 1.0, epochs) - expected) < 4 * spread).all()


@pytest.mark.parametrize(("draw", "power"), POWER)
@pytest.mark.parametrize("seed", range(5))
def test_labels_are_drawn_in_the_paper_s_proportions(draw: Draw, power: float, seed: int) -> None:
    counts = [600, 250, 100, 40, 10]
    labels = one_label(counts)
    drawn = labels[draw(labels, np.random.default_rng(seed), 1.0)].sum(axis=0)
    share = np.array(counts) ** power / (np.array(counts) ** power).sum()
    assert scipy.stats.chisquare(drawn, share * 1000).pvalue > 0.001
    assert scipy.stats.chisquare(drawn, np.array(counts)).pvalue < 1e-6  # so the test can tell them apart


@pytest.mark.parametrize("draw", [class_balanced, square_root])
@given(seed=st.integers(0, 1000), counts=st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_rows_of_one_label_are_drawn_evenly(draw: Draw, seed: int, counts: list[int]) -> None:
    labels = one_label(counts)
    times = np.bincount(draw(labels, np.random.default_rng(seed), 1.0), minlength=len(labels))
    assert times.sum() == len(labels)
    for label in range(len(counts)):
        its = times[labels[:, label]]
        assert its.max() - its.min() <= 1


def test_rows_without_a_label_are_one_group_more() -> None:
    """A decision that asks for one finding has half of its draws without it."""
    labels = np.arange(1000)[:, None] < 20
    rows = class_balanced(labels, np.random.default_rng(0), 1.0)
    assert abs(labels[rows].sum() - 500) < 4 * np.sqrt(250)


def test_progress_leads_from_instances_to_labels() -> None:
    labels, epochs = many_labels(), 1500
    by_label = np.array(chances(labels, 0.0))
    for progress in (0.25, 0.5, 1.0):
        expected = len(labels) * ((1 - progress) / len(labels) + progress * by_label)
        times = mean_times(progressive, labels, progress, epochs)
        assert (np.abs(times - expected) < 4 * np.sqrt(expected / epochs)).all(), progress


def test_an_early_epoch_has_hardly_a_row_twice() -> None:
    rows = progressive(many_labels(1000), np.random.default_rng(0), 0.01)
    assert len(rows) == 1000
    assert len(np.unique(rows)) >= 990


@pytest.mark.parametrize("draw", [class_balanced, square_root, progressive])
@pytest.mark.parametrize("labels", [np.zeros((9, 3), bool), np.ones((9, 3), bool), np.zeros((9, 0), bool)])
def test_labels_that_tell_nothing_leave_each_row_as_likely(draw: Draw, labels: np.ndarray) -> None:
    assert len(draw(labels, np.random.default_rng(0), 0.5)) == 9
