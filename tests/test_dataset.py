"""A dataset folder opens whole, or says what is wrong with it."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import CohortError, DataError, StoreError


@pytest.fixture(scope="module")
def prepared(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny folder, prepared; read only."""
    out = tmp_path_factory.mktemp("prepared") / "data"
    prepare(tiny_nih, out, size=16, workers=1)
    return out


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(prepared, tmp_path / "data"))


def test_pixel_rows_are_found_by_id_in_any_order(prepared: Path) -> None:
    data = Dataset.load(prepared)
    ids = data.cohort.image_ids
    assert data.pixel_rows().tolist() == list(range(120))
    wanted = [ids[7], ids[3], ids[7]]
    assert [data.store.image_ids[row] for row in data.pixel_rows(wanted)] == wanted
    assert data.folder == prepared
    assert data.info["images"]["test"] == 30


def test_boxes_have_their_columns(prepared: Path) -> None:
    boxes = Dataset.load(prepared).boxes
    assert list(boxes.columns) == ["image_id", "finding", "x", "y", "w", "h"]
    assert boxes["w"].eq(50).all()


def test_a_cohort_image_without_pixels_is_an_error(folder: Path) -> None:
    cohort = Cohort.load(folder / "cohort.parquet")
    table = cohort.table.copy()
    table.loc[5, "image_id"] = "elsewhere.png"
    Cohort(table, cohort.label_space).save(folder / "cohort.parquet")
    with pytest.raises(StoreError, match=r"elsewhere\.png"):
        Dataset.load(folder)


def test_fewer_cohort_rows_than_pixels_are_fine(folder: Path) -> None:
    cohort = Cohort.load(folder / "cohort.parquet").select("test")
    cohort.save(folder / "cohort.parquet")
    data = Dataset.load(folder)
    assert data.store.image_ids[data.pixel_rows()].tolist() == cohort.image_ids.tolist()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("dataset.json", DataError),
        ("cohort.parquet", CohortError),
        ("pixels.u8", StoreError),
        ("store.json", StoreError),
    ],
)
def test_a_missing_part_is_a_clear_error(folder: Path, name: str, error: type) -> None:
    (folder / name).unlink()
    with pytest.raises(error, match=r"[Pp]repare"):
        Dataset.load(folder)


def test_missing_boxes_are_noticed_when_asked_for(folder: Path) -> None:
    (folder / "boxes.parquet").unlink()
    data = Dataset.load(folder)
    with pytest.raises(StoreError, match=r"boxes\.parquet"):
        data.boxes  # noqa: B018


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 7}', "no json"])
def test_a_strange_dataset_json_is_a_clear_error(folder: Path, text: str) -> None:
    (folder / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json"):
        Dataset.load(folder)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="chestxpert data prepare"):
            Dataset.load(path)


def test_a_leak_in_a_stored_cohort_is_found_on_load(folder: Path) -> None:
    cohort = Cohort.load(folder / "cohort.parquet")
    leaked = cohort.table.copy()
    test = leaked.index[leaked["split"] == "test"][0]
    leaked.loc[test, "patient_id"] = leaked.loc[leaked["split"] == "train", "patient_id"].iloc[0]
    with pytest.raises(CohortError, match="more than one split"):
        Cohort(leaked, cohort.label_space)
    object.__setattr__(cohort, "table", leaked)  # as a file edited by another tool would have it
    cohort.save(folder / "cohort.parquet")
    with pytest.raises(CohortError, match="more than one split"):
        Dataset.load(folder)


def test_info_is_json_as_stored(prepared: Path) -> None:
    assert Dataset.load(prepared).info == json.loads((prepared / "dataset.json").read_text())
    assert isinstance(Dataset.load(prepared).boxes, pd.DataFrame)
