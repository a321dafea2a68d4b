"""Over-sampling on disk: whole or not at all, the same bytes each time, and copies of training images alone."""

import csv
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.copies import OversampleReport, oversample_to_disk
from chestxpert.copies.images import changed_copy
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import DataError, LabelError, UsageError
from chestxpert.pixels.decode import decode
from chestxpert.progress import Progress, Tick
from chestxpert.recipe import Augment

SETTINGS = Augment(rotate=20, hflip=True)


def _write(data: Dataset, out: Path, **options: object) -> OversampleReport:
    return oversample_to_disk(data.folder, out, **({"target": 0.4, "seed": 5, "augment": SETTINGS} | options))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "augmented_images.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_copy_is_of_a_training_image_and_has_its_findings(prepared: Dataset, tmp_path: Path) -> None:
    report = _write(prepared, tmp_path / "copies")
    rows = rows_of(tmp_path / "copies")
    assert report.copies == len(rows) > 10
    cohort = prepared.cohort
    table = cohort.table.set_index("image_id")
    elsewhere = set(cohort.patients[cohort.table["split"] != "train"])
    for row in rows:
        origin = table.loc[row["origin"]]
        assert origin["split"] == "train"
        assert origin["patient_id"] not in elsewhere
        assert row["findings"].split("|") == [name for name in cohort.label_space.labels if origin[name]]
        image = decode(tmp_path / "copies" / "images" / row["id"])
        pixels = prepared.store.pixels[prepared.store.row(row["origin"])]
        assert np.array_equal(image, changed_copy(pixels, SETTINGS, 5, row["id"]))
    assert {path.name for path in (tmp_path / "copies" / "images").iterdir()} == {row["id"] for row in rows}
    assert report.origins == len({row["origin"] for row in rows})
    carried = Counter(name for row in rows for name in row["findings"].split("|"))
    for name in cohort.label_space.labels:
        assert report.after[name] - report.before[name] == carried[name], name


def test_the_record_says_what_was_done_and_nothing_else_is_written(prepared: Dataset, tmp_path: Path) -> None:
    report = _write(prepared, tmp_path / "copies", copies={"hernia": 3}, target=None)
    assert sorted(path.name for path in (tmp_path / "copies").iterdir()) == [
        "augmented_images.csv", "images", "oversample.json",
    ]  # fmt: skip
    record = json.loads((tmp_path / "copies" / "oversample.json").read_text())
    assert record["dataset"] == {
        "path": str(prepared.folder),
        "cohort": prepared.cohort.fingerprint,
        "store": prepared.store.fingerprint,
    }
    assert record["arguments"]["copies"] == {"Hernia": 3}
    assert record["arguments"]["augment"]["rotate"] == 20
    assert record["arguments"]["seed"] == 5
    assert (record["copies"], record["size"], record["simulated"]) == (report.copies, 32, False)
    before = prepared.cohort.counts("train")["Hernia"]
    assert record["train"]["Hernia"] == {"before": before, "after": before + 3}
    line = next(line for line in report.summary().splitlines() if "Hernia" in line)
    assert line.split() == ["Hernia", str(before), "3", str(before + 3)]


def test_the_same_arguments_give_the_same_bytes(prepared: Dataset, tmp_path: Path) -> None:
    for name, workers in [("a", 1), ("b", 2)]:
        _write(prepared, tmp_path / name, workers=workers, as_dataset=tmp_path / f"{name}-data")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a-data") == contents(tmp_path / "b-data")
    _write(prepared, tmp_path / "other", seed=6)
    assert contents(tmp_path / "other")["augmented_images.csv"] != contents(tmp_path / "a")["augmented_images.csv"]


def test_what_cannot_be_reached_is_told(prepared: Dataset, tmp_path: Path) -> None:
    report = _write(prepared, tmp_path / "copies", target=0.9, max_copies=1)
    before = prepared.cohort.counts("train")
    told = "\n".join(report.notes)
    assert "No training image carries Edema" in told
    assert f"each of its {before['Hernia']} images is copied once already" in told
    assert "note: Hernia stays at" in report.summary()


def test_an_enough_frequent_finding_has_no_note(prepared: Dataset, tmp_path: Path) -> None:
    assert _write(prepared, tmp_path / "copies", target=None, copies={"Hernia": 2}).notes == ()


