"""A journal is read up to the last whole line."""

from pathlib import Path

import pytest

from chestxpert.pixels.journal import FILE, Journal

HEAD = ["job", 1, {"size": 16}]
RECORDS = [["image", 0, "a\udcff/ü.png", 3, [16, 16]], ["reject", 1, "x", "no\nrow"], ["ended", 2, ""]]


def test_records_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path, HEAD)
    assert journal.read() is None
    journal.begin(RECORDS[:1])
    for record in RECORDS[1:]:
        journal.add(*record)
    assert Journal(tmp_path, HEAD).read() == RECORDS[:1]
    journal.flush()
    journal.flush()
    assert Journal(tmp_path, HEAD).read() == RECORDS
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_other_work_has_another_journal(tmp_path: Path) -> None:
    Journal(tmp_path, HEAD).begin(RECORDS)
    assert Journal(tmp_path, ["job", 1, {"size": 32}]).read() is None


def test_a_torn_file_gives_its_whole_lines(tmp_path: Path) -> None:
    Journal(tmp_path, HEAD).begin(RECORDS)
    path = tmp_path / FILE
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        lines = whole[:length].count(b"\n")
        assert Journal(tmp_path, HEAD).read() == (RECORDS[: lines - 1] if lines else None)


@pytest.mark.parametrize("rubbish", [b"\0\0\0\n", b"{}\n", b"[]\n", b"\xff\n", b'["image"'])
def test_what_a_power_cut_left_at_the_end_is_passed_over(rubbish: bytes, tmp_path: Path) -> None:
    Journal(tmp_path, HEAD).begin(RECORDS)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes() + rubbish + b'["ended",5,""]\n')
    assert Journal(tmp_path, HEAD).read() == RECORDS
