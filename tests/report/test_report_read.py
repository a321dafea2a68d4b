import json
from pathlib import Path
from typing import Any

import pytest

from chestxpert.errors import ChestXpertError, CohortError, PredictionsError, RunError
from chestxpert.report import build_report
from chestxpert.report.read import read_study
from chestxpert.report.results import Results
from chestxpert.report.stored_values import Contrast


def test_reads_every_run(study_folder: Path) -> None:
    study = read_study(study_folder)
    assert list(study.runs) == list(study.results.comparison["recipes"]) == study.results.recipes
    assert {tuple(seeds) for seeds in study.runs.values()} == {(0, 1, 2)}
    assert study.runs["hierarchical-cascade"][1].history[0]["network"] == "A"


@pytest.mark.parametrize(
    "name",
    [
        "study.yaml",
        "comparison.json",
        "cohort.parquet",
        "runs/flat-basic/seed-1/recipe.yaml",
        "runs/flat-basic/seed-1/environment.json",
        "runs/hierarchical-shared/seed-0/metrics.jsonl",
        "runs/hierarchical-shared/seed-0/predictions.parquet",
        "runs/hierarchical-shared/seed-2/cost.json",
    ],
)
def test_a_missing_file_is_named_and_the_old_report_stays(study_copy: Path, name: str) -> None:
    before = (study_copy / "report.html").read_bytes()
    (study_copy / name).unlink()
    with pytest.raises(RunError, match=Path(name).name):
        build_report(study_copy)
    assert (study_copy / "report.html").read_bytes() == before
    assert not [path for path in study_copy.iterdir() if "part" in path.name]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("comparison.json", RunError),
        ("runs/flat-basic/seed-1/metrics.jsonl", RunError),
        ("runs/flat-basic/seed-1/cost.json", RunError),
        ("runs/flat-basic/seed-1/predictions.parquet", PredictionsError),
        ("cohort.parquet", CohortError),
    ],
)
def test_a_file_cut_off_is_named(study_copy: Path, name: str, error: type[ChestXpertError]) -> None:
    path = study_copy / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(error, match=path.name):
        build_report(study_copy)


def test_json_that_is_no_object_is_refused(study_copy: Path) -> None:
    (study_copy / "comparison.json").write_text("[1, 2]")
    with pytest.raises(RunError, match="a list where an object was expected"):
        build_report(study_copy)


def test_a_comparison_of_another_cohort_is_refused(study_copy: Path) -> None:
    comparison = json.loads((study_copy / "comparison.json").read_text())
    comparison["cohort"]["fingerprint"] = "0123456789ab"
    (study_copy / "comparison.json").write_text(json.dumps(comparison))
    with pytest.raises(RunError, match="was made for cohort 0123456789ab"):
        build_report(study_copy)


def test_a_folder_that_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no study"):
        build_report(tmp_path)


def test_an_unknown_schema_and_a_part_missing_are_refused(study_folder: Path) -> None:
    comparison = json.loads((study_folder / "comparison.json").read_text())
    with pytest.raises(RunError, match="schema 2"):
        Results({**comparison, "schema": 2})
    del comparison["verdict"]
    with pytest.raises(RunError, match="it has no verdict"):
        Results(comparison)


@pytest.mark.parametrize(
    ("more", "clear"), [({}, True), ({"shared": {"patients": 6}}, True), ({"shared": {"patients": 5}}, False)]
)
def test_a_handful_of_patients_in_common_shows_nothing(more: dict[str, Any], clear: bool) -> None:
    assert Contrast("a", "b", "macro_ap", 0.5, 0.4, 0.6, 0.001, 0.001, more=more).clear is clear
