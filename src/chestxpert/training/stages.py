"""Both stages of one network: trained, and then, if the recipe says so, trained on or changed in its last layer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chestxpert.cohort.table import Cohort
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import DecisionSettings, Draw, Mix, Recipe, Stage
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.checkpoints import Checkpoints, learned_state, load_learned_state
from chestxpert.training.engine import stream_seed
from chestxpert.training.folder import FIRST
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.state import EpochLine, FitState, Second
from chestxpert.training.task import Task, unconditional_task
from chestxpert.training.tau import choose_tau, normalise_last

Report = Callable[[Sequence[EpochLine]], None]
"""Called with the lines of one network so far."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network after all its stages.

    Attributes
    ----------
    trainer : Trainer
        Which predicts with it.
    states : tuple of FitState
        One a stage of training.
    record : mapping
        What evaluation.json says of its second stage; empty without one.
    extra_seconds : float
        Of a second stage that is no training.
    """

    trainer: Trainer
    states: tuple[FitState, ...]
    record: Mapping[str, Any] = field(default_factory=dict)
    extra_seconds: float = 0.0

    @property
    def lines(self) -> list[EpochLine]:
        """Its part of metrics.jsonl."""
        return [line for state in self.states for line in state.lines]

    @property
    def seconds(self) -> float:
        """Time that training took, validation included."""
        return sum(state.seconds for state in self.states) + self.extra_seconds

    @property
    def image_passes(self) -> int:
        """Images that went through it in training."""
        return sum(state.image_passes for state in self.states)


def second_recipe(recipe: Recipe) -> Recipe:
    """What a second stage trains by: the recipe with the stage's epochs, rates and draw.

    The representation being fixed, retraining mixes nothing; weights that the first stage deferred are on.
    """
    stage, optimizer, sampling = recipe.stage, recipe.optimizer, recipe.sampling
    if stage.kind == "crt":
        sampling = replace(sampling, draw=Draw("class-balanced"), mix=Mix())
    if stage.draw is not None:
        sampling = replace(sampling, draw=Draw(stage.draw.kind, stage.draw.settings))
    rate = stage.settings["rate"]
    return replace(
        recipe,
        epochs=stage.epochs,
        sampling=sampling,
        loss=replace(recipe.loss, deferred=0.0),
        decisions={name: _undeferred(own) for name, own in recipe.decisions.items()},
        optimizer=replace(optimizer, lr=rate * optimizer.lr, head_lr=rate * optimizer.head_lr),
        stage=Stage(),
    )


def _undeferred(own: DecisionSettings) -> DecisionSettings:
    return own if own.loss is None else replace(own, loss=replace(own.loss, deferred=0.0))


def second_task(recipe: Recipe, task: Task, cohort: Cohort, tree: Taxonomy) -> Task:
    """What a network is asked in its second stage of training."""
    if recipe.stage.kind == "unconditional":
        return unconditional_task(cohort.labels(), tree, cohort.known())
    return task


def fit_network(
    kit: NetworkKit,
    recipe: Recipe,
    task: Task,
    tree: Taxonomy,
    folder: Path,
    seed: int,
    report: Report,
    progress: Progress = SILENT,
) -> Fitted:
    """Train one network through all stages of the recipe, from where an earlier call was cut off.

    Its weights are in `folder` afterwards, as `Checkpoints.load_best` finds them. While a second stage is under way,
    the first one's lie in a folder of their own within it.
    """
    kept, stage = Checkpoints(folder, task.name), recipe.stage
    first_kept = kept if stage.kind == "none" else Checkpoints(folder / FIRST, task.name)
    first = kit.trainer(recipe, task, training_rows(recipe, kit.dataset.cohort, task.eligible, seed), seed)
    state = _fit(first, first_kept, report, (), f"{recipe.name} seed {seed}: network {task.name}", progress)
    if stage.kind == "none":
        return Fitted(first, (state,))
    if stage.kind == "tau-norm":
        return _normalise(first, state, stage, kept)
    second = second_trainer(kit, recipe, task, tree, first, state, seed)
    title = f"{recipe.name} seed {seed}: network {task.name}, {stage.kind}"
    again = _fit(second, kept, report, state.lines, title, progress)
    return Fitted(second, (state, again), {"first": _best(state, 0), "second": _best(again, len(state.lines))})


def second_trainer(
    kit: NetworkKit, recipe: Recipe, task: Task, tree: Taxonomy, first: Trainer, state: FitState, seed: int
) -> Trainer:
    """Everything in place for the second stage of the network that `first` has trained."""
    network, cohort = first.network, kit.dataset.cohort
    network.zero_grad(set_to_none=True)  # the last step's are still there, and clipping would count them
    if recipe.stage.kind == "crt":
        network.fix_representation().redraw_last(stream_seed(seed, task.name, recipe.stage.kind, "weights"))
    asked = second_task(recipe, task, cohort, tree)
    rows = training_rows(recipe, cohort, asked.eligible, seed)
    second = Second(recipe.stage.kind, len(state.lines))
    return kit.trainer(second_recipe(recipe), asked, rows, seed, network, second)


def _fit(
    trainer: Trainer, kept: Checkpoints, report: Report, before: Sequence[EpochLine], title: str, progress: Progress
) -> FitState:
    """Train what is left of one stage; `before` are the lines of the one before."""
    trainer.resume(kept)
    left = trainer.rows_per_epoch * (trainer.recipe.epochs - trainer.state.epoch)
    with progress.bar(title, left) as tick:
        state = trainer.fit(kept, lambda state: report([*before, *state.lines]), tick)
    report([*before, *state.lines])
    return state


def _best(state: FitState, before: int) -> dict[str, int | float]:
    return {"best_epoch": before + state.best_epoch, "val_score": state.best_score}


def _normalise(trainer: Trainer, state: FitState, stage: Stage, kept: Checkpoints) -> Fitted:
    """Fit a trained network's last layer to the stage's tau, or to one chosen on validation."""
    started = time.perf_counter()
    network, bias = trainer.network, stage.settings["bias"]
    record: dict[str, Any] = {"tau": stage.tau}
    if stage.tau is None:
        logits = trainer.predict(trainer.val_rows)
        record = choose_tau(logits, network.head, bias, trainer.task, trainer.val_rows)
    normalise_last(network.head, record["tau"], bias)
    changed = learned_state(network)
    load_learned_state(trainer.average.network, changed)
    kept.save_best(changed, {"network": trainer.task.name, "epoch": state.best_epoch, "tau": record["tau"]})
    return Fitted(trainer, (state,), record, time.perf_counter() - started)
