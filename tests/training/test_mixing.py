"""Draws and mixes in training: every wire from the recipe to the step."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxpert.dataset import Dataset
from chestxpert.errors import RecipeError
from chestxpert.imbalance import RankedBatchSampler
from chestxpert.imbalance.epochs import Epoch
from chestxpert.imbalance.mixes import Examples, partner_draw
from chestxpert.recipe import DRAWS, MIXES, Recipe
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.checkpoints import Checkpoints
from chestxpert.training.estimate import estimate_fine_tuning
from chestxpert.training.kits import Kits
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.run import train_run
from chestxpert.training.sources import FeatureSource, IntArray, PixelSource
from chestxpert.training.state import FitState
from chestxpert.training.task import tasks_for

MakeRecipe = Callable[..., Recipe]


def trainer(kit: NetworkKit, recipe: Recipe, number: int = 0, seed: int = 0) -> Trainer:
    cohort = kit.dataset.cohort
    task = tasks_for(recipe, cohort.labels(), cohort.label_space, study_taxonomy(cohort.label_space))[number]
    return kit.trainer(recipe, task, training_rows(recipe, cohort, task.eligible, seed), seed)


def watched(one: Trainer, monkeypatch: pytest.MonkeyPatch) -> tuple[list[IntArray], list[Examples]]:
    """Rows of each step, and what was learned from in it."""
    rows_seen: list[IntArray] = []
    learned: list[Examples] = []
    mixer = one.mixer

    def watch(inputs: torch.Tensor, rows: IntArray) -> Examples:
        rows_seen.append(rows)
        learned.append(mixer(inputs, rows))
        return learned[-1]

    watch.begin = mixer.begin  # type: ignore[attr-defined]
    monkeypatch.setattr(one, "mixer", watch)
    return rows_seen, learned


@pytest.mark.parametrize("draw", DRAWS)
def test_an_epoch_sees_the_rows_that_its_draw_gives(
    draw: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-basic", "freeze=true", "epochs=3", f"sampling.draw={{kind: {draw}}}")
    one = trainer(tiny_kit, recipe, seed=5)
    rows, _ = watched(one, monkeypatch)
    done = one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    labels = one.task.targets[one.train_rows]
    expected = [Epoch(number, 3, 5, "flat").rows(recipe.sampling.draw, labels) for number in (1, 2, 3)]
    assert np.concatenate(rows).size == sum(map(len, expected)) == done.image_passes
    start = 0
    for drawn in expected:
        seen = np.concatenate(rows)[start : start + len(drawn)]
        assert sorted(seen) == sorted(one.train_rows[drawn])
        start += len(drawn)
    assert one.rows_per_epoch == len(expected[0])
    assert all(line["train_loss"] is not None for line in done.lines)


def test_fine_tuning_takes_the_batches_of_the_sampler_for_loops_of_ones_own(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-basic", "sampling.draw.kind=repeat-factor", "sampling.mix.kind=balanced-mixup")
    one = trainer(tiny_kit, recipe, seed=3)
    rows, _ = watched(one, monkeypatch)
    partners: list[IntArray] = []
    load = PixelSource.load_augmented
    loaded: list[IntArray] = []

    def watch(self: PixelSource, rows: IntArray, generator: torch.Generator) -> torch.Tensor:
        loaded.append(rows)
        return load(self, rows, generator)

    monkeypatch.setattr(PixelSource, "load_augmented", watch)
    one.fit(Checkpoints(tmp_path, "flat"), lambda state: None)
    partners = loaded[1::2]  # each batch, then its partners
    labels = one.task.targets[one.train_rows]
    sampler = RankedBatchSampler(labels, 16, draw="repeat-factor", mix="balanced-mixup", epochs=2, seed=3)
    expected = []
    for epoch in (1, 2):
        sampler.set_epoch(epoch)
        expected += list(sampler)
    assert len(rows) == len(expected) > 8
    for ours, theirs, batch in zip(rows, partners, expected, strict=True):
        assert np.concatenate([ours, theirs]).tolist() == one.train_rows[batch].tolist()


@pytest.mark.parametrize("name", ["hierarchical-shared", "flat-basic"])
@pytest.mark.parametrize("freeze", ["true", "false"])
def test_a_step_learns_the_mixed_targets_where_both_are_known(
    name: str, freeze: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = trainer(tiny_kit, tiny_recipe(name, f"freeze={freeze}", "sampling.mix={kind: mixup, alpha: 2}"))
    rows = one.train_rows[:20]
    inputs, _ = next(one.source.eval_batches(rows, 20))
    epoch = Epoch(2, 2, 0, one.task.name)
    one.mixer.begin(epoch, 40)
    given: list[torch.Tensor] = []
    loss = one.loss.forward

    def watch(
        logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        given.extend([targets, mask])
        return loss(logits, targets, mask, weight)

    monkeypatch.setattr(one.loss, "forward", watch)
    for _ in range(2):
        one.step(inputs, rows)
    targets, known = one.task.targets[rows].astype(float), one.task.known[rows]
    for step in (0, 1):
        other = epoch.shuffle(step, 20)
        share = epoch.generator("mix", step).beta(2, 2)
        assert np.allclose(given[2 * step], share * targets + (1 - share) * targets[other], atol=1e-6)
        assert np.array_equal(given[2 * step + 1], known & known[other])
    assert not torch.equal(given[0], given[2])


@pytest.mark.parametrize(("network", "number"), [("A", 0), ("B", 1), ("C", 2)])
def test_partners_in_a_cascade_are_rows_of_the_same_network(
    network: str,
    number: int,
    tiny_kit: NetworkKit,
    tiny_recipe: MakeRecipe,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    recipe = tiny_recipe("hierarchical-cascade", "freeze=true", "epochs=1", "sampling.mix.kind=balanced-mixup")
    one = trainer(tiny_kit, recipe, number)
    seen: list[int] = []
    load = FeatureSource.load_augmented

    def watch(self: FeatureSource, rows: IntArray, generator: torch.Generator) -> torch.Tensor:
        seen.extend(rows.tolist())
        return load(self, rows, generator)

    monkeypatch.setattr(FeatureSource, "load_augmented", watch)
    one.fit(Checkpoints(tmp_path, network), lambda state: None)
    assert one.task.name == network
    assert len(seen) == len(one.train_rows)
    assert set(seen) <= set(one.train_rows)
    assert one.task.eligible[seen].all()


class KilledError(Exception):
    """Stands for a kill signal between two epochs."""


@pytest.mark.parametrize(
    ("freeze", "draw", "mix"),
    [("true", "progressive", "mixup"), ("true", "ml-rus", "balanced-mixup"), ("false", "repeat-factor", "cutmix"),
     ("false", "square-root", "balanced-cutmix")],
)  # fmt: skip
def test_resumed_training_draws_and_mixes_what_unbroken_training_does(
    freeze: str, draw: str, mix: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(
        "flat-basic", "epochs=2", f"freeze={freeze}", f"sampling={{draw: {{kind: {draw}}}, mix: {{kind: {mix}}}}}"
    )
    test = tiny_kit.dataset.cohort.rows("test")
    unbroken = trainer(tiny_kit, recipe)
    unbroken.fit(Checkpoints(tmp_path / "a", "flat"), lambda state: None)

    def kill(state: FitState) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        trainer(tiny_kit, recipe).fit(Checkpoints(tmp_path / "b", "flat"), kill)
    resumed = trainer(tiny_kit, recipe)
    resumed.fit(Checkpoints(tmp_path / "b", "flat"), lambda state: None)
    assert np.array_equal(unbroken.predict(test), resumed.predict(test))
    plain = trainer(tiny_kit, tiny_recipe("flat-basic", "epochs=2", f"freeze={freeze}"))
    plain.fit(Checkpoints(tmp_path / "c", "flat"), lambda state: None)
    assert not np.array_equal(unbroken.predict(test), plain.predict(test))


@pytest.mark.parametrize("mix", MIXES)
def test_mixes_train_in_bfloat16(
    mix: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-basic", "precision=bfloat16", "epochs=1", f"sampling.mix={{kind: {mix}}}")
    one = trainer(NetworkKit.create(recipe, tiny_dataset), recipe)
    _, learned = watched(one, monkeypatch)
    (line,) = one.fit(Checkpoints(tmp_path, "flat"), lambda state: None).lines
    assert line["train_loss"] is not None
    assert line["train_loss"] > 0
    assert all(batch.inputs.dtype == batch.targets.dtype == torch.float32 for batch in learned)


def test_a_mix_that_loads_partners_is_reckoned_with_in_the_estimate(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []
    load = PixelSource.load_augmented

    def watch(self: PixelSource, rows: IntArray, generator: torch.Generator) -> torch.Tensor:
        loads.append(len(rows))
        return load(self, rows, generator)

    monkeypatch.setattr(PixelSource, "load_augmented", watch)
    recipe = tiny_recipe("flat-basic", "sampling.mix.kind=balanced-mixup")
    assert partner_draw(recipe.sampling.mix) is not None
    assert estimate_fine_tuning([recipe], Kits.around(tiny_kit, recipe), steps=1) > 0
    assert loads == [16, 16]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sampling.mix.kind=nowhere.py:mine", "there is no file nowhere.py"),
        ("sampling.draw.kind=nowhere.py:mine", "there is no file nowhere.py"),
        ("sampling.draw={kind: ml-rus, percent: 120}", "percent of ml-rus"),
        ("sampling.draw={kind: repeat-factor, threshold: 0}", "threshold is a share"),
    ],
)
def test_what_cannot_be_drawn_or_mixed_is_an_error_before_anything_is_made(
    override: str, words: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=words):
        train_run(tiny_recipe("flat-basic", override), tiny_dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
