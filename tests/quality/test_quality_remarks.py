"""quality.csv holds what was written, whatever the ids are, and the page explains every check."""

from pathlib import Path

import numpy as np
import pytest

from chestxpert.errors import DataError
from chestxpert.quality.remarks import CHECKS, COLUMNS, about_check, in_order, read_quality, remarks, write_quality


def test_what_is_written_is_read(tmp_path: Path) -> None:
    table = in_order(
        [
            remarks("age", ["nan", 'a "b", c.png'], ["ä", "two\nlines"], value=[148.0, -1.0]),
            about_check("bit-depth", "Not made."),
            remarks("blank", ["NA"], ["x"], other=["null"]),
        ]
    )
    assert table["check"].tolist() == ["blank", "age", "age", "bit-depth"]
    write_quality(table, tmp_path)
    read = read_quality(tmp_path)
    assert tuple(read.columns) == COLUMNS
    assert read.drop(columns="value").to_numpy().tolist() == table.drop(columns="value").to_numpy().tolist()
    np.testing.assert_array_equal(read["value"], [np.nan, 148, -1, np.nan])
    assert read["value"].dtype == np.float64


def test_no_remarks_are_a_table_too(tmp_path: Path) -> None:
    path = write_quality(in_order([]), tmp_path)
    assert path.read_text() == "check,image_id,other,value,detail\n"
    read = read_quality(tmp_path)
    assert (len(read), tuple(read.columns), read["value"].dtype) == (0, COLUMNS, np.float64)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("a,b\n1,2\n", "columns"),
        ("check,image_id,other,value,detail\nghost,a,,,x\n", "ghost"),
        ("check,image_id,other,value,detail\nage,a,,old,x\n", "cannot be read"),
    ],
)
def test_what_is_no_table_of_remarks_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "quality.csv").write_text(text)
    with pytest.raises(DataError, match=f"{message}.*--again"):
        read_quality(tmp_path)


def test_a_data_set_that_was_not_checked_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not been checked"):
        read_quality(tmp_path)


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_is_explained(check: str) -> None:
    assert CHECKS[check].meaning.endswith(".")
    assert CHECKS[check].advice.endswith(".")
    page = Path(__file__).parents[2] / "docs" / "quality.md"
    assert f"`{check}`" in page.read_text(encoding="utf-8")
