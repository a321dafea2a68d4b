"""NIH's files are read as NIH ships them, and what cannot be read is listed."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from chestxpert.cohort.nih import find_entries, patient_id, read_boxes, read_entries, read_lists
from chestxpert.errors import DataError
from chestxpert.labels import NIH15

V2020 = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)
V2017 = V2020.rstrip("\n") + ",\n"


def _write(folder: Path, text: str, name: str = "Data_Entry_2017_v2020.csv") -> Path:
    data = text.encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


ROW = "{name},{labels},0,{patient},{age},{sex},{view},2500,2048,0.171,0.171"


def _row(name: str = "00000013_000.png", labels: str = "No Finding", **other: object) -> str:
    values = {"name": name, "labels": labels, "patient": 13, "age": 58, "sex": "M", "view": "PA"} | other
    return ROW.format(**values) + "\n"


@pytest.mark.parametrize("name", ["Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv.gz"])
@pytest.mark.parametrize(("header", "age", "end"), [(V2020, "58", ""), (V2017, "058Y", ",")])
def test_both_headers_plain_and_gzipped_say_the_same(
    tmp_path: Path, name: str, header: str, age: str, end: str
) -> None:
    row = _row(labels="Effusion|Pleural_Thickening", age=age).rstrip("\n") + end + "\n"
    table = read_entries(_write(tmp_path, header + row, name), NIH15)
    (got,) = table.frame.to_dict("records")
    assert (got["image_id"], got["patient_id"], got["age"], got["sex"], got["view"]) == (
        "00000013_000.png", "13", 58.0, "M", "PA",
    )  # fmt: skip
    assert [label for label in NIH15.labels if got[label]] == ["Effusion", "Pleural_Thickening"]
    assert table.rejects == []


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("058Y", 58),
        ("0", 0),
        ("013M", 1),
        ("003W", 0),
        ("001D", 0),
        ("414", 414),
        ("", np.nan),
        ("old", np.nan),
        ("-1", np.nan),
    ],
)
def test_ages(tmp_path: Path, text: str, years: float) -> None:
    frame = read_entries(_write(tmp_path, V2020 + _row(age=text)), NIH15).frame
    np.testing.assert_equal(frame["age"].to_list(), [float(years)])


def test_sex_may_be_called_so_and_odd_values_are_empty(tmp_path: Path) -> None:
    text = V2020.replace("Gender", "Sex") + _row(sex="f", view="LL") + _row(name="b.png", sex="O", view="ap")
    frame = read_entries(_write(tmp_path, text), NIH15).frame
    assert frame["sex"].to_list() == ["F", ""]
    assert frame["view"].to_list() == ["", "AP"]


def test_windows_text_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    text = "\ufeff" + (V2020 + _row()).replace("\n", "\r\n")
    assert len(read_entries(_write(tmp_path, text), NIH15).frame) == 1


def test_findings_match_whole_names_only(tmp_path: Path) -> None:
    text = (
        V2020
        + _row(labels="Mass|Nodule")
        + _row(name="b.png", labels="pleural thickening")
        + _row(name="c.png", labels="Ass")
    )
    table = read_entries(_write(tmp_path, text), NIH15)
    assert table.frame[["Mass", "Nodule", "Pleural_Thickening"]].to_numpy().tolist() == [
        [True, True, False],
        [False, False, True],
    ]
    assert [(r.image_id, r.reason) for r in table.rejects] == [("c.png", "unknown-finding")]


def test_rows_that_cannot_be_used_are_listed_and_the_rest_is_kept(tmp_path: Path) -> None:
    text = V2020 + "".join([
        _row("a.png"), _row("b.png", "Effusoin"), _row("c.png", "No Finding|Mass"), _row("d.png", ""),
        _row("a.png", "Mass"), "e.png\n", "\n", _row("f.png", patient=""), _row("", patient=3), _row("g.png", "Hernia"),
    ])  # fmt: skip
    table = read_entries(_write(tmp_path, text), NIH15)
    assert table.frame["image_id"].to_list() == ["a.png", "g.png"]
    assert table.frame["No Finding"].to_list() == [True, False]
    reasons = {reject.image_id: (reject.reason, reject.detail) for reject in table.rejects}
    assert {name: reason for name, (reason, _) in reasons.items()} == {
        "b.png": "unknown-finding", "c.png": "contradiction", "d.png": "contradiction", "a.png": "duplicate-row",
        "e.png": "bad-row", "f.png": "bad-row", "": "bad-row",
    }  # fmt: skip
    assert "Did you mean 'Effusion'?" in reasons["b.png"][1]
    assert reasons["a.png"][1] == "line 6; line 2 is used"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 lines"),
        (V2020.encode(), "1 lines"),
        (b"a,b\n1,2\n", "no column 'Finding Labels'"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "UTF-8"),
        (b"a,b\x00\n1,2\n", "zero bytes"),
        (b'a,"' + b"x" * 200_000 + b'"\n', "not a CSV file"),
    ],
)
def test_what_is_no_label_table_is_a_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "Data_Entry_2017.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_entries(tmp_path, NIH15)


@pytest.mark.parametrize("keep", [0, 30, -12])
def test_a_damaged_gzip_is_a_clear_error(tmp_path: Path, keep: int) -> None:
    whole = gzip.compress((V2020 + _row() * 50).encode())
    (tmp_path / "Data_Entry_2017.csv.gz").write_bytes(whole[:keep] if keep else b"no gzip at all")
    with pytest.raises(DataError, match="cannot be read"):
        read_entries(tmp_path, NIH15)


def test_no_table_and_several_tables_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no Data_Entry_2017"):
        read_entries(tmp_path, NIH15)
    _write(tmp_path, V2020 + _row(), "Data_Entry_2017.csv")
    _write(tmp_path, V2020 + _row(), "Data_Entry_2017_mine.csv")
    with pytest.raises(DataError, match=r"Data_Entry_2017\.csv, Data_Entry_2017_mine\.csv"):
        read_entries(tmp_path, NIH15)


@pytest.mark.parametrize("end", ["", ".gz"])
def test_of_both_versions_the_corrected_one_is_read(tmp_path: Path, end: str) -> None:
    _write(tmp_path, V2017 + _row(labels="Mass", age="058Y").rstrip("\n") + ",\n", f"Data_Entry_2017.csv{end}")
    _write(tmp_path, V2020 + _row(labels="Pneumonia"))
    frame = read_entries(tmp_path, NIH15).frame
    assert frame[["Mass", "Pneumonia"]].to_numpy().tolist() == [[False, True]]
    assert find_entries(tmp_path) == (
        tmp_path / "Data_Entry_2017_v2020.csv",
        tmp_path / f"Data_Entry_2017.csv{end}",
    )


@pytest.mark.parametrize("third", ["Data_Entry_2017_mine.csv", "Data_Entry_2017.csv.gz"])
def test_a_third_table_beside_both_versions_is_an_error(tmp_path: Path, third: str) -> None:
    for name in ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv", third):
        _write(tmp_path, V2020 + _row(), name)
    with pytest.raises(DataError, match="several files where one is expected"):
        read_entries(tmp_path, NIH15)


def test_lists(tmp_path: Path) -> None:
    assert read_lists(tmp_path) is None
    (tmp_path / "train_val_list.txt").write_text("a.png\r\nb.png\n\n")
    with pytest.raises(DataError, match=r"not test_list\.txt"):
        read_lists(tmp_path)
    (tmp_path / "test_list.txt.gz").write_bytes(gzip.compress(b"c.png"))
    lists = read_lists(tmp_path)
    assert lists is not None
    assert (lists.train_val, lists.test) == ({"a.png", "b.png"}, {"c.png"})
    (tmp_path / "test_list.txt.gz").write_bytes(gzip.compress(b"b.png\nc.png"))
    with pytest.raises(DataError, match=r"1 images stand in both .* b\.png"):
        read_lists(tmp_path)
    (tmp_path / "test_list.txt.gz").write_bytes(gzip.compress(b"\n"))
    with pytest.raises(DataError, match="is empty"):
        read_lists(tmp_path)


def test_boxes_with_their_malformed_header(tmp_path: Path) -> None:
    (tmp_path / "BBox_List_2017.csv").write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
        "a.png,Infiltrate,225.08,547.5,86,79.25\nb.png,Mass,1,2,3\nc.png,Mass,1,2,-3,4\nd.png,Lump,1,2,3,4\n"
        "e.png,Mass,x,2,3,4\nf.png,Mass,nan,2,3,4\n"
    )
    boxes, rejects = read_boxes(tmp_path, NIH15)
    assert boxes.to_numpy().tolist() == [["a.png", "Infiltration", 225.08, 547.5, 86.0, 79.25]]
    assert [reject.image_id for reject in rejects] == ["b.png", "c.png", "d.png", "e.png", "f.png"]
    assert {reject.reason for reject in rejects} == {"bad-box"}


def test_no_box_file_gives_no_boxes(tmp_path: Path) -> None:
    boxes, rejects = read_boxes(tmp_path, NIH15)
    assert boxes.empty
    assert list(boxes.columns) == ["image_id", "finding", "x", "y", "w", "h"]
    assert rejects == []


def test_patient_ids_of_both_tables_agree() -> None:
    assert [patient_id(text) for text in ("13", "00000013", "0", "000", "p013")] == ["13", "13", "0", "0", "p013"]


@pytest.mark.shared_data
def test_real_tables_have_the_published_counts(nih_tables: Path) -> None:
    table, lists = read_entries(nih_tables, NIH15), read_lists(nih_tables)
    assert (len(table.frame), table.frame["patient_id"].nunique(), table.rejects) == (112_120, 30_805, [])
    assert lists is not None
    test = table.frame[table.frame["image_id"].isin(lists.test)]
    assert (len(lists.train_val), len(test), test["patient_id"].nunique()) == (86_524, 25_596, 2_797)
    assert test[["Hernia", "Pneumonia", "Infiltration", "No Finding"]].sum().to_list() == [86, 555, 6_112, 9_861]
    boxes, rejects = read_boxes(nih_tables, NIH15)
    assert (len(boxes), boxes["image_id"].nunique(), rejects) == (984, 880, [])
    assert boxes["finding"].value_counts()["Infiltration"] == 123
    assert set(boxes["image_id"]) <= lists.test
