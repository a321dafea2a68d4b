"""The table of copies: written and read back, ids that are unique and safe, and rows that are refused."""

from pathlib import Path

import pytest

from chestxpert.copies.table import TABLE, CopyTable, is_copies_folder, name_copies, read_copies
from chestxpert.errors import DataError


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    table = CopyTable(("a_aug-1.png", "b,c_aug-1.png"), ("Hernia", "Edema|Mass"), ("a.png", "b,c.png"))
    assert not is_copies_folder(tmp_path)
    table.write(tmp_path / TABLE)
    assert is_copies_folder(tmp_path)
    assert read_copies(tmp_path) == table
    assert (tmp_path / TABLE).read_bytes().startswith(b"id,findings,origin\na_aug-1.png,Hernia,a.png\n")


def test_copies_are_numbered_by_origin_and_endings_stay_apart() -> None:
    names = name_copies(["a.png", "b.png", "a.png", "a.jpg", "deep/a.png"], ["a.png", "b.png", "a.jpg"])
    assert names == ("a_aug-1.png", "b_aug-1.png", "a_aug-2.png", "a.jpg_aug-1.png", "deep/a_aug-1.png")


@pytest.mark.parametrize("origin", ["/etc/a.png", "../a.png", "a/../../b.png"])
def test_an_id_that_leads_out_of_the_folder_is_refused(origin: str) -> None:
    with pytest.raises(DataError, match="leads out"):
        name_copies([origin], [])


def test_a_copy_never_takes_the_id_of_another_image() -> None:
    with pytest.raises(DataError, match=r"'a_aug-1\.png' would have the id"):
        name_copies(["a.png"], ["a.png", "a_aug-1.png"])
    with pytest.raises(DataError, match=r"'a_aug-1\.png' would have the id"):
        name_copies(["a.png", "a"], ["a.png", "a"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,labels,finding\na,Mass,Mass\n", "no column 'findings'"),
        ("id,findings\na,Mass\n", "no column 'origin'"),
        ("id,findings,origin\na_aug-1.png,Mass\n", "line 2"),
        ("id,findings,origin\na_aug-1.png,Mass,a.png\nb_aug-1.png,Mass, \n", "line 3"),
        ("id,findings,origin\na_aug-1.png,Mass,a.png\na_aug-1.png,Mass,a.png\n", "more than once"),
        ("id,findings,origin\n", "at least one row"),
    ],
)
def test_a_table_that_hides_an_origin_or_an_id_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / TABLE).write_text(text)
    with pytest.raises(DataError, match=words):
        read_copies(tmp_path)


def test_a_folder_without_a_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="chestxpert data oversample"):
        read_copies(tmp_path)
