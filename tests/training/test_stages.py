"""Second stages: what stands still, what is learnt anew, what is kept, and that a kill changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.imbalance.losses.unconditional import UnconditionalLoss
from chestxpert.labels import NIH15
from chestxpert.recipe import DRAWS, LOSSES, Mix, Recipe
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.check import check_recipe
from chestxpert.training.checkpoints import Checkpoints
from chestxpert.training.estimate import estimate_fine_tuning
from chestxpert.training.kits import Kits
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.run import train_run
from chestxpert.training.sources import IntArray
from chestxpert.training.stages import Fitted, fit_network, second_recipe, second_trainer
from chestxpert.training.state import EpochLine
from chestxpert.training.task import Task, tasks_for, unconditional_task

MakeRecipe = Callable[..., Recipe]
SMALL = ("head.hidden=[8]", "head.dropout=[0.2]", "stage.epochs=2")
TREE = study_taxonomy(NIH15)


def tasks(kit: NetworkKit, recipe: Recipe) -> tuple[Task, ...]:
    cohort = kit.dataset.cohort
    return tasks_for(recipe, cohort.labels(), cohort.label_space, cohort_taxonomy(recipe.taxonomy, cohort))


def ignore(lines: Sequence[EpochLine]) -> None:
    pass


def fit(
    kit: NetworkKit,
    recipe: Recipe,
    folder: Path,
    report: Callable[[Sequence[EpochLine]], None] = ignore,
    which: int = 0,
) -> Fitted:
    return fit_network(kit, recipe, tasks(kit, recipe)[which], TREE, folder, 3, report)


STAGED = [
    ("flat-crt", "freeze=false", 0),
    ("flat-crt", "freeze=true", 0),
    ("hierarchical-shared", "stage.kind=crt", 0),
    ("hierarchical-cascade", "stage.kind=crt", 1),
]


@pytest.mark.parametrize(("name", "own", "which"), STAGED)
def test_retraining_moves_the_last_layer_and_nothing_else(
    name: str, own: str, which: int, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    """Not the statistics of a norm either, and whether the backbone had been trained or not."""
    recipe = tiny_recipe(name, own, *SMALL)
    done = fit(tiny_kit, recipe, tmp_path, which=which)
    network = done.trainer.task.name
    before, after = (Checkpoints(folder, network).load_best() for folder in (tmp_path / "first", tmp_path))
    assert before.keys() == after.keys()
    assert any(key.startswith("backbone.") for key in after) != recipe.freeze
    assert any("running_mean" in key for key in after)
    for key in after:
        assert torch.equal(before[key], after[key]) != key.startswith("head.out"), key
    assert [line.get("stage") for line in done.lines] == [None, None, "crt", "crt"]


def test_retraining_starts_from_new_weights_at_the_log_odds_of_the_training_rows(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-crt", "freeze=true", *SMALL)
    (task,) = tasks(tiny_kit, recipe)
    rows = training_rows(recipe, tiny_kit.dataset.cohort, task.eligible, 3)
    first = tiny_kit.trainer(recipe, task, rows, 3)
    drawn_first = first.network.head.last[0].weight.detach().clone()
    state = first.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    learnt = first.network.head.last[0].weight.detach().clone()
    second = second_trainer(tiny_kit, recipe, task, TREE, first, state, 3)
    last = second.network.head.last[0]
    for other in (learnt, drawn_first):
        assert not np.isclose(last.weight.detach().numpy(), other.numpy()).any()
    bound = 1 / np.sqrt(last.in_features)
    assert last.weight.abs().max() <= bound  # torch's own way to draw a linear layer
    positives = task.targets[rows].sum(axis=0)
    assert np.allclose(last.bias.detach().numpy(), np.log((positives + 0.5) / (len(rows) - positives + 0.5)), atol=1e-5)
    trained = [name for name, parameter in second.network.named_parameters() if parameter.requires_grad]
    assert trained == ["head.out.weight", "head.out.bias"]
    second.network.train()
    assert {part.training for part in (*second.network.head.norms, *second.network.head.dropouts)} == {False}


def test_a_stage_trains_by_its_own_epochs_rates_and_draw(tiny_recipe: MakeRecipe) -> None:
    recipe = tiny_recipe(
        "flat-ldam-drw", "stage={kind: crt, epochs: 3, rate: 0.5}", "sampling.oversample={target: .1}",
        "sampling.mix.kind=mixup", "sampling.draw.kind=ml-ros", "optimizer.lr=0.25", "optimizer.head_lr=0.125",
    )  # fmt: skip
    second = second_recipe(recipe)
    assert (second.epochs, second.optimizer.lr, second.optimizer.head_lr) == (3, 0.125, 0.0625)
    assert (second.sampling.draw.kind, second.sampling.mix) == ("class-balanced", Mix())
    assert second.sampling.oversample == recipe.sampling.oversample
    assert second.loss == replace(recipe.loss, deferred=0.0)  # the weights that the first stage deferred are on
    own = replace(recipe, stage=replace(recipe.stage, draw=recipe.sampling.draw))
    assert second_recipe(own).sampling.draw == recipe.sampling.draw
    shared = tiny_recipe("hierarchical-unconditional", "sampling.mix.kind=mixup", "sampling.draw.kind=ml-ros")
    assert second_recipe(shared).sampling == shared.sampling
    assert second_recipe(shared).optimizer.lr == pytest.approx(0.1 * shared.optimizer.lr)


@pytest.mark.parametrize("name", ["flat-crt", "hierarchical-unconditional"])
def test_a_stage_draws_other_rows_than_the_first_epoch_did(
    name: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And retraining draws them class-balanced: a label, each as likely as any other, and then one of its rows."""
    seen: list[list[int]] = []
    begin, step = Trainer._train_epoch, Trainer.step

    def watched_epoch(self: Trainer, *rest: object) -> float:
        seen.append([])
        return begin(self, *rest)  # type: ignore[arg-type]

    def watched_step(self: Trainer, inputs: torch.Tensor, rows: IntArray) -> torch.Tensor:
        seen[-1].extend(rows.tolist())
        return step(self, inputs, rows)

    monkeypatch.setattr(Trainer, "_train_epoch", watched_epoch)
    monkeypatch.setattr(Trainer, "step", watched_step)
    recipe = tiny_recipe(name, "freeze=true", "epochs=1", *SMALL, "stage.epochs=6")
    fit(tiny_kit, recipe, tmp_path)
    assert len(seen) == 7
    assert len({tuple(rows) for rows in seen}) == 7
    cohort = tiny_kit.dataset.cohort
    train = cohort.rows("train")
    assert sorted(seen[0]) == train.tolist()
    if name == "hierarchical-unconditional":
        assert all(sorted(rows) == train.tolist() for rows in seen)
        return
    labels = cohort.labels(train)
    counts = labels.sum(axis=0)
    share = (labels / np.maximum(counts, 1)) @ np.full(len(counts), 1 / (counts > 0).sum())  # chance of each row
    drawn = np.bincount(np.searchsorted(train, np.concatenate(seen[1:])), minlength=len(train)) / (6 * len(train))
    assert np.corrcoef(share, drawn)[0, 1] > 0.8


