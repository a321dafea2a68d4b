"""NIH-CXR-LT's tables: labels by name, no patient on two sides."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from chestxpert.cohort.cxrlt import place_by_lists, place_by_tables, read_cxrlt
from chestxpert.cohort.nih import OfficialLists, read_lists
from chestxpert.cohort.table import Cohort
from chestxpert.errors import DataError
from chestxpert.labels import CXRLT20

LABELS = CXRLT20.labels


def _table(folder: Path, split: str, rows: list[tuple[str, str, list[str]]], labels: tuple[str, ...] = LABELS) -> None:
    """Write one of the three tables from (id, patient, findings)."""
    lines = [",".join(["id", *labels, "subj_id"])]
    for name, patient, findings in rows:
        lines.append(",".join([name, *("1" if label in findings else "0" for label in labels), patient]))
    (folder / f"miccai2023_nih-cxr-lt_labels_{split}.csv").write_text("\n".join(lines) + "\n")


NONE = ["No Finding"]


def test_columns_are_matched_by_name_not_by_place(tmp_path: Path) -> None:
    shuffled = (*LABELS[::-1],)
    _table(tmp_path, "train", [("a.png", "00000013", ["Tortuous Aorta", "Mass"]), ("b.png", "2", NONE)], shuffled)
    frame = read_cxrlt(tmp_path, CXRLT20).frame
    assert [label for label in LABELS if frame.loc[0, label]] == ["Mass", "Tortuous Aorta"]
    assert frame[["image_id", "patient_id", "split"]].to_numpy().tolist() == [
        ["a.png", "13", "train"],
        ["b.png", "2", "train"],
    ]


def test_nih_spelling_of_pleural_thickening_is_understood(tmp_path: Path) -> None:
    labels = tuple(label.replace(" ", "_") if label == "Pleural Thickening" else label for label in LABELS)
    _table(tmp_path, "val", [("a.png", "1", ["Pleural_Thickening"])], labels)
    assert read_cxrlt(tmp_path, CXRLT20).frame.loc[0, "Pleural Thickening"]


def test_any_of_the_three_tables_plain_or_gzipped(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of NIH-CXR-LT's tables"):
        read_cxrlt(tmp_path, CXRLT20)
    for split in ("val", "test"):
        _table(tmp_path, split, [(f"{split}.png", split, NONE)])
    plain = tmp_path / "miccai2023_nih-cxr-lt_labels_val.csv"
    Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert read_cxrlt(tmp_path, CXRLT20).frame["image_id"].to_list() == ["val.png", "test.png"]


def test_rows_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    _table(tmp_path, "train", [("a.png", "1", NONE), ("b.png", "1", ["No Finding", "Mass"]), ("c.png", "1", [])])
    _table(tmp_path, "test", [("a.png", "1", NONE), ("e.png", "2", NONE)])
    path = tmp_path / "miccai2023_nih-cxr-lt_labels_train.csv"
    path.write_text(path.read_text() + "d.png," + "-1," * 20 + "1\n")
    table = read_cxrlt(tmp_path, CXRLT20)
    assert table.frame["image_id"].to_list() == ["a.png", "e.png"]
    assert sorted((reject.image_id, reject.reason) for reject in table.rejects) == [
        ("a.png", "duplicate-row"),
        ("b.png", "contradiction"),
        ("c.png", "contradiction"),
        ("d.png", "bad-row"),
    ]


def test_a_table_with_other_labels_is_refused(tmp_path: Path) -> None:
    _table(tmp_path, "train", [("a.png", "1", NONE)], LABELS[1:])
    with pytest.raises(DataError, match="no column for Atelectasis"):
        read_cxrlt(tmp_path, CXRLT20)
    _table(tmp_path, "train", [("a.png", "1", NONE)], (*LABELS, "Lung Lesion"))
    with pytest.raises(DataError, match="'Lung Lesion' is not a finding"):
        read_cxrlt(tmp_path, CXRLT20)


def test_view_sex_and_age_come_from_nihs_table_where_it_is_there(tmp_path: Path, tiny_nih: Path) -> None:
    _table(tmp_path, "train", [("00000001_001.png", "1", NONE), ("x.png", "2", NONE)])
    assert read_cxrlt(tmp_path, CXRLT20).frame.loc[0, "view"] == ""
    (tmp_path / "Data_Entry_2017_v2020.csv").write_bytes((tiny_nih / "Data_Entry_2017_v2020.csv").read_bytes())
    frame = read_cxrlt(tmp_path, CXRLT20).frame
    assert frame.loc[0, ["view", "sex", "age"]].to_list() == ["AP", "F", 21.0]
    assert frame.loc[1, ["view", "sex"]].to_list() == ["", ""]
    assert np.isnan(frame.loc[1, "age"])


def test_without_lists_a_patient_goes_to_test_before_val_before_train(tmp_path: Path) -> None:
    _table(tmp_path, "train", [("a.png", "1", NONE), ("b.png", "2", NONE), ("c.png", "3", NONE)])
    _table(tmp_path, "val", [("d.png", "2", NONE), ("e.png", "4", NONE)])
    _table(tmp_path, "test", [("f.png", "4", NONE), ("g.png", "3", NONE)])
    frame = read_cxrlt(tmp_path, CXRLT20).frame
    split = place_by_tables(frame)
    assert split.tolist() == ["train", "val", "test", "val", "test", "test", "test"]
    Cohort(frame.assign(split=split, source="nih"), CXRLT20)  # no patient on two sides


def test_with_lists_an_image_in_neither_follows_its_patient(tmp_path: Path) -> None:
    _table(tmp_path, "train", [("a.png", "1", NONE), ("b.png", "2", NONE), ("c.png", "3", NONE), ("h.png", "5", NONE)])
    _table(tmp_path, "test", [("d.png", "1", NONE), ("e.png", "2", NONE), ("f.png", "4", NONE), ("g.png", "5", NONE)])
    lists = OfficialLists(frozenset({"a.png"}), frozenset({"e.png"}))
    frame = read_cxrlt(tmp_path, CXRLT20).frame
    side = dict(zip(frame["image_id"], place_by_lists(frame, lists), strict=True))
    assert side == {
        "a.png": "train_val", "d.png": "train_val",  # the list outranks the test table for the whole patient
        "e.png": "test", "b.png": "test",
        "c.png": "train_val", "f.png": "test",  # patients without a list: their tables decide
        "g.png": "test", "h.png": "test",
    }  # fmt: skip


@pytest.mark.shared_data
def test_real_tables_are_placed_by_the_official_lists(nih_tables: Path) -> None:
    table, lists = read_cxrlt(nih_tables, CXRLT20), read_lists(nih_tables)
    assert lists is not None
    assert (len(table.frame), table.rejects) == (12_533 + 21_081, [])
    sides = place_by_lists(table.frame, lists)
    assert {side: int((sides == side).sum()) for side in ("train_val", "test")} == {"train_val": 8_018, "test": 25_596}
    assert set(table.frame["view"]) == {"PA", "AP"}
