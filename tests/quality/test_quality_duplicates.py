"""Copies are found wherever they are, told apart by how grave they are, and look-alikes are not called copies."""

import numpy as np
import pytest

from chestxpert.labels import NIH15
from chestxpert.quality import duplicates as module
from chestxpert.quality.check import check_images
from chestxpert.quality.remarks import remarks
from quality.changes import FOUND, crop
from quality.making import Images, MakeStore, make_cohort


def planted(drawn: Images, copies: dict[int, np.ndarray]) -> Images:
    images = drawn.copy()
    for row, copy in copies.items():
        images[row] = copy
    return images


def found(images: Images, make_store: MakeStore, check: str, **columns: object) -> list[dict[str, object]]:
    store = make_store(images)
    table = check_images(make_cohort(store.image_ids, **columns), store)
    return table[table["check"] == check].to_dict("records")


def test_different_images_are_no_duplicates(drawn: Images, make_store: MakeStore) -> None:
    store = make_store(drawn)
    table = check_images(make_cohort(store.image_ids), store)
    assert table[table["image_id"] != ""].empty, table


def test_exact_copies_are_listed_gravest_first(drawn: Images, make_store: MakeStore) -> None:
    images = planted(drawn, {1: drawn[0], 11: drawn[10], 21: drawn[20], 22: drawn[20]})
    patients = [f"p{i}" for i in range(60)]
    patients[1] = "p0"
    split = ["train"] * 60
    split[21] = "test"
    labels = np.eye(len(NIH15), dtype=bool)[[NIH15.index("No Finding")] * 60]
    labels[22] = np.eye(len(NIH15), dtype=bool)[NIH15.index("Mass")]
    rows = found(images, make_store, "exact-duplicate", patients=patients, split=split, labels=labels)
    assert [(row["image_id"], row["other"]) for row in rows] == [
        ("0020.png", "0021.png"), ("0010.png", "0011.png"), ("0020.png", "0022.png"), ("0000.png", "0001.png"),
    ]  # fmt: skip
    details = [row["detail"] for row in rows]
    assert details[0].startswith("Two splits (train and test), patients p20 and p21: ")
    assert details[1].startswith("Two patients (p10 and p11), both in train: ")
    assert details[3].startswith("One patient (p0), in train: ")
    assert ["findings differ" in detail for detail in details] == [False, False, True, False]


def test_a_copy_is_no_near_duplicate_as_well(drawn: Images, make_store: MakeStore) -> None:
    images = planted(drawn, {1: drawn[0], 2: FOUND["JPEG of quality 50"](drawn[0])})
    rows = found(images, make_store, "near-duplicate")
    assert [(row["image_id"], row["other"]) for row in rows] == [("0000.png", "0002.png")]


@pytest.mark.parametrize("change", FOUND)
def test_changed_copies_are_found_across_splits(change: str, drawn: Images, make_store: MakeStore) -> None:
    images = planted(drawn, {row + 30: FOUND[change](drawn[row]) for row in range(8)})
    rows = found(images, make_store, "near-duplicate", split=["train"] * 30 + ["test"] * 30)
    assert {(row["image_id"], row["other"]) for row in rows} == {
        (f"{i:04d}.png", f"{i + 30:04d}.png") for i in range(8)
    }
    assert all(row["detail"].startswith("Two splits (train and test)") for row in rows)
    assert all(0.9 <= row["value"] <= 1 for row in rows)


def test_another_exposure_is_no_copy(drawn: Images, make_store: MakeStore) -> None:
    """Half of another patient's detail over one's own: as alike as two exposures, and no more."""
    mixed = ((drawn[0].astype(int) + drawn[5]) // 2).astype(np.uint8)
    assert found(planted(drawn, {1: mixed}), make_store, "near-duplicate") == []


def test_a_large_crop_is_not_found(drawn: Images, make_store: MakeStore) -> None:
    """docs/quality.md says so; if this fails the page is to be changed."""
    assert found(planted(drawn, {1: crop(drawn[0], 0.1)}), make_store, "near-duplicate") == []


def test_small_images_are_not_compared_in_detail_and_it_is_said(drawn: Images, make_store: MakeStore) -> None:
    (row,) = found(drawn[:, ::2, ::2], make_store, "near-duplicate")
    assert row["image_id"] == ""
    assert "48 px" in str(row["detail"])


def test_a_flood_of_look_alikes_is_cut_and_it_is_said(
    drawn: Images, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LIMIT", 3)
    images = planted(drawn, {row + 30: FOUND["nothing but a pixel"](drawn[row]) for row in range(5)})
    rows = found(images, make_store, "near-duplicate")
    assert [row["image_id"] == "" for row in rows] == [True, False, False, False]
    assert "only the closest 3" in str(rows[0]["detail"])


def test_augmented_copies_are_alike_on_purpose(drawn: Images, make_store: MakeStore) -> None:
    images = planted(drawn, {1: drawn[0]})
    patients = [f"p{i}" for i in range(60)]
    patients[1] = "p0"
    origin = [""] * 60
    origin[1] = "0000.png"
    assert found(images, make_store, "exact-duplicate", patients=patients, origin=origin) == []


def test_blank_images_are_not_duplicates_of_each_other(drawn: Images, make_store: MakeStore) -> None:
    black = np.zeros_like(drawn[0])
    store = make_store(planted(drawn, {3: black, 4: black}))
    table = check_images(make_cohort(store.image_ids), store)
    assert table["check"].tolist() == ["blank", "blank", "bit-depth"]
    assert remarks("blank", [], []).columns.tolist() == table.columns.tolist()
