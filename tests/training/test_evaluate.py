"""A finished run on other images: the same figures on the same data, no patient twice, unknown never absent."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from chestxpert.cli.main import main
from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import RunError, StoreError
from chestxpert.evaluation.posthoc import correct_run
from chestxpert.evaluation.posthoc.prior_shift import likeliest_prevalence, shift
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import NIH15
from chestxpert.recipe import Posthoc, load_recipe
from chestxpert.training.evaluate import evaluate_elsewhere
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import train_run

TINY = (
    "size=32", "backbone=test_resnet", "weights=none", "epochs=2", "batch_size=16", "precision=float32", "views=1",
    "head.hidden=[8]", "head.dropout=[0.1]",
)  # fmt: skip
FROZEN = ("freeze=true",)
RUNS = {
    "flat-basic": ("freeze=false",),
    "hierarchical-shared": FROZEN,
    "hierarchical-cascade": FROZEN,
    "hierarchical-gated": (*FROZEN, "taxonomy=majority-2", "routing.temperature=fit"),
    "flat-crt": ("freeze=false", "epochs=1", "stage.epochs=1"),
    "flat-tau-norm": FROZEN,
    "hierarchical-unconditional": (*FROZEN, "stage.epochs=1"),
    "flat-aucm": (*FROZEN, "sampling.draw.kind=ml-ros", "sampling.mix.kind=balanced-mixup", "routing.temperature=fit"),
}


@pytest.fixture(scope="module")
def runs(tiny_dataset: Dataset, tiny_kit: NetworkKit, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One fine-tuned run and others with a fixed backbone, of each architecture and routing; read only."""
    room = tmp_path_factory.mktemp("runs")
    return {
        name: train_run(load_recipe(name, [*TINY, *own]), tiny_dataset, room / name).folder
        for name, own in RUNS.items()
    }


