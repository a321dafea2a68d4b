"""Area averaging against brute force; the whole image is kept, and its grey values."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chestxpert.errors import StoreError, UsageError
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.shrink import shrink


def _brute_force(image: npt.NDArray[np.uint8], target: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Mean over areas: repeat every pixel until both sizes divide, then average whole blocks."""
    fine = np.repeat(np.repeat(image.astype(np.float64), target[0], axis=0), target[1], axis=1)
    height, width = image.shape
    return fine.reshape(target[0], height, target[1], width).mean(axis=(1, 3))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 999))
@settings(max_examples=80, deadline=None)
def test_shrinking_is_the_mean_over_areas(height: int, width: int, down: int, across: int, seed: int) -> None:
    target = (min(height, down), min(width, across))
    if height >= 4 * target[0] or width >= 4 * target[1]:
        return  # averaged over blocks first: next test
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    assert np.abs(shrink(image, target) - _brute_force(image, target)).max() <= 0.5 + 1e-3


def test_shrinking_far_differs_little_from_the_exact_mean() -> None:
    rng = np.random.default_rng(0)
    smooth = np.asarray(Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).resize((1024, 1024)))
    exact = _brute_force_far(smooth, 224)
    error = np.abs(shrink(smooth, (224, 224)) - exact)
    assert error.max() <= 3  # on noise of 40 cells: steeper than a radiograph
    assert error.mean() <= 0.4  # rounding alone is a quarter
    blocks = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    large = np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)
    np.testing.assert_array_equal(shrink(large, (64, 64)), blocks)


def _brute_force_far(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.float64]:
    """Mean over areas of a square image, through its integral."""
    total = np.pad(image.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    edge, whole = np.arange(size + 1) * len(image) / size, np.arange(len(image) + 1)
    rows = np.stack([np.interp(edge, whole, column) for column in total.T], axis=1)
    both = np.stack([np.interp(edge, whole, row) for row in rows])
    return np.diff(np.diff(both, axis=0), axis=1) * (size / len(image)) ** 2


def test_nothing_is_stretched() -> None:
    flat = np.full((512, 512), 97, np.uint8)
    assert set(np.unique(Preprocess(224).apply(flat))) == {97}
    for value in (0, 255):
        assert set(np.unique(Preprocess(100).apply(np.full((333, 333), value, np.uint8)))) == {value}


def test_an_image_of_the_right_size_is_left_alone() -> None:
    image = np.random.default_rng(1).integers(0, 256, (32, 32), dtype=np.uint8)
    np.testing.assert_array_equal(Preprocess(32).apply(image), image)


@pytest.mark.parametrize(("shape", "inside"), [((200, 100), np.s_[:, 16:48]), ((50, 100), np.s_[16:48, :])])
def test_another_aspect_is_kept_whole_between_black_bars(shape: tuple[int, int], inside: tuple[slice, slice]) -> None:
    made = Preprocess(64).apply(np.full(shape, 200, np.uint8))
    assert made.shape == (64, 64)
    assert (made[inside] == 200).all()
    assert int((made == 200).sum()) == 64 * 32
    assert int((made == 0).sum()) == 64 * 32


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([16, 17, 64, 224]))
@settings(max_examples=60, deadline=None)
def test_any_shape_becomes_square(height: int, width: int, size: int) -> None:
    made = Preprocess(size).apply(np.full((height, width), 77, np.uint8))
    assert made.shape == (size, size)
    assert made.dtype == np.uint8
    assert set(np.unique(made)) <= {0, 77}
    assert 77 in made


def test_a_small_image_is_enlarged_smoothly() -> None:
    ramp = np.tile(np.arange(0, 160, 10, dtype=np.uint8), (16, 1))
    made = Preprocess(64).apply(ramp)
    assert np.diff(made.astype(int), axis=1).min() >= 0
    assert np.diff(made.astype(int), axis=1).max() <= 4


@pytest.mark.parametrize("size", [0, 15, 2049, -1, 224.0, True, "224"])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(UsageError, match="16 to 2048"):
        Preprocess(size)


def test_stored_values_come_back_and_unknown_ones_do_not() -> None:
    assert Preprocess.from_dict(Preprocess(128).to_dict()) == Preprocess(128)
    for values in ({"size": 128, "fit": "tile"}, {"size": 128, "gamma": 2}, {"size": 1}, {"grey": "max"}):
        with pytest.raises(StoreError, match="not one this version knows"):
            Preprocess.from_dict(values)
