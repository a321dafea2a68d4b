"""From a folder in NIH's layout to a dataset folder: nothing lost in silence, nothing half made."""

import csv
import gzip
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert import folders
from chestxpert.dataset import Dataset, PrepareReport, prepare
from chestxpert.errors import CohortError, DataError, LabelError, StoreError, UsageError
from chestxpert.pixels.preprocess import Preprocess


@pytest.fixture
def source(tiny_nih: Path, tmp_path: Path) -> Path:
    """A copy of the tiny folder, to be changed."""
    return Path(shutil.copytree(tiny_nih, tmp_path / "source"))


def _prepare(source: Path, out: Path, **options: object) -> PrepareReport:
    return prepare(source, out, **({"size": 16, "workers": 1} | options))


def _rejects(out: Path) -> dict[str, str]:
    with (out / "rejects.csv").open(newline="") as file:
        return {row["image_id"]: row["reason"] for row in csv.DictReader(file)}


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_image_keeps_its_labels_and_its_pixels(tiny_nih: Path, tmp_path: Path) -> None:
    report = _prepare(tiny_nih, tmp_path / "data")
    data = Dataset.load(tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
    assert sum(report.images.values()) == len(data.cohort) == len(data.store) == 120
    assert report.images["test"] == 30
    with (tiny_nih / "Data_Entry_2017_v2020.csv").open() as file:
        table = {row["Image Index"]: row for row in csv.DictReader(file)}
    labels, names = data.cohort.labels(), data.cohort.label_space.labels
    for i, image_id in enumerate(data.cohort.image_ids):
        assert {names[k] for k in np.flatnonzero(labels[i])} == set(table[image_id]["Finding Labels"].split("|"))
        original = np.asarray(Image.open(tiny_nih / "images" / image_id))
        np.testing.assert_array_equal(data.store.pixels[data.pixel_rows([image_id])[0]], Preprocess(16).apply(original))


def test_a_folder_of_real_layout_has_all_its_parts(tiny_nih: Path, tmp_path: Path) -> None:
    report = _prepare(tiny_nih, tmp_path / "data", seed=3)
    info = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "boxes.parquet", "cohort.parquet", "dataset.json", "index.parquet", "pixels.u8", "quality.csv",
        "rejects.csv", "store.json",
    ]  # fmt: skip
    assert info["schema"] == 1
    assert info["source"] == {"kind": "nih", "path": str(tiny_nih)}
    assert info["images"] == dict(report.images)
    assert info["patients"] == {"train": 24, "val": 6, "test": 10}
    assert info["arguments"]["seed"] == 3
    assert info["label_space"]["name"] == "nih15"
    assert info["fingerprints"]["cohort"] == Dataset.load(tmp_path / "data").cohort.fingerprint
    boxes = Dataset.load(tmp_path / "data").boxes
    assert report.boxes == len(boxes) > 0
    assert set(boxes["finding"]) == {"Infiltration"}


def test_images_may_lie_at_any_depth_and_tables_be_gzipped(source: Path, tmp_path: Path) -> None:
    plain = source.with_name("plain")
    shutil.copytree(source, plain)
    for i, path in enumerate(sorted((source / "images").iterdir())):
        folder = source / f"images_{i % 3:03d}" / "images"
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / path.name)
    for path in [*source.glob("*.csv"), *source.glob("*.txt")]:
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    _prepare(source, tmp_path / "a")
    _prepare(plain, tmp_path / "b")
    a, b = Dataset.load(tmp_path / "a"), Dataset.load(tmp_path / "b")
    assert (a.cohort.fingerprint, a.store.fingerprint) == (b.cohort.fingerprint, b.store.fingerprint)
    assert a.boxes.equals(b.boxes)


