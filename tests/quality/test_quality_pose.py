"""Turned and inverted radiographs are found by a filter learned from the cohort they are in."""

import numpy as np
import pytest

from chestxpert.quality.areas import area_averages
from chestxpert.quality.pose import INVERTED, LEAST, TURNED, judge, learn, pose_remarks
from chestxpert.quality.scan import POSE_GRID
from quality.making import Images


def thumbs_of(images: np.ndarray) -> np.ndarray:
    return area_averages(images, POSE_GRID).round().astype(np.uint8)


def told(images: np.ndarray) -> dict[str, tuple[str, float]]:
    ids = np.array([f"{i:04d}.png" for i in range(len(images))], dtype=object)
    table = pose_remarks(ids, thumbs_of(images), np.ones(len(images), dtype=bool))
    return {row["image_id"]: (row["check"], row["value"]) for row in table.to_dict("records")}


def test_upright_images_raise_no_alarm(drawn: Images) -> None:
    assert told(drawn) == {}


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_images_are_found_and_by_how_much(quarters: int, drawn: Images) -> None:
    images = drawn.copy()
    images[:5] = np.rot90(images[:5], -quarters, axes=(1, 2))  # negative: clockwise
    assert told(images) == {f"{i:04d}.png": ("rotated", 90.0 * quarters) for i in range(5)}


def test_negatives_are_found(drawn: Images) -> None:
    images = drawn.copy()
    images[7:12] = 255 - images[7:12]
    found = told(images)
    assert {name: check for name, (check, _) in found.items()} == {f"{i:04d}.png": "inverted" for i in range(7, 12)}
    assert all(value >= INVERTED for _, value in found.values())


def test_an_image_can_be_turned_and_a_negative(drawn: Images) -> None:
    images = drawn.copy()
    images[3] = 255 - images[3, ::-1, ::-1]
    table = pose_remarks(np.array([f"{i}" for i in range(60)], dtype=object), thumbs_of(images), np.ones(60, bool))
    assert sorted(zip(table["check"], table["image_id"], strict=True)) == [("inverted", "3"), ("rotated", "3")]
    assert table.loc[table["check"] == "rotated", "value"].tolist() == [180.0]


def test_a_tenth_of_odd_images_does_not_spoil_the_filter(drawn: Images) -> None:
    images = drawn.copy()
    images[:6] = np.rot90(images[:6], 2, axes=(1, 2))
    assert set(told(images)) == {f"{i:04d}.png" for i in range(6)}


def test_brightness_and_contrast_do_not_count(drawn: Images) -> None:
    images = drawn.copy()
    images[:20] = (images[:20] * 0.4 + 100).astype(np.uint8)
    assert told(images) == {}


def test_the_mean_answer_is_one_and_left_is_right(drawn: Images) -> None:
    thumbs = thumbs_of(drawn)
    upright = learn(thumbs)
    np.testing.assert_allclose(upright, upright[:, ::-1], atol=1e-6)
    plain, mirrored = judge(thumbs, upright), judge(thumbs[:, :, ::-1], upright)
    np.testing.assert_allclose(plain.turned, mirrored.turned, atol=1e-4)
    assert (plain.turned < TURNED).all()


@pytest.mark.parametrize("count", [LEAST, 200])
def test_images_without_a_pose_in_common_are_not_judged(count: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16), dtype=np.uint8)
    ids = np.array([str(i) for i in range(count)], dtype=object)
    table = pose_remarks(ids, images, np.ones(count, dtype=bool))
    assert table["image_id"].tolist() == ["", ""]
    assert table["detail"].str.contains("no pose in common").all()


def test_few_images_are_not_judged_and_it_is_said(drawn: Images) -> None:
    usable = np.ones(60, dtype=bool)
    usable[LEAST - 1 :] = False
    ids = np.array([str(i) for i in range(60)], dtype=object)
    table = pose_remarks(ids, thumbs_of(drawn), usable)
    assert table["check"].tolist() == ["rotated", "inverted"]
    assert table["image_id"].tolist() == ["", ""]
    assert table["detail"].str.contains(f"{LEAST - 1} images are too few").all()
