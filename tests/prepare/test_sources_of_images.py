"""The same images give the same bytes, whether they come as files or in archives, and nothing is lost in silence."""

import csv
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert.dataset import Dataset, PrepareReport, prepare
from chestxpert.errors import CohortError, DataError, UsageError
from chestxpert.pixels import job

SAME = ("pixels.u8", "index.parquet", "cohort.parquet", "boxes.parquet")


def pack(path: Path, files: Iterable[Path], below: Path) -> Path:
    """Archive of the kind that the path's name says; members are named by their paths below a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in files:
                packed.write(file, file.relative_to(below))
    else:
        with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:
            for file in files:
                tar.add(file, file.relative_to(below))
    return path


def tables(source: Path, folder: Path) -> Path:
    """Copy the tables of a folder, without its images."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    return folder


def images(source: Path) -> list[Path]:
    return sorted((source / "images").iterdir())


def make(source: Path | list[Path], out: Path, **options: object) -> PrepareReport:
    return prepare(source, out, **({"size": 16, "workers": 1} | options))


def rejects(out: Path) -> list[tuple[str, str, str]]:
    with (out / "rejects.csv").open(newline="") as file:
        return [(row["image_id"], row["reason"], row["detail"]) for row in csv.DictReader(file)]


def same_bytes(one: Path, other: Path, names: Iterable[str] = SAME) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.fixture(scope="module")
def as_files(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("files") / "data"
    make(tiny_nih, out)
    return out


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tgz", "zip"])
@pytest.mark.parametrize("pool_from", [1, 200])
def test_archives_give_the_bytes_that_files_give(
    kind: str, pool_from: int, tiny_nih: Path, as_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_POOL_FROM", pool_from)
    folder, files = tables(tiny_nih, tmp_path / "in"), images(tiny_nih)
    for number in range(3):
        pack(folder / f"images_{number:03d}.{kind}", files[number::3], tiny_nih)
    report = make(folder, tmp_path / "data", workers=2)
    assert report.rejects == {}
    assert same_bytes(as_files, tmp_path / "data", [*SAME, "rejects.csv"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "in"]


def test_files_and_archives_of_every_kind_together(tiny_nih: Path, as_files: Path, tmp_path: Path) -> None:
    folder, files = tables(tiny_nih, tmp_path / "in"), images(tiny_nih)
    (folder / "some" / "where").mkdir(parents=True)
    for path in files[0::4]:
        shutil.copy(path, folder / "some" / "where")
    pack(folder / "some" / "a.zip", files[1::4], tiny_nih)
    away = pack(tmp_path / "away" / "b.tar.gz", files[2::4], tiny_nih)
    other = tmp_path / "other"
    pack(other / "deep" / "c.tar", files[3::4], tiny_nih)
    make([away, folder, other], tmp_path / "data")
    assert same_bytes(as_files, tmp_path / "data", [*SAME, "rejects.csv"])
    info = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert info["source"]["paths"] == [str(away), str(folder), str(other)]


def test_archives_alone_have_their_tables_beside_them(tiny_nih: Path, as_files: Path, tmp_path: Path) -> None:
    folder, files = tables(tiny_nih, tmp_path / "in"), images(tiny_nih)
    packed = [pack(folder / f"{n}.zip", files[n::2], tiny_nih) for n in range(2)]
    make(packed, tmp_path / "data")
    assert same_bytes(as_files, tmp_path / "data")
    with pytest.raises(DataError, match="holds no Data_Entry_2017"):
        make(pack(tmp_path / "alone" / "a.zip", files, tiny_nih), tmp_path / "other")


def test_part_of_the_images_is_split_as_part_of_the_files(tiny_nih: Path, tmp_path: Path) -> None:
    """Which images there are decides the split, and is known only after an archive was read."""
    some = [path for number, path in enumerate(images(tiny_nih)) if number % 5]
    for name in ("files", "packed"):
        tables(tiny_nih, tmp_path / name)
    (tmp_path / "files" / "images").mkdir()
    for path in some:
        shutil.copy(path, tmp_path / "files" / "images")
    pack(tmp_path / "packed" / "a.tar.gz", some, tiny_nih)
    for split in ("official", "random"):
        for name in ("files", "packed"):
            make(tmp_path / name, tmp_path / f"{split}-{name}", split=split)
        assert same_bytes(tmp_path / f"{split}-files", tmp_path / f"{split}-packed", [*SAME, "rejects.csv"])
        assert len(rejects(tmp_path / f"{split}-files")) >= 24


def test_images_in_neither_list_leave_no_trace_in_the_store(tiny_nih: Path, tmp_path: Path) -> None:
    for name in ("files", "packed"):
        folder = tables(tiny_nih, tmp_path / name)
        path = folder / "train_val_list.txt"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[5:]))
    shutil.copytree(tiny_nih / "images", tmp_path / "files" / "images")
    pack(tmp_path / "packed" / "a.tar.gz", images(tiny_nih), tiny_nih)
    for name in ("files", "packed"):
        assert make(tmp_path / name, tmp_path / f"{name}-data").rejects["not-listed"] == 5
    assert same_bytes(tmp_path / "files-data", tmp_path / "packed-data", [*SAME, "rejects.csv"])
    assert len(Dataset.load(tmp_path / "packed-data").store) == 115


def other_image(path: Path) -> bytes:
    """An image of the same size as another, but black."""
    file = io.BytesIO()
    Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kinds", [("files", "zip"), ("zip", "tar.gz"), ("tar.gz", "files"), ("tar.gz", "tar.gz")])
def test_of_images_of_one_name_the_first_source_wins(
    kinds: tuple[str, str], tiny_nih: Path, as_files: Path, tmp_path: Path
) -> None:
    """The second source holds black images of the same names, and comes as fast or faster."""
    tables(tiny_nih, tmp_path / "tables")
    black = tmp_path / "black" / "images"
    black.mkdir(parents=True)
    for path in images(tiny_nih)[:40]:
        (black / path.name).write_bytes(other_image(path))
    sources = []
    for number, (kind, folder) in enumerate(zip(kinds, (tiny_nih, tmp_path / "black"), strict=True)):
        files = images(folder)
        if kind == "files":
            sources.append(shutil.copytree(folder / "images", tmp_path / f"source-{number}" / "images").parent)
        else:
            sources.append(pack(tmp_path / f"{number}.{kind}", files, folder))
    report = make([tmp_path / "tables", *sources], tmp_path / "data")
    assert same_bytes(as_files, tmp_path / "data")
    assert report.rejects == {"duplicate-image": 40}
    name = images(tiny_nih)[0].name
    found = [detail for image_id, _, detail in rejects(tmp_path / "data") if image_id == name]
    assert len(found) == 1
    assert found[0].endswith(f"/{name} is used")


def test_of_one_name_twice_in_an_archive_the_first_by_path_is_used(tiny_nih: Path, tmp_path: Path) -> None:
    folder, files = tables(tiny_nih, tmp_path / "in"), images(tiny_nih)
    name = files[0].name
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        for where, data in (("z", other_image(files[0])), ("b", files[0].read_bytes()), ("c", other_image(files[0]))):
            entry = tarfile.TarInfo(f"{where}/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for path in files[1:]:
            tar.add(path, path.name)
    make(folder, tmp_path / "data")
    assert [(i, r) for i, r, _ in rejects(tmp_path / "data")] == [(name, "duplicate-image")] * 2
    data = Dataset.load(tmp_path / "data")
    assert data.store.pixels[data.pixel_rows([name])[0]].any()


def test_what_is_left_out_of_archives_is_listed(tiny_nih: Path, tmp_path: Path) -> None:
    folder, files = tables(tiny_nih, tmp_path / "in"), images(tiny_nih)
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:

        def add(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> None:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(data), kind, "/etc/passwd"
            tar.addfile(entry, io.BytesIO(data))

        add("README.txt", b"not an image")
        add("../../escape.png", files[0].read_bytes())
        add("/absolute.png", files[0].read_bytes())
        add("images/link.png", b"", tarfile.SYMTYPE)
        add("images/stranger.png", files[0].read_bytes())
        add(f"images/{files[1].name}", b"no image")
        for path in files[2:]:
            tar.add(path, f"images/{path.name}")
    report = make(folder, tmp_path / "data")
    *listed, last = rejects(tmp_path / "data")
    assert listed == [
        (files[0].name, "missing-image", "no file of this name"),
        ("stranger.png", "no-row", "a.tar.gz/images/stranger.png"),
        ("absolute.png", "unsafe-member", "a.tar.gz//absolute.png: its path is absolute"),
        ("escape.png", "unsafe-member", "a.tar.gz/../../escape.png: its path leads out of the archive"),
        ("link.png", "unsafe-member", "a.tar.gz/images/link.png: it is a link, a device or a sparse file"),
    ]
    assert last[:2] == (files[1].name, "undecodable")
    assert last[2].startswith(f"a.tar.gz/images/{files[1].name} cannot be decoded: ")
    assert sum(report.images.values()) == 118
    assert not (tmp_path / "escape.png").exists()


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_a_damaged_archive_is_told_loudly_and_the_rest_is_used(kind: str, tiny_nih: Path, tmp_path: Path) -> None:
    folder, files = tables(tiny_nih, tmp_path / "in"), images(tiny_nih)
    pack(folder / "images_001.tar", files[::2], tiny_nih)
    damaged = pack(folder / f"images_002.{kind}", files[1::2], tiny_nih)
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    report = make(folder, tmp_path / "data")
    assert report.rejects["damaged-archive"] == 1
    assert f"{damaged} IS DAMAGED" in report.summary()
    got = sum(report.images.values())
    assert got == 60 if kind == "zip" else 75 < got < 100
    assert report.rejects["missing-image"] == 120 - got
    assert [(i, r) for i, r, _ in rejects(tmp_path / "data") if r == "damaged-archive"] == [
        (damaged.name, "damaged-archive")
    ]


def test_dicom_names_and_suffixless_members_are_tried(tiny_nih: Path, tmp_path: Path) -> None:
    """A file without suffix is an image only by its first bytes; here it then has no row."""
    folder = tables(tiny_nih, tmp_path / "in")
    pack(folder / "a.tar.gz", images(tiny_nih), tiny_nih)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "IM1").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "odd" / "README").write_bytes(b"text")
    pack(folder / "b.tar.gz", sorted((tmp_path / "odd").iterdir()), tmp_path)
    make(folder, tmp_path / "data")
    assert rejects(tmp_path / "data") == [("IM1", "no-row", "b.tar.gz/odd/IM1")]


def test_simulated_archives_cannot_pass_for_radiographs(tiny_nih: Path, tmp_path: Path) -> None:
    folder = tables(tiny_nih, tmp_path / "in")
    (tmp_path / "simulation.json").write_text("{}")
    pack(folder / "a.tar.gz", [tmp_path / "simulation.json"], tmp_path)
    pack(folder / "b.tar.gz", images(tiny_nih), tiny_nih)
    for _ in range(2):  # the second time nothing is read again
        with pytest.raises(DataError, match="simulated images must stay marked"):
            make(folder, tmp_path / "data")
    (folder / "simulation.json").write_text("{}")
    assert "simulated images (not radiographs)" in make(folder, tmp_path / "data").summary()
    other = shutil.copytree(tiny_nih / "images", tmp_path / "other" / "images").parent
    (other / "images" / "simulation.json").write_text("{}")
    with pytest.raises(DataError, match="simulated images must stay marked"):
        make([tables(tiny_nih, tmp_path / "real"), other], tmp_path / "more")


def test_tables_are_looked_for_in_the_folders_named(tiny_nih: Path, as_files: Path, tmp_path: Path) -> None:
    folder = tables(tiny_nih, tmp_path / "tables")
    pictures = shutil.copytree(tiny_nih / "images", tmp_path / "pictures")
    make([pictures, folder], tmp_path / "data")
    assert same_bytes(as_files, tmp_path / "data")
    again = tables(tiny_nih, tmp_path / "again")
    with pytest.raises(DataError, match=r"Label tables lie in .*tables and in .*again"):
        make([pictures, folder, again], tmp_path / "other")
    (again / "Data_Entry_2017_v2020.csv").unlink()
    with pytest.raises(DataError, match=r"train_val_list\.txt does not lie beside the label table in .*tables"):
        make([pictures, folder, again], tmp_path / "other")
    with pytest.raises(DataError, match=r"None of .*pictures, .*again holds a label table \(Data_Entry_2017\*\.csv"):
        make([pictures, again], tmp_path / "other")
    with pytest.raises(DataError, match="There is no folder"):
        make([folder, tmp_path / "nowhere.tar.gz"], tmp_path / "other")
    with pytest.raises(UsageError, match="at least one"):
        make([], tmp_path / "other")
    with pytest.raises(UsageError, match="no format 'xml'"):
        make(folder, tmp_path / "other", format="xml")
    with pytest.raises(UsageError, match="'zoom'"):
        make(folder, tmp_path / "other", fit="zoom")


def test_no_image_of_an_archive_belongs_to_a_row(tiny_nih: Path, tmp_path: Path) -> None:
    folder = tables(tiny_nih, tmp_path / "in")
    (tmp_path / "stranger.png").write_bytes(images(tiny_nih)[0].read_bytes())
    pack(folder / "a.zip", [tmp_path / "stranger.png"], tmp_path)
    with pytest.raises(DataError, match=r"Nothing is left: .* \(no-row 1\)"):
        make(folder, tmp_path / "data")
    assert not (tmp_path / ".data.partial").exists()


def test_a_split_that_cannot_be_had_costs_no_decoded_image(tiny_nih: Path, tmp_path: Path) -> None:
    """From archives it is known only after decoding; asked for another split, it is there at once."""
    folder = tables(tiny_nih, tmp_path / "in")
    for path in folder.glob("*_list.txt"):
        path.unlink()
    pack(folder / "a.tar.gz", images(tiny_nih), tiny_nih)
    with pytest.raises(CohortError, match=r"no train_val_list\.txt.*What is decoded is kept"):
        make(folder, tmp_path / "data", split="official")
    steps: list[tuple[int, int]] = []
    report = make(folder, tmp_path / "data", split="random", progress=lambda *step: steps.append(step))
    assert steps == []
    assert report.remarks == ("120 images were taken over from an interrupted run.",)
    make(folder, tmp_path / "unbroken", split="random")
    assert same_bytes(tmp_path / "data", tmp_path / "unbroken", [*SAME, "dataset.json", "rejects.csv", "store.json"])


def test_progress_of_archives_is_estimated_and_ends_where_it_should(tiny_nih: Path, tmp_path: Path) -> None:
    folder = tables(tiny_nih, tmp_path / "in")
    for number in range(4):
        pack(folder / f"{number}.tar.gz", images(tiny_nih)[number::4], tiny_nih)
    steps: list[tuple[int, int]] = []
    make(folder, tmp_path / "data", progress=lambda *step: steps.append(step))
    assert steps[-1] == (120, 120)
    assert all(done <= total <= 120 for done, total in steps)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
