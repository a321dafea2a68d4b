"""The whole simulator: files in NIH's exact layout, the same bytes every time, and never anything overwritten."""

import csv
import json
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chestxpert.cohort.source import read_source
from chestxpert.errors import DataError, UsageError
from chestxpert.labels import NIH15
from chestxpert.simulator import SimulationReport, drawing, simulate

SMALL: dict[str, Any] = {"images": 90, "size": 48, "seed": 4, "tail": 0.3, "label_noise": 0.2, "workers": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimulationReport:
    return simulate(tmp_path_factory.mktemp("made") / "sim", **SMALL)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "Data_Entry_2017_v2020.csv").open(newline="") as lines:
        return [
            dict(zip(("image", "labels", "follow_up", "patient", "age", "sex", "view"), row, strict=False))
            for row in list(csv.reader(lines))[1:]
        ]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_is_an_image_for_every_row_and_a_row_for_every_image(made: SimulationReport) -> None:
    rows = [row["image"] for row in table(made.folder)]
    assert len(rows) == made.images == 90
    assert sorted(rows) == sorted(path.name for path in (made.folder / "images").iterdir())
    lists = [(made.folder / name).read_text().split() for name in ("train_val_list.txt", "test_list.txt")]
    assert sorted(lists[0] + lists[1]) == sorted(rows)
    assert len(lists[1]) == made.test_images
    assert {name[:8] for name in lists[0]}.isdisjoint({name[:8] for name in lists[1]})


def test_images_are_grey_png_that_say_they_are_simulated(made: SimulationReport) -> None:
    for path in (made.folder / "images").iterdir():
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert image.mode == "L"
            assert image.size == (48, 48)
            assert "SIMULATED" in image.text["Comment"]
    assert "no\nradiographs" in (made.folder / "README.txt").read_text()


def test_file_names_rows_and_counts_agree(made: SimulationReport) -> None:
    rows = table(made.folder)
    for row in rows:
        assert row["image"] == f"{int(row['patient']):08d}_{int(row['follow_up']):03d}.png"
        assert row["view"] in ("PA", "AP")
        assert row["sex"] in ("M", "F")
    labels = [NIH15.parse(row["labels"]) for row in rows]
    assert made.counts == {name: sum(name in cell for cell in labels) for name in NIH15.labels}
    assert made.patients == len({row["patient"] for row in rows})


def test_simulation_json_holds_the_arguments_and_the_truth_before_noise(made: SimulationReport) -> None:
    papers = json.loads((made.folder / "simulation.json").read_text())
    assert papers["simulated"] is True
    assert papers["arguments"] == {**{k: v for k, v in SMALL.items() if k != "workers"}, "difficulty": 0.5}
    labels = {row["image"]: set(NIH15.parse(row["labels"])) - {"No Finding"} for row in table(made.folder)}
    truth = {name: set(findings) for name, findings in papers["truth"].items()}
    assert truth.keys() == labels.keys()
    assert truth != labels  # there was noise
    totals = [sum(name in cell for cell in side.values()) for side in (truth, labels) for name in NIH15.findings]
    assert totals[:14] == totals[14:]


def test_boxes_are_written_as_nih_does_and_belong_to_the_truth(made: SimulationReport) -> None:
    with (made.folder / "BBox_List_2017.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert ",".join(header) == "Image Index,Finding Label,Bbox [x,y,w,h],,,"
    truth = json.loads((made.folder / "simulation.json").read_text())["truth"]
    assert {(row[0], NIH15.canonical(row[1])) for row in rows} == {
        (name, finding) for name, findings in truth.items() for finding in findings
    }
    assert "Infiltrate" in {row[1] for row in rows}
    assert "Infiltration" not in {row[1] for row in rows}
    places = np.array([[float(value) for value in row[2:]] for row in rows])
    assert places.shape == (made.boxes, 4)
    assert (places[:, 2:] > 0).all()
    assert 300 < (places[:, 0] + places[:, 2]).max() <= 1024.01  # 1024 px space, although the images are 48 px


@pytest.mark.shared_data
def test_headers_are_those_of_the_real_files(made: SimulationReport, nih_sample: Path) -> None:
    for name in ("Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"):
        real, ours = ((folder / name).read_text().splitlines() for folder in (nih_sample, made.folder))
        assert ours[0] == real[0]
        assert ours[1].count(",") == real[1].count(",")


def test_the_data_room_reads_it_without_a_reject_and_knows_it_is_simulated(made: SimulationReport) -> None:
    source = read_source(made.folder, NIH15)
    assert source.kind == "simulated"
    assert not source.rejects
    assert len(source.frame) == made.images
    assert len(source.boxes) == made.boxes
    assert {name: int(source.frame[name].sum()) for name in NIH15.labels} == made.counts


def test_the_same_arguments_give_the_same_bytes_whatever_the_workers(made: SimulationReport, tmp_path: Path) -> None:
    again = simulate(tmp_path / "again", **{**SMALL, "workers": 2})
    assert files(again.folder) == files(made.folder)
    other = simulate(tmp_path / "other", **{**SMALL, "seed": 5})
    assert files(other.folder)["images/00000001_000.png"] != files(made.folder)["images/00000001_000.png"]


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(DataError, match="no empty folder"):
        simulate(tmp_path, **SMALL)
    with pytest.raises(DataError, match="no empty folder"):
        simulate(tmp_path / "note.txt", **SMALL)
    assert files(tmp_path) == {"note.txt": b"mine"}


def test_an_empty_folder_and_missing_parents_are_fine(tmp_path: Path) -> None:
    out = tmp_path / "empty"
    out.mkdir()
    arguments = {**SMALL, "images": 10, "size": 32}
    assert simulate(out, **arguments).images == 10
    assert simulate(tmp_path / "a" / "b", **arguments).folder == tmp_path / "a" / "b"


def test_an_interrupted_simulation_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "sim", progress=stop, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_up_to_all_images(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate(tmp_path / "sim", progress=lambda done, total: seen.append((done, total)), **SMALL)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (90, 90)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        simulate(tmp_path / "file" / "below", **SMALL)


def test_dead_workers_are_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, *_: object, **__: object) -> None: ...

        def map(self, *_: object) -> object:
            raise BrokenProcessPool

        def shutdown(self, **_: object) -> None: ...

    monkeypatch.setattr(drawing, "ProcessPoolExecutor", Broken)
    with pytest.raises(DataError, match="workers=1"):
        simulate(tmp_path / "sim", **{**SMALL, "workers": 2})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("images", 9), ("images", 10.5), ("size", 16), ("size", 4096), ("seed", -1), ("difficulty", 1.1),
        ("difficulty", float("nan")), ("tail", -0.1), ("tail", 2.5), ("label_noise", 1.5), ("workers", 0),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_refused_by_name(tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(UsageError, match="worker" if name == "workers" else name):
        simulate(tmp_path / "sim", **{**SMALL, name: value})
    assert list(tmp_path.iterdir()) == []


def test_the_summary_says_simulated_and_what_was_made(made: SimulationReport) -> None:
    text = made.summary()
    assert "Simulated 90 images" in text
    assert "no radiographs" in text
    for name in NIH15.labels:
        assert name in text
