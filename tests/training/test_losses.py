"""Every loss through the training loop: that it learns, resumes, and when its weights switch on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from chestxpert.imbalance.weights import pos_weight, prior_logits
from chestxpert.recipe import LOSSES, Recipe
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.checkpoints import Checkpoints
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.state import FitState
from chestxpert.training.task import tasks_for

MakeRecipe = Callable[..., Recipe]
REMEMBER = ["aucm", "average_precision"]
DEFERRED = "loss={pos_weight: balanced, deferred: 0.5}"


def trainer(kit: NetworkKit, recipe: Recipe, network: int = 0) -> Trainer:
    cohort = kit.dataset.cohort
    task = tasks_for(recipe, cohort.labels(), cohort.label_space, study_taxonomy(cohort.label_space))[network]
    return kit.trainer(recipe, task, training_rows(recipe, cohort, task.eligible, 0), 0)


def fit(one: Trainer, folder: Path, report: Callable[[FitState], None] = lambda state: None) -> FitState:
    return one.fit(Checkpoints(folder, one.task.name), report)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize(("name", "network"), [("hierarchical-shared", 0), ("hierarchical-cascade", 2)])
def test_each_loss_trains_on_what_a_hierarchy_knows(
    kind: str, name: str, network: int, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    one = trainer(tiny_kit, tiny_recipe(name, "epochs=2", f"loss.kind={kind}"), network)
    assert name != "hierarchical-shared" or not one.task.known[one.train_rows].all()
    before = one.predict(one.val_rows)
    state = fit(one, tmp_path)
    assert [line["epoch"] for line in state.lines] == [1, 2]
    for line in state.lines:
        assert np.isfinite([line["train_loss"], line["val_loss"]]).all()
    assert np.isfinite(one.predict(one.val_rows)).all()
    assert not np.array_equal(one.predict(one.val_rows), before)


@pytest.mark.parametrize("kind", LOSSES)
def test_each_loss_gets_smaller_on_the_rows_it_is_trained_on(
    kind: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    """Twenty steps on frozen features, always the same rows: noise has nothing to generalise, but can be learnt."""
    one = trainer(tiny_kit, tiny_recipe("flat-basic", f"loss.kind={kind}", "freeze=true", "head.dropout=[0, 0]"))
    inputs, rows = next(one.source.eval_batches(one.train_rows, 64))
    one.network.train()
    one.loss.train()
    losses = [float(one.step(inputs, rows)) for _ in range(20)]
    assert min(losses[-3:]) < losses[0]


@pytest.mark.parametrize("kind", REMEMBER)
def test_what_a_loss_remembers_survives_an_interruption(
    kind: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("hierarchical-shared", "epochs=3", f"loss.kind={kind}")
    unbroken, resumed = trainer(tiny_kit, recipe), trainer(tiny_kit, recipe)
    fresh = {key: value.clone() for key, value in unbroken.loss.state_dict().items()}
    expected = fit(unbroken, tmp_path / "a")

    def kill(state: FitState) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(trainer(tiny_kit, recipe), tmp_path / "b", kill)
    state = fit(resumed, tmp_path / "b")
    kept = resumed.loss.state_dict()
    assert kept.keys() == fresh.keys() != set()
    for key, value in unbroken.loss.state_dict().items():
        assert torch.equal(value, kept[key])
        assert not torch.equal(value, fresh[key])
    assert [line["train_loss"] for line in state.lines] == [line["train_loss"] for line in expected.lines]
    assert np.array_equal(unbroken.predict(unbroken.val_rows), resumed.predict(resumed.val_rows))


def test_validation_is_no_part_of_what_a_loss_remembers(tiny_kit: NetworkKit, tiny_recipe: MakeRecipe) -> None:
    one = trainer(tiny_kit, tiny_recipe("flat-basic", "loss.kind=aucm"))
    before = one.loss.function.means.clone()  # type: ignore[attr-defined]
    one._validate()
    assert torch.equal(one.loss.function.means, before)  # type: ignore[attr-defined]


def weights_seen(one: Trainer, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[tuple[int, bool, bool]]:
    """Epoch, whether it was a training step, and whether positives were weighed, of each change from call to call."""
    seen: list[tuple[int, bool, bool]] = []
    forward = one.loss.forward

    def watched(
        logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        call = (one.state.epoch + 1, one.loss.training, weight is not None)
        if weight is not None:
            assert one.weight is not None
            assert torch.equal(weight, one.weight)
        if call not in seen:
            seen.append(call)
        return forward(logits, targets, mask, weight)

    monkeypatch.setattr(one.loss, "forward", watched)
    fit(one, folder)
    return seen


@pytest.mark.parametrize(
    ("deferred", "epochs", "first"), [(0.0, 2, 1), (0.5, 4, 3), (0.8, 4, 4), (0.9, 2, 2), (0.7, 10, 8), (0.5, 1, 1)]
)
def test_weights_switch_on_after_their_share_of_the_epochs(
    deferred: float,
    epochs: int,
    first: int,
    tiny_kit: NetworkKit,
    tiny_recipe: MakeRecipe,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    loss = f"loss={{kind: ldam, pos_weight: effective, deferred: {deferred}}}"
    one = trainer(tiny_kit, tiny_recipe("flat-basic", "freeze=true", f"epochs={epochs}", f"patience={epochs}", loss))
    expected = [(epoch, step, epoch >= first) for epoch in range(1, epochs + 1) for step in (True, False)]
    assert weights_seen(one, monkeypatch, tmp_path) == expected


@pytest.mark.parametrize("kind", ["sqrt", "balanced", "effective"])
def test_the_weights_are_of_the_training_rows_and_the_kind(
    kind: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    beta = 0.9 if kind == "effective" else 0.9999
    one = trainer(tiny_kit, tiny_recipe("hierarchical-shared", f"loss={{pos_weight: {kind}, beta: {beta}}}"))
    targets, known = one.task.targets[one.train_rows], one.task.known[one.train_rows]
    assert one.weight is not None
    assert one.weight.numpy() == pytest.approx(pos_weight(targets, known, kind=kind, beta=beta))
    others = {other: pos_weight(targets, known, kind=other, beta=beta) for other in ("sqrt", "balanced", "effective")}
    assert all(not np.allclose(others[other], one.weight.numpy()) for other in others if other != kind)


@pytest.mark.parametrize(("loss", "weighted"), [("loss.pos_weight=balanced", True), (DEFERRED, False)])
def test_heads_start_at_the_odds_of_the_first_epochs_loss(
    loss: str, weighted: bool, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    one = trainer(tiny_kit, tiny_recipe("flat-basic", "epochs=4", loss))
    targets, known = one.task.targets[one.train_rows], one.task.known[one.train_rows]
    expected = prior_logits(targets, known, pos_weight(targets, known) if weighted else None)
    assert one.network.head.out.bias.detach().numpy() == pytest.approx(expected)  # type: ignore[union-attr]


def test_patience_begins_once_the_weights_are_on(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a score that never gets better, one epoch of patience ends at once without weights to wait for."""
    ended = []
    for number, loss in enumerate(("loss.pos_weight=balanced", DEFERRED)):
        one = trainer(tiny_kit, tiny_recipe("flat-basic", "freeze=true", "epochs=8", "patience=1", loss))
        monkeypatch.setattr(one, "_validate", lambda: (1.0, 0.5, 0.5))
        ended.append(fit(one, tmp_path / str(number)).epoch)
    assert ended == [2, 5]


def test_a_resumed_run_knows_whether_its_weights_are_on(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-basic", "epochs=2", DEFERRED)

    def kill(state: FitState) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(trainer(tiny_kit, recipe), tmp_path / "cut", kill)
    whole, cut = trainer(tiny_kit, recipe), trainer(tiny_kit, recipe)
    expected = [line["train_loss"] for line in fit(whole, tmp_path / "whole").lines]
    assert [line["train_loss"] for line in fit(cut, tmp_path / "cut").lines] == expected
