"""What v2020 corrects is listed, image by image."""

import csv
import gzip
import shutil
from pathlib import Path

import pytest

from chestxpert.labels import CXRLT20, NIH15
from chestxpert.quality.label_versions import label_changes, label_remarks

FIRST, SECOND = "Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv"


def as_first_version(text: str, changes: dict[str, str]) -> str:
    """A table of v2020 as NIH wrote it in 2017: a comma more, ages as 058Y, and other findings for some images."""
    header, *lines = text.splitlines()
    out = [header + ","]
    for cells in csv.reader(lines):
        cells[1] = changes.get(cells[0], cells[1])
        cells[4] = f"{int(cells[4]):03d}Y"
        out.append(",".join([*cells, ""]))
    return "\n".join(out) + "\n"


@pytest.fixture
def source(tiny_nih: Path, tmp_path: Path) -> Path:
    """Tables alone, in both versions; two images differ."""
    shutil.copy(tiny_nih / SECOND, tmp_path)
    changes = {"00000033_001.png": "Hernia|Mass", "00000031_000.png": "Pneumonia"}
    (tmp_path / FIRST).write_text(as_first_version((tmp_path / SECOND).read_text(), changes))
    return tmp_path


def findings(folder: Path, name: str) -> str:
    with (folder / SECOND).open() as file:
        return next(row["Finding Labels"] for row in csv.DictReader(file) if row["Image Index"] == name)


def test_every_changed_image_is_listed_with_both_findings(source: Path) -> None:
    table = label_changes(source, NIH15)
    assert table.columns.tolist() == ["image_id", "old", "new"]
    assert table[["image_id", "old"]].to_numpy().tolist() == [
        ["00000031_000.png", "Pneumonia"],
        ["00000033_001.png", "Hernia|Mass"],
    ]
    assert [set(new.split("|")) for new in table["new"]] == [
        set(findings(source, name).split("|")) for name in table["image_id"]
    ]
    note, *details = label_remarks([source], NIH15)["detail"]
    assert note == f"{FIRST} and {SECOND} are both there; the second is used. They differ on 2 images."
    assert details == [
        f"{old} (2017) became {new} (v2020)." for old, new in zip(table["old"], table["new"], strict=True)
    ]


def test_the_order_of_findings_in_a_cell_is_no_change(source: Path) -> None:
    swapped = (source / SECOND).read_text().replace("Effusion|Infiltration", "Infiltration|Effusion")
    (source / FIRST).write_text(swapped)
    assert label_changes(source, NIH15).empty


def test_an_image_in_one_table_only_is_left_aside(source: Path) -> None:
    lines = (source / FIRST).read_text().splitlines()
    (source / FIRST).write_text("\n".join(line for line in lines if not line.startswith("00000031_000")) + "\n")
    assert label_changes(source, NIH15)["image_id"].tolist() == ["00000033_001.png"]


def test_the_corrected_table_alone_gives_no_remark(source: Path) -> None:
    (source / FIRST).unlink()
    assert label_changes(source, NIH15).empty
    assert label_remarks([source], NIH15).empty


def test_the_first_table_alone_is_noted(source: Path) -> None:
    (source / SECOND).unlink()
    (row,) = label_remarks([source], NIH15).to_dict("records")
    assert row["image_id"] == ""
    assert "corrects 181 images" in row["detail"]


def test_a_source_that_is_gone_is_noted(tmp_path: Path) -> None:
    (row,) = label_remarks([tmp_path / "gone", tmp_path / "images.tar"], NIH15).to_dict("records")
    assert row["image_id"] == ""
    assert "gone" in row["detail"]


def test_labels_from_another_table_do_not_depend_on_it(source: Path) -> None:
    assert label_remarks([source], CXRLT20).empty


@pytest.mark.shared_data
def test_in_nihs_own_table_the_changes_that_were_made_are_found(nih_tables: Path, tmp_path: Path) -> None:
    text = gzip.decompress((nih_tables / f"{SECOND}.gz").read_bytes()).decode()
    with gzip.open(nih_tables / "test_list.txt.gz", "rt") as file:
        names = file.read().split()[:181]
    (tmp_path / SECOND).write_text(text)
    (tmp_path / FIRST).write_text(as_first_version(text, dict.fromkeys(names, "Hernia|Pneumonia|Mass|Edema")))
    assert set(label_changes(tmp_path, NIH15)["image_id"]) == set(names)
