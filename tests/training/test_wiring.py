"""What the loop is given, and whether it uses all of it: each test fails if one wire of training is cut."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxpert.dataset import Dataset
from chestxpert.models.classifier import Classifier
from chestxpert.recipe import Augment, Recipe
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.average import WeightAverage
from chestxpert.training.checkpoints import Checkpoints
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.run import train_run
from chestxpert.training.sources import Batch, IntArray, PixelSource
from chestxpert.training.task import Task, tasks_for

MakeRecipe = Callable[..., Recipe]
THINNED = "sampling.thin={drop: {Infiltration: 0.6, Effusion: 0.4, No Finding: 0.5}, protect: true}"
COPIED = "sampling.oversample={target: 0.2, max_copies: 3}"
CASCADE = {"A": 0, "B": 1, "C": 2}


def tasks(recipe: Recipe, dataset: Dataset) -> tuple[Task, ...]:
    space = dataset.cohort.label_space
    return tasks_for(recipe, dataset.cohort.labels(), space, study_taxonomy(space))


def trainer(kit: NetworkKit, recipe: Recipe, number: int = 0, seed: int = 0) -> Trainer:
    task = tasks(recipe, kit.dataset)[number]
    return kit.trainer(recipe, task, training_rows(recipe, kit.dataset.cohort, task.eligible, seed), seed)


def rows_of(dataset: Dataset, split: str) -> list[int]:
    return [row for row, its in enumerate(dataset.cohort.table["split"]) if its == split]


def watch_steps(one: Trainer, monkeypatch: pytest.MonkeyPatch, look: Callable[[IntArray], None]) -> None:
    """Call `look` with the rows of each step, once the step is done."""
    step = one.step

    def watched(inputs: torch.Tensor, rows: IntArray) -> torch.Tensor:
        loss = step(inputs, rows)
        look(rows)
        return loss

    monkeypatch.setattr(one, "step", watched)


class Echo:
    """A source whose inputs are the logits, so that a step's loss and gradient can be worked out by hand."""

    def train_batches(self, rows: IntArray, size: int, generator: torch.Generator) -> Iterator[Batch]:
        raise NotImplementedError

    def eval_batches(self, rows: IntArray, size: int, view: int = 0) -> Iterator[Batch]:
        raise NotImplementedError

    def forward(self, network: Classifier, inputs: torch.Tensor) -> torch.Tensor:
        return inputs

    def threads(self) -> AbstractContextManager[None]:
        return nullcontext()


