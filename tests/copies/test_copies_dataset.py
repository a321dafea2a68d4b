"""A data set with copies as rows: the originals byte for byte, and every recipe trains on it as it is."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chestxpert.copies import add_copies, oversample_to_disk, read_copies
from chestxpert.dataset import Dataset
from chestxpert.errors import CohortError, DataError
from chestxpert.pixels.decode import decode
from chestxpert.recipe import load_recipe
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.run import train_run

TINY = ("size=32", "backbone=test_resnet", "weights=none", "epochs=1", "batch_size=16", "precision=float32", "views=1")


@pytest.fixture(scope="module")
def room(prepared: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds copies and the data set with them; read only."""
    folder = tmp_path_factory.mktemp("with-copies")
    oversample_to_disk(prepared.folder, folder / "copies", target=0.4, seed=2, as_dataset=folder / "data")
    return folder


def test_originals_stay_byte_for_byte_where_they_were(prepared: Dataset, room: Path) -> None:
    data = Dataset.load(room / "data")
    n = len(prepared.cohort)
    pd.testing.assert_frame_equal(data.cohort.table.iloc[:n], prepared.cohort.table)
    assert np.array_equal(data.store.pixels[: len(prepared.store)], prepared.store.pixels)
    for split in ("val", "test"):
        assert np.array_equal(data.cohort.rows(split), prepared.cohort.rows(split))
        pd.testing.assert_frame_equal(data.cohort.select(split).table, prepared.cohort.select(split).table)
        before, after = (d.store.pixels[d.pixel_rows()[d.cohort.rows(split)]].tobytes() for d in (prepared, data))
        assert before == after
    for name in ("boxes.parquet", "rejects.csv"):
        assert (room / "data" / name).read_bytes() == (prepared.folder / name).read_bytes()
    data.store.verify()


def test_a_copy_is_its_origin_but_for_id_and_pixels(prepared: Dataset, room: Path) -> None:
    data, table = Dataset.load(room / "data"), read_copies(room / "copies")
    rows = data.cohort.table.iloc[len(prepared.cohort) :]
    assert rows["image_id"].tolist() == list(table.ids)
    assert rows["origin"].tolist() == list(table.origins)
    assert set(rows["split"]) == {"train"}
    origins = prepared.cohort.table.set_index("image_id").loc[list(table.origins)].reset_index()
    same = [name for name in rows.columns if name not in ("image_id", "origin")]
    pd.testing.assert_frame_equal(rows[same].reset_index(drop=True), origins[same])
    for name in table.ids:
        assert np.array_equal(data.store.pixels[data.store.row(name)], decode(room / "copies" / "images" / name))


def test_the_folder_says_what_was_added(prepared: Dataset, room: Path) -> None:
    data = Dataset.load(room / "data")
    copies = len(read_copies(room / "copies"))
    assert data.info["images"] == prepared.info["images"] | {"train": prepared.info["images"]["train"] + copies}
    assert data.info["patients"] == prepared.info["patients"]
    assert data.info["arguments"] == prepared.info["arguments"]
    assert data.info["oversample"] == json.loads((room / "copies" / "oversample.json").read_text())
    assert data.info["fingerprints"] == {"cohort": data.cohort.fingerprint, "store": data.store.fingerprint}
    assert data.store.index["width"].iloc[-1] == data.store.index["height"].iloc[-1] == 32
    assert list(data.store.index.columns) == list(prepared.store.index.columns)
    assert not data.store.index.isna().any().any()