def test_what_cannot_be_used_is_listed_and_the_rest_is_prepared(source: Path, tmp_path: Path) -> None:
    images = source / "images"
    (images / "00000001_000.png").unlink()
    (images / "00000001_001.png").write_text("hello")
    whole = (images / "00000001_002.png").read_bytes()
    (images / "00000001_002.png").write_bytes(whole[: len(whole) // 2])
    shutil.copy(images / "00000002_000.png", images / "stranger.png")
    (source / "more").mkdir()
    shutil.copy(images / "00000002_001.png", source / "more")
    table = source / "Data_Entry_2017_v2020.csv"
    lines = table.read_text().splitlines()
    lines[6] = lines[6].replace(lines[6].split(",")[1], "Fracture")
    table.write_text("\n".join([*lines, lines[8], "short,row"]) + "\n")
    report = _prepare(source, tmp_path / "data")
    out = tmp_path / "data"
    assert _rejects(out) == {
        "00000001_000.png": "missing-image",
        "00000001_001.png": "undecodable",
        "00000001_002.png": "undecodable",
        "stranger.png": "no-row",
        "00000002_001.png": "duplicate-image",
        "00000002_002.png": "unknown-finding",
        lines[8].split(",")[0]: "duplicate-row",
        "short": "bad-row",
    }
    data = Dataset.load(out)
    assert (len(data.cohort), sum(report.images.values()), sum(report.rejects.values())) == (116, 116, 8)
    assert data.info["rejects"] == dict(report.rejects)
    assert "missing-image 1" in report.summary()
    assert "rejects.csv" in report.summary()


def test_boxes_of_missing_images_are_listed(source: Path, tmp_path: Path) -> None:
    name = (source / "BBox_List_2017.csv").read_text().splitlines()[1].split(",")[0]
    before = len((source / "BBox_List_2017.csv").read_text().splitlines()) - 1
    (source / "images" / name).unlink()
    assert _prepare(source, tmp_path / "data").boxes == before - 1
    with (tmp_path / "data" / "rejects.csv").open() as file:
        assert [line.split(",")[:2] for line in file.read().splitlines()[1:]] == [
            [name, "missing-image"],
            [name, "box-without-image"],
        ]


def test_nothing_left_is_a_clear_error_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    for path in (source / "images").iterdir():
        path.write_text("not an image")
    with pytest.raises(DataError, match="None of the 120 images can be decoded"):
        _prepare(source, tmp_path / "data")
    shutil.rmtree(source / "images")
    with pytest.raises(DataError, match=r"Nothing is left: .* 120 usable rows, .* \(no images\)"):
        _prepare(source, tmp_path / "data")
    (source / "Data_Entry_2017_v2020.csv").unlink()
    with pytest.raises(DataError, match="holds no Data_Entry_2017"):
        _prepare(source, tmp_path / "data")
    with pytest.raises(DataError, match="There is no folder"):
        _prepare(tmp_path / "nowhere", tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_side_without_decodable_images_is_a_clear_error(source: Path, tmp_path: Path) -> None:
    for name in (source / "test_list.txt").read_text().split():
        (source / "images" / name).write_text("not an image")
    with pytest.raises(DataError, match=r"30 images cannot be decoded, and none is left for test\. .* is kept"):
        _prepare(source, tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".data.partial", "source"]


def test_a_finished_data_set_is_never_overwritten(tiny_nih: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    _prepare(tiny_nih, out)
    before = _contents(out)
    with pytest.raises(DataError, match="finished data set and is not overwritten"):
        _prepare(tiny_nih, out, seed=5)
    assert _contents(out) == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="no empty folder"):
        _prepare(tiny_nih, other)
    assert _contents(other) == {"thesis.txt": b"mine"}
    (other / "thesis.txt").unlink()
    assert _prepare(tiny_nih, other).folder == other  # an empty folder is fine


def test_the_same_arguments_give_the_same_bytes(tiny_nih: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        _prepare(tiny_nih, tmp_path / name)
    _prepare(tiny_nih, tmp_path / "c", seed=1)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")
    a, c = Dataset.load(tmp_path / "a"), Dataset.load(tmp_path / "c")
    assert a.cohort.fingerprint != c.cohort.fingerprint
    assert a.store.fingerprint == c.store.fingerprint


KILLED = """
import os, signal, sys
from chestxpert.dataset import prepare
def die(done, total):
    os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    prepare(sys.argv[1], sys.argv[2], size=16, workers=1, progress=die)
"""


def test_a_killed_run_leaves_no_data_set_and_the_next_one_goes_on(tiny_nih: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    ended = subprocess.run([sys.executable, script, tiny_nih, out], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert sorted(path.name for path in tmp_path.iterdir()) == [".data.partial", "killed.py"]
    with pytest.raises(DataError, match="no data set"):
        Dataset.load(out)
    _prepare(tiny_nih, out)
    _prepare(tiny_nih, tmp_path / "unbroken")
    assert _contents(out) == _contents(tmp_path / "unbroken")
    assert not (tmp_path / ".data.partial").exists()


def test_an_interrupted_run_keeps_what_it_has_and_the_next_one_goes_on(tiny_nih: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _prepare(tiny_nih, tmp_path / "data", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [".data.partial"]
    steps: list[tuple[int, int]] = []
    report = _prepare(tiny_nih, tmp_path / "data", progress=lambda *step: steps.append(step))
    done, left = steps[-1]
    assert done == left < 120  # how many a process has finished when it is interrupted depends on its speed
    assert f"{120 - left} images were taken over from an interrupted run" in report.summary()
    _prepare(tiny_nih, tmp_path / "unbroken")
    assert _contents(tmp_path / "data") == _contents(tmp_path / "unbroken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "unbroken"]


def test_two_at_once_do_not_disturb_each_other(tiny_nih: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    messages = []

    def second(done: int, total: int) -> None:
        if done == total:
            with pytest.raises(DataError) as caught:
                _prepare(tiny_nih, out)
            messages.append(str(caught.value))

    _prepare(tiny_nih, out, progress=second)
    assert len(messages) == 1
    assert "Another process is preparing" in messages[0]
    assert len(Dataset.load(out).cohort) == 120


def test_a_full_disk_is_a_clear_error(tiny_nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(StoreError, match="GB left"):
        _prepare(tiny_nih, tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_clear_error(tiny_nih: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="may write to"):
        _prepare(tiny_nih, tmp_path / "file" / "data")
    with pytest.raises(DataError, match="no empty folder"):
        folders.check_free(tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"split": "patients"}, UsageError),
        ({"val_fraction": 0}, UsageError),
        ({"val_fraction": 1.5}, UsageError),
        ({"seed": -1}, UsageError),
        ({"workers": 0}, UsageError),
        ({"size": 8}, UsageError),
        ({"labels": "chexpert"}, LabelError),
        ({"labels": "cxrlt20"}, DataError),
    ],
)
def test_wrong_arguments_are_refused(tiny_nih: Path, tmp_path: Path, options: dict[str, object], error: type) -> None:
    with pytest.raises(error):
        _prepare(tiny_nih, tmp_path / "data", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_simulated_source_stays_marked(source: Path, tmp_path: Path) -> None:
    (source / "simulation.json").write_text('{"seed": 4, "truth": {"a.png": ["Mass"]}}')
    report = _prepare(source, tmp_path / "data")
    assert json.loads((tmp_path / "data" / "simulated.json").read_text())["truth"] == {"a.png": ["Mass"]}
    data = Dataset.load(tmp_path / "data")
    assert data.cohort.simulated
    assert set(data.cohort.table["source"]) == {"simulated"}
    assert data.info["source"]["kind"] == "simulated"
    assert data.info["simulation"] == {"seed": 4}
    assert "simulated" in report.summary()


def test_a_random_split_needs_no_lists(source: Path, tmp_path: Path) -> None:
    for path in source.glob("*_list.txt"):
        path.unlink()
    report = _prepare(source, tmp_path / "data")
    assert report.split == "random"
    assert "no official lists" in report.summary()
    with pytest.raises(CohortError, match="official split was asked for"):
        _prepare(source, tmp_path / "other", split="official")


@pytest.mark.shared_data
def test_the_real_sample_has_the_counts_of_its_tables(nih_sample: Path, tmp_path: Path) -> None:
    report = prepare(nih_sample, tmp_path / "data", size=32, workers=1)
    assert report.rejects == {}
    assert report.images["train"] + report.images["val"] == 1_273
    assert (report.images["test"], sum(report.patients.values()), report.boxes) == (393, 1_152, 730)
    cohort = Dataset.load(tmp_path / "data").cohort
    assert sum(cohort.counts(split)["Pneumonia"] for split in ("train", "val", "test")) == 439
    assert sum(cohort.counts(split)["No Finding"] for split in ("train", "val", "test")) == 495
    assert not cohort.simulated
