"""Every image becomes one square, by the way that was asked for, and keeps its grey values."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chestxpert.errors import StoreError, UsageError
from chestxpert.pixels.preprocess import FITS, Preprocess
from chestxpert.pixels.shrink import shrink


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


@pytest.mark.parametrize("shape", [(200, 100), (100, 201)])
def test_a_crop_is_the_middle_square(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)
    middle = image[50:150, :] if shape[0] > shape[1] else image[:, 50:150]
    np.testing.assert_array_equal(Preprocess(64, fit="crop").apply(image), shrink(middle, (64, 64)))


@pytest.mark.parametrize("shape", [(200, 100), (300, 40), (20, 100)])
def test_a_stretch_keeps_the_whole_image_and_not_its_aspect(shape: tuple[int, int]) -> None:
    image = np.zeros(shape, np.uint8)
    image[: shape[0] // 2] = 100
    image[:, : shape[1] // 2] += 100
    made = Preprocess(64, fit="stretch").apply(image)
    assert made[[2, 2, 60, 60], [2, 60, 2, 60]].tolist() == [200, 100, 100, 0]


@pytest.mark.parametrize("side", [64, 100, 33])
def test_a_square_looks_the_same_however_it_is_fitted(side: int) -> None:
    image = np.random.default_rng(5).integers(0, 256, (side, side), dtype=np.uint8)
    padded = Preprocess(64).apply(image)
    for fit in ("crop", "stretch"):
        np.testing.assert_array_equal(Preprocess(64, fit=fit).apply(image), padded)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([16, 17, 64, 224]), st.sampled_from(FITS))
@settings(max_examples=100, deadline=None)
def test_any_shape_becomes_square(height: int, width: int, size: int, fit: str) -> None:
    made = Preprocess(size, fit=fit).apply(np.full((height, width), 77, np.uint8))
    assert made.shape == (size, size)
    assert made.dtype == np.uint8
    assert set(np.unique(made)) <= ({0, 77} if fit == "pad" else {77})
    assert 77 in made


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(512, 512), (512, 256), (256, 512), (700, 300), (40, 60)])
def test_a_box_is_where_its_picture_is(shape: tuple[int, int], fit: str) -> None:
    """A white rectangle drawn into the image, and its box, end in the same place."""
    height, width = shape
    x, y, w, h = width // 4, height // 3, width // 2, height // 4
    image = np.zeros(shape, np.uint8)
    image[y : y + h, x : x + w] = 255
    preprocess = Preprocess(128, fit=fit)
    left, top, across, down = preprocess.map_box((x, y, w, h), width, height)
    rows, columns = np.nonzero(preprocess.apply(image) > 127)
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    np.testing.assert_allclose(found, (left, top, left + across, top + down), atol=1.01)


def test_boxes_of_squares_are_scaled_alone() -> None:
    for fit in FITS:
        assert Preprocess(256, fit=fit).map_box((100, 200, 400, 48), 1024, 1024) == (25, 50, 100, 12)


def test_a_box_that_was_cropped_is_cut() -> None:
    crop = Preprocess(100, fit="crop")  # keeps columns 100 to 300 of 400
    assert crop.map_box((50, 20, 100, 40), 400, 200) == (0, 10, 25, 20)
    assert crop.map_box((350, 20, 20, 40), 400, 200) == (100, 10, 0, 20)
    assert Preprocess(100).map_box((0, 0, 400, 200), 400, 200) == (0, 25, 100, 50)


def test_reading_stretches_where_that_was_asked_for() -> None:
    file = io.BytesIO()
    Image.fromarray(np.array([[100, 150, 200]], np.uint8)).save(file, "PNG")
    assert Preprocess(16).read(file.getvalue()).pixels.tolist() == [[100, 150, 200]]
    assert Preprocess(16, grey="minmax").read(file.getvalue()).pixels.tolist() == [[0, 128, 255]]


def test_a_small_image_is_enlarged_smoothly() -> None:
    ramp = np.tile(np.arange(0, 160, 10, dtype=np.uint8), (16, 1))
    made = Preprocess(64).apply(ramp)
    assert np.diff(made.astype(int), axis=1).min() >= 0
    assert np.diff(made.astype(int), axis=1).max() <= 4


@pytest.mark.parametrize("size", [0, 15, 2049, -1, 224.0, True, "224"])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(UsageError, match="16 to 2048"):
        Preprocess(size)


@pytest.mark.parametrize("wrong", [{"fit": "tile"}, {"resample": "nearest"}, {"grey": "equalize"}])
def test_unknown_ways_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong.values()))):
        Preprocess(**wrong)


def test_a_manifest_of_an_older_version_is_read() -> None:
    assert Preprocess.from_dict({"size": 64, "fit": "pad", "resample": "area"}) == Preprocess(64)


def test_stored_values_come_back_and_unknown_ones_do_not() -> None:
    for known in (Preprocess(128), Preprocess(32, fit="crop", grey="minmax")):
        assert Preprocess.from_dict(known.to_dict()) == known
    for values in ({"size": 128, "fit": "tile"}, {"size": 128, "gamma": 2}, {"size": 1}, {"grey": "max"}):
        with pytest.raises(StoreError, match="not one this version knows"):
            Preprocess.from_dict(values)
