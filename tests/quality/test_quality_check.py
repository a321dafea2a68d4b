"""A dataset folder is checked once, and again when asked; the real sample holds what was found by eye."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chestxpert.cohort.rejects import Reject, write_rejects
from chestxpert.dataset import Dataset
from chestxpert.errors import StoreError
from chestxpert.labels import NIH15
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.quality import check_folder, check_images, label_remarks, read_quality, write_quality
from chestxpert.quality.remarks import FILE, about_check
from quality.changes import FOUND
from quality.making import Images, MakeStore, make_cohort


@pytest.fixture
def data(drawn: Images, make_store: MakeStore) -> Dataset:
    """A dataset folder with a black image, a copy across splits, an age and a file that does not decode."""
    images = drawn.copy()
    images[5] = 0
    images[9] = drawn[8]
    store = make_store(images, bits=[8] * 59 + [16])
    age = np.full(60, 50.0)
    age[2] = 414
    cohort = make_cohort(store.image_ids, split=["train"] * 9 + ["test"] * 51, age=age)
    cohort.save(store.folder / "cohort.parquet")
    write_rejects([Reject("z.png", "undecodable", "cut short")], store.folder / "rejects.csv")
    return Dataset(store.folder, cohort, store, {})


EXPECTED = [
    ("undecodable", "z.png"), ("blank", "0005.png"), ("exact-duplicate", "0008.png"), ("age", "0002.png"),
    ("bit-depth", "0059.png"), ("label-version", ""),
]  # fmt: skip


def check(data: Dataset, sources: list[Path], again: bool = False) -> pd.DataFrame:
    return check_folder(data.folder, data.cohort, data.store, sources, again=again)


def found(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["check"], table["image_id"], strict=True))


def test_a_folder_is_checked_where_it_was_not(data: Dataset, tmp_path: Path) -> None:
    table = check(data, [tmp_path / "gone"])
    assert found(table) == EXPECTED
    pd.testing.assert_frame_equal(read_quality(data.folder), table)


def test_it_is_checked_again_only_if_asked(data: Dataset, tmp_path: Path) -> None:
    write_quality(about_check("age", "An older note."), data.folder)
    assert found(check(data, [tmp_path])) == [("age", "")]
    assert found(check(data, [tmp_path / "gone"], again=True)) == EXPECTED
    first = (data.folder / FILE).read_bytes()
    check(data, [tmp_path / "gone"], again=True)
    assert (data.folder / FILE).read_bytes() == first


def test_what_was_known_of_label_versions_is_kept_when_the_source_is_gone(data: Dataset, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    header = "Image Index,Finding Labels,Patient ID\n"
    (source / "Data_Entry_2017.csv").write_text(header + "0001.png,Mass,1\nelsewhere.png,Mass,2\n")
    (source / "Data_Entry_2017_v2020.csv").write_text(header + "0001.png,Nodule,1\nelsewhere.png,Hernia,2\n")
    table = check(data, [source])
    assert found(table)[-2:] == [("label-version", ""), ("label-version", "0001.png")], "only images of the cohort"
    shutil.rmtree(source)
    assert found(check(data, [source], again=True)) == found(table)
    assert label_remarks([source], NIH15)["detail"].str.startswith("Not made").all()


def test_a_store_that_lacks_an_image_is_a_clear_error(data: Dataset) -> None:
    with pytest.raises(StoreError, match=r"x\.png"):
        check_images(make_cohort(["0001.png", "x.png"]), data.store)


def test_images_of_the_cohort_alone_are_checked(data: Dataset) -> None:
    table = check_images(make_cohort(["0009.png", "0005.png"]), data.store)
    assert found(table) == [("blank", "0005.png"), ("rotated", ""), ("inverted", "")]


def stored(paths: list[Path], size: int) -> Images:
    return np.stack([Preprocess(size).apply(np.asarray(Image.open(path).convert("L"))) for path in paths])


@pytest.mark.shared_data
def test_on_real_radiographs(nih_sample: Path, make_store: MakeStore) -> None:
    """One of NIH's radiographs in 500 stands on its head; nothing else is odd but what is planted."""
    paths = sorted((nih_sample / "images").iterdir())
    head_down = next(i for i, path in enumerate(paths) if path.name == "00003490_011.png")
    paths = paths[head_down - 250 : head_down + 250]
    images = stored(paths, 224)
    patients = [path.name.split("_")[0] for path in paths]
    for row, change in enumerate(FOUND.values()):
        images[400 + row] = change(images[row])
    images[450] = np.rot90(images[450])
    images[451] = 255 - images[451]
    images[452] = 0
    store = make_store(images, [path.name for path in paths], bits=8)
    table = check_images(make_cohort(store.image_ids, patients=patients), store)
    name = store.image_ids
    assert set(found(table)) == {
        ("blank", name[452]), ("rotated", "00003490_011.png"), ("rotated", name[450]), ("inverted", name[451]),
        *(("near-duplicate", name[row]) for row in range(len(FOUND))),
    }  # fmt: skip
    turned = table[table["check"] == "rotated"].set_index("image_id")["value"]
    assert turned.to_dict() == {"00003490_011.png": 180.0, name[450]: 270.0}
    assert set(table["other"]) == {"", *name[400 : 400 + len(FOUND)]}
