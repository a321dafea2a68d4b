"""Which split a source gets, and what is said about it."""

import shutil
from pathlib import Path

import pytest

from chestxpert.cohort.source import read_source, split_source
from chestxpert.cohort.table import Cohort
from chestxpert.errors import CohortError, DataError
from chestxpert.labels import CXRLT20, NIH15

LISTS = ("train_val_list.txt", "test_list.txt")


@pytest.fixture
def tables(tiny_nih: Path, tmp_path: Path) -> Path:
    """A copy of the tiny folder's tables, to be changed."""
    for path in tiny_nih.glob("*.*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_official_lists_decide_under_auto(tables: Path) -> None:
    source = read_source(tables, NIH15)
    split = split_source(source, source.frame, "auto", 0.2, 0)
    cohort = Cohort(split.frame, NIH15)
    assert (split.way, split.notes, list(split.rejects)) == ("official", (), [])
    assert set(cohort.select("test").image_ids) == set((tables / "test_list.txt").read_text().split())
    assert [cohort.n_patients(side) for side in ("train", "val", "test")] == [24, 6, 10]


def test_auto_without_lists_is_random_and_says_so(tables: Path) -> None:
    for name in LISTS:
        (tables / name).unlink()
    source = read_source(tables, NIH15)
    split = split_source(source, source.frame, "auto", 0.25, 0)
    assert split.way == "random"
    assert "no official lists" in split.notes[0]
    cohort = Cohort(split.frame, NIH15)
    assert len(cohort) == 120
    assert all(4 <= cohort.n_patients(side) <= 12 for side in ("val", "test"))
    with pytest.raises(CohortError, match="--split random"):
        split_source(source, source.frame, "official", 0.2, 0)


def test_random_ignores_even_half_the_lists(tables: Path) -> None:
    (tables / LISTS[1]).unlink()
    with pytest.raises(DataError, match="test_list"):
        read_source(tables, NIH15, "auto")
    source = read_source(tables, NIH15, "random")
    assert split_source(source, source.frame, "random", 0.2, 0).way == "random"


def test_images_in_neither_list_are_listed(tables: Path) -> None:
    path = tables / LISTS[0]
    path.write_text("\n".join(path.read_text().split()[3:]))
    source = read_source(tables, NIH15)
    split = split_source(source, source.frame, "official", 0.2, 0)
    assert [(reject.image_id, reject.reason) for reject in split.rejects] == [
        (f"00000001_{n:03d}.png", "not-listed") for n in range(3)
    ]
    assert len(Cohort(split.frame, NIH15)) == 117


def test_a_simulated_folder_is_marked(tables: Path) -> None:
    assert set(read_source(tables, NIH15).frame["source"]) == {"nih"}
    (tables / "simulation.json").write_text("{}")
    source = read_source(tables, NIH15)
    assert source.kind == "simulated"
    assert set(source.frame["source"]) == {"simulated"}


def _long_tailed(folder: Path, **rows: list[tuple[str, str]]) -> Path:
    header = ",".join(["id", *CXRLT20.labels, "subj_id"])
    for split, entries in rows.items():
        lines = [header, *(",".join([name, *["0"] * 19, "1", patient]) for name, patient in entries)]
        (folder / f"miccai2023_nih-cxr-lt_labels_{split}.csv").write_text("\n".join(lines))
    return folder


def test_long_tailed_tables_carry_their_own_split(tmp_path: Path) -> None:
    _long_tailed(tmp_path, train=[("a", "1"), ("b", "2")], val=[("c", "3"), ("d", "2")], test=[("e", "4")])
    source = read_source(tmp_path, CXRLT20)
    for way in ("auto", "official"):
        split = split_source(source, source.frame, way, 0.2, 0)
        assert split.way == "tables"
        assert split.frame["split"].to_list() == ["train", "val", "val", "val", "test"]
        assert "1 images follow their patient" in split.notes[0]


def test_without_its_validation_table_validation_is_cut_from_train(tmp_path: Path) -> None:
    _long_tailed(tmp_path, train=[("a", "1"), ("b", "2"), ("c", "3")], test=[("e", "4")])
    source = read_source(tmp_path, CXRLT20)
    split = split_source(source, source.frame, "auto", 0.34, 0)
    assert sorted(split.frame["split"]) == ["test", "train", "train", "val"]
    assert "validation is cut from train" in split.notes[0]


def test_without_its_training_table_there_is_a_clear_error(tmp_path: Path) -> None:
    _long_tailed(tmp_path, val=[("c", "3"), ("d", "2")], test=[("e", "4")])
    source = read_source(tmp_path, CXRLT20)
    with pytest.raises(CohortError, match="training table is not there"):
        split_source(source, source.frame, "auto", 0.2, 0)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        read_source(tmp_path / "none", NIH15)
