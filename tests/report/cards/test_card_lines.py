"""Cards of lines that were not trained, and of one run by itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from card_reading import Card

from chestxpert.cli.main import main
from chestxpert.cohort.table import Cohort
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.derived import Derived
from chestxpert.evaluation.ensemble import average_predictions, total_cost
from chestxpert.evaluation.metrics import auroc
from chestxpert.evaluation.posthoc.lines import with_posthoc
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.files import write_json
from chestxpert.recipe import parse_posthoc
from chestxpert.report.cards import build_model_card
from chestxpert.report.cards.choose import read_subject
from chestxpert.report.cards.model_card import model_card
from chestxpert.taxonomy import study_taxonomy

RECIPES = {"flat-basic": "flat", "hierarchical-shared": "shared"}


@pytest.fixture(scope="module")
def derived(study_factory: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes of two seeds, two ensembles of all of them, and two corrections of each line."""
    folder = tmp_path_factory.mktemp("lines") / "study"
    made = study_factory(folder, recipes=tuple(RECIPES), seeds=(0, 1), draws=5, scale=0.4)
    cohort = Cohort.load(made / "cohort.parquet")
    lines = {name: [_stored(made, name, seed) for seed in (0, 1)] for name in RECIPES}
    members = [run for runs in lines.values() for run in runs]
    cost = total_cost([run.cost for run in members])
    for name, average in (("all", "probs"), ("ranked", "ranks")):
        record = {
            "average": average,
            "members": [{"recipe": name, "seed": seed} for name in RECIPES for seed in (0, 1)],
        }
        together = average_predictions([run.predictions for run in members], cohort, average)
        lines[name] = [RunResult(0, together, "mixed", cost, derived=Derived("ensemble", tuple(RECIPES), record))]
    lines = with_posthoc(lines, cohort, parse_posthoc("platt,em"))
    write_json(made / "comparison.json", compare_runs(lines, cohort, study_taxonomy(cohort.label_space), draws=20))
    return made


def _stored(study: Path, name: str, seed: int) -> RunResult:
    run = study / "runs" / name / f"seed-{seed}"
    cost = json.loads((run / "cost.json").read_text(encoding="utf-8"))
    return RunResult(seed, Predictions.load(run / "predictions.parquet"), RECIPES[name], cost)


def read(study: Path, line: str) -> Card:
    return Card.read(model_card(read_subject(study, line)))


def test_an_ensemble_is_called_one_and_costs_all_its_members(derived: Path) -> None:
    card = read(derived, "all")
    assert "4 runs of flat-basic and hierarchical-shared in one prediction, the mean of probs." in (
        card.parts["Model details"].text
    )
    assert "It costs as much as its 4 runs together." in card.parts["Caveats"].items
    assert "What other seeds would change is not measured: it is one prediction of several runs." in (
        card.parts["Caveats"].items
    )
    assert "mean ranks" not in card.parts["Caveats"].text
    assert {title for _, title in card.headings} >= {"Recipe flat-basic", "Recipe hierarchical-shared"}
    assert card.head["model-index"][0]["results"][0]["metrics"][0]["args"]["runs"] == 4
    assert "chestxpert ensemble" in card.parts["How to make it again"].fences[0][1]


def test_mean_ranks_are_called_no_probabilities(derived: Path) -> None:
    assert "Its answers are mean ranks, no probabilities" in read(derived, "ranked").parts["Caveats"].text


@pytest.mark.parametrize(
    ("line", "of", "looked_at"),
    [
        ("flat-basic+platt", "flat-basic", "by platt, which looked at validation images."),
        ("flat-basic+em", "flat-basic", "by em, which looked at test images, without their labels."),
        ("all+platt", "all", "by platt, which looked at validation images."),
    ],
)
def test_a_corrected_line_says_of_what_and_what_the_correction_saw(
    derived: Path, line: str, of: str, looked_at: str
) -> None:
    card = read(derived, line)
    assert f"predictions of {of}, corrected after training." in card.parts["Model details"].text
    assert f"It was corrected after training {looked_at}" in card.parts["Caveats"].items


def test_a_trained_recipe_says_nothing_of_corrections(derived: Path) -> None:
    caveats = read(derived, "flat-basic").parts["Caveats"].text
    assert "corrected after training" not in caveats
    assert "It costs as much as" not in caveats
    assert read_subject(derived).line in RECIPES