def test_copies_can_be_added_afterwards_with_the_same_result(prepared: Dataset, room: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    add_copies(prepared.folder, room / "copies", tmp_path / "data", lambda done, total: seen.append(done))
    for path in (room / "data").iterdir():
        assert (tmp_path / "data" / path.name).read_bytes() == path.read_bytes(), path.name
    assert seen == list(range(1, len(read_copies(room / "copies")) + 1))


def test_caches_of_the_originals_do_not_come_along(prepared: Dataset, room: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(prepared.folder, tmp_path / "data"))
    Dataset.load(data).store.at_size(16)
    (data / "quality.csv").write_text("check\n")
    add_copies(data, room / "copies", tmp_path / "more")
    names = {path.name for path in (tmp_path / "more").iterdir()}
    assert "quality.csv" in names
    assert "pixels-16" not in names
    assert len(Dataset.load(tmp_path / "more").store.at_size(16)) == len(Dataset.load(tmp_path / "more").store)


@pytest.mark.parametrize("part", ["cohort", "store"])
def test_copies_of_another_data_set_are_refused(prepared: Dataset, room: Path, tmp_path: Path, part: str) -> None:
    copies = Path(shutil.copytree(room / "copies", tmp_path / "copies"))
    record = json.loads((copies / "oversample.json").read_text())
    record["dataset"][part] = "0" * 12
    (copies / "oversample.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=f"another {part}"):
        add_copies(prepared, copies, tmp_path / "data")
    (copies / "oversample.json").unlink()
    with pytest.raises(DataError, match=r"oversample\.json"):
        add_copies(prepared, copies, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_table_that_smuggles_test_images_into_training_is_refused(
    prepared: Dataset, room: Path, tmp_path: Path
) -> None:
    copies = Path(shutil.copytree(room / "copies", tmp_path / "copies"))
    table = copies / "augmented_images.csv"
    before = table.read_text()
    origin = read_copies(copies).origins[0]
    test = prepared.cohort.image_ids[prepared.cohort.rows("test")[0]]
    table.write_text(before.replace(f",{origin}\n", f",{test}\n", 1))
    with pytest.raises(CohortError, match="not in train"):
        add_copies(prepared, copies, tmp_path / "data")
    table.write_text(before.replace(f",{origin}\n", ",stranger.png\n", 1))
    with pytest.raises(DataError, match=r"stranger\.png"):
        add_copies(prepared, copies, tmp_path / "data")


def test_a_missing_copy_is_named_and_leaves_nothing(prepared: Dataset, room: Path, tmp_path: Path) -> None:
    copies = Path(shutil.copytree(room / "copies", tmp_path / "copies"))
    lost = read_copies(copies).ids[3]
    (copies / "images" / lost).unlink()
    with pytest.raises(DataError, match=lost):
        add_copies(prepared, copies, tmp_path / "data")
    shutil.copy(prepared.folder / "rejects.csv", copies / "images" / lost)
    with pytest.raises(DataError, match=lost):
        add_copies(prepared, copies, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["copies"]


def test_an_oversampled_data_set_is_not_oversampled_on_disk_again(room: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="copies already"):
        oversample_to_disk(room / "data", tmp_path / "again")


def test_sampling_treats_a_copy_as_any_training_row(prepared: Dataset, room: Path) -> None:
    data = Dataset.load(room / "data")
    everything = np.ones(len(data.cohort), dtype=bool)
    plain = training_rows(load_recipe("flat-basic"), data.cohort, everything, 0)
    assert np.array_equal(plain, data.cohort.rows("train"))
    assert len(plain) > len(prepared.cohort.rows("train"))
    twice = training_rows(load_recipe("flat-resampled"), data.cohort, everything, 0)
    assert set(data.cohort.table["split"].iloc[twice]) == {"train"}
    dropped = set(plain) - set(twice)
    assert dropped  # what is thinned may be a copy or an original
    origins = data.cohort.table["origin"].iloc[sorted(set(twice))]
    assert (origins != "").any()
    assert (origins == "").any()


@pytest.mark.parametrize("freeze", [False, True])
def test_a_recipe_trains_on_it_unchanged(prepared: Dataset, room: Path, tmp_path: Path, freeze: bool) -> None:
    data = Dataset.load(room / "data")
    recipe = load_recipe("flat-basic", [*TINY, f"freeze={str(freeze).lower()}"])
    result = train_run(recipe, data, tmp_path / "run", kit=NetworkKit.create(recipe, data))
    assert result.evaluation["test"]["images"] == len(prepared.cohort.rows("test"))
    cost = json.loads((tmp_path / "run" / "cost.json").read_text())
    assert cost["train_image_passes"] == len(data.cohort.rows("train"))
