"""Originals and copies from folders of their own: the same samples as the data set that holds both, or a refusal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from chestxpert import ChestXrayDataset, MultiSourceDataset
from chestxpert.copies import read_copies
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import ChestXpertError, DataError, LabelError, UsageError


def test_it_equals_the_data_set_that_holds_the_copies(room: SimpleNamespace) -> None:
    joined = MultiSourceDataset([room.data, room.copies])
    whole = ChestXrayDataset(room.with_copies)
    assert len(joined) == len(whole)
    assert joined.image_ids.tolist() == whole.image_ids.tolist()
    assert joined.origins.tolist() == whole.origins.tolist()
    assert joined.patient_ids.tolist() == whole.patient_ids.tolist()
    assert np.array_equal(joined.targets, whole.targets)
    for (image, target, image_id), (expected, wanted, name) in zip(joined, whole, strict=True):
        assert image_id == name
        assert torch.equal(image, expected)
        assert torch.equal(target, wanted)


def test_copies_are_marked_and_stand_behind_the_originals(room: SimpleNamespace) -> None:
    joined = MultiSourceDataset([str(room.copies), room.data])
    copies = read_copies(room.copies)
    assert joined.is_augmented.tolist() == [False] * (len(joined) - len(copies)) + [True] * len(copies)
    assert joined.image_ids[joined.is_augmented].tolist() == list(copies.ids)
    assert set(joined.splits) == {"train"}
    assert f"{len(copies)} of them augmented copies" in repr(joined)


def test_originals_may_be_image_files(room: SimpleNamespace) -> None:
    files = ChestXrayDataset.from_files(room.source, split="train", size=32)
    joined = MultiSourceDataset([files, room.copies], channels=3, target_type="findings")
    expected = MultiSourceDataset([room.data, room.copies], channels=3, target_type="findings")
    assert joined.image_ids.tolist() == expected.image_ids.tolist()
    for place in (0, len(files) - 1, len(files), len(joined) - 1):
        assert torch.equal(joined[place][0], expected[place][0])
        assert joined[place][1].shape == (14,)


def test_a_smaller_size_and_a_transform_hold_for_all(room: SimpleNamespace) -> None:
    joined = MultiSourceDataset([room.data, room.copies], size=16, transform=lambda image: image.flatten())
    assert joined.size == 16
    assert {sample[0].shape for sample in (joined[0], joined[-1])} == {(256,)}
    small = ChestXrayDataset(room.with_copies, size=16, transform=lambda image: image.flatten())
    assert torch.equal(joined[0][0], small[0][0])


def test_spawned_workers_read_both_the_array_and_the_files(room: SimpleNamespace) -> None:
    joined = MultiSourceDataset([room.data, room.copies])
    joined[0]  # the memory map is open, and must not travel
    loader = DataLoader(joined, batch_size=16, num_workers=2, multiprocessing_context="spawn")
    place = 0
    for images, targets, ids in loader:
        for image, target, image_id in zip(images, targets, ids, strict=True):
            expected, wanted, name = joined[place]
            assert image_id == name
            assert torch.equal(image, expected)
            assert torch.equal(target, wanted)
            place += 1
    assert place == len(joined)


@pytest.mark.parametrize("split", ["val", "test"])
def test_copies_never_come_with_validation_or_test(room: SimpleNamespace, split: str) -> None:
    with pytest.raises(DataError, match="Copies belong to training alone"):
        MultiSourceDataset([room.data, room.copies], split)
    assert not MultiSourceDataset([room.data], split).is_augmented.any()


@pytest.fixture
def copies(room: SimpleNamespace, tmp_path: Path) -> Path:
    """Copies to be tampered with."""
    return Path(shutil.copytree(room.copies, tmp_path / "copies"))


def test_a_copy_of_a_test_image_is_found_even_among_all_images(room: SimpleNamespace, copies: Path) -> None:
    assert MultiSourceDataset([room.data, copies], None).is_augmented.any()
    cohort = Dataset.load(room.data).cohort
    test = cohort.image_ids[cohort.rows("test")[0]]
    table = copies / "augmented_images.csv"
    origin = read_copies(copies).origins[0]
    table.write_text(table.read_text().replace(f",{origin}\n", f",{test}\n", 1))
    with pytest.raises(DataError, match=f"1 of the .* from {test}"):
        MultiSourceDataset([room.data, copies], None)


def test_a_copy_with_other_findings_than_its_origin_is_refused(room: SimpleNamespace, copies: Path) -> None:
    table = copies / "augmented_images.csv"
    first = read_copies(copies)
    old = f"{first.ids[0]},{first.findings[0]},"
    table.write_text(table.read_text().replace(old, f"{first.ids[0]},Edema,", 1))
    with pytest.raises(DataError, match="shows Edema, but its origin"):
        MultiSourceDataset([room.data, copies])
    table.write_text(table.read_text().replace(",Edema,", ",Edeema,", 1))
    with pytest.raises(LabelError, match="Edeema"):
        MultiSourceDataset([room.data, copies])


def test_a_missing_copy_is_named(room: SimpleNamespace, copies: Path) -> None:
    lost = read_copies(copies).ids[2]
    (copies / "images" / lost).unlink()
    with pytest.raises(DataError, match=lost):
        MultiSourceDataset([room.data, copies])


def test_nothing_stands_twice(room: SimpleNamespace) -> None:
    for sources in ([room.data, room.data], [room.data, room.copies, room.copies], [room.with_copies, room.copies]):
        with pytest.raises(DataError, match="more than once"):
            MultiSourceDataset(sources)


def test_copies_that_would_be_enlarged_are_refused(room: SimpleNamespace, tmp_path: Path, copies: Path) -> None:
    prepare(room.source, tmp_path / "large", size=48, workers=1)
    with pytest.raises(DataError, match="32 px, but 48 px"):
        MultiSourceDataset([tmp_path / "large", room.copies])
    assert MultiSourceDataset([tmp_path / "large", room.copies], size=32).size == 32
    (copies / "oversample.json").unlink()  # of another tool, which says no size
    assert MultiSourceDataset([tmp_path / "large", copies])[-1][0].shape == (1, 48, 48)


def test_sources_that_do_not_fit_together_are_refused(room: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    shutil.copy(next((room.source / "images").iterdir()), tmp_path / "images" / "x.png")
    (tmp_path / "t.csv").write_text("id,findings\nx.png,Tortuous Aorta\n")
    other = ChestXrayDataset.from_files(tmp_path / "t.csv", tmp_path / "images", labels="cxrlt20", size=32)
    with pytest.raises(LabelError, match="'nih15' and of 'cxrlt20'"):
        MultiSourceDataset([room.data, other])
    files = ChestXrayDataset.from_files(room.source, split="val", size=24)
    with pytest.raises(DataError, match="Images of 24 and 32 px"):
        MultiSourceDataset([room.data, files])
    changed = ChestXrayDataset(room.data, transform=torch.flip)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="transform to MultiSourceDataset"):
        MultiSourceDataset([changed, room.copies])


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (lambda room: [room.copies], "without their originals"),
        (lambda room: [], "without their originals|name the data set"),
        (lambda room: str(room.data), "are a list"),
        (lambda room: [room.source], "neither a dataset folder"),
        (lambda room: [room.source / "none"], "no data set"),
    ],
)
def test_what_is_no_source_is_refused(room: SimpleNamespace, sources: object, words: str) -> None:
    with pytest.raises(ChestXpertError, match=words):
        MultiSourceDataset(sources(room))  # type: ignore[operator]


def test_a_record_without_a_size_is_like_none(room: SimpleNamespace, copies: Path) -> None:
    (copies / "oversample.json").write_text(json.dumps({"schema": 1}))
    assert len(MultiSourceDataset([room.data, copies])) == len(MultiSourceDataset([room.data, room.copies]))
