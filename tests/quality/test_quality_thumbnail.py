"""Thumbnails are small, and are the image."""

import numpy as np
import pytest

from chestxpert.quality import thumbnail
from quality.making import MakeStore


@pytest.mark.parametrize(
    ("side", "shape"), [(32, (32, 32)), (10, (10, 10)), (1, (1, 1)), (64, (64, 64)), (128, (64, 64))]
)
def test_a_thumbnail_is_the_image_averaged(side: int, shape: tuple[int, int], make_store: MakeStore) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    found = thumbnail(make_store(images), 1, side)
    assert (found.shape, found.dtype) == (shape, np.uint8)
    assert found.mean() == pytest.approx(images[1].mean(), abs=1)
    if shape == (64, 64):
        np.testing.assert_array_equal(found, images[1])
    found[:] = 0  # it owns its memory
