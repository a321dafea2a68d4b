"""The list of rejects is complete, ordered and readable by any CSV reader."""

import csv
from pathlib import Path

import pytest

from chestxpert.cohort.rejects import REASONS, Reject, count_reasons, write_rejects


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
