"""Training on a cohort of which labels are unknown: nothing behind an unknown label reaches a run."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from chestxpert.cohort.table import COLUMNS, Cohort, make_table
from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import NIH15
from chestxpert.progress import Progress
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training import run as run_module
from chestxpert.training import stages
from chestxpert.training.check import check_recipe
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.run import train_run
from chestxpert.training.task import IntArray, Task, tasks_for, unconditional_task

MakeRecipe = Callable[..., Recipe]
RECIPES = ["flat-weighted", "flat-resampled", "hierarchical-shared", "hierarchical-cascade"]
STAGED = ["flat-crt", "flat-tau-norm", "hierarchical-unconditional"]
TREE = study_taxonomy(NIH15)
NO_FINDING = NIH15.index("No Finding")


def with_known(cohort: Cohort, known: np.ndarray) -> Cohort:
    """The cohort with some labels made unknown."""
    rest = {name: cohort.table[name].to_numpy() for name in COLUMNS[2:]}
    return Cohort(make_table(cohort.image_ids, cohort.patients, cohort.labels(), NIH15, known=known, **rest), NIH15)


@pytest.fixture(scope="module")
def partly(tiny_dataset: Dataset, hide: Callable[..., np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny data set with 30 % of its labels unknown, and Hernia on every training row."""
    folder = tmp_path_factory.mktemp("partly") / "dataset"
    shutil.copytree(tiny_dataset.folder, folder, ignore=shutil.ignore_patterns("features"))
    whole = tiny_dataset.cohort
    seen = whole.labels()
    known = hide(seen, NIH15, 0.3, seed=2)
    known[whole.rows("train"), NIH15.index("Hernia")] = False
    known[:, NO_FINDING] |= (seen & known).any(axis=1)
    with_known(whole, known).save(folder / "cohort.parquet")
    return Dataset.load(folder)


@pytest.fixture(scope="module")
def kit(partly: Dataset, tiny_kit: NetworkKit) -> NetworkKit:
    return NetworkKit.create(replace(tiny_kit.recipe, freeze=True), partly)


