"""Lines of a study that are made of its stored predictions: remembered, shown again, and whole or not there."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from chestxpert.dataset import prepare
from chestxpert.errors import ChestXpertError, RunError, UsageError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.recipe import parse_posthoc
from chestxpert.report import build_report
from chestxpert.study.join import ensemble_runs, ensemble_study
from chestxpert.study.plan import StudyPlan, load_recipes
from chestxpert.study.run import run_study
from chestxpert.study.stored import write_comparison

TINY = ["size=32", "backbone=test_resnet", "weights=none", "epochs=1", "batch_size=16", "precision=float32", "views=1"]


@pytest.fixture(scope="module")
def dataset_folder(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("derived") / "dataset"
    prepare(tiny_nih, folder, size=32, workers=1)
    return folder


@pytest.fixture(scope="module")
def plan(dataset_folder: Path) -> StudyPlan:
    recipes = load_recipes(["flat-basic", "hierarchical-shared"], TINY, freeze=True)
    return StudyPlan(dataset_folder, recipes, (0, 1))


@pytest.fixture(scope="module")
def finished(plan: StudyPlan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A finished study without any derived line; read only."""
    out = tmp_path_factory.mktemp("finished") / "study"
    return out, run_study(plan, out, draws=50)


def posthoc_plan(plan: StudyPlan, text: str | None) -> StudyPlan:
    return replace(plan, posthoc=None if text is None else parse_posthoc(text))


@pytest.fixture
def copied(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "study"))


def test_figures_are_the_same_whoever_computed_them(copied: Path) -> None:
    """To the last digit, with lines of every kind."""
    alone = write_comparison(copied, draws=50, posthoc=parse_posthoc("platt"), workers=1)
    stored = (copied / "comparison.json").read_bytes()
    (copied / "comparison.json").unlink()
    assert write_comparison(copied, draws=50, workers=2) == alone
    assert (copied / "comparison.json").read_bytes() == stored


def test_corrections_are_remembered_and_shown_again(
    plan: StudyPlan, copied: Path, finished: tuple[Path, dict[str, Any]]
) -> None:
    """report adds them without training; compare --resume and report show them from then on; none takes them away."""
    added = write_comparison(copied, draws=50, posthoc=parse_posthoc("platt,logit-adjustment:tau=0.5"))
    names = ["flat-basic", "hierarchical-shared"]
    kinds = ["platt", "logit-adjustment:tau=0.5"]
    assert list(added["recipes"]) == [*names, *(f"{name}+{kind}" for name in names for kind in kinds)]
    assert yaml.safe_load((copied / "study.yaml").read_text())["posthoc"] == kinds
    assert {name: added["recipes"][name] for name in names} == finished[1]["recipes"]
    assert write_comparison(copied, draws=50) == added
    assert run_study(plan, copied, resume=True, draws=50) == added
    assert run_study(posthoc_plan(plan, ",".join(kinds)), copied, resume=True, draws=50) == added
    with pytest.raises(RunError, match="trains nothing"):
        run_study(posthoc_plan(plan, "em"), copied, resume=True, draws=50)
    assert write_comparison(copied, draws=50, posthoc=()) == finished[1]
    assert write_comparison(copied, draws=50) == finished[1]


def test_a_study_begins_with_corrections(plan: StudyPlan, tmp_path: Path) -> None:
    comparison = run_study(posthoc_plan(plan, "em"), tmp_path / "study", draws=20)
    assert [name for name, line in comparison["recipes"].items() if "derived" in line] == [
        "flat-basic+em", "hierarchical-shared+em",
    ]  # fmt: skip
    assert run_study(plan, tmp_path / "study", resume=True, draws=20) == comparison
    build_report(tmp_path / "study")
    page = (tmp_path / "study" / "report.html").read_text(encoding="utf-8")
    assert "hierarchical-shared+em: prevalence" in page


