"""Overlap of boxes, against torchvision and against counting pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou

from chestxpert.cohort.nih import read_boxes, read_lists
from chestxpert.evaluation.localization.geometry import areas, coverage, frame_edges, intersections, iobb, iou
from chestxpert.labels import NIH15
from chestxpert.pixels.preprocess import Preprocess

GRID = 32
# Corners on a grid of 32 x 32 cells, so that counting cells is exact.
sides = st.tuples(st.integers(0, GRID - 1), st.integers(1, GRID)).map(lambda p: (min(p), max(p[1], min(p) + 1)))
grid_boxes = st.lists(st.tuples(sides, sides), min_size=1, max_size=4).map(
    lambda boxes: np.array([(x[0], y[0], x[1], y[1]) for x, y in boxes]) / GRID
)


def masks(boxes: np.ndarray) -> np.ndarray:
    painted = np.zeros((len(boxes), GRID, GRID), dtype=bool)
    for mask, (left, top, right, bottom) in zip(painted, np.rint(boxes * GRID).astype(int), strict=True):
        mask[top:bottom, left:right] = True
    return painted


@settings(max_examples=100, deadline=None)
@given(grid_boxes, grid_boxes)
def test_overlaps_are_those_of_counted_cells(truth: np.ndarray, detected: np.ndarray) -> None:
    a, b = masks(truth), masks(detected)
    both = (a[:, None] & b[None]).sum(axis=(2, 3))
    either = (a[:, None] | b[None]).sum(axis=(2, 3))
    np.testing.assert_allclose(intersections(truth, detected) * GRID**2, both, atol=1e-9)
    np.testing.assert_allclose(iou(truth, detected), both / either, atol=1e-12)
    np.testing.assert_allclose(iobb(truth, detected), both / b.sum(axis=(1, 2)), atol=1e-12)
    np.testing.assert_allclose(coverage(truth, 1, 1)[0, 0], a.any(axis=0).mean(), atol=1e-12)
    np.testing.assert_allclose(coverage(truth, GRID, GRID), a.any(axis=0), atol=1e-9)
    np.testing.assert_allclose(coverage(truth, 8, 16), a.any(axis=0).reshape(8, 4, 16, 2).mean(axis=(1, 3)), atol=1e-9)


def test_iou_is_torchvisions() -> None:
    corners = np.sort(np.random.default_rng(0).random((2, 50, 2, 2)), axis=2)
    first, second = (np.concatenate([each[:, 0], each[:, 1]], axis=1) for each in corners)
    np.testing.assert_allclose(iou(first, second), box_iou(torch.tensor(first), torch.tensor(second)), atol=1e-12)


def test_a_small_box_within_has_iobb_1_and_a_small_iou() -> None:
    truth, detected = [0.0, 0.0, 0.5, 0.5], [0.1, 0.1, 0.2, 0.2]
    assert iobb(truth, detected)[0, 0] == pytest.approx(1.0)
    assert iou(truth, detected)[0, 0] == pytest.approx(0.04)
    assert iobb(detected, truth)[0, 0] == pytest.approx(0.04)


def test_no_box_and_boxes_without_area() -> None:
    assert iou(np.empty((0, 4)), [0, 0, 1, 1]).shape == (0, 1)
    assert iou([0, 0, 1, 1], np.empty((0, 4))).shape == (1, 0)
    assert np.isnan(iou([0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5])[0, 0])
    assert coverage(np.empty((0, 4)), 3, 3).sum() == 0


def test_a_box_of_a_square_image_is_a_share_of_1024_whatever_the_sizes() -> None:
    for size in (64, 224):
        for decoded in ((256, 256), (1024, 1024)):
            for covers in ("stored", "original"):
                edges = frame_edges((256, 512, 128, 64), covers, Preprocess(size), decoded)
                np.testing.assert_allclose(edges, [0.25, 0.5, 0.375, 0.5625], atol=1e-12)


def test_bars_and_cuts_of_the_store_move_a_box() -> None:
    whole, wide = (0, 0, 1024, 1024), (200, 100)
    np.testing.assert_allclose(frame_edges(whole, "stored", Preprocess(100, "pad"), wide), [0, 0.25, 1, 0.75])
    np.testing.assert_allclose(frame_edges(whole, "stored", Preprocess(100, "stretch"), wide), [0, 0, 1, 1])
    np.testing.assert_allclose(frame_edges(whole, "original", Preprocess(100, "pad"), wide), [0, 0, 1, 1])
    left = (0, 0, 200, 1024)  # of the part that a cut to the middle square takes away
    assert areas(frame_edges(left, "stored", Preprocess(100, "crop"), wide))[0] == 0


def test_a_box_over_the_border_is_cut() -> None:
    edges = frame_edges((1000, -20, 100, 60), "original", Preprocess(64), (1024, 1024))
    np.testing.assert_allclose(edges, [1000 / 1024, 0, 1, 40 / 1024])


@pytest.mark.shared_data
def test_nihs_boxes(nih_tables: Path) -> None:
    """984 boxes on 880 images, all on the official test side, one of each finding on an image, none over the border."""
    boxes, rejects = read_boxes(nih_tables, NIH15)
    assert (len(boxes), boxes["image_id"].nunique(), len(rejects)) == (984, 880, 0)
    assert not boxes.duplicated(["image_id", "finding"]).any()
    lists = read_lists(nih_tables)
    assert lists is not None
    assert set(boxes["image_id"]) <= lists.test
    x, y, w, h = (boxes[name].to_numpy() for name in "xywh")
    assert (x + w).max() <= 1024
    assert (y + h).max() <= 1024
    edges = [frame_edges(box, "stored", Preprocess(), (1024, 1024)) for box in zip(x, y, w, h, strict=True)]
    expected = box_iou(*(torch.tensor(np.array(part)) for part in (edges[:400], edges[400:])))
    np.testing.assert_allclose(iou(edges[:400], edges[400:]), expected, atol=1e-12)