class Notes(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def flipped(task: Task) -> Task:
    """The task with everything turned round that is behind an unknown entry."""
    return replace(task, targets=task.targets ^ ~task.known, scored=task.scored ^ ~task.scored_known)


def lines_of(folder: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


@pytest.mark.parametrize("name", [*RECIPES, *STAGED])
def test_what_is_behind_an_unknown_label_changes_nothing_at_all(
    name: str,
    partly: Dataset,
    kit: NetworkKit,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = tiny_recipe(name, "freeze=true")
    progress = Notes()
    result = train_run(recipe, partly, tmp_path / "run", kit=kit, progress=progress)
    turned: list[int] = []

    def turn(*arguments: object) -> tuple[Task, ...]:
        tasks = tasks_for(*arguments)  # type: ignore[arg-type]
        turned.extend(int((~task.known).sum()) for task in tasks)
        return tuple(map(flipped, tasks))

    def turn_second(*arguments: object) -> Task:
        task = unconditional_task(*arguments)  # type: ignore[arg-type]
        turned.append(int((~task.known).sum()))
        return flipped(task)

    monkeypatch.setattr(run_module, "tasks_for", turn)
    monkeypatch.setattr(stages, "unconditional_task", turn_second)
    again = train_run(recipe, partly, tmp_path / "again", kit=kit)
    assert min(turned) > 0
    one, other = (Predictions.load(tmp_path / folder / "predictions.parquet") for folder in ("run", "again"))
    pd.testing.assert_frame_equal(one.frame, other.frame, check_exact=True)
    assert again.evaluation == result.evaluation
    assert lines_of(tmp_path / "run") == lines_of(tmp_path / "again")
    assert result.evaluation["not_learnt"] == ["Hernia"]
    assert [note for note in progress.notes if "can teach Hernia" in note]
    assert result.evaluation["test"]["per_label"]["Hernia"]["n_known"] > 0


def test_a_run_where_all_is_known_says_nothing_of_unknown_labels(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    progress = Notes()
    recipe = tiny_recipe("flat-basic", "epochs=1")
    result = train_run(recipe, tiny_dataset, tmp_path / "run", kit=tiny_kit, progress=progress)
    assert "not_learnt" not in result.evaluation
    assert not [note for note in progress.notes if "teach" in note]


@pytest.mark.parametrize("name", ["flat-basic", *RECIPES[2:]])
def test_the_steps_see_the_rows_that_tell_and_no_others(
    name: str,
    partly: Dataset,
    kit: NetworkKit,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, set[int]] = {}
    step = Trainer.step

    def watched(self: Trainer, inputs: torch.Tensor, rows: IntArray) -> torch.Tensor:
        seen.setdefault(self.task.name, set()).update(rows.tolist())
        return step(self, inputs, rows)

    monkeypatch.setattr(Trainer, "step", watched)
    recipe = tiny_recipe(name, "freeze=true", "epochs=1")
    train_run(recipe, partly, tmp_path / "run", kit=kit)
    cohort = partly.cohort
    labels, known, train = cohort.labels(), cohort.known(), cohort.rows("train")
    if recipe.architecture == "flat":
        expected = {"flat": known.any(axis=1)}
    else:
        mask = TREE.mask(labels, known)
        asked = {decision.name: mask[:, TREE.columns(decision.name)].any(axis=1) for decision in TREE.decisions}
        expected = asked if recipe.architecture == "cascade" else {"shared": mask.any(axis=1)}
    assert {name: set(train[rows[train]].tolist()) for name, rows in expected.items()} == seen


@pytest.mark.parametrize("name", ["flat-basic", "hierarchical-shared"])
def test_an_output_that_nothing_teaches_has_no_gradient(
    name: str, partly: Dataset, kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    recipe = tiny_recipe(name, "freeze=true", "optimizer.clip=0")
    cohort = partly.cohort
    (task,) = tasks_for(recipe, cohort.labels(), NIH15, TREE, cohort.known())
    rows = training_rows(recipe, cohort, task.eligible, seed=0)
    one = kit.trainer(recipe, task, rows, seed=0)
    inputs, batch = next(one.source.eval_batches(rows, 32))
    one.network.train()
    assert torch.isfinite(one.step(inputs, batch))
    head = one.network.head
    outs = [head.out] if recipe.architecture == "flat" else list(head.outs)
    gradient = torch.cat([torch.cat([out.weight.grad, out.bias.grad[:, None]], dim=1) for out in outs])
    taught = task.known[batch].any(axis=0)
    assert not taught[task.outputs.index("Hernia")]
    assert task.unlearnt(rows) == ("Hernia",)
    assert_array_equal((gradient != 0).any(dim=1).numpy(), taught)


def known_but(cohort: Cohort, rows: np.ndarray, *labels: str) -> Cohort:
    """The cohort with `labels` (all if none is named) of some rows unknown."""
    known = np.ones((len(cohort), len(NIH15)), dtype=bool)
    known[np.ix_(rows, [NIH15.index(label) for label in labels or NIH15.labels])] = False
    known[:, NO_FINDING] |= (cohort.labels() & known).any(axis=1)
    return with_known(cohort, known)


def test_rows_of_which_nothing_is_known_take_no_part(tiny_dataset: Dataset, tiny_recipe: MakeRecipe) -> None:
    train = tiny_dataset.cohort.rows("train")
    cohort = known_but(tiny_dataset.cohort, train[:7])
    for name in RECIPES:
        recipe = tiny_recipe(name)
        for task in tasks_for(recipe, cohort.labels(), NIH15, TREE, cohort.known()):
            assert not task.eligible[train[:7]].any()
            rows = training_rows(recipe, cohort, task.eligible, seed=0)
            assert len(rows)
            assert not set(train[:7]) & set(rows)


def test_what_cannot_be_learnt_depends_on_what_the_recipe_asks(tiny_dataset: Dataset, tiny_recipe: MakeRecipe) -> None:
    whole = tiny_dataset.cohort
    train, rare = whole.rows("train"), TREE.decisions[2].children
    without_hernia = known_but(whole, train, "Hernia")
    for name in ("flat-basic", "hierarchical-shared", "hierarchical-cascade"):
        assert check_recipe(tiny_recipe(name), without_hernia, seed=0) == ("Hernia",)
        assert check_recipe(tiny_recipe(name), whole, seed=0) == ()
    # Rare findings known on exactly those images that carry none: a flat network learns where they are not, but the
    # tree never hears which of them is there where any is.
    carriers = train[whole.labels(train)[:, [NIH15.index(name) for name in rare]].any(axis=1)]
    hidden = known_but(whole, carriers, *rare)
    assert check_recipe(tiny_recipe("flat-basic"), hidden, seed=0) == ()
    not_learnt = check_recipe(tiny_recipe("hierarchical-shared"), hidden, seed=0)
    assert not_learnt == tuple(label for label in NIH15.labels if label in rare)
    # Whole paths are asked about on images without a rare finding too.
    assert check_recipe(tiny_recipe("hierarchical-unconditional"), hidden, seed=0) == ()
    with pytest.raises(RunError, match="leaves 0 training rows to network 'C'"):
        check_recipe(tiny_recipe("hierarchical-cascade"), hidden, seed=0)


def test_where_only_no_finding_is_known_the_root_of_the_tree_is_learnt(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    whole = tiny_dataset.cohort
    train = whole.rows("train")
    only_root = known_but(whole, train, *NIH15.findings)
    assert check_recipe(tiny_recipe("hierarchical-shared"), only_root, seed=0) == NIH15.findings
    assert check_recipe(tiny_recipe("flat-basic"), only_root, seed=0) == NIH15.findings


def test_without_a_known_no_finding_a_flat_network_does_not_learn_it(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    """And a tree cannot begin: no image says whether there is any finding at all."""
    whole = tiny_dataset.cohort
    known = np.ones((len(whole), len(NIH15)), dtype=bool)
    known[whole.rows("train")] = False
    known[whole.rows("train"), NIH15.index("Edema")] = True
    absent = with_known(whole, known)
    assert not absent.labels(whole.rows("train")).any()  # the tiny data set has no Edema
    expected = tuple(label for label in NIH15.labels if label != "Edema")
    assert check_recipe(tiny_recipe("flat-basic"), absent, seed=0) == expected
    with pytest.raises(RunError, match="leaves 0 training rows to network 'shared'"):
        check_recipe(tiny_recipe("hierarchical-shared"), absent, seed=0)


def test_too_few_rows_that_tell_is_an_error(tiny_dataset: Dataset, tiny_recipe: MakeRecipe) -> None:
    cohort = known_but(tiny_dataset.cohort, tiny_dataset.cohort.rows("train"))
    with pytest.raises(RunError, match=r"0 training rows to network 'flat'.*or data with more known labels"):
        check_recipe(tiny_recipe("flat-basic"), cohort, seed=0)
