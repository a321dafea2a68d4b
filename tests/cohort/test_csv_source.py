"""Tables of one's own: columns by name, every row used or listed, patients on one side."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chestxpert.cohort.csv_cells import age_of, names_in, view_of
from chestxpert.cohort.csv_columns import CsvColumns, read_columns
from chestxpert.cohort.csv_source import read_csv_source, split_csv_source
from chestxpert.cohort.rejects import REASONS
from chestxpert.errors import CohortError, DataError, UsageError
from chestxpert.labels import NIH15


def write(folder: Path, *lines: str, name: str = "labels.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder


def columns(**given: object) -> CsvColumns:
    return CsvColumns(**({"image": "file", "patient": "person", "labels": ("Effusion", "Mass")} | given))  # type: ignore[arg-type]


HEAD = "file,person,Effusion,Mass"


def test_a_table_says_what_it_says_and_no_more(tmp_path: Path) -> None:
    write(tmp_path, HEAD, "a.png,1,1,0", "b.png,1,-1,", "c.png,2,TRUE,nan", "d.png,3,0.0,0")
    source = read_csv_source(tmp_path, columns())
    frame = source.frame.set_index("image_id")
    assert source.label_space is NIH15
    assert frame["Effusion"].tolist() == [True, True, False]  # b settles nothing
    assert frame["Mass"].tolist() == [False, pd.NA, False]
    assert frame["No Finding"].tolist() == [False, False, pd.NA]
    assert frame["Hernia"].isna().all()
    assert frame["source"].tolist() == ["labels"] * 3
    assert [(reject.image_id, reject.reason) for reject in source.rejects] == [("b.png", "unlabelled")]


def test_every_row_that_cannot_be_used_is_listed(tmp_path: Path) -> None:
    write(
        tmp_path, f"{HEAD},No Finding", "a.png,1,1,0,0", "a.png,1,0,1,0", "b.png,1,maybe,0,0", "c.png,2,1,0,1",
        ",3,1,0,0", "d.png,,1,0,0", "e.png,5,1,0", "f.png,5,1,0,0,0", '"g\n.png",6,1,0,0', HEAD + ",No Finding",
    )  # fmt: skip
    source = read_csv_source(tmp_path, columns(labels=("Effusion", "Mass", "No Finding")))
    assert source.frame["image_id"].tolist() == ["a.png"]
    reasons = [(reject.image_id, reject.reason) for reject in source.rejects]
    assert sorted(reasons) == [
        ("", "bad-row"), ("", "bad-row"), ("", "bad-row"), ("a.png", "duplicate-row"), ("b.png", "bad-row"),
        ("c.png", "contradiction"), ("d.png", "bad-row"), ("file", "bad-row"), ("g\n.png", "bad-row"),
    ]  # fmt: skip
    assert {reason for _, reason in reasons} <= set(REASONS)
    assert "line 4: Effusion is 'maybe'" in next(
        reject.detail for reject in source.rejects if reject.image_id == "b.png"
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_and_byte_order_marks_are_seen(separator: str, encoding: str, tmp_path: Path) -> None:
    write(tmp_path, HEAD.replace(",", separator), separator.join(["a.png", "1", "1", "0"]), encoding=encoding)
    assert read_csv_source(tmp_path, columns()).frame["image_id"].tolist() == ["a.png"]


def test_the_label_space_follows_from_the_names(tmp_path: Path) -> None:
    write(tmp_path, "file,person,Effusion,Tortuous aorta,Crib,normal", "a.png,1,1,0,0,0", "b.png,2,0,0,0,1")
    for labels, name, none in [
        (("Effusion", "normal"), "nih15", "No Finding"),
        (("Effusion", "Tortuous aorta"), "cxrlt20", "No Finding"),
        (("Effusion", "Crib"), "labels", None),
        (("Effusion", "Crib", "normal"), "labels", "No Finding"),
    ]:
        space = read_csv_source(tmp_path, columns(labels=labels)).label_space
        assert (space.name, space.no_finding) == (name, none)
    own = read_csv_source(tmp_path, columns(labels=("Effusion", "Crib", "normal"), name="ours"))
    assert own.label_space.labels == ("Effusion", "Crib", "No Finding")
    assert own.label_space.canonical("Normal") == "No Finding"
    assert own.frame.loc[0, ["Effusion", "Crib", "No Finding"]].tolist() == [True, False, False]
    assert own.kind == "ours"


def test_columns_may_have_other_names_than_their_findings(tmp_path: Path) -> None:
    write(tmp_path, "file,person,Pleural Effusion,Lump", "a.png,1,1,0")
    given = columns(labels=(), findings={"Pleural Effusion": "effusion", "Lump": "Mass"})
    frame = read_csv_source(tmp_path, given).frame
    assert frame.loc[0, ["Effusion", "Mass"]].tolist() == [True, False]


def test_a_list_of_names_in_one_column(tmp_path: Path) -> None:
    write(
        tmp_path, "file,person,said", "a.png,1,Effusion|Mass", "b.png,1,No Finding", "c.png,2,", "d.png,2,Efusion",
        "e.png,3,\"['mass', 'effusion']\"", "f.png,3,\"['mass', effusion]\"",
    )  # fmt: skip
    given = columns(labels=("Effusion", "Mass", "Nodule", "No Finding"), label_list="said")
    source = read_csv_source(tmp_path, given)
    frame = source.frame.set_index("image_id")
    assert frame[["Effusion", "Mass", "Nodule"]].to_numpy().tolist() == [
        [True, True, False], [False, False, False], [True, True, False],
    ]  # fmt: skip
    assert frame["No Finding"].tolist() == [False, True, False]
    assert {reject.image_id: reject.reason for reject in source.rejects} == {
        "c.png": "unlabelled", "d.png": "unknown-finding", "f.png": "bad-row",
    }  # fmt: skip


def test_a_map_reads_the_labels_of_another_layout(tmp_path: Path) -> None:
    """A hospital's own table, labelled with CheXpert's labeler."""
    write(tmp_path, "file,person,Pleural Effusion,Lung Lesion,Edema", "a.png,1,1,1,-1")
    source = read_csv_source(tmp_path, columns(labels=(), map="chexpert"))
    row = source.frame.iloc[0]
    assert (row["Effusion"], row["No Finding"]) == (True, False)
    assert all(pd.isna(row[name]) for name in ("Mass", "Nodule", "Edema"))


def test_persons_views_and_ids_out_of_paths(tmp_path: Path) -> None:
    write(
        tmp_path, "folder,name,Effusion,position,gender,years", "patient01/study1,v1,1,Front,w,58",
        "patient01/study1,v2,1,lateral,w,58", "none,v1,1,PA,x,170", "patient02/study1,v1,0,ap,M,061Y",
    )  # fmt: skip
    given = CsvColumns(
        image="{folder}/{name}.png", patient="folder", patient_pattern=r"patient(\d+)", labels=("Effusion",),
        view="position", views={"Front": "PA"}, sex="gender", sexes={"W": "F"}, age="years",
    )  # fmt: skip
    source = read_csv_source(tmp_path, given)
    assert source.frame[["image_id", "patient_id", "view", "sex", "age"]].to_numpy().tolist() == [
        ["patient01/study1/v1.png", "01", "PA", "F", 58.0],
        ["patient02/study1/v1.png", "02", "AP", "M", 61.0],
    ]
    assert [reject.reason for reject in source.rejects] == ["lateral-view", "bad-row"]
    kept = read_csv_source(tmp_path, CsvColumns(**{**vars(given), "lateral": "keep"})).frame
    assert kept["view"].tolist() == ["PA", "", "AP"]


def test_the_majority_of_readers_decides(tmp_path: Path) -> None:
    write(tmp_path, HEAD, "a.png,1,1,0", "a.png,1,1,1", "a.png,1,0,", "b.png,2,1,0", "b.png,2,0,0")
    frame = read_csv_source(tmp_path, columns(repeated="vote")).frame.set_index("image_id")
    assert frame.loc["a.png", "Effusion"]
    assert pd.isna(frame.loc["a.png", "Mass"])
    assert pd.isna(frame.loc["b.png", "Effusion"])
    assert frame.loc["b.png", "Mass"] is np.False_ or not frame.loc["b.png", "Mass"]


def many(folder: Path, sides: bool = False) -> Path:
    rows = [
        f"p{patient}_{number}.png,{patient},{patient % 2},{number}"
        + (f",{'train' if patient < 9 else 'test'}" if sides else "")
        for patient in range(12)
        for number in range(2)
    ]
    return write(folder, HEAD + (",side" if sides else ""), *rows)


def test_a_random_split_is_by_patient(tmp_path: Path) -> None:
    source = read_csv_source(many(tmp_path), columns())
    split = split_csv_source(source, source.frame, "auto", 0.25, 0)
    assert split.way == "random"
    assert (split.frame.groupby("patient_id")["split"].nunique() == 1).all()
    assert set(split.frame["split"]) == {"train", "val", "test"}
    with pytest.raises(CohortError, match="not every row says"):
        split_csv_source(source, source.frame, "official", 0.25, 0)


def test_an_official_split_keeps_patients_together(tmp_path: Path) -> None:
    source = read_csv_source(many(tmp_path, sides=True), columns(split="side"))
    split = split_csv_source(source, source.frame, "auto", 0.25, 0)
    assert split.way == "tables"
    expected = source.frame["patient_id"].isin(["9", "10", "11"])
    assert ((split.frame["split"] == "test") == expected).all()
    assert "Validation is cut from train by patient." in split.notes
    moved = source.frame.assign(split=["test", *source.frame["split"][1:]])
    split = split_csv_source(source, moved, "official", 0.25, 0)
    assert split.frame["split"].tolist()[:2] == ["test", "test"]
    assert "1 images follow their patient to another side than their row says." in split.notes


def test_all_images_may_be_for_testing(tmp_path: Path) -> None:
    source = read_csv_source(many(tmp_path), columns())
    assert set(split_csv_source(source, source.frame, "test", 0.25, 0).frame["split"]) == {"test"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"patient": ""}, "the split would be by image"),
        ({"labels": ()}, "not both"),
        ({"map": "chexpert"}, "not both"),
        ({"name": "nih"}, "cannot be called 'nih'"),
        ({"views": {"x": "front"}}, "views takes 'PA', 'AP', 'lateral', '', but got 'front'"),
        ({"positive": ("1", "-1")}, "'-1' cannot mean two things"),
        ({"patient_pattern": "("}, "is no regular expression"),
        ({"label_separator": ""}, "cannot be empty"),
    ],
)
def test_columns_that_cannot_be_right_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        columns(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": "path"}, "has no column 'path'"),
        ({"image": "{path}.png"}, "has no column 'path'"),
        ({"image": "{file"}, "is no template"),
        ({"image": "{file!r}"}, "only a column's name"),
        ({"labels": ("Hernia",)}, "has no column 'Hernia'"),
        ({"view": "position"}, "has no column 'position'"),
        ({"table": "other.csv"}, "holds no table other.csv"),
    ],
)
def test_columns_that_the_table_lacks_are_named(given: dict[str, object], message: str, tmp_path: Path) -> None:
    write(tmp_path, HEAD, "a.png,1,1,0")
    with pytest.raises((DataError, UsageError), match=message):
        read_csv_source(tmp_path, columns(**given))


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, HEAD + ",effusion", "a.png,1,1,0,0")
    with pytest.raises(DataError, match="2 columns called 'Effusion'"):
        read_csv_source(tmp_path, columns())


def test_simulated_images_never_pass_for_somebodys_data(tmp_path: Path) -> None:
    write(tmp_path, HEAD, "a.png,1,1,0")
    (tmp_path / "simulation.json").write_text("{}")
    with pytest.raises(DataError, match="simulated images"):
        read_csv_source(tmp_path, columns())


def test_a_column_file(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text("image: file\npatient: person\nfindings: {Fluid: Effusion}\nview: position\nlateral: keep\n")
    assert read_columns(path) == CsvColumns(
        "file", "person", findings={"Fluid": "Effusion"}, view="position", lateral="keep"
    )
    for text, message in [
        ("image: file\npatiant: p\nlabels: [Mass]", "Did you mean 'patient'"),
        ("image: file\nlabels: [Mass]", "ours.yaml: The column with the patients' ids"),
        ("image: [file]\npatient: p", "image takes a text"),
        ("image: file\npatient: p\nlabels: [Mass]\nlateral: maybe", "one of reject, keep"),
        ("- image", "list of 'key: value' lines"),
    ]:
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_columns(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read as text"):
        read_columns(path)


def test_cells() -> None:
    ages = [age_of(text) for text in ("58", "58.5", "058Y", "010M", "-3", "1e99", "old", "nan", "")]
    np.testing.assert_array_equal(ages, [58.0, 58.5, 58.0, 0.0, *[np.nan] * 5])
    assert names_in("['a', \"b's\", nan, '']", "|") == ("a", "b's")
    assert names_in("[]", "|") == ()
    assert names_in(" a ; b  c;", ";") == ("a", "b c")
    assert [names_in(text, "|") for text in ("['a'", "['a' 'b']", "[a]", "[['a']]")] == [None] * 4
    assert [view_of(text, {}) for text in ("AP Supine", "postero-anterior", "LATERAL", "Frontal", "")] == [
        "AP", "PA", "lateral", "", "",
    ]  # fmt: skip