@pytest.fixture
def run(runs: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a run, to be changed."""
    shutil.copytree(runs["hierarchical-shared"], tmp_path / "run")
    return tmp_path / "run"


def as_csv(nih: Path, folder: Path, *, rename: str = "", unknown: bool = False) -> Path:
    """The images of a folder in NIH's layout, under a table of another layout."""
    folder.mkdir()
    shutil.copytree(nih / "images", folder / "images")
    with (nih / "Data_Entry_2017_v2020.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "person", *NIH15.labels])
        for number, row in enumerate(rows):
            held = row[1].split("|")
            cells = [str(int(label in held)) for label in NIH15.labels]
            if unknown and number % 3 == 0:
                for label in ("Effusion", "No Finding"):
                    cells[NIH15.index(label)] = "-1"
            name = row[0]
            if rename:
                name = rename + name
                (folder / "images" / row[0]).rename(folder / "images" / name)
            writer.writerow([name, rename + row[3], *cells])
    return folder


OTHER = CsvColumns("file", "person", labels=NIH15.labels, name="elsewhere")


@pytest.fixture(scope="module")
def other(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of other patients (the same noise under other names), all for testing."""
    room = tmp_path_factory.mktemp("other")
    source = as_csv(tiny_nih, room / "source", rename="x")
    prepare(source, room / "elsewhere", format="csv", columns=OTHER, size=40, split="test", workers=1)
    return room / "elsewhere"


@pytest.mark.parametrize("name", RUNS)
def test_on_its_own_test_images_a_run_gets_its_own_figures(
    name: str, runs: dict[str, Path], tiny_dataset: Dataset, tmp_path: Path
) -> None:
    own = json.loads((runs[name] / "evaluation.json").read_text())["test"]
    stored = Predictions.load(runs[name] / "predictions.parquet").frame.set_index("image_id")
    for split in ("test", "all"):  # of all images, those the run trained and validated on are left out
        result = evaluate_elsewhere(runs[name], tiny_dataset.folder, tmp_path / split, split=split, draws=20)
        assert (result["here"]["images"], result["here"]["patients"]) == (own["images"], own["patients"])
        for label, entry in result["here"]["per_label"].items():
            for metric in ("auroc", "ap", "f1"):
                assert entry[metric]["value"] == own["per_label"][label][metric], (label, metric)
        for metric in ("auroc", "ap"):
            assert result["here"]["macro"][metric]["value"] == own["metrics"][f"macro_{metric}_findings"]
        assert result["own"] == result["here"]
        assert not result["external"]
        assert "so this is no external evaluation" in result["notes"][0]
        again = Predictions.load(tmp_path / split / "predictions.parquet").frame.set_index("image_id")
        assert again.equals(stored.loc[again.index])
    assert result["data"]["left_out"] == len(tiny_dataset.cohort) - own["images"]


def test_elsewhere_only_what_both_know_is_measured(runs: dict[str, Path], other: Path, tmp_path: Path) -> None:
    result = evaluate_elsewhere(runs["hierarchical-shared"], other, tmp_path / "out", draws=200)
    assert result["external"]
    assert result == json.loads((tmp_path / "out" / "evaluation.json").read_text())
    cohort, frame = Dataset.load(other).cohort, Predictions.load(tmp_path / "out" / "predictions.parquet").frame
    assert frame["image_id"].tolist() == cohort.image_ids.tolist()
    shared = ["Atelectasis", "Effusion", "Hernia", "Infiltration", "Mass", "Pleural_Thickening"]
    assert result["shared"] == shared
    assert result["not_shared"] == {
        label: "no positive among 120 known images" for label in NIH15.findings if label not in shared
    }
    for label, entry in result["here"]["per_label"].items():
        truth, probs = cohort.table[label].to_numpy(dtype=bool), frame[label].to_numpy()
        assert entry["auroc"]["value"] == pytest.approx(roc_auc_score(truth, probs))
        assert entry["ap"]["value"] == pytest.approx(average_precision_score(truth, probs))
        assert entry["prevalence"] == pytest.approx(truth.mean())
        assert entry["auroc"]["low"] < entry["auroc"]["value"] < entry["auroc"]["high"]
    mean = np.mean([result["here"]["per_label"][label]["auroc"]["value"] for label in shared])
    assert result["here"]["macro"]["auroc"]["value"] == pytest.approx(mean)
    own = json.loads((runs["hierarchical-shared"] / "evaluation.json").read_text())["test"]["per_label"]
    assert {label: entry["auroc"]["value"] for label, entry in result["own"]["per_label"].items()} == {
        label: own[label]["auroc"] for label in [*shared, "No Finding"]
    }
    thresholds = json.loads((runs["hierarchical-shared"] / "evaluation.json").read_text())["thresholds"]["labels"]
    for label, entry in result["here"]["per_label"].items():
        assert entry["threshold"] == thresholds[label]["threshold"]


def test_the_same_patients_under_another_name_are_found_out(
    runs: dict[str, Path], tiny_nih: Path, tiny_dataset: Dataset, tmp_path: Path
) -> None:
    source = as_csv(tiny_nih, tmp_path / "source")
    prepare(source, tmp_path / "data", format="csv", columns=OTHER, size=32, split="test", workers=1)
    result = evaluate_elsewhere(runs["flat-basic"], tmp_path / "data", tmp_path / "out", draws=20)
    assert not result["external"]
    assert result["here"]["images"] == len(tiny_dataset.cohort.rows("test"))
    assert result["data"]["left_out"] == 90
    assert result["notes"] == ["90 images of 30 patients that the run trained or validated on are left out."]


def test_where_nobody_knows_who_is_in_both_nothing_is_called_external(
    run: Path, tiny_dataset: Dataset, other: Path, tiny_nih: Path, tmp_path: Path
) -> None:
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps(environment | {"dataset": str(tmp_path / "gone")}))
    prepare(tiny_nih, tmp_path / "again", size=32, seed=5, workers=1)  # the same patients, another split
    with pytest.raises(RunError, match="--run-data"):
        evaluate_elsewhere(run, tmp_path / "again", draws=20)
    assert not (run / "evaluations").exists() or not any((run / "evaluations").iterdir())
    found = evaluate_elsewhere(run, tmp_path / "again", draws=20, run_data=tiny_dataset.folder)
    assert found["folder"] == str(run / "evaluations" / "again")
    learnt = set(tiny_dataset.cohort.patients[tiny_dataset.cohort.table["split"] != "test"])
    mine = Cohort.load(tmp_path / "again" / "cohort.parquet")
    assert found["data"]["left_out"] == sum(patient in learnt for patient in mine.patients[mine.rows("test")])
    without = evaluate_elsewhere(run, other, tmp_path / "out", draws=20)
    assert without["own"] is None
    assert without["external"]
    assert "cannot be found" in without["notes"][0]
    with pytest.raises(RunError, match="is not the data set"):
        evaluate_elsewhere(run, other, tmp_path / "more", run_data=tmp_path / "again")


def test_a_run_of_a_study_finds_its_cohort_in_the_study(
    run: Path, tiny_dataset: Dataset, other: Path, tmp_path: Path
) -> None:
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps(environment | {"dataset": str(tmp_path / "gone")}))
    moved = tmp_path / "study" / "runs" / "shared" / "seed-0"
    shutil.copytree(run, moved)
    tiny_dataset.cohort.save(tmp_path / "study" / "cohort.parquet")
    assert evaluate_elsewhere(moved, other, tmp_path / "out", draws=20)["own"] is not None


def test_a_test_side_of_patients_that_were_learnt_leaves_nothing(
    run: Path, tiny_nih: Path, tiny_dataset: Dataset, tmp_path: Path
) -> None:
    learnt = set(tiny_dataset.cohort.patients[tiny_dataset.cohort.rows("train")])
    source = as_csv(tiny_nih, tmp_path / "source")
    with (source / "labels.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    with (source / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *(row for row in rows if row[1] in learnt)])
    prepare(source, tmp_path / "data", format="csv", columns=OTHER, size=32, split="test", workers=1)
    with pytest.raises(RunError, match="all of them are of patients that the run learnt from"):
        evaluate_elsewhere(run, tmp_path / "data", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _smaller(tiny_nih: Path, room: Path) -> Path:
    prepare(tiny_nih, room, size=16, workers=1)
    return room


def test_what_cannot_be_done_is_said_and_leaves_nothing_behind(
    run: Path, other: Path, tiny_nih: Path, tiny_dataset: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(StoreError, match="--size 32"):
        evaluate_elsewhere(run, _smaller(tiny_nih, tmp_path / "small"), out, run_data=tiny_dataset.folder)
    with pytest.raises(RunError, match="holds no finished run"):
        evaluate_elsewhere(other, other, out)
    damage: dict[str, Any] = {
        "environment.json": ("cannot be read", "{"),
        "recipe.yaml": ("cannot be read", "name: x"),
        "evaluation.json": ("cannot be read", "{}"),
    }
    for name, (message, text) in damage.items():
        whole = (run / name).read_text()
        (run / name).write_text(text)
        with pytest.raises(RunError, match=message):
            evaluate_elsewhere(run, other, out)
        (run / name).write_text(whole)
    environment = json.loads((run / "environment.json").read_text())
    environment["start"]["weights_fingerprint"] = "0123456789ab"
    whole = (run / "environment.json").read_text()
    (run / "environment.json").write_text(json.dumps(environment))
    with pytest.raises(RunError, match=r"stored its heads alone.*0123456789ab"):
        evaluate_elsewhere(run, other, out)
    (run / "environment.json").write_text(whole)
    (run / "checkpoints" / "best" / "shared.safetensors").unlink()
    with pytest.raises(RunError, match="no best weights"):
        evaluate_elsewhere(run, other, out)
    assert not out.exists()


def test_an_evaluation_is_never_overwritten(run: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(run), "--data", str(other), "--draws", "20"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == f"Evaluation: {run / 'evaluations' / 'elsewhere'}"
    assert "(external): 120 images of 40 patients" in told
    assert "| **mean of 6** |" in told
    assert "- Nodule: no positive among 120 known images" in told
    lines = [line for line in told.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {11}
    assert main(words) == 1
    assert "never overwritten" in capsys.readouterr().err


def test_what_is_unknown_there_is_left_out(runs: dict[str, Path], tiny_nih: Path, tmp_path: Path) -> None:
    source = as_csv(tiny_nih, tmp_path / "source", rename="y", unknown=True)
    prepare(source, tmp_path / "data", format="csv", columns=OTHER, size=32, split="test", workers=1)
    result = evaluate_elsewhere(runs["flat-basic"], tmp_path / "data", tmp_path / "out", draws=20)
    table = Dataset.load(tmp_path / "data").cohort.table
    known = ~table["Effusion"].isna().to_numpy()
    assert 0 < known.sum() < len(table)
    entry = result["here"]["per_label"]["Effusion"]
    assert entry["n_known"] == known.sum()
    frame = Predictions.load(tmp_path / "out" / "predictions.parquet").frame
    truth = table["Effusion"][known].to_numpy(dtype=bool)
    assert entry["auroc"]["value"] == pytest.approx(roc_auc_score(truth, frame["Effusion"].to_numpy()[known]))


@pytest.mark.parametrize("kind", ["em", "platt", "logit-adjustment"])
@pytest.mark.parametrize("name", ["flat-basic", "hierarchical-shared"])
def test_corrected_on_its_own_test_images_a_run_says_what_its_line_in_a_study_says(
    name: str, kind: str, runs: dict[str, Path], tiny_dataset: Dataset, tmp_path: Path
) -> None:
    result = evaluate_elsewhere(runs[name], tiny_dataset.folder, tmp_path / "out", draws=20, posthoc=Posthoc(kind))
    line, _ = correct_run(Predictions.load(runs[name] / "predictions.parquet"), tiny_dataset.cohort, Posthoc(kind))
    made = Predictions.load(tmp_path / "out" / "predictions.parquet").frame.set_index("image_id")
    expected = line.frame[line.frame["split"] == "test"].set_index("image_id")
    assert made.equals(expected.loc[made.index])
    assert len(made) == len(expected)
    assert result["own"] == result["here"], "thresholds are chosen anew, on the corrected validation images"
    assert result["posthoc"]["name"] == kind
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == result


def test_elsewhere_the_prevalence_is_estimated_from_the_images_evaluated(
    runs: dict[str, Path], other: Path, tiny_dataset: Dataset, tmp_path: Path
) -> None:
    plain, shifted, calibrated = (
        evaluate_elsewhere(
            runs["flat-basic"], other, tmp_path / str(kind), draws=20, posthoc=None if kind is None else Posthoc(kind)
        )
        for kind in (None, "em", "platt")
    )
    told = shifted["posthoc"]["prevalence"]["Effusion"]
    probs = Predictions.load(tmp_path / "platt" / "predictions.parquet").frame["Effusion"].to_numpy()
    assert told["estimated"] == pytest.approx(likeliest_prevalence(probs, told["val"]))
    made = Predictions.load(tmp_path / "em" / "predictions.parquet").frame["Effusion"].to_numpy()
    np.testing.assert_allclose(made, shift(probs, told["val"], told["estimated"]))
    for one in (shifted, calibrated):
        for label in plain["shared"]:
            before, after = plain["here"]["per_label"][label], one["here"]["per_label"][label]
            assert after["auroc"]["value"] == before["auroc"]["value"]
    assert "posthoc" not in plain


def test_a_correction_needs_the_data_that_the_run_learnt_from(run: Path, other: Path, tmp_path: Path) -> None:
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "dataset": str(tmp_path / "gone")}))
    with pytest.raises(RunError, match="--run-data"):
        evaluate_elsewhere(run, other, tmp_path / "out", draws=20, posthoc=Posthoc("em"))
    assert not (tmp_path / "out").exists()
