"""Label files are known by what they hold: real ones pass, and each way of being another file is named."""

import gzip
from pathlib import Path

import pytest

from chestxpert.download.contents import FINDINGS, IMAGES, boxes_problem, entries_problem, list_problem

pytestmark = pytest.mark.shared_data


def text_of(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text() if path.exists() else gzip.decompress(path.with_name(f"{name}.gz").read_bytes()).decode()


@pytest.fixture(scope="module")
def entries(nih_tables: Path) -> str:
    return text_of(nih_tables, "Data_Entry_2017_v2020.csv")


@pytest.fixture(scope="module")
def boxes(nih_tables: Path) -> str:
    return text_of(nih_tables, "BBox_List_2017.csv")


def test_counts_are_those_of_the_real_table(entries: str) -> None:
    """Counted in another way than the check counts."""
    labels = "|".join(f"|{line.split(',')[1]}|" for line in entries.splitlines())
    for finding, count in FINDINGS.items():
        assert labels.count(f"|{finding}|") == count
    assert entries.count("\n") == IMAGES + 1


def test_the_label_table_under_other_line_ends_and_header(entries: str) -> None:
    assert entries_problem(entries.replace("\n", "\r\n").replace("Patient Gender", "Patient Sex")) is None


def test_other_labels_and_other_patients(entries: str) -> None:
    older = entries.replace(",Pneumonia,", ",No Finding,", 1)
    assert entries_problem(older) == "it has 60362 times 'No Finding', expected 60361"
    moved = entries.replace("\n00000001_002.png", "\n00099999_002.png", 1)
    assert entries_problem(moved) == "its images are of 30806 patients, expected 30805"


def test_other_tables() -> None:
    header = "Image Index,Finding Labels\n"
    assert entries_problem("id,label\n1,2\n") == "its header begins with 'id,label'"
    assert entries_problem(f"{header}x.png,Mass\n") == "it has a line that is no image name: 'x.png'"
    twice = f"{header}00000001_000.png,Mass\n00000001_000.png,Mass\n"
    assert entries_problem(twice) == "it holds 2 image names, 1 of them different, expected 112120"
    assert entries_problem("") == entries_problem(header)
    assert "0 image names" in str(entries_problem(""))


def test_lists(nih_tables: Path) -> None:
    text = text_of(nih_tables, "test_list.txt")
    assert list_problem(text, 25_596, 2_797) is None
    assert list_problem(text.replace("\n", "\r\n") + "\n\n", 25_596, 2_797) is None
    assert "25596 image names" in str(list_problem(text, 86_524, 28_008))
    assert list_problem("<html>", 1, 1) == "it has a line that is no image name: '<html>'"
    other_patients = "\n".join([f"{number:08d}_000.png" for number in range(25_596)])
    assert list_problem(other_patients, 25_596, 2_797) == "its images are of 25596 patients, expected 2797"


def test_boxes(boxes: str) -> None:
    assert boxes_problem(boxes) is None
    lines = boxes.splitlines()
    assert boxes_problem("\n".join(lines[:-1])) == "it holds 983 boxes, expected 984"
    assert "a row that is no box" in str(boxes_problem("\n".join([*lines[:-1], "00000001_000.png,Mass,1,2,3"])))
    assert "a row that is no box" in str(boxes_problem("\n".join([*lines[:-1], "00000001_000.png,Mass,1,2,3,nan"])))
    renamed = boxes.replace("Infiltrate", "Infiltration", 1)
    assert boxes_problem(renamed) == "it has 122 times 'Infiltrate', expected 123"
    again, other = lines[1].split(",")[0], lines[3].split(",")[0]
    assert boxes_problem(boxes.replace(again, other)) == "its boxes are on 879 images, expected 880"
