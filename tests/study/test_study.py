import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import ChestXpertError, RunError, UsageError
from chestxpert.folders import locked
from chestxpert.recipe import STUDY_RECIPES
from chestxpert.report import build_report
from chestxpert.study.plan import StudyPlan, load_recipes
from chestxpert.study.run import duration, run_study
from chestxpert.study.stored import write_comparison
from chestxpert.training.run import train_run

TINY = ["size=32", "backbone=test_resnet", "weights=none", "epochs=1", "batch_size=16", "precision=float32", "views=1"]


@pytest.fixture(scope="module")
def dataset_folder(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "dataset"
    prepare(tiny_nih, folder, size=32, workers=1)
    return folder


@pytest.fixture(scope="module")
def plan(dataset_folder: Path) -> StudyPlan:
    recipes = load_recipes(["flat-basic", "hierarchical-shared"], TINY, freeze=True)
    return StudyPlan(dataset_folder, recipes, (0, 1))


@pytest.fixture(scope="module")
def finished(plan: StudyPlan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("finished") / "study"
    return out, run_study(plan, out, draws=50)


def without_times(comparison: dict[str, Any]) -> dict[str, Any]:
    """A comparison without what a clock decides."""
    plain = json.loads(json.dumps(comparison))
    for recipe in plain["recipes"].values():
        for key in ("train_seconds", "ms_per_image", "early_exit_ms_per_image"):
            recipe["cost"].pop(key)
    return plain


def test_comparison_is_stored_and_strict_json(finished: tuple[Path, dict[str, Any]]) -> None:
    out, comparison = finished

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    stored = json.loads((out / "comparison.json").read_text(), parse_constant=refuse)
    assert stored == json.loads(json.dumps(comparison))
    assert set(stored["recipes"]) == {"flat-basic", "hierarchical-shared"}
    assert stored["recipes"]["flat-basic"]["seeds"] == [0, 1]


def test_a_study_killed_between_runs_resumes_to_the_same_comparison(
    plan: StudyPlan, finished: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def killed_in_the_third(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return train_run(*args, **kwargs)

    monkeypatch.setattr("chestxpert.study.run.train_run", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        run_study(plan, tmp_path / "study", draws=50)
    monkeypatch.undo()
    resumed = run_study(plan, tmp_path / "study", resume=True, draws=50)
    assert without_times(resumed) == without_times(finished[1])


def test_comparison_is_redrawn_from_stored_predictions(finished: tuple[Path, dict[str, Any]]) -> None:
    out, comparison = finished
    assert write_comparison(out, draws=50) == comparison


def test_a_study_never_overwrites(plan: StudyPlan, finished: tuple[Path, dict[str, Any]]) -> None:
    with pytest.raises(RunError, match="never overwritten"):
        run_study(plan, finished[0])


def test_resume_refuses_another_study(dataset_folder: Path, finished: tuple[Path, dict[str, Any]]) -> None:
    other = StudyPlan(dataset_folder, load_recipes(["flat-basic"], TINY, freeze=True), (0, 1))
    with pytest.raises(RunError, match="other recipes"):
        run_study(other, finished[0], resume=True)


def test_an_unfinished_study_is_not_compared(plan: StudyPlan, finished: tuple[Path, dict[str, Any]]) -> None:
    run = finished[0] / "runs" / "flat-basic" / "seed-1" / "evaluation.json"
    text = run.read_text()
    run.unlink()
    try:
        with pytest.raises(RunError, match="not complete"):
            write_comparison(finished[0])
    finally:
        run.write_text(text)


def test_a_study_of_no_recipes_in_particular_is_of_the_six() -> None:
    assert [recipe.name for recipe in load_recipes([], TINY, freeze=True)] == list(STUDY_RECIPES)
    assert len(STUDY_RECIPES) == 6


def test_a_study_needs_different_recipes_and_seeds(dataset_folder: Path) -> None:
    recipe = load_recipes(["flat-basic"], TINY, freeze=True)
    with pytest.raises(UsageError, match="different names"):
        StudyPlan(dataset_folder, recipe * 2, (0,))
    with pytest.raises(UsageError, match="different seeds"):
        StudyPlan(dataset_folder, recipe, (0, 0))


def test_the_cohort_travels_with_the_study(finished: tuple[Path, dict[str, Any]], dataset_folder: Path) -> None:
    assert Cohort.load(finished[0] / "cohort.parquet").fingerprint == Dataset.load(dataset_folder).cohort.fingerprint


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (300, "5 min"), (11_100, "3 h 05 min")])
def test_duration_is_said_as_a_person_would(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_cannot_be_trained_is_found_before_anything_is_made(dataset_folder: Path, tmp_path: Path) -> None:
    recipes = load_recipes(
        ["flat-basic", "flat-downsampled"], [*TINY, "sampling.thin.drop={Efusion: 0.4}"], freeze=True
    )
    with pytest.raises(ChestXpertError, match="Efusion"):
        run_study(StudyPlan(dataset_folder, recipes, (0,)), tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_resume_refuses_other_pixels(plan: StudyPlan, finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    study = shutil.copytree(finished[0], tmp_path / "study")
    text = (study / "study.yaml").read_text()
    fingerprint = re.search(r"pixels_fingerprint: (\S+)", text)
    assert fingerprint is not None
    (study / "study.yaml").write_text(text.replace(fingerprint.group(1), "0000"))
    with pytest.raises(RunError, match="weights, pixels or number format"):
        run_study(plan, study, resume=True)


def test_two_processes_do_not_work_on_one_study(plan: StudyPlan, finished: tuple[Path, dict[str, Any]]) -> None:
    with locked(finished[0], "busy"), pytest.raises(ChestXpertError, match="Another process is working"):
        run_study(plan, finished[0], resume=True)


def test_a_study_is_not_compared_on_another_cohort(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path, dataset_folder: Path
) -> None:
    study = shutil.copytree(finished[0], tmp_path / "study")
    cohort = Cohort.load(study / "cohort.parquet")
    table = cohort.table.copy()
    test = cohort.rows("test")
    names = list(cohort.label_space.labels)
    table.loc[test, names] = table.loc[test[::-1], names].to_numpy()
    Cohort(table, cohort.label_space).save(study / "cohort.parquet")
    with pytest.raises(RunError, match="not the cohort that this study was run on"):
        write_comparison(study)


def test_a_study_of_another_version_is_explained(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    study = shutil.copytree(finished[0], tmp_path / "study")
    text = (study / "study.yaml").read_text()
    (study / "study.yaml").write_text(text.replace("start:", "began:"))
    with pytest.raises(RunError, match="not written by this version"):
        write_comparison(study)


def test_a_study_that_cannot_begin_leaves_no_folder(dataset_folder: Path, tmp_path: Path) -> None:
    recipes = load_recipes(["flat-basic"], [*TINY, "backbone=resnet19"], True)
    with pytest.raises(ChestXpertError, match="resnet19"):
        run_study(StudyPlan(dataset_folder, recipes, (0,)), tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_recipes_down_different_trees_are_measured_on_one_that_is_stored(dataset_folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\ntree: {finding: [Effusion, Mass, {others: rest}]}\n", encoding="utf-8")
    recipes = load_recipes(["flat-basic", "hierarchical-shared", "hierarchical-clinical"], TINY, freeze=True)
    plan = StudyPlan(dataset_folder, recipes, (0,), taxonomy=str(mine))
    comparison = run_study(plan, tmp_path / "study", draws=20)
    assert comparison["taxonomy"] == "mine"
    for recipe in comparison["recipes"].values():
        assert list(recipe["levels"]["inner"]) == ["finding", "others"]
    assert "opacity" in comparison["recipes"]["hierarchical-clinical"]["tree"]["nodes"]
    build_report(tmp_path / "study")
    page = (tmp_path / "study" / "report.html").read_text(encoding="utf-8")
    assert "The tree study, of hierarchical-shared" in page
    assert "The tree clinical, of hierarchical-clinical" in page
    mine.unlink()
    assert without_times(write_comparison(tmp_path / "study", draws=20)) == without_times(comparison)
    mine.write_text("name: mine\ntree: {finding: [Effusion, {others: rest}]}\n", encoding="utf-8")
    with pytest.raises(RunError, match="other taxonomies"):
        run_study(plan, tmp_path / "study", resume=True)
    with pytest.raises(RunError, match="other tree to measure on"):
        run_study(StudyPlan(dataset_folder, recipes, (0,)), tmp_path / "study", resume=True)


@pytest.mark.parametrize(
    ("names", "overrides", "asked", "measured_on"),
    [
        (["flat-basic"], [], None, "study"),
        (["flat-basic"], ["taxonomy=clinical"], None, "clinical"),
        (["flat-basic", "hierarchical-clinical"], [], None, "clinical"),
        (["flat-basic", "hierarchical-clinical", "hierarchical-shared"], [], None, "study"),
        (["hierarchical-clinical", "hierarchical-majority-3"], [], None, "study"),
        (["hierarchical-clinical", "hierarchical-majority-3"], [], "majority-5", "majority-5"),
        (["flat-basic", "hierarchical-shared"], [], "clinical", "clinical"),
    ],
)
def test_which_tree_a_study_is_measured_on(
    names: list[str], overrides: list[str], asked: str | None, measured_on: str, dataset_folder: Path
) -> None:
    plan = StudyPlan(dataset_folder, load_recipes(names, overrides, True), (0,), taxonomy=asked)
    cohort = Cohort.load(dataset_folder / "cohort.parquet")
    assert plan.measured_on == measured_on
    assert plan.to_dict(cohort)["taxonomies"][measured_on]["name"] == measured_on


def test_a_tree_to_measure_on_that_there_is_not_is_found_first(dataset_folder: Path, tmp_path: Path) -> None:
    plan = StudyPlan(dataset_folder, load_recipes(["flat-basic"], TINY, True), (0,), taxonomy="clincal")
    with pytest.raises(ChestXpertError, match="Did you mean 'clinical'"):
        run_study(plan, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_study_that_stored_no_tree_is_measured_on_its_first_recipes(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    study = shutil.copytree(finished[0], tmp_path / "study")
    values = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    del values["taxonomies"], values["measured_on"]
    (study / "study.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert write_comparison(study, draws=50) == finished[1]


def test_a_study_says_which_findings_its_runs_could_not_learn(dataset_folder: Path, tmp_path: Path) -> None:
    """From unknown labels in the table to the comparison, through training, stored runs and back."""
    folder = tmp_path / "dataset"
    shutil.copytree(dataset_folder, folder)
    cohort = Cohort.load(folder / "cohort.parquet")
    table = cohort.table.astype({"Hernia": "boolean"})
    table.loc[table["split"] == "train", "Hernia"] = pd.NA
    partly = Cohort(table, cohort.label_space)
    partly.save(folder / "cohort.parquet")
    recipes = load_recipes(["flat-basic", "hierarchical-shared"], TINY, freeze=True)
    comparison = run_study(StudyPlan(folder, recipes, (0,)), tmp_path / "study", draws=20)
    assert comparison["cohort"]["fingerprint"] == partly.fingerprint != cohort.fingerprint
    for recipe in comparison["recipes"].values():
        assert recipe["not_learnt"] == ["Hernia"]
        assert recipe["per_label"]["Hernia"]["n_positive"] == cohort.counts("test")["Hernia"]
        assert "n_known" not in recipe["per_label"]["Hernia"]  # every test image tells
    stored = without_times(write_comparison(tmp_path / "study", draws=20))
    assert stored == without_times(comparison)


def test_a_study_keeps_its_rule_for_thresholds_and_another_can_be_asked_for(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    study = shutil.copytree(finished[0], tmp_path / "study")
    assert yaml.safe_load((study / "study.yaml").read_text())["threshold"] == "f1"
    other = write_comparison(study, draws=20, threshold="sensitivity=0.8", subgroups=["view"])
    assert (other["operating"]["rule"], other["subgroups"]["by"]) == ("sensitivity=0.8", ["view"])
    label = "Infiltration"
    before, after = (c["recipes"]["flat-basic"]["per_label"][label] for c in (finished[1], other))
    assert before["thresholds"] != after["thresholds"]
    assert before["auroc"]["mean"] == after["auroc"]["mean"]
    build_report(study)
    assert "sensitivity of at least 0.8" in (study / "report.html").read_text(encoding="utf-8")
    assert write_comparison(study, draws=50) == finished[1]


def test_a_rule_or_subgroups_that_there_are_not_are_found_first(
    plan: StudyPlan, finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="Did you mean 'youden'"):
        StudyPlan(plan.dataset, plan.recipes, (0,), threshold="yuden")
    with pytest.raises(UsageError, match="no column 'colour'"):
        run_study(StudyPlan(plan.dataset, plan.recipes, (0,), subgroups=("colour",)), tmp_path / "study")
    assert not (tmp_path / "study").exists()
    with pytest.raises(UsageError, match="no column 'colour'"):
        write_comparison(finished[0], draws=5, subgroups=["colour"])


def test_a_study_is_not_resumed_with_another_rule(
    plan: StudyPlan, finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    study = shutil.copytree(finished[0], tmp_path / "study")
    changed = StudyPlan(plan.dataset, plan.recipes, plan.seeds, threshold="youden")
    with pytest.raises(RunError, match="other rule for thresholds"):
        run_study(changed, study, resume=True)
    values = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    del values["threshold"], values["subgroups"]  # as older versions wrote it
    (study / "study.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert run_study(plan, study, resume=True, draws=50) == finished[1]
