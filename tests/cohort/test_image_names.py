"""Which row an image file belongs to, however tables and folders name it."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.cohort.image_names import ImageNames, path_parts, without_suffix

CHEXPERT = [
    f"CheXpert-v1.0-small/{side}/patient{patient:05d}/study1/view1_frontal.jpg"
    for side, patient in (("train", 1), ("train", 2), ("valid", 64541))
]


def test_nihs_rule_is_the_file_name_at_any_depth() -> None:
    names = ImageNames(["00000001_000.png", "00000001_001.png"], by_stem=False)
    assert names.match("images_001/images/00000001_001.png") == ("00000001_001.png",)
    assert names.match("00000001_000.png") == ("00000001_000.png",)
    assert names.match("00000001_000.jpg") == ()
    assert names.match("00000002_000.png") == ()


@pytest.mark.parametrize("root", ["CheXpert-v1.0-small", "somewhere/CheXpert-v1.0-small", "chexpert", "/data/chexpert"])
def test_paths_are_matched_by_their_tail_whatever_the_first_folder_is_called(root: str) -> None:
    names = ImageNames(CHEXPERT)
    assert names.match(f"{root}/train/patient00002/study1/view1_frontal.jpg") == (CHEXPERT[1],)
    assert names.match(f"{root}/valid/patient64541/study1/view1_frontal.png") == (CHEXPERT[2],)


def test_a_path_that_says_less_than_the_table_belongs_to_nobody() -> None:
    """Else another patient's image of the same name would get this one's labels."""
    for names in (ImageNames(CHEXPERT), ImageNames(CHEXPERT[:1])):
        assert names.match("patient00003/study1/view1_frontal.jpg") == ()
        assert names.match("study1/view1_frontal.jpg") == ()
        assert names.match("view1_frontal.jpg") == ()


def test_an_id_without_suffix_fits_any_kind_of_image() -> None:
    names = ImageNames(["0a1b", "1.2.840.10008.5", "02aa804e-bde0afdd"])
    assert names.match("train/0a1b.dicom") == ("0a1b",)
    assert names.match("1.2.840.10008.5.png") == ("1.2.840.10008.5",)
    assert names.match("1.2.840.10008.png") == ()
    assert names.match("files/p10/p10000032/s50414267/02aa804e-bde0afdd.jpg") == ("02aa804e-bde0afdd",)


def test_the_longest_tail_wins_and_then_the_files_own_suffix() -> None:
    names = ImageNames(["a.png", "x/a.png", "x/a.jpg"])
    assert names.match("x/a.png") == ("x/a.png",)
    assert names.match("y/a.png") == ("a.png",)
    assert names.match("x/a.jpg") == ("x/a.jpg",)
    assert names.match("x/a.bmp") == ("x/a.png", "x/a.jpg")


def test_slashes_and_dots_do_not_matter() -> None:
    assert path_parts("./a//b\\c.png") == ("a", "b", "c.png")
    assert ImageNames(["a\\b.png"]).match("./a/b.png") == ("a\\b.png",)
    assert ImageNames(["", ".", "a.png"]).match("") == ()
    assert [without_suffix(name) for name in ("a.PNG", "a.b", ".png", "a.jpg.png")] == ["a", "a.b", ".png", "a.jpg"]


PART = st.sampled_from(["a", "b", "c"])
IDS = st.lists(st.lists(PART, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".png"), max_size=6)


@given(ids=IDS, path=st.lists(PART, min_size=1, max_size=5).map(lambda parts: "/".join(parts) + ".png"))
def test_every_match_ends_as_its_path_does(ids: list[str], path: str) -> None:
    """Brute force over all ids: a match is one of the ids (or the ids without a first folder they share)."""
    found = ImageNames(ids, by_stem=False).match(path)
    parts = PurePosixPath(path).parts
    tails = {name: PurePosixPath(name).parts for name in ids}
    full = [name for name, tail in tails.items() if parts[-len(tail) :] == tail]
    if full:
        longest = max(len(tails[name]) for name in full)
        assert set(found) <= set(full)
        assert {len(tails[name]) for name in found} <= {longest}
    for name in found:
        tail = tails[name]
        assert parts[-len(tail) :] == tail or parts[1 - len(tail) :] == tail[1:]
