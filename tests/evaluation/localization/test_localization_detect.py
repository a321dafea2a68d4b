"""Boxes from maps, against a flood fill and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from chestxpert.errors import UsageError
from chestxpert.evaluation.localization.detect import AT, WANG, BoxRule, detected_boxes, found, sweep_rules
from chestxpert.evaluation.localization.geometry import coverage

HALF = BoxRule.parse("share=0.5")


def flood(mask: np.ndarray) -> set[tuple[float, float, float, float]]:
    """Boxes of the regions of a mask, found by walking from cell to cell."""
    height, width = mask.shape
    left = {(int(r), int(c)) for r, c in np.argwhere(mask)}
    boxes = set()
    while left:
        region, edge = [], [left.pop()]
        while edge:
            row, column = edge.pop()
            region.append((row, column))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            edge += near
        rows, columns = zip(*region, strict=True)
        boxes.add((min(columns) / width, min(rows) / height, (max(columns) + 1) / width, (max(rows) + 1) / height))
    return boxes


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float64, (7, 9), elements=hnp.from_dtype(np.dtype(np.int8), min_value=-4, max_value=8)))
def test_boxes_are_those_of_a_flood_fill(heat: np.ndarray) -> None:
    expected = flood(heat >= 0.5 * heat.max()) if heat.max() > 0 else set()
    assert set(map(tuple, detected_boxes(heat, HALF))) == expected
    if heat.max() > heat.min():
        grey = (heat - heat.min()) / (heat.max() - heat.min()) * 255
        expected = flood(grey >= 60) | flood(grey >= 180)
        assert set(map(tuple, detected_boxes(heat, BoxRule(WANG)))) == expected


def test_the_map_of_a_box_gives_the_box_at_every_share() -> None:
    box = np.array([[0.25, 0.5, 0.5, 0.75]])
    heat = 3 * coverage(box, 16, 8)
    for rule in sweep_rules(HALF):
        detected = detected_boxes(heat, rule)
        np.testing.assert_allclose(detected, box)
        counted = found(box, [detected])
        assert counted.shares["iou"].tolist() == counted.shares["iobb"].tolist() == [[1.0] * len(AT)]
        assert counted.false["iou"].sum() == counted.false["iobb"].sum() == 0
        assert counted.best["iou"] == pytest.approx(1)


def test_maps_that_say_nothing_of_places_give_no_boxes() -> None:
    assert len(detected_boxes(np.zeros((4, 4)), HALF)) == 0
    assert len(detected_boxes(np.full((4, 4), -2.0), HALF)) == 0
    assert len(detected_boxes(np.full((4, 4), 2.0), BoxRule(WANG))) == 0
    # A constant positive map says 'everywhere'.
    assert detected_boxes(np.full((4, 4), 2.0), HALF).tolist() == [[0, 0, 1, 1]]


def test_wangs_rule_by_hand() -> None:
    heat = np.zeros((1, 8))
    heat[0, :6] = [-255, -100, -190, 0, 0, -60]  # 0, 155, 65, 255, 255, 195 of 255
    boxes = detected_boxes(heat, BoxRule(WANG)) * 8
    assert boxes[:, [0, 2]].tolist() == [[1, 8], [3, 8]]  # from 60 on, and from 180 on


def test_a_region_that_both_of_wangs_thresholds_see_is_one_box() -> None:
    heat = np.zeros((4, 4))
    heat[1, 1] = 1
    assert len(detected_boxes(heat, BoxRule(WANG))) == 1


def test_values_near_the_largest_do_not_overflow() -> None:
    heat = np.array([[-1.7e308, 1.7e308]])
    assert detected_boxes(heat, BoxRule(WANG)).tolist() == [[0.5, 0, 1, 1]]


def test_found_and_false_boxes_by_hand() -> None:
    truth = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]])
    # The first true box exactly, a quarter of it, and one beside everything.
    detected = np.array([[0, 0, 0.5, 0.5], [0, 0, 0.25, 0.25], [0.6, 0, 1, 0.4]])
    nothing = np.empty((0, 4))
    counted = found(truth, [nothing, detected, nothing, detected[1:2]], (0.1, 0.25, 0.5))
    assert counted.shares["iou"].tolist() == [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0]]
    # An overlap of T itself is not more than T.
    assert counted.false["iou"].tolist() == [[0, 0, 0], [1, 2, 2], [0, 0, 0], [0, 1, 1]]
    assert counted.shares["iobb"].tolist() == [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0.5, 0.5]]
    assert counted.false["iobb"].tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert counted.best["iou"].tolist() == [0, 0.5, 0, 0.125]
    assert found(truth, [nothing]).false["iou"].sum() == 0


@pytest.mark.parametrize("text", ["share=0", "share=1.1", "share=x", "share", "wang", "0.5", "share=nan"])
def test_a_rule_that_there_is_not(text: str) -> None:
    with pytest.raises(UsageError, match=r"share=T.*wang-2017"):
        BoxRule.parse(text)


def test_the_sweep_holds_the_chosen_rule_once() -> None:
    assert sweep_rules(HALF).count(HALF) == 1
    odd = BoxRule.parse("share=0.35")
    assert sweep_rules(odd)[0] == odd
    assert len(sweep_rules(odd)) == len(sweep_rules(HALF)) + 1
