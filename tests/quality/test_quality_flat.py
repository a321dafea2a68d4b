"""Images that show nothing are found, whatever their colour, noise or marker; dark radiographs are none."""

import numpy as np
import pytest

from chestxpert.quality.flat import flat_images
from chestxpert.quality.scan import scan
from quality.making import Images, MakeStore


def with_marker(image: np.ndarray) -> np.ndarray:
    image = image.copy()
    image[8:16, 70:90] = 255
    return image


def noise(mean: float, spread: float) -> np.ndarray:
    return np.clip(np.random.default_rng(0).normal(mean, spread, (96, 96)), 0, 255).astype(np.uint8)


BLACK = np.zeros((96, 96), np.uint8)
RAMP = np.linspace(100, 110, 96).astype(np.uint8)[None].repeat(96, axis=0)


def check(images: Images, make_store: MakeStore, **columns: object) -> list[tuple[str, str]]:
    store = make_store(images, **columns)
    rows = np.arange(len(store))
    table, flat = flat_images(store, rows, scan(store, rows))
    assert set(store.image_ids[flat]) == set(table["image_id"])
    return list(zip(table["image_id"], table["check"], strict=True))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (BLACK, "blank"),
        (np.full_like(BLACK, 255), "blank"),
        (BLACK + np.eye(96, dtype=np.uint8), "blank"),
        (with_marker(BLACK), "near-constant"),
        (255 - with_marker(BLACK), "near-constant"),
        (noise(30, 12), "near-constant"),
        (RAMP, "near-constant"),
    ],
    ids=["black", "white", "a level here and there", "marker", "black marker", "noise alone", "ramp"],
)
def test_an_empty_image_is_found(image: np.ndarray, expected: str, drawn: Images, make_store: MakeStore) -> None:
    images = np.stack([drawn[0], image, drawn[1]])
    assert check(images, make_store) == [("0001.png", expected)]


def test_dark_low_contrast_and_noisy_radiographs_are_none(drawn: Images, make_store: MakeStore) -> None:
    dark = (drawn[0] * 0.5).astype(np.uint8)
    noisy = np.clip(drawn[1] + np.random.default_rng(0).normal(0, 25, drawn[1].shape), 0, 255).astype(np.uint8)
    assert check(np.stack([dark, noisy, *drawn[:20]]), make_store) == []


def test_black_bars_do_not_count(drawn: Images, make_store: MakeStore) -> None:
    narrow = np.zeros((2, 96, 96), np.uint8)
    narrow[:, :, 40:56] = drawn[:2, :, 40:56]
    narrow[1, :, 40:56] = 200
    sizes = {"width": [16, 16], "height": [96, 96]}
    assert check(narrow, make_store, **sizes) == [("0001.png", "blank")]
    assert check(narrow, make_store) == [("0000.png", "near-constant"), ("0001.png", "near-constant")]
