"""Runs trained in processes side by side are, to the last bit, those trained one after the other."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chestxpert.dataset import prepare
from chestxpert.errors import RecipeError, RunError, UsageError
from chestxpert.processes import available_cores
from chestxpert.progress import Progress
from chestxpert.study import side_by_side
from chestxpert.study.plan import StudyPlan, load_recipes
from chestxpert.study.run import run_study
from chestxpert.study.side_by_side import MOST, useful_workers

TINY = ["size=32", "backbone=test_resnet", "weights=none", "epochs=2", "batch_size=16", "precision=float32", "views=1"]

# Starts a process that does something else for one of the runs: {act} has the arguments of train_run.
OTHERWISE = """
import sys; sys.path[:] = sys.argv[1:]
import os
from chestxpert.errors import RecipeError
from chestxpert.study import worker
real = worker.train_run
def other(recipe, dataset, out, *, seed, resume, kit, progress):
    if (recipe.name, seed) == ("flat-basic", 1):
        {act}
    return real(recipe, dataset, out, seed=seed, resume=resume, kit=kit, progress=progress)
worker.train_run = other
worker.main()
"""


class Told(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def plan(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyPlan:
    folder = tmp_path_factory.mktemp("beside") / "dataset"
    prepare(tiny_nih, folder, size=32, workers=1)
    return StudyPlan(folder, load_recipes(["flat-basic", "hierarchical-shared"], TINY, freeze=True), (0, 1))


@pytest.fixture(scope="module")
def one_by_one(plan: StudyPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one-by-one") / "study"
    run_study(plan, out, draws=20)
    return out


@pytest.fixture(scope="module")
def beside(plan: StudyPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("side-by-side") / "study"
    run_study(plan, out, draws=20, workers=2)
    return out


def without_times(path: Path) -> Any:
    """A JSON file without what a clock, a moment or a place decides."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            timed = ("seconds", "train_seconds", "ms_per_image", "early_exit_ms_per_image", "date", "command")
            return {key: plain(item) for key, item in value.items() if key not in timed}
        return [plain(item) for item in value] if isinstance(value, list) else value

    return (
        [plain(json.loads(line)) for line in path.read_text().splitlines()]
        if path.suffix == ".jsonl"
        else plain(json.loads(path.read_text()))
    )


def assert_same(one: Path, other: Path) -> None:
    files = {str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()}
    assert files == {str(path.relative_to(other)) for path in other.rglob("*") if path.is_file()}
    assert sum(name.endswith("predictions.parquet") for name in files) == 4
    for name in files:
        if Path(name).suffix in (".json", ".jsonl"):
            assert without_times(one / name) == without_times(other / name), name
        else:
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_they_store_the_same_bytes(one_by_one: Path, beside: Path) -> None:
    assert_same(one_by_one, beside)


def test_how_long_a_prediction_takes_is_measured_afterwards(beside: Path) -> None:
    for path in beside.glob("runs/*/*/cost.json"):
        cost = json.loads(path.read_text())
        assert cost["ms_per_image"] > 0, path
        assert cost["image_passes_per_image"] == 1, path


def test_times_that_an_interruption_left_out_are_added_later(plan: StudyPlan, beside: Path, tmp_path: Path) -> None:
    study = shutil.copytree(beside, tmp_path / "study")
    path = study / "runs" / "flat-basic" / "seed-1" / "cost.json"
    cost = json.loads(path.read_text())
    del cost["ms_per_image"]
    path.write_text(json.dumps(cost))
    run_study(plan, study, draws=20, resume=True)
    assert_same(beside, study)
    assert json.loads(path.read_text())["ms_per_image"] > 0


@pytest.mark.parametrize(
    ("act", "error", "said"),
    [
        ("os.kill(os.getpid(), 9)", RunError, "'flat-basic' seed 1 was killed by SIGKILL.*--resume"),
        ("os._exit(3)", RunError, "'flat-basic' seed 1 ended with status 3"),
        ("progress.note('so far'); raise RecipeError('the loss is no number')", RecipeError, "the loss is no number"),
    ],
)
def test_a_process_that_fails_is_an_error_and_the_study_goes_on_later(
    act: str, error: type[Exception], said: str, plan: StudyPlan, one_by_one: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(side_by_side, "_PROGRAM", OTHERWISE.format(act=act))
    told = Told()
    with pytest.raises(error, match=said):
        run_study(plan, tmp_path / "study", draws=20, workers=2, progress=told)
    assert ("so far" in told.notes) == ("so far" in act)
    assert not (tmp_path / "study" / "comparison.json").exists()
    if error is RecipeError:
        monkeypatch.undo()
        run_study(plan, tmp_path / "study", draws=20, resume=True)
        assert_same(one_by_one, tmp_path / "study")


def test_whole_networks_are_not_trained_side_by_side(plan: StudyPlan, tmp_path: Path) -> None:
    tuned = StudyPlan(plan.dataset, load_recipes(["flat-basic"], TINY, freeze=False), (0,))
    with pytest.raises(UsageError, match="Leave --workers out, or add --freeze"):
        run_study(tuned, tmp_path / "study", workers=2)
    assert not (tmp_path / "study").exists()


def test_a_process_is_started_where_it_has_runs_enough() -> None:
    assert [useful_workers(runs) for runs in (1, 2, 5)] == [1, 1, 1]
    assert useful_workers(6) == min(2, available_cores())
    assert useful_workers(10_000) == min(MOST, available_cores())
