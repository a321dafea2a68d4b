import gzip
import hashlib
import re
from pathlib import Path

import pytest

from chestxpert.download.catalogue import ARCHIVES, LABELS, archive_numbers, choose
from chestxpert.errors import UsageError


def test_twelve_archives_and_four_label_files() -> None:
    assert [file.name for file in ARCHIVES] == [f"images_{number:03d}.tar.gz" for number in range(1, 13)]
    assert {file.name for file in LABELS} == {
        "Data_Entry_2017_v2020.csv", "train_val_list.txt", "test_list.txt", "BBox_List_2017.csv",
    }  # fmt: skip
    files = [*ARCHIVES, *LABELS]
    assert len({url for file in files for url in file.urls}) == 12 + 2 * 4
    sums = [md5 for file in files for md5 in file.md5s]
    assert len(set(sums)) == 12 + 5
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in sums)
    assert 45.0e9 < sum(file.size for file in ARCHIVES) < 45.2e9
    assert all(file.contents_problem is None for file in ARCHIVES), "an archive has nothing but its MD5 to go by"


def test_links_and_sums_of_the_first_and_the_last_archive() -> None:
    first, last = ARCHIVES[0], ARCHIVES[-1]
    assert first.urls == ("https://nihcc.box.com/shared/static/vfk49d74nhbxq3nqjg0900w5nvkorp5c.gz",)
    assert first.md5s == ("fe8ed0a6961412fddcbb3603c11b3698",)
    assert last.urls == ("https://nihcc.box.com/shared/static/ioqwiy20ihqwyr8pf4c24eazhh281pbu.gz",)
    assert last.md5s == ("dc9fda1757c2de0032b63347a7d2895c",)


def test_label_files_are_asked_for_at_nih_first() -> None:
    assert all(file.urls[0].startswith("https://nihcc.app.box.com/") for file in LABELS)


@pytest.mark.shared_data
def test_the_real_label_files_have_these_sums_sizes_and_contents(nih_tables: Path) -> None:
    for file in LABELS:
        path = nih_tables / file.name
        data = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
        assert hashlib.md5(data).hexdigest() in file.md5s
        assert file.contents_problem is not None
        assert file.contents_problem(data.decode("utf-8")) is None
        renamed = data.replace(b"Patient Gender", b"Patient Sex", 1)  # NIH's own copy of today
        assert hashlib.md5(renamed).hexdigest() == file.md5s[0]
        assert len(renamed) == file.size


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1", [1]), ("1,2", [1, 2]), ("1,2,2", [1, 2, 2]), ("3-5", [3, 4, 5]), (" 1 , 11-12", [1, 11, 12]), ("7-7", [7])],
)
def test_numbers_of_archives(text: str, numbers: list[int]) -> None:
    assert archive_numbers(text) == numbers


@pytest.mark.parametrize("text", ["13", "0", "1-13", "5-3", "", "1,", "a", "1-", "-3", "1.5", "1--2", "²", "1-2-3"])
def test_what_is_no_number_of_an_archive(text: str) -> None:
    with pytest.raises(UsageError):
        archive_numbers(text)


def test_choosing_counts_what_is_named_twice_once() -> None:
    assert choose(archives=[2, 1, 2]) == [*LABELS, ARCHIVES[0], ARCHIVES[1]]
    assert choose("images", archives=[12]) == [ARCHIVES[11]]
    assert choose("images") == list(ARCHIVES)
    assert choose("labels") == list(LABELS)
    assert choose() == [*LABELS, *ARCHIVES]


def test_a_mirror_replaces_every_address() -> None:
    files = choose("images", [3], "https://example.org/nih/")
    assert [file.urls for file in files] == [("https://example.org/nih/images_003.tar.gz",)]
    assert files[0].md5s == ARCHIVES[2].md5s


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"only": "labels", "archives": [1]}, "Leave one of both out"),
        ({"archives": [0]}, "numbered 1 to 12, but got 0"),
        ({"archives": [13]}, "numbered 1 to 12, but got 13"),
        ({"only": "boxes"}, "There is: labels, images"),
        ({"mirror": "example.org/nih"}, "A mirror is a URL such as"),
        ({"mirror": "http://"}, "A mirror is a URL such as"),
        ({"mirror": "http://[1"}, "A mirror is a URL such as"),
        ({"mirror": "http://a:99999/"}, "A mirror is a URL such as"),
    ],
)
def test_wishes_that_cannot_be(wishes: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        choose(**wishes)  # type: ignore[arg-type]
