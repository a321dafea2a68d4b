"""The list of rejects is complete, ordered and readable by any CSV reader."""

import csv
from pathlib import Path

import pytest

from chestxpert.cohort.rejects import REASONS, Reject, count_reasons, read_rejects, write_rejects
from chestxpert.errors import DataError


def test_rejects_are_written_in_the_order_of_reasons(tmp_path: Path) -> None:
    rejects = [
        Reject("b.png", "undecodable", 'it says "no",\nand stops'),
        Reject("a.png", "bad-row", "línea 3"),
        Reject("a.png", "undecodable", ""),
    ]
    write_rejects(rejects, tmp_path / "rejects.csv")
    with (tmp_path / "rejects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image_id"], row["reason"], row["detail"]) for row in rows] == [
        ("a.png", "bad-row", "línea 3"),
        ("b.png", "undecodable", 'it says "no",\nand stops'),
        ("a.png", "undecodable", ""),
    ]
    assert count_reasons(rejects) == {"bad-row": 1, "undecodable": 2}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rejects = [Reject("", "bad-row", "línea 3"), Reject("b.png", "undecodable", 'it says "no",\nand stops')]
    write_rejects(rejects, tmp_path / "rejects.csv")
    assert read_rejects(tmp_path / "rejects.csv") == rejects


def test_a_missing_or_strange_list_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("name,why\na,b\n")
    for name in ("rejects.csv", "other.csv"):
        with pytest.raises(DataError, match=f"{name} cannot be read as a list of rejects"):
            read_rejects(tmp_path / name)


def test_no_rejects_give_a_header_alone(tmp_path: Path) -> None:
    write_rejects([], tmp_path / "rejects.csv")
    assert (tmp_path / "rejects.csv").read_text() == "image_id,reason,detail\n"


def test_a_reason_nobody_has_explained_is_no_reason(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_rejects([Reject("a.png", "because", "")], tmp_path / "rejects.csv")


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_explained_in_the_documentation(reason: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "data.md"
    assert f"`{reason}`" in page.read_text(encoding="utf-8")