@pytest.mark.parametrize("name", ["flat-crt", "hierarchical-unconditional"])
def test_what_the_second_stage_gave_is_kept_even_if_the_first_scored_higher(
    name: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.8, 0.9, 0.1, 0.3, 0.2])
    monkeypatch.setattr(Trainer, "_validate", lambda self: (1.0, next(scores), 0.5))
    recipe = tiny_recipe(name, "freeze=true", *SMALL, "stage.epochs=3")
    lines: list[Sequence[EpochLine]] = []
    done = fit(tiny_kit, recipe, tmp_path, lines.append)
    assert done.record == {
        "first": {"best_epoch": 2, "val_score": 0.9},
        "second": {"best_epoch": 4, "val_score": 0.3},
    }
    assert [line["epoch"] for line in done.lines] == [1, 2, 3, 4, 5]
    assert list(lines[-1]) == done.lines
    kept = Checkpoints(tmp_path, done.trainer.task.name).load_best()
    for key, value in done.trainer.network.state_dict().items():
        if key in kept:
            assert torch.equal(kept[key], value)
    assert done.image_passes == sum(state.image_passes for state in done.states)
    assert done.states[1].image_passes == 3 * len(done.trainer.train_rows)


def test_without_a_stage_nothing_of_one_is_written(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    result = train_run(tiny_recipe("flat-basic", "epochs=1"), tiny_dataset, tmp_path / "run", kit=tiny_kit)
    assert "stage" not in result.evaluation
    assert "stage" not in (tmp_path / "run" / "metrics.jsonl").read_text()


def test_the_unconditional_task_asks_each_node_wherever_it_is_known() -> None:
    """Held against brute force: a node holds if a finding below it does, and a finding is known by its own label."""
    rng = np.random.default_rng(0)
    labels = rng.random((50, len(NIH15))) < 0.2
    none = NIH15.index("No Finding")
    labels[:, none] = ~np.delete(labels, none, axis=1).any(axis=1)
    task = unconditional_task(labels, TREE)
    assert task.known.all()
    for column, node in enumerate(TREE.nodes):
        below = [NIH15.index(name) for name in TREE.findings_below(node)]
        assert np.array_equal(task.targets[:, column], labels[:, below].any(axis=1))
    assert task.parents is not None
    assert [None if up is None else TREE.nodes[up] for up in task.parents] == [TREE.parent(n) for n in TREE.nodes]
    known = rng.random(labels.shape) < 0.7
    known[:5] = False
    known[:3, NIH15.index("Hernia")] = True  # not asked by the conditional loss, whose parents are unknown there
    known[:, none] |= (labels & known).any(axis=1)
    partly = unconditional_task(labels, TREE, known)
    for finding in NIH15.findings:
        assert np.array_equal(partly.known[:, TREE.nodes.index(finding)], known[:, NIH15.index(finding)])
    assert np.array_equal(partly.eligible[:5], known[:5].any(axis=1))


def test_the_unconditional_stage_weighs_and_asks_all_rows(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("hierarchical-unconditional", "freeze=true", "epochs=1", *SMALL, "loss.pos_weight=balanced")
    one = fit(tiny_kit, recipe, tmp_path).trainer
    assert isinstance(one.loss, UnconditionalLoss)
    assert all(parameter.requires_grad for parameter in one.network.head.parameters())
    labels = tiny_kit.dataset.cohort.labels(tiny_kit.dataset.cohort.rows("train"))
    assert one.weight is not None
    for finding in NIH15.findings:
        positives = labels[:, NIH15.index(finding)].sum()
        if positives:
            weight = one.weight[TREE.nodes.index(finding)].item()
            assert weight == pytest.approx((len(labels) - positives) / positives)


def test_the_unconditional_stage_lowers_its_loss(tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = tiny_recipe("hierarchical-unconditional", "freeze=true", *SMALL, "stage.epochs=8", "stage.rate=1")
    lines = [line for line in fit(tiny_kit, recipe, tmp_path).lines if "stage" in line]
    assert float(lines[-1]["train_loss"] or 0) < float(lines[0]["train_loss"] or 0)


@pytest.mark.parametrize("loss", LOSSES)
def test_stages_go_on_after_a_kill_with_any_loss_and_draw(
    loss: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    place = list(LOSSES).index(loss)
    name = ("flat-crt", "hierarchical-unconditional")[place % 2]
    draw = list(DRAWS)[place % len(DRAWS)]
    recipe = tiny_recipe(
        name, "freeze=true", *SMALL, f"loss.kind={loss}", f"sampling.draw.kind={draw}", f"stage.draw={{kind: {draw}}}",
        "sampling.mix.kind=mixup", "optimizer.average=0.5",
    )  # fmt: skip
    whole = fit(tiny_kit, recipe, tmp_path / "whole")
    rows = tiny_kit.dataset.cohort.rows("test")
    for after in (1, 2, 3):

        def kill(lines: Sequence[EpochLine], after: int = after) -> None:
            if len(lines) == after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(tiny_kit, recipe, tmp_path / str(after), kill)
        again = fit(tiny_kit, recipe, tmp_path / str(after))
        timeless = [[{**line, "seconds": None} for line in done.lines] for done in (whole, again)]
        assert timeless[0] == timeless[1]
        assert again.record == whole.record
        assert again.image_passes == whole.image_passes
        assert np.array_equal(again.trainer.predict(rows), whole.trainer.predict(rows))
    assert all(line["train_loss"] is not None for line in whole.lines)


@pytest.mark.parametrize("name", ["flat-crt", "flat-tau-norm", "hierarchical-unconditional"])
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_a_staged_run_leaves_a_whole_folder(
    name: str, precision: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    stage = [] if name == "flat-tau-norm" else ["stage.epochs=1"]
    recipe = tiny_recipe(name, f"precision={precision}", "epochs=1", "head.hidden=[8]", "head.dropout=[0]", *stage)
    result = train_run(recipe, tiny_dataset, tmp_path / "run")
    (network,) = result.evaluation["stage"]["networks"]
    assert result.evaluation["stage"]["kind"] == recipe.stage.kind
    assert [path.name for path in (result.folder / "checkpoints").iterdir()] == ["best"]
    assert Predictions.load(result.folder / "predictions.parquet").frame[list(NIH15.labels)].notna().all(axis=None)
    lines = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert [(line["network"], line["epoch"]) for line in lines] == [(network, 1), (network, 2)][: 1 + len(stage)]
    cost = json.loads((result.folder / "cost.json").read_text())
    assert cost["train_image_passes"] == len(lines) * len(tiny_dataset.cohort.rows("train"))
    assert cost["train_seconds"] >= sum(line["seconds"] for line in lines) - 0.01


def test_tau_normalisation_keeps_the_order_of_images_of_a_whole_run(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-tau-norm", "freeze=true", "stage.tau=1")
    rows = tiny_kit.dataset.cohort.rows("test")
    after = fit(tiny_kit, recipe, tmp_path / "after").trainer.predict(rows)
    plain = replace(recipe, stage=type(recipe.stage)())
    before = fit(tiny_kit, plain, tmp_path / "before").trainer.predict(rows)
    assert not np.allclose(before, after, atol=1e-2)
    for column in range(before.shape[1]):
        order = np.argsort(before[:, column])
        assert (np.diff(after[order, column]) > -1e-5).all()


def test_what_clipping_looks_at_is_the_last_layer_alone(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    """The first stage's last gradients once stayed on the layers that stand still."""
    recipe = tiny_recipe("flat-crt", "freeze=true", *SMALL)
    one = fit(tiny_kit, recipe, tmp_path).trainer
    assert {name for name, p in one.network.named_parameters() if p.grad is not None} == {
        "head.out.weight",
        "head.out.bias",
    }


def test_tau_cannot_be_chosen_where_validation_has_nothing_to_find(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    cohort = tiny_dataset.cohort
    rare = cohort.labels()[:, [NIH15.index(name) for name in TREE.decisions[2].children]].any(axis=1)
    rows = np.flatnonzero(~(rare & (cohort.table["split"].to_numpy() == "val")))
    bare = type(cohort)(cohort.table.iloc[rows].reset_index(drop=True), cohort.label_space)
    recipe = tiny_recipe("hierarchical-cascade", "stage.kind=tau-norm")
    with pytest.raises(RunError, match=r"chooses stage\.tau on validation.*network 'C'"):
        check_recipe(recipe, bare, 0)
    assert check_recipe(tiny_recipe("hierarchical-cascade", "stage={kind: tau-norm, tau: 1}"), bare, 0) == ()


def test_a_stage_is_reckoned_with_in_what_a_study_will_take(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chestxpert.training.estimate._rates", lambda *rest: (1.0, 1e9))  # validation costs nothing
    train = len(tiny_kit.dataset.cohort.rows("train"))
    basic = tiny_recipe("hierarchical-shared")
    staged = tiny_recipe("hierarchical-unconditional", "stage.epochs=5")
    assert estimate_fine_tuning([basic], Kits.around(tiny_kit, basic)) == pytest.approx(2 * train, rel=1e-3)
    assert estimate_fine_tuning([staged], Kits.around(tiny_kit, staged)) == pytest.approx(7 * train, rel=1e-3)
    retrained = tiny_recipe("flat-crt", "stage.epochs=5")  # whose second stage needs no backward pass
    assert estimate_fine_tuning([retrained], Kits.around(tiny_kit, retrained)) == pytest.approx(2 * train, rel=1e-3)
