"""The pointing game and the mass in the boxes: maps with known answers, and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chestxpert.evaluation.localization.geometry import coverage
from chestxpert.evaluation.localization.pointing import chance, hits, pointing
from chestxpert.evaluation.localization.pointing import energy as mass_inside

BOX = np.array([[0.25, 0.5, 0.5, 0.75]])
values = st.floats(-8, 8, allow_nan=False).map(lambda value: round(value, 3))
maps = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=values)
)
edge = st.integers(0, 16).map(lambda value: value / 16)
boxes = st.lists(st.tuples(edge, edge, edge, edge), min_size=1, max_size=3).map(
    lambda found: np.array([(min(a, b), min(c, d), max(a, b), max(c, d)) for a, b, c, d in found])
)


def energy(heat: np.ndarray, box: np.ndarray) -> float:
    return mass_inside(heat, coverage(box, *heat.shape))


def one_at(row: int, column: int, side: int = 16) -> np.ndarray:
    heat = np.zeros((side, side))
    heat[row, column] = 1
    return heat


def test_the_map_of_the_box_scores_everything() -> None:
    heat = coverage(BOX, 16, 16)
    assert pointing(heat, BOX) == 1
    assert energy(heat, BOX) == pytest.approx(1)


def test_the_map_of_all_but_the_box_scores_nothing() -> None:
    heat = 1 - coverage(BOX, 16, 16)
    assert pointing(heat, BOX) == 0
    assert energy(heat, BOX) == pytest.approx(0)


def test_a_box_counts_whichever_of_several_is_hit() -> None:
    both = np.vstack([BOX, [0.75, 0.0, 1.0, 0.25]])
    assert pointing(one_at(1, 14), BOX) == 0
    assert pointing(one_at(1, 14), both) == 1
    assert energy(one_at(1, 14) + one_at(9, 5), both) == 1


def test_ties_count_by_the_share_of_them_inside() -> None:
    assert pointing(one_at(9, 5) + one_at(0, 0) + one_at(0, 1), BOX) == pytest.approx(1 / 3)
    assert pointing(np.full((16, 16), 0.7), BOX) == pytest.approx(1 / 16)  # chance
    assert energy(np.full((16, 16), 0.7), BOX) == pytest.approx(1 / 16)


def test_tolerance_is_to_the_nearest_point_of_the_box_in_pixels_of_1024() -> None:
    # The middle of the cell right of the box is 32 pixels from it; that of the one at its corner 32 both ways.
    beside, corner = one_at(9, 8), one_at(7, 8)
    assert [pointing(beside, BOX, px) for px in (0, 31.9, 32)] == [0, 0, 1]
    assert [pointing(corner, BOX, px) for px in (0, 45.2, 45.3)] == [0, 0, 1]
    assert not hits(0.5 + 15.1 / 1024, 0.6, BOX, 15)[0]


def test_negative_values_are_no_mass_but_can_be_the_maximum() -> None:
    heat = -1 - one_at(0, 0)
    heat[9, 5] = -0.5
    assert pointing(heat, BOX) == 1
    assert np.isnan(energy(heat, BOX))
    assert np.isnan(energy(np.zeros((4, 4)), BOX))
    assert energy(one_at(9, 5) - 3 * one_at(0, 0), BOX) == 1


def test_the_mass_of_tiny_and_of_huge_values() -> None:
    for scale in (1e-300, 1e300):
        assert energy(scale * (one_at(9, 5) + one_at(0, 0)), BOX) == pytest.approx(0.5)


def test_chance_is_what_random_points_hit() -> None:
    two = np.vstack([BOX, [0.4, 0.6, 0.9, 0.9]])
    x, y = np.random.default_rng(0).random((2, 40_000))
    assert chance(two) == pytest.approx(hits(x, y, two).mean(), abs=0.01)
    assert chance(two, 40) == pytest.approx(hits(x, y, two, 40).mean(), abs=0.01)
    assert chance(two) == pytest.approx(1 / 16 + 0.15 - 0.1 * 0.15)


@settings(max_examples=150, deadline=None)
@given(maps, boxes, st.sampled_from([0.0, 15.0]), st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**30]))
def test_a_positive_scale_changes_nothing(heat: np.ndarray, box: np.ndarray, tolerance: float, scale: float) -> None:
    assert pointing(scale * heat, box, tolerance) == pointing(heat, box, tolerance)
    assert energy(scale * heat, box) == pytest.approx(energy(heat, box), nan_ok=True)


@settings(max_examples=150, deadline=None)
@given(maps, boxes)
def test_flipping_map_and_boxes_together_changes_nothing(heat: np.ndarray, box: np.ndarray) -> None:
    # Where a middle lies on the edge of a box, rounding may tell the two sides apart.
    middles = (np.arange(heat.shape[1]) + 0.5) / heat.shape[1]
    assume(np.abs(middles[:, None] - box[:, [0, 2]].ravel()).min() > 1e-9)
    flipped = np.column_stack([1 - box[:, 2], box[:, 1], 1 - box[:, 0], box[:, 3]])
    assert pointing(heat[:, ::-1], flipped) == pointing(heat, box)
    assert energy(heat[:, ::-1], flipped) == pytest.approx(energy(heat, box), abs=1e-9, nan_ok=True)
    turned = box[:, [1, 0, 3, 2]]
    assert energy(heat.T, turned) == pytest.approx(energy(heat, box), abs=1e-9, nan_ok=True)