def weighted_bce(logits: np.ndarray, y: np.ndarray, known: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean over the known entries, and its gradient, as a textbook has them."""
    x, probs = logits.astype(np.float64), 1 / (1 + np.exp(-logits.astype(np.float64)))
    losses = np.where(y, weight * np.log1p(np.exp(-x)), np.log1p(np.exp(x)))
    gradient = np.where(y, weight * (probs - 1), probs)
    return float(losses[known].mean()), np.where(known, gradient, 0.0) / known.sum()


def odds_of(task: Task, rows: IntArray) -> np.ndarray:
    """Negatives over positives of each column among the known entries of `rows`; 1 where there is no such ratio."""
    weight = np.ones(len(task.outputs))
    for column in range(len(weight)):
        asked = [bool(task.targets[row, column]) for row in rows if task.known[row, column]]
        if any(asked) and not all(asked):
            weight[column] = asked.count(False) / asked.count(True)
    return weight


@pytest.mark.parametrize("name", CASCADE)
def test_a_network_is_validated_on_the_eligible_rows_of_the_validation_split(
    name: str, tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    one = trainer(tiny_kit, tiny_recipe("hierarchical-cascade"), CASCADE[name])
    assert one.task.name == name
    expected = [row for row in rows_of(tiny_dataset, "val") if one.task.eligible[row]]
    assert one.val_rows.tolist() == expected
    assert len(expected) > 1
    assert (len(expected) < len(rows_of(tiny_dataset, "val"))) == (name != "A")


def test_validation_reads_the_validation_rows_and_nothing_else(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_recipe("hierarchical-cascade", "epochs=1"), CASCADE["B"])
    read: list[int] = []
    load = PixelSource.eval_batches

    def watched(self: PixelSource, rows: IntArray, size: int, view: int = 0) -> Iterator[Batch]:
        assert view == 0, "validation looks at plain images"
        read.extend(rows.tolist())
        return load(self, rows, size)

    monkeypatch.setattr(PixelSource, "eval_batches", watched)
    one.fit(Checkpoints(tmp_path, "B"), lambda state: None)
    validation = [row for row in rows_of(tiny_kit.dataset, "val") if one.task.eligible[row]]
    assert read == validation


@pytest.mark.parametrize("name", ["flat-basic", "hierarchical-shared"])
def test_a_step_descends_the_loss_of_known_entries_weighed_by_the_odds_among_the_training_rows(
    name: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trainer(tiny_kit, tiny_recipe(name, "loss.pos_weight=balanced", THINNED, COPIED))
    monkeypatch.setattr(one, "source", Echo())
    task, cohort = one.task, tiny_kit.dataset.cohort
    rows = one.train_rows[::3]
    logits = np.random.default_rng(4).normal(size=(len(rows), len(task.outputs))).astype(np.float32)
    inputs = torch.from_numpy(logits).requires_grad_()
    loss = one.step(inputs, rows)
    weight = odds_of(task, one.train_rows)
    for others in (np.arange(len(cohort)), cohort.rows("train"), np.unique(one.train_rows)):
        assert not np.allclose(weight, odds_of(task, others), rtol=0.02)  # so the weights tell the rows apart
    expected, gradient = weighted_bce(logits, task.targets[rows], task.known[rows], weight)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert inputs.grad is not None
    assert np.allclose(inputs.grad.numpy(), gradient, rtol=1e-4, atol=1e-8)
    unknown = ~task.known[rows]
    assert unknown.any() == (name == "hierarchical-shared")
    assert not inputs.grad.numpy()[unknown].any()


def test_without_weights_a_positive_weighs_as_much_as_a_negative(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trainer(tiny_kit, tiny_recipe("hierarchical-shared"))
    monkeypatch.setattr(one, "source", Echo())
    loss = one.step(torch.zeros(len(one.train_rows), len(one.task.outputs), requires_grad=True), one.train_rows)
    assert float(loss) == pytest.approx(math.log(2), rel=1e-5)


def test_the_validation_loss_is_masked_and_weighed_like_the_training_loss(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_recipe("hierarchical-shared", "epochs=1", "loss.pos_weight=balanced"))
    (line,) = one.fit(Checkpoints(tmp_path, "shared"), lambda state: None).lines
    rows, task = np.array(rows_of(tiny_kit.dataset, "val")), one.task
    weight = odds_of(task, one.train_rows)
    expected, _ = weighted_bce(one.predict(rows), task.targets[rows], task.known[rows], weight)
    assert line["val_loss"] == pytest.approx(expected, rel=1e-4)


def test_the_average_takes_in_every_step_and_is_what_is_kept(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_recipe("flat-basic", "epochs=1", "batch_size=8", "optimizer.average=0.5"))
    assert one.average.network is not one.network
    before = {key: value.clone() for key, value in one.network.state_dict().items()}
    by_hand = WeightAverage(one.network, 0.5 * one.steps_per_epoch)
    steps: list[int] = []

    def follow(rows: IntArray) -> None:
        steps.append(len(rows))
        by_hand.update()

    watch_steps(one, monkeypatch, follow)
    checkpoints = Checkpoints(tmp_path, "flat")
    one.fit(checkpoints, lambda state: None)
    assert len(steps) == one.steps_per_epoch == 9
    kept, expected = checkpoints.load_best(), by_hand.network.state_dict()
    assert kept.keys() == expected.keys()
    for key, value in kept.items():
        assert torch.equal(value, expected[key]), key
        assert not torch.equal(value, before[key]), key


@pytest.mark.parametrize("average", [0, 0.5])
def test_every_step_is_taken_in_training_mode_and_every_prediction_in_evaluation_mode(
    average: float, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_recipe("flat-basic", "epochs=2", f"optimizer.average={average}"))
    one.network.eval()  # as whoever used it last may leave it
    training: list[bool] = []
    watch_steps(one, monkeypatch, lambda rows: training.extend(part.training for part in one.network.modules()))
    one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    assert len(training) == 2 * one.steps_per_epoch * len(list(one.network.modules()))
    assert all(training)
    one.average.network.train()
    first, second = one.predict(one.val_rows), one.predict(one.val_rows)
    assert np.array_equal(first, second)  # dropout would part them
    assert not any(part.training for part in one.average.network.modules())


@pytest.mark.parametrize("clip", [0.0, 0.01])
def test_the_optimiser_is_given_a_gradient_no_longer_than_the_clip(
    clip: float, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    one = trainer(tiny_kit, tiny_recipe("flat-basic", f"optimizer.clip={clip}"))
    inputs, rows = next(one.source.eval_batches(one.train_rows, 16))
    one.network.train()
    one.step(inputs, rows)
    # After its first step, Adam's first moment is (1 - beta1) times the gradient that it was given.
    moments = [state["exp_avg"].double() for state in one.optimizer.state.values()]
    assert len(moments) == len([p for p in one.network.parameters() if p.requires_grad])
    length = math.sqrt(sum(float(moment.square().sum()) for moment in moments)) / (1 - 0.9)
    if clip > 0:
        assert length == pytest.approx(clip, rel=1e-3)
    else:
        assert length > 0.1  # ten times the clip above, so clipping shortens it


@pytest.mark.parametrize("freeze", ["false", "true"])
def test_the_clip_is_that_of_the_whole_network(
    freeze: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trainer(tiny_kit, tiny_recipe("flat-basic", f"freeze={freeze}", "optimizer.clip=0.01"))
    inputs, rows = next(one.source.eval_batches(one.train_rows, 16))
    one.network.train()
    given: list[torch.Tensor] = []
    clip = torch.nn.utils.clip_grad_norm_

    def look(parameters: list[torch.nn.Parameter], most: float) -> None:
        network = list(one.network.parameters())
        before = [None if p.grad is None else p.grad.clone() for p in network]
        clip(network, most)
        expected = [p.grad.clone() for p in network if p.grad is not None]
        for parameter, gradient in zip(network, before, strict=True):
            parameter.grad = gradient
        clip(parameters, most)
        given.extend(p.grad for p in network if p.grad is not None)
        assert all(torch.equal(a, b) for a, b in zip(given, expected, strict=True))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", look)
    one.step(inputs, rows)
    assert given


@pytest.mark.parametrize("freeze", ["false", "true"])
def test_each_epoch_of_each_run_has_an_order_and_a_dropout_of_its_own(
    freeze: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-basic", "epochs=3", f"freeze={freeze}")
    orders, dropout_seeds = [], []
    for seed in (0, 1):
        one = trainer(tiny_kit, recipe, seed=seed)
        seen: list[int] = []
        seeds: list[int] = []

        def look(rows: IntArray, seen: list[int] = seen, seeds: list[int] = seeds) -> None:
            seen += rows.tolist()
            seeds.append(torch.initial_seed())

        watch_steps(one, monkeypatch, look)
        one.fit(Checkpoints(tmp_path / str(seed), "flat"), lambda state: None)
        epochs = np.reshape(seen, (3, len(one.train_rows)))
        assert all(sorted(epoch) == sorted(one.train_rows) for epoch in epochs)
        orders += [tuple(epoch) for epoch in epochs]
        dropout_seeds += seeds[:: one.steps_per_epoch]
    assert len(set(orders)) == len(orders) == 6
    assert len(set(dropout_seeds)) == len(dropout_seeds) == 6


@pytest.mark.parametrize(
    "overrides", [(), (THINNED,), (COPIED,), (THINNED, COPIED)], ids=["all", "thin", "copy", "both"]
)
def test_a_network_trains_on_the_eligible_part_of_the_rows_drawn_for_the_run(
    overrides: tuple[str, ...], tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    recipe, cohort = tiny_recipe("hierarchical-cascade", *overrides), tiny_dataset.cohort
    everyone = np.ones(len(cohort), dtype=np.bool_)
    for task in tasks(recipe, tiny_dataset)[1:]:
        drawn = training_rows(recipe, cohort, everyone, seed=3).tolist()
        rows = training_rows(recipe, cohort, task.eligible, seed=3).tolist()
        assert rows == [row for row in drawn if task.eligible[row]]
        assert 1 < len(rows) < len(drawn)
        assert set(rows) <= set(rows_of(tiny_dataset, "train"))


def test_the_steps_of_a_cascade_see_the_rows_of_their_decision_alone(
    tiny_dataset: Dataset,
    tiny_kit: NetworkKit,
    tiny_recipe: MakeRecipe,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    seen: dict[str, set[int]] = {name: set() for name in CASCADE}
    step = Trainer.step

    def watched(self: Trainer, inputs: torch.Tensor, rows: IntArray) -> torch.Tensor:
        seen[self.task.name].update(rows.tolist())
        return step(self, inputs, rows)

    monkeypatch.setattr(Trainer, "step", watched)
    recipe = tiny_recipe("hierarchical-cascade", "epochs=1", "freeze=true")
    train_run(recipe, tiny_dataset, tmp_path / "run", kit=tiny_kit)
    space, labels = tiny_dataset.cohort.label_space, tiny_dataset.cohort.labels()
    frequent = {"Atelectasis", "Effusion", "Infiltration", "Mass", "Nodule", "No Finding"}
    rare = [space.index(name) for name in space.labels if name not in frequent]
    train = rows_of(tiny_dataset, "train")
    assert seen["A"] == set(train)
    assert seen["B"] == {row for row in train if not labels[row, space.index("No Finding")]}
    assert seen["C"] == {row for row in train if labels[row, rare].any()}
    assert len(seen["C"]) < len(seen["B"]) < len(seen["A"])


@pytest.mark.parametrize("override", [THINNED, COPIED], ids=["thin", "copy"])
def test_the_run_seed_decides_which_rows_are_dropped_and_which_are_copied(
    override: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    recipe, everyone = tiny_recipe("flat-basic", override), np.ones(len(tiny_dataset.cohort), dtype=np.bool_)
    draws = [tuple(training_rows(recipe, tiny_dataset.cohort, everyone, seed)) for seed in (0, 1, 2, 3, 0)]
    assert draws[4] == draws[0]
    assert len({tuple(sorted(draw)) for draw in draws}) == 4
    assert len(draws[0]) != len(rows_of(tiny_dataset, "train"))


def test_pixels_reach_the_backbone_normalised(tiny_kit: NetworkKit, tiny_recipe: MakeRecipe) -> None:
    recipe = tiny_recipe("flat-basic")
    network = tiny_kit.classifier(recipe, 4, seed=5).eval()
    source = PixelSource(tiny_kit.store.pixels, np.arange(len(tiny_kit.store.pixels)), Augment(), tiny_kit.engine)
    images, _ = next(source.eval_batches(np.arange(6), 6))
    mean, std = (np.reshape(values, (3, 1, 1)) for values in (network.backbone.mean, network.backbone.std))
    by_hand = torch.from_numpy(((images.numpy() / 255 - mean) / std).astype(np.float32))
    with torch.inference_mode():
        logits = source.forward(network, images)
        assert torch.allclose(logits, network(by_hand), rtol=1e-4, atol=1e-5)
        for wrong in (images, images / 255):
            assert not torch.allclose(logits, network(wrong.expand(-1, 3, -1, -1)), rtol=1e-2, atol=1e-3)
