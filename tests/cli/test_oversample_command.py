"""`chestxpert data oversample` through the entry point, and a study of the data set that it makes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chestxpert.cli.main import main
from chestxpert.dataset import Dataset, prepare

TINY = (
    "backbone=test_resnet", "weights=none", "size=32", "batch_size=16", "precision=float32", "views=1", "epochs=1",
    "head.hidden=[8]", "head.dropout=[0.1]",
)  # fmt: skip


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def data(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("oversample") / "data"
    prepare(tiny_nih, out, size=32, workers=1)
    return out


def test_copies_then_a_study_on_them(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, new, study = tmp_path / "copies", tmp_path / "new", tmp_path / "study"
    words = ["--copies", "Hernia=4", "pleural thickening=6", "--augment", "rotate=5", "hflip=true", "--seed", "3"]
    assert main(["data", "oversample", str(data), "--out", str(out), "--dataset", str(new), *words]) == 0
    told = capsys.readouterr()
    assert f"Next: chestxpert compare --data {new} --out DIR --freeze" in told.out
    assert "augmenting: " in told.err
    record = json.loads((out / "oversample.json").read_text(encoding="utf-8"))
    assert record["arguments"]["copies"] == {"Hernia": 4, "Pleural_Thickening": 6}
    assert record["arguments"]["augment"]["hflip"] is True
    assert record["arguments"]["augment"]["rotate"] == 5
    copies = record["copies"]
    assert len(Dataset.load(new).cohort) == 120 + copies

    options = [word for item in TINY for word in ("--set", item)]
    compare = ["compare", "--data", str(new), "--out", str(study), "--recipes", "flat-basic", *options, "--draws", "20"]
    assert main(compare) == 0
    page = (study / "report.html").read_text(encoding="utf-8")
    assert f"{copies} augmented copies among them" in page
    assert f"chestxpert data oversample {data} --out {new}-images --dataset {new} --copies Hernia=4" in page
    assert f"--out {data} --labels" in page  # what is prepared is the data set without copies


def test_without_a_data_set_no_next_step_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "oversample", str(data), "--out", str(tmp_path / "copies"), "--target", "0.4"]) == 0
    assert "Next" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--augment", "rotat=5"], 2, "Did you mean 'rotate'"),
        (["--augment", "rotate=90"], 2, "0 to 45 degrees"),
        (["--augment", "vflip=true"], 2, "unknown key 'vflip'"),
        (["--augment", "rotate"], 2, "key=value"),
        (["--augment", "rotate=3", "rotate=4"], 2, "each key once"),
        (["--augment", "rotate=[3"], 2, "no valid YAML"),
        (["--copies", "Hernia=1", "--copies", "Hernia=2"], 2, "each finding once"),
        (["--copies", "Herna=1"], 1, "Did you mean 'Hernia'"),
        (["--target", "0"], 2, "between 0 and 1"),
        (["--target", "0.001"], 1, "nothing to copy"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing_behind(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, told: str
) -> None:
    assert main(["data", "oversample", str(data), "--out", str(tmp_path / "copies"), *words]) == code
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_finished_folder_is_not_overwritten(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "oversample", str(data), "--out", str(tmp_path / "copies"), "--target", "0.4"]
    assert main(command) == 0
    before = (tmp_path / "copies" / "oversample.json").stat().st_mtime_ns
    assert main(command) == 1
    assert "no empty folder" in capsys.readouterr().err
    assert (tmp_path / "copies" / "oversample.json").stat().st_mtime_ns == before
