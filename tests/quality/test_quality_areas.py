"""Area averages against sums typed in, and rows read back from the file."""

import numpy as np
import pytest

from chestxpert.quality.areas import area_averages, pieces, read_images
from quality.making import MakeStore


def slow_average(image: np.ndarray, count: int) -> np.ndarray:
    """Every pixel split into count x count parts, whole blocks of parts averaged."""
    fine = np.kron(image, np.ones((count, count)))
    size = len(image)
    return fine.reshape(count, size, count, size).mean(axis=(1, 3))


@pytest.mark.parametrize(("size", "count"), [(32, 32), (96, 32), (33, 32), (50, 16), (16, 32), (7, 5)])
def test_averages_are_those_over_the_exact_area(size: int, count: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, size, size), dtype=np.uint8)
    found = area_averages(images, count)
    assert found.dtype == np.float32
    for image, average in zip(images, found, strict=True):
        np.testing.assert_allclose(average, slow_average(image, count), atol=1e-3)


def test_rows_are_read_in_the_order_asked_for(make_store: MakeStore) -> None:
    images = np.random.default_rng(2).integers(0, 256, (9, 16, 16), dtype=np.uint8)
    store = make_store(images)
    for rows in ([0], [8], [3, 4, 5], [7, 2, 2, 5]):
        np.testing.assert_array_equal(read_images(store, np.array(rows)), images[rows])


@pytest.mark.parametrize(("count", "size"), [(1, 224), (1000, 224), (3, 4096), (0, 32)])
def test_pieces_cover_every_image_once(count: int, size: int) -> None:
    assert [i for part in pieces(count, size) for i in range(count)[part]] == list(range(count))
    assert all((part.stop - part.start) * size**2 <= 16 << 20 for part in pieces(count, size))
