import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.average import WeightAverage
from chestxpert.training.checkpoints import Checkpoints, load_learned_state
from chestxpert.training.loop import FitState, Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.task import Task, flat_task, tasks_for

MakeRecipe = Callable[..., Recipe]


def flat(dataset: Dataset) -> Task:
    return flat_task(dataset.cohort.labels(), dataset.cohort.label_space)


def trainer(kit: NetworkKit, dataset: Dataset, recipe: Recipe, seed: int = 0) -> Trainer:
    task = flat(dataset)
    return kit.trainer(recipe, task, training_rows(recipe, dataset.cohort, task.eligible, seed), seed)


class KilledError(Exception):
    """Stands for a kill signal between two epochs."""


def test_resumed_training_equals_unbroken_training(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-basic", "epochs=3")
    rows = tiny_dataset.cohort.rows("test")
    unbroken = trainer(tiny_kit, tiny_dataset, recipe)
    unbroken.fit(Checkpoints(tmp_path / "a", "flat"), lambda state: None)

    def kill(state: FitState) -> None:
        raise KilledError

    broken = Checkpoints(tmp_path / "b", "flat")
    with pytest.raises(KilledError):
        trainer(tiny_kit, tiny_dataset, recipe).fit(broken, kill)
    resumed = trainer(tiny_kit, tiny_dataset, recipe)
    state = resumed.fit(broken, lambda state: None)
    assert state.epoch == 3
    assert [line["epoch"] for line in state.lines] == [1, 2, 3]
    assert np.array_equal(unbroken.predict(rows), resumed.predict(rows))


def test_the_seed_decides_the_predictions(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    logits = []
    for number, seed in enumerate((0, 0, 1)):
        one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=1"), seed)
        one.fit(Checkpoints(tmp_path / str(number), "flat"), lambda state: None)
        logits.append(one.predict(tiny_dataset.cohort.rows("test")))
    assert np.array_equal(logits[0], logits[1])
    assert not np.array_equal(logits[0], logits[2])


def test_training_lowers_the_loss(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=4", "optimizer.lr=0.001"))
    lines = one.fit(Checkpoints(tmp_path, "flat"), lambda state: None).lines
    assert float(lines[-1]["train_loss"] or 0) < float(lines[0]["train_loss"] or 0)


def test_the_best_epoch_is_kept_not_the_last(
    tiny_kit: NetworkKit,
    tiny_dataset: Dataset,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=3"))
    scores = iter([0.2, 0.9, 0.1])
    monkeypatch.setattr(one, "_validate", lambda: (1.0, next(scores), 0.5))
    logits: list[np.ndarray] = []
    rows = tiny_dataset.cohort.rows("val")
    state = one.fit(Checkpoints(tmp_path, "flat"), lambda state: logits.append(one.predict(rows)))
    assert state.best_epoch == 2
    assert np.array_equal(one.predict(rows), logits[1])


def test_patience_ends_training(
    tiny_kit: NetworkKit,
    tiny_dataset: Dataset,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=9", "patience=2"))
    scores = iter([0.5, 0.6, 0.1, 0.1, 0.9])
    monkeypatch.setattr(one, "_validate", lambda: (1.0, next(scores), 0.5))
    assert one.fit(Checkpoints(tmp_path, "flat"), lambda state: None).epoch == 4


def test_without_validation_rows_the_last_epoch_is_kept(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=2"))
    one.val_rows = one.val_rows[:0]
    state = one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    assert state.best_epoch == 2
    assert state.lines[0]["val_macro_ap"] is None
    json.dumps(state.lines, allow_nan=False)


def test_one_training_row_is_too_few(tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe) -> None:
    with pytest.raises(RunError, match="1 training rows and needs at least 2"):
        tiny_kit.trainer(tiny_recipe(), flat(tiny_dataset), tiny_dataset.cohort.rows("train")[:1], 0)


def test_the_network_gives_logits_and_no_probabilities(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    """The original study put a sigmoid inside the network and BCEWithLogitsLoss outside it."""
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "optimizer.lr=0.01", "optimizer.head_lr=0.01"))
    one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    logits = one.predict(tiny_dataset.cohort.rows("train"))
    assert logits.min() < 0 or logits.max() > 1
    assert not any(isinstance(module, torch.nn.Sigmoid) for module in one.network.modules())


def test_the_learning_rate_moves_every_step_not_every_epoch(
    tiny_kit: NetworkKit,
    tiny_dataset: Dataset,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The original study stepped its optimiser's outer loop once an epoch."""
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=2", "batch_size=8"))
    rates, weights = [], []
    step = one.step

    def watched(inputs: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        rates.append(one.optimizer.param_groups[0]["lr"])
        loss = step(inputs, rows)
        weights.append(float(next(one.network.backbone.parameters()).detach().sum()))
        return loss

    monkeypatch.setattr(one, "step", watched)
    one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    assert len(rates) == 2 * one.steps_per_epoch > 4
    assert len(set(rates)) >= len(rates) - 2  # the peak is met from both sides
    assert len(set(weights)) == len(weights)


def test_a_frozen_backbone_does_not_move(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = replace(tiny_recipe("flat-basic"), freeze=True)
    before = {key: value.clone() for key, value in tiny_kit.backbone.state_dict().items()}
    one = trainer(tiny_kit, tiny_dataset, recipe)
    checkpoints = Checkpoints(tmp_path, "flat")
    one.fit(checkpoints, lambda state: None)
    after = tiny_kit.backbone.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert checkpoints.load_best().keys() == {key for key in one.network.state_dict() if key.startswith("head.")}


def test_a_damaged_checkpoint_is_explained(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "flat")
    checkpoints.last.parent.mkdir(parents=True)
    checkpoints.last.write_bytes(b"no checkpoint")
    with pytest.raises(RunError, match="Delete it to start this network again"):
        checkpoints.load_last()


def test_score_prefers_average_precision_and_falls_back_on_loss() -> None:
    from chestxpert.training.state import epoch_score

    assert epoch_score(0.3, 9.0) == 0.3
    assert epoch_score(math.nan, 0.7) == -0.7


def test_averaged_weights_are_averages_of_backbone_and_head(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    """An average that forgot the backbone once validated new heads on the old backbone."""
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=2", "batch_size=8"))
    average = WeightAverage(one.network, horizon=4.0)
    expected = {key: value.double().clone() for key, value in one.network.state_dict().items()}
    one.network.train()
    for number, (inputs, rows) in enumerate(
        one.source.train_batches(one.train_rows, 8, torch.Generator().manual_seed(0)), start=1
    ):
        one.step(inputs, rows)
        average.update()
        decay = min(0.75, (1 + number) / (10 + number))
        for key, value in one.network.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * value.double()
    for key, value in average.network.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(value.double(), expected[key], rtol=1e-4, atol=1e-6), key
            assert not torch.equal(value, one.network.state_dict()[key]), key


def test_a_fine_tuned_checkpoint_holds_the_whole_network(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=1"))
    checkpoints = Checkpoints(tmp_path, "flat")
    one.fit(checkpoints, lambda state: None)
    logits = one.predict(tiny_dataset.cohort.rows("test"))
    assert checkpoints.load_best().keys() == one.network.state_dict().keys()
    fresh = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=1"), seed=9)
    load_learned_state(fresh.average.network, checkpoints.load_best())
    assert np.array_equal(fresh.predict(tiny_dataset.cohort.rows("test")), logits)


def test_weights_of_another_network_are_refused(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe())
    with pytest.raises(RunError, match="1 missing"):
        load_learned_state(one.network, dict(list(one.network.state_dict().items())[1:]))


def test_without_averaging_the_last_weights_are_used(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "optimizer.average=0"))
    assert one.average.network is one.network


def test_training_that_diverges_ends_with_its_best_epoch(
    tiny_kit: NetworkKit,
    tiny_dataset: Dataset,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=5"))
    losses = iter([0.5, 0.4, math.nan])
    train = one._train_epoch
    monkeypatch.setattr(one, "_train_epoch", lambda epoch, tick: (train(epoch, tick), next(losses))[1])
    state = one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    assert state.best_epoch in (1, 2)
    assert [line["epoch"] for line in state.lines] == [1, 2, 3]
    assert state.lines[-1]["train_loss"] is None
    assert np.isfinite(one.predict(tiny_dataset.cohort.rows("test"))).all()


def test_training_that_diverges_at_once_says_which_and_what_to_do(
    tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "optimizer.lr=1e30", "optimizer.clip=0"), seed=7)
    with pytest.raises(RunError, match=r"'flat-basic', seed 7, network 'flat'.*lower optimizer.lr"):
        one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)


@pytest.mark.parametrize("name", ["flat-basic", "hierarchical-shared"])
def test_an_untrained_network_knows_how_rare_each_output_is(
    name: str, tiny_kit: NetworkKit, tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    recipe = tiny_recipe(name, "head.hidden=[]", "head.dropout=[]")
    labels, space = tiny_dataset.cohort.labels(), tiny_dataset.cohort.label_space
    (task,) = tasks_for(recipe, labels, space, study_taxonomy(space))
    one = tiny_kit.trainer(recipe, task, tiny_dataset.cohort.rows("train"), 0)
    width = one.network.backbone.num_features
    with torch.inference_mode():
        logits = one.network.forward_head(torch.zeros(1, width))[0].numpy()
    rows = tiny_dataset.cohort.rows("train")
    for column in range(len(task.outputs)):
        asked = task.targets[rows, column][task.known[rows, column]]
        assert logits[column] == pytest.approx(np.log((asked.sum() + 0.5) / ((~asked).sum() + 0.5)), abs=1e-4)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_validation_loss_that_is_no_number_ends_training_too(
    broken: float,
    tiny_kit: NetworkKit,
    tiny_dataset: Dataset,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = trainer(tiny_kit, tiny_dataset, tiny_recipe("flat-basic", "epochs=4"))
    validated = iter([(0.5, math.nan, math.nan), (broken, math.nan, math.nan)])
    monkeypatch.setattr(one, "_validate", lambda: next(validated))
    state = one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    assert state.best_epoch == 1
    assert [line["val_loss"] for line in state.lines] == [0.5, None]
    json.dumps(state.lines, allow_nan=False)
