"""What is found where, and in which order."""

import os
import tarfile
from pathlib import Path

import pytest

from chestxpert.errors import DataError
from chestxpert.pixels.sources import (
    Container,
    FileNames,
    Place,
    describe,
    find_containers,
    is_image,
    printable,
    survey_files,
)


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _tar(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tarfile.open(path, "w:gz").close()
    return path


def test_folders_are_searched_at_any_depth_for_images_and_archives(tmp_path: Path) -> None:
    _touch(tmp_path / "b" / "2.PNG", tmp_path / "a" / "x" / "1.dcm", tmp_path / "notes.csv", tmp_path / "list.csv.gz")
    _tar(tmp_path / "b" / "images_002.tgz")
    _tar(tmp_path / "images_001.tar.gz")
    folder, first, second = find_containers([tmp_path])
    assert folder == Container(tmp_path, "folder", files=("a/x/1.dcm", "b/2.PNG"))
    assert [first.path.name, second.path.name] == ["images_002.tgz", "images_001.tar.gz"]
    assert [first.kind, second.kind] == ["tar.gz", "tar.gz"]
    assert first.stamp == (first.path.stat().st_size, first.path.stat().st_mtime_ns)


def test_whatever_is_reached_twice_counts_once(tmp_path: Path) -> None:
    _touch(tmp_path / "a" / "1.png")
    archive = _tar(tmp_path / "a" / "b.tar.gz")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    (tmp_path / "link.tar.gz").symlink_to(archive)
    containers = find_containers([tmp_path, tmp_path / "a", archive, tmp_path / "link.tar.gz"])
    assert [(c.kind, len(c.files)) for c in containers] == [("folder", 1), ("tar.gz", 0), ("folder", 0)]


def test_a_source_that_is_missing_or_no_archive_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no folder .*nowhere and no archive"):
        find_containers([tmp_path / "nowhere"])
    _touch(tmp_path / "a.rar")
    with pytest.raises(DataError, match=r"neither a folder nor an archive \(\.tar, "):
        find_containers([tmp_path / "a.rar"])


def test_dicom_files_without_suffix_are_known_by_their_preamble(tmp_path: Path) -> None:
    dicom = bytes(128) + b"DICM" + b"rest"
    for name, data in {
        "IM0001": dicom, "1.2.840.113619.2.5": dicom, "README": b"text", "short": b"", "a.txt": dicom, ".hidden": dicom,
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe")  # would block whoever opens it
    os.mkfifo(tmp_path / "pipe.zip")
    (folder,) = find_containers([tmp_path])
    assert folder.files == (".hidden", "1.2.840.113619.2.5", "IM0001")
    assert is_image("IM0001", lambda: dicom)
    assert not is_image("IM0001", lambda: b"other")


def test_a_simulation_is_noted_at_any_depth(tmp_path: Path) -> None:
    _touch(tmp_path / "a" / "b" / "simulation.json")
    assert find_containers([tmp_path])[0].simulated


def test_files_are_assigned_by_name_and_strangers_kept_apart(tmp_path: Path) -> None:
    _touch(tmp_path / "a" / "1.png", tmp_path / "b" / "1.png", tmp_path / "2.png")
    survey = survey_files(find_containers([tmp_path]), FileNames(["1.png", "3.png"]))
    assert survey.candidates == {"1.png": [Place(0, "a/1.png", 0), Place(0, "b/1.png", 0)]}
    assert survey.strangers == [(Place(0, "2.png", 0), ())]


def test_rank_follows_source_then_path_then_turn() -> None:
    ranked = [Place(0, "a/c", 5), Place(0, "a-b/a", 0), Place(0, "a-b/a", 3), Place(1, "a", 0)]
    shuffled = [ranked[i] for i in (2, 0, 3, 1)]
    assert sorted(shuffled, key=Place.rank) == ranked


def test_places_for_people(tmp_path: Path) -> None:
    containers = [Container(tmp_path, "folder"), Container(tmp_path / "a.zip", "zip")]
    assert describe(Place(0, "x/1.png", 0), containers) == "x/1.png"
    assert describe(Place(1, "x/1.png", 0), containers) == "a.zip/x/1.png"
    two = [*containers, Container(tmp_path / "other", "folder")]
    assert describe(Place(2, "1.png", 0), two) == f"{tmp_path}/other/1.png"
    assert printable("a\0\n\udcffé") == "a\\x00\\n\\udcffé"
