"""NIH-CXR-LT's tables: labels by name, no patient on two sides."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chestxpert.cohort.cxrlt import place_by_lists, place_by_tables, read_cxrlt
from chestxpert.cohort.invariants import check_patients_apart
from chestxpert.cohort.nih import OfficialLists, read_entries, read_lists
from chestxpert.cohort.source import read_source, split_source
from chestxpert.cohort.table import Cohort
from chestxpert.errors import DataError
from chestxpert.labels import CXRLT20, NIH15

LABELS = CXRLT20.labels
VAL = "miccai2023_nih-cxr-lt_labels_val.csv.gz"


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


def test_two_columns_of_one_finding_are_refused(tmp_path: Path) -> None:
    _table(tmp_path, "train", [("a.png", "1", NONE)], (*LABELS, "Pleural_Thickening"))
    with pytest.raises(DataError, match="two columns for 'Pleural Thickening'"):
        read_cxrlt(tmp_path, CXRLT20)


@pytest.mark.shared_data
def test_the_real_validation_table_mixes_both_official_lists(nih_tables: Path, tmp_path: Path) -> None:
    (tmp_path / VAL).write_bytes((nih_tables / VAL).read_bytes())
    frame, lists = read_cxrlt(tmp_path, CXRLT20).frame, read_lists(nih_tables)
    assert lists is not None
    sides = place_by_lists(frame, lists)
    assert len(frame) == 12_533
    assert int((sides == "train_val").sum()) == int(frame["image_id"].isin(lists.train_val).sum()) == 8_018
    assert int((sides == "test").sum()) == int(frame["image_id"].isin(lists.test).sum()) == 4_515


@pytest.mark.shared_data
def test_with_a_training_table_of_the_rest_the_official_split_comes_out_whole(nih_tables: Path, tmp_path: Path) -> None:
    """NIH-CXR-LT's training table is not there, but its 78,506 images are the rest of NIH's."""
    for path in nih_tables.iterdir():
        (tmp_path / path.name).symlink_to(path)
    here = set(read_cxrlt(nih_tables, CXRLT20).frame["image_id"])
    entries = read_entries(nih_tables, NIH15).frame
    rest = entries[~entries["image_id"].isin(here)]
    assert len(rest) == 78_506
    findings = rest[list(NIH15.labels)].to_numpy()
    rows = [
        (image, patient, [CXRLT20.canonical(name) for name, held in zip(NIH15.labels, row, strict=True) if held])
        for image, patient, row in zip(rest["image_id"], rest["patient_id"], findings, strict=True)
    ]
    _table(tmp_path, "train", rows)
    source = read_source(tmp_path, CXRLT20)
    assert (len(source.frame), [r for r in source.rejects if r.reason != "bad-box"]) == (112_120, [])
    split = split_source(source, source.frame, "official", 0.2, 0)
    cohort = Cohort(split.frame, CXRLT20)  # no patient on two sides
    assert (len(cohort.rows("test")), cohort.n_patients("test")) == (25_596, 2_797)
    assert len(cohort.rows("train")) + len(cohort.rows("val")) == 86_524
    assert cohort.n_patients("train") + cohort.n_patients("val") == 28_008

    # An image that stands in no list goes where its patient is.
    assert source.lists is not None
    rng = np.random.default_rng(0)
    gone = frozenset(rng.choice(cohort.image_ids, 20_000, replace=False).tolist())
    lists = OfficialLists(source.lists.train_val - gone, source.lists.test - gone)
    sides = place_by_lists(source.frame, lists)
    check_patients_apart(source.frame["patient_id"], pd.Series(sides))
    official = np.where(source.frame["image_id"].isin(source.lists.test), "test", "train_val")
    listed = source.frame["patient_id"].isin(source.frame["patient_id"][~source.frame["image_id"].isin(gone)])
    assert (sides == official)[listed].all()
