"""Methods combine: each loss with a draw, a mix, weights that switch on late and a routing, killed and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.recipe import DRAWS, LOSSES, Recipe
from chestxpert.training.checkpoints import Checkpoints
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.state import FitState
from chestxpert.training.task import tasks_for

MakeRecipe = Callable[..., Recipe]
MIXES = ("mixup", "balanced-mixup")
"""Those that mix features too."""
TOGETHER = [(loss, list(DRAWS)[n % len(DRAWS)], MIXES[n % 2]) for n, loss in enumerate(LOSSES, start=1)]


def trainer(kit: NetworkKit, recipe: Recipe) -> Trainer:
    cohort = kit.dataset.cohort
    tree = cohort_taxonomy(recipe.taxonomy, cohort)
    (task,) = tasks_for(recipe, cohort.labels(), cohort.label_space, tree, cohort.known())
    return kit.trainer(recipe, task, training_rows(recipe, cohort, task.eligible, 3), 3)


def kill_after_two(state: FitState) -> None:
    if state.epoch == 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize(("loss", "draw", "mix"), TOGETHER)
@pytest.mark.parametrize("name", ["flat-basic", "hierarchical-clinical"])
def test_any_loss_draw_and_mix_go_on_together_after_a_kill(
    name: str, loss: str, draw: str, mix: str, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    weights = ["loss.pos_weight=sqrt", "loss.deferred=0.5"] if LOSSES[loss].takes_weight else []
    recipe = tiny_recipe(
        name, "freeze=true", "epochs=4", f"loss.kind={loss}", *weights, f"sampling.draw.kind={draw}",
        f"sampling.mix.kind={mix}",
    )  # fmt: skip
    whole = trainer(tiny_kit, recipe)
    done = whole.fit(Checkpoints(tmp_path / "whole", whole.task.name), lambda state: None)
    kept = Checkpoints(tmp_path / "killed", whole.task.name)
    with pytest.raises(KeyboardInterrupt):
        trainer(tiny_kit, recipe).fit(kept, kill_after_two)
    again = trainer(tiny_kit, recipe)
    resumed = again.fit(kept, lambda state: None)
    timeless = [[{**line, "seconds": None} for line in state.lines] for state in (done, resumed)]
    assert timeless[0] == timeless[1]
    assert len(timeless[0]) == 4
    assert all(line["train_loss"] is not None for line in done.lines)
    assert np.array_equal(again.predict(again.val_rows), whole.predict(whole.val_rows))