def test_the_tree_of_a_hierarchy_is_drawn_and_a_flat_network_has_none(derived: Path) -> None:
    ((_, tree),) = read(derived, "hierarchical-shared").parts["How it was trained"].fences
    assert "minority (decision C)" in tree
    assert read(derived, "flat-basic").parts["How it was trained"].fences == []


@pytest.fixture
def alone(derived: Path, tmp_path: Path) -> Path:
    """A finished run with the data set's table where its environment says."""
    run = Path(shutil.copytree(derived / "runs" / "flat-basic" / "seed-1", tmp_path / "run"))
    (tmp_path / "data").mkdir()
    shutil.copy(derived / "cohort.parquet", tmp_path / "data")
    cohort = Cohort.load(derived / "cohort.parquet")
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    start = {"backbone": "x", "weights_fingerprint": "0f4a7c1d9be2", "pixels_fingerprint": "00aa"}
    write_json(run / "environment.json", environment | {"dataset": str(tmp_path / "data"), "start": start})
    predictions = Predictions.load(run / "predictions.parquet")
    write_json(run / "evaluation.json", evaluate_run(predictions, cohort, study_taxonomy(cohort.label_space)))
    return run


def test_a_run_by_itself_has_intervals_of_its_own_predictions(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", str(alone), "--draws", "20"]) == 0
    assert capsys.readouterr().out == f"Card: {alone / 'model-card.md'}\n"
    card = Card.read((alone / "model-card.md").read_text(encoding="utf-8"))
    cohort = Cohort.load(alone.parent / "data" / "cohort.parquet")
    probs = Predictions.load(alone / "predictions.parquet").align(cohort, "test")[0]
    wanted = float(np.nanmean(auroc(cohort.labels(cohort.rows("test")), probs)))
    row = card.row("Metrics", "Macro AUROC")
    assert float(row["value [95 %]"].split()[0]) == pytest.approx(wanted, abs=5.1e-4)
    assert "[" in row["value [95 %]"]
    assert "One run of the recipe flat-basic." in card.parts["Model details"].text
    assert card.headings[0][1] == "Model card: flat-basic, seed 1"
    assert card.parts["Comparison with other recipes"].text == "Not measured: this card is about one run by itself."
    (shell,) = [text for _, text in card.parts["How to make it again"].fences]
    assert f"chestxpert train {alone / 'recipe.yaml'} --data {alone.parent / 'data'}" in shell
    assert "--seed 1" in shell
    assert "Fingerprint of the pixels: 00aa." in card.parts["How to make it again"].items
    assert card.parts["Factors"].tables


def test_a_run_whose_data_set_has_moved_asks_where_it_is(alone: Path) -> None:
    moved = alone.parent / "moved"
    (alone.parent / "data").rename(moved)
    with pytest.raises(RunError, match="Name its folder with --data"):
        build_model_card(alone)
    card = build_model_card(alone, data=moved, draws=5).read_text(encoding="utf-8")
    assert f"--data {moved}" in card
    with pytest.raises(UsageError, match="Leave --recipe out"):
        build_model_card(alone, recipe="flat-basic", data=moved)


def test_an_ensemble_folder_is_told_how_its_card_is_written(alone: Path) -> None:
    (alone / "ensemble.json").write_text("{}")
    with pytest.raises(RunError, match="--recipe NAME"):
        build_model_card(alone)


def test_whatever_a_run_does_not_record_is_called_so(alone: Path) -> None:
    environment: dict[str, Any] = json.loads((alone / "environment.json").read_text(encoding="utf-8"))
    kept = ("schema", "seed", "dataset", "cohort_fingerprint", "start", "size", "taxonomy")
    write_json(alone / "environment.json", {key: value for key, value in environment.items() if key in kept})
    write_json(alone / "cost.json", {})
    (alone / "metrics.jsonl").write_text("")
    card = Card.read(build_model_card(alone, draws=5).read_text(encoding="utf-8"))
    details = card.parts["Model details"].items
    assert "Weights it began from: not recorded." in details
    assert "Made with: ChestXpert not recorded." in details
    assert "Epochs that were run: not recorded." in card.parts["How it was trained"].paragraphs
    assert {row[1] for row in card.parts["What it costs"].tables[0][1:]} == {"not recorded"}