class Stopped(Progress):
    """Progress that stops the work when the bar of this name moves."""

    def __init__(self, label: str) -> None:
        self.label = label

    @contextmanager
    def bar(self, label: str, total: int, unit: str = "image") -> Iterator[Tick]:
        def tick(done: int) -> None:
            if label == self.label:
                raise KeyboardInterrupt

        yield tick


@pytest.mark.parametrize("label", ["augmenting", "adding to the data set"])
def test_an_interrupt_leaves_nothing(prepared: Dataset, tmp_path: Path, label: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        _write(prepared, tmp_path / "copies", as_dataset=tmp_path / "data", progress=Stopped(label))
    assert list(tmp_path.iterdir()) == []


KILLED = """
import contextlib, os, signal, sys
from chestxpert.copies import oversample_to_disk
from chestxpert.progress import Progress
class Killed(Progress):
    @contextlib.contextmanager
    def bar(self, label, total, unit="image"):
        yield lambda done: os.kill(os.getpid(), signal.SIGKILL) if label.startswith("adding") else None
data, out, new = sys.argv[1:]
oversample_to_disk(data, out, target=0.4, as_dataset=new, progress=Killed())
"""


def test_a_killed_run_leaves_nothing_under_either_name_and_the_next_clears_it(
    prepared: Dataset, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(prepared.folder), str(tmp_path / "copies"), str(tmp_path / "data")]
    assert subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    assert sorted(path.name for path in tmp_path.iterdir()) == [".copies.partial", ".data.partial"]
    oversample_to_disk(prepared.folder, tmp_path / "copies", target=0.4, as_dataset=tmp_path / "data")
    oversample_to_disk(prepared.folder, tmp_path / "again", target=0.4)
    assert contents(tmp_path / "copies") == contents(tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "copies", "data"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"seed": -1}, UsageError, "0 or more"),
        ({"workers": 0}, UsageError, "At least one worker"),
        ({"target": 1.5}, UsageError, "between 0 and 1"),
        ({"like_study": True}, UsageError, "not several"),
        ({"target": None, "copies": {"Fracture": 3}}, LabelError, "Fracture"),
        ({"target": None, "copies": {"Edema": 3}}, DataError, "nothing to copy"),
        ({"as_dataset": "copies"}, UsageError, "two folders"),
        ({"as_dataset": "copies/data"}, UsageError, "two folders"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    prepared: Dataset, tmp_path: Path, options: dict[str, object], error: type, words: str
) -> None:
    if "as_dataset" in options:
        options = {"as_dataset": tmp_path / str(options["as_dataset"])}
    with pytest.raises(error, match=words):
        _write(prepared, tmp_path / "copies", **options)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(prepared: Dataset, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for options in [{"out": tmp_path / "full"}, {"out": tmp_path / "new", "as_dataset": tmp_path / "full"}]:
        with pytest.raises(DataError, match="no empty folder"):
            oversample_to_disk(prepared.folder, **options)
    with pytest.raises(DataError, match="not overwritten"):
        _write(prepared, prepared.folder)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_simulated_data_set_stays_marked(prepared: Dataset, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for path in prepared.folder.iterdir():
        if path.is_file():
            (data / path.name).write_bytes(path.read_bytes())
    cohort = prepared.cohort
    Cohort(cohort.table.assign(source="simulated"), cohort.label_space).save(data / "cohort.parquet")
    report = oversample_to_disk(data, tmp_path / "copies", target=0.4, as_dataset=tmp_path / "more")
    assert "not radiographs" in report.summary()
    assert json.loads((tmp_path / "copies" / "oversample.json").read_text())["simulated"] is True
    assert set(Dataset.load(tmp_path / "more").cohort.table["source"]) == {"simulated"}


@pytest.mark.shared_data
def test_real_radiographs_are_copied_by_the_studys_numbers(nih_sample: Path, tmp_path: Path) -> None:
    prepare(nih_sample, tmp_path / "data", size=32, workers=1)
    report = oversample_to_disk(tmp_path / "data", tmp_path / "copies", like_study=True)
    assert report.after["Hernia"] - report.before["Hernia"] == round(1_005 * 1_020 / 86_524)
    assert report.after["Emphysema"] - report.before["Emphysema"] >= round(2_379 * 1_020 / 86_524)
    data = Dataset.load(tmp_path / "data")
    train = set(data.cohort.image_ids[data.cohort.rows("train")])
    assert {row["origin"] for row in rows_of(tmp_path / "copies")} <= train
