"""Area averaging is exact: held against whole numbers, for every size."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.pixels import shrink as module
from chestxpert.pixels.shrink import shrink


def _exact(image: npt.NDArray[np.uint8], target: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Mean over areas in whole numbers alone: repeat every pixel until both sizes divide, add up whole blocks."""
    fine = np.repeat(np.repeat(image.astype(np.int64), target[0], axis=0), target[1], axis=1)
    height, width = image.shape
    total = fine.reshape(target[0], height, target[1], width).sum(axis=(1, 3))
    return (2 * total + image.size) // (2 * image.size)  # rounded half up


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(0, 999))
@settings(max_examples=150, deadline=None)
def test_every_pixel_is_the_rounded_mean_of_its_area(
    height: int, width: int, down: int, across: int, seed: int
) -> None:
    target = (min(height, down), min(width, across))
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    np.testing.assert_array_equal(shrink(image, target), _exact(image, target))


def test_an_original_at_the_size_of_training_is_exact() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1024, 1024), dtype=np.uint8)
    rows = np.repeat(image, 7, axis=0).reshape(224, 32, 1024).sum(axis=1, dtype=np.int64)  # 1024 : 224 is 32 : 7
    total = np.repeat(rows, 7, axis=1).reshape(224, 224, 32).sum(axis=2)
    np.testing.assert_array_equal(shrink(image, (224, 224)), (2 * total + 32 * 32) // (2 * 32 * 32))


def test_halves_are_rounded_up() -> None:
    assert shrink(np.array([[1, 2]], np.uint8), (1, 1)).tolist() == [[2]]
    assert shrink(np.array([[0, 1, 1, 0]], np.uint8), (1, 1)).tolist() == [[1]]


@pytest.mark.parametrize("shape", [(70_000, 3), (3, 70_000)])
def test_sides_too_long_for_single_precision_are_exact(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    target = (min(shape[0], 2), min(shape[1], 2))
    part = image.reshape(target[0], -1, 3) if shape[0] > 3 else image.T.reshape(target[1], -1, 3)
    halves = part.sum(axis=1, dtype=np.int64)  # (2, 3): two halves, three lines
    weights = np.array([[2, 1, 0], [0, 1, 2]])
    total = halves @ weights.T  # each result covers one and a half lines
    expected = (2 * total + 3 * 35_000) // (2 * 3 * 35_000)
    np.testing.assert_array_equal(shrink(image, target), expected if shape[0] > 3 else expected.T)


def test_the_order_of_summing_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(2).integers(0, 256, (500, 411), dtype=np.uint8)
    whole = shrink(image, (96, 81))
    monkeypatch.setattr(module, "_ROWS", 29)
    monkeypatch.setattr(module, "_COLUMNS", 1)
    np.testing.assert_array_equal(shrink(image, (96, 81)), whole)


def test_a_flat_image_stays_flat() -> None:
    for value in (0, 97, 255):
        assert set(np.unique(shrink(np.full((333, 512), value, np.uint8), (100, 100)))) == {value}