def test_a_study_of_a_version_without_corrections_is_still_read(plan: StudyPlan, copied: Path) -> None:
    values = yaml.safe_load((copied / "study.yaml").read_text(encoding="utf-8"))
    del values["posthoc"]
    (copied / "study.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    first = write_comparison(copied, draws=20)
    assert run_study(plan, copied, resume=True, draws=20) == first
    assert run_study(posthoc_plan(plan, "none"), copied, resume=True, draws=20) == first


def test_the_seeds_of_a_study_become_one_line(copied: Path, finished: tuple[Path, dict[str, Any]]) -> None:
    folder = ensemble_study(copied, ["flat-basic"])
    assert folder == copied / "ensembles" / "flat-basic-x2"
    assert {path.name for path in folder.iterdir()} == {
        "predictions.parquet", "cost.json", "ensemble.json", "evaluation.json",
    }  # fmt: skip
    made = Predictions.load(folder / "predictions.parquet")
    runs = [Predictions.load(copied / f"runs/flat-basic/seed-{seed}/predictions.parquet") for seed in (0, 1)]
    frames = [run.frame.set_index("image_id").loc[made.frame["image_id"]] for run in runs]
    for label in made.label_space.labels:
        mean = (frames[0][label].to_numpy() + frames[1][label].to_numpy()) / 2
        assert made.frame[label].to_numpy() == pytest.approx(mean)
    comparison = write_comparison(copied, draws=50, posthoc=parse_posthoc("platt"))
    line = comparison["recipes"]["flat-basic-x2"]
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert line["metrics"]["macro_ap"]["mean"] == evaluation["test"]["metrics"]["macro_ap"]
    assert line["metrics"]["macro_ap"]["sd_seeds"] is None
    assert line["derived"]["runs"][0]["members"] == [{"recipe": "flat-basic", "seed": seed} for seed in (0, 1)]
    single = finished[1]["recipes"]["flat-basic"]["cost"]
    assert line["cost"]["parameters"] == 2 * single["parameters"]
    assert line["cost"]["train_seconds"] == pytest.approx(2 * single["train_seconds"])
    assert comparison["recipes"]["flat-basic-x2+platt"]["derived"]["of"] == ["flat-basic-x2"]
    against = [entry["b"] for entry in comparison["contrasts"] if entry["kind"] == "ensemble"]
    assert set(against) == {"flat-basic"}
    assert comparison["verdict"] == finished[1]["verdict"]
    build_report(copied)
    page = (copied / "report.html").read_text(encoding="utf-8")
    assert "2 in one" in page
    assert f"chestxpert ensemble {copied} --name flat-basic-x2 --average probs --recipes flat-basic" in page


def test_an_ensemble_of_all_recipes_has_no_tree_and_of_hierarchies_has_one(copied: Path) -> None:
    both = ensemble_study(copied)
    assert both.name == "ensemble-x4"
    assert json.loads((both / "ensemble.json").read_text())["architecture"] == "mixed"
    assert json.loads((both / "evaluation.json").read_text())["thresholds"]["nodes"] is None
    shared = ensemble_study(copied, ["hierarchical-shared"], name="trees", average="logits")
    assert json.loads((shared / "ensemble.json").read_text())["architecture"] == "shared"
    assert json.loads((shared / "evaluation.json").read_text())["thresholds"]["nodes"]
    comparison = write_comparison(copied, draws=20)
    assert [name for name in comparison["recipes"] if "derived" in comparison["recipes"][name]] == [
        "ensemble-x4",
        "trees",
    ]
    assert "hard_macro_f1" in comparison["recipes"]["trees"]["metrics"]
    assert "hard_macro_f1" not in comparison["recipes"]["ensemble-x4"]["metrics"]
    build_report(copied)


def test_what_no_ensemble_can_be_made_of_is_said(plan: StudyPlan, copied: Path) -> None:
    for words, recipes, name in [
        ("no recipe 'flat-basik'", ["flat-basik"], None), ("each recipe once", ["flat-basic"] * 2, None),
        ("no recipe's", ["flat-basic"], "flat-basic"), ("no recipe's", ["flat-basic"], "../out"),
        ("no recipe's", [], "flat-basic+platt"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=words):
            ensemble_study(copied, recipes, name=name)
    assert not (copied / "ensembles").exists()
    folder = ensemble_study(copied)
    with pytest.raises(RunError, match="never overwritten"):
        ensemble_study(copied)
    (folder / "evaluation.json").unlink()  # as if it had been killed before it was whole
    assert "ensemble-x4" not in write_comparison(copied, draws=20)["recipes"]
    ensemble_study(copied)
    (folder / "ensemble.json").write_text("{}")
    with pytest.raises(RunError, match="Delete it and make it again"):
        write_comparison(copied, draws=20)
    shutil.rmtree(copied / "runs" / "flat-basic" / "seed-1")
    with pytest.raises(RunError, match="not complete"):
        ensemble_study(copied, name="other")


def test_runs_that_stand_alone_make_an_ensemble(
    finished: tuple[Path, dict[str, Any]], dataset_folder: Path, tmp_path: Path
) -> None:
    runs = [finished[0] / "runs" / name / "seed-0" for name in ("flat-basic", "hierarchical-shared")]
    evaluation = ensemble_runs(runs, tmp_path / "both")
    assert evaluation == json.loads((tmp_path / "both" / "evaluation.json").read_text())
    assert ensemble_runs(runs, tmp_path / "again", data=dataset_folder) == evaluation
    members = json.loads((tmp_path / "both" / "ensemble.json").read_text())["members"]
    assert members == [{"recipe": name, "seed": 0} for name in ("flat-basic", "hierarchical-shared")]
    with pytest.raises(RunError, match="never overwritten"):
        ensemble_runs(runs, tmp_path / "both")
    with pytest.raises(RunError, match="is an ensemble"):
        ensemble_runs([*runs, tmp_path / "both"], tmp_path / "more")
    with pytest.raises(UsageError, match="named twice"):
        ensemble_runs([runs[0], runs[0]], tmp_path / "twice")
    with pytest.raises(ChestXpertError, match="at least two members"):
        ensemble_runs(runs[:1], tmp_path / "one")
    assert not (tmp_path / "one").exists()


def test_runs_of_different_data_make_no_ensemble(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    one, other = finished[0] / "runs" / "flat-basic" / "seed-0", tmp_path / "other"
    shutil.copytree(one, other)
    values = json.loads((other / "environment.json").read_text())
    (other / "environment.json").write_text(json.dumps({**values, "cohort_fingerprint": "0"}))
    with pytest.raises(RunError, match="2 different data sets"):
        ensemble_runs([one, other], tmp_path / "out")
