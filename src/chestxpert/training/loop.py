"""The training loop: read it from top to bottom.

All randomness of an epoch comes from streams named by run seed, network and epoch, so a run that was killed
and resumed draws what it would have drawn.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from chestxpert.errors import RunError
from chestxpert.imbalance.batches import batch_count
from chestxpert.imbalance.epochs import Epoch
from chestxpert.imbalance.mixes import Examples
from chestxpert.imbalance.weights import prior_logits
from chestxpert.models.classifier import Classifier
from chestxpert.progress import Tick
from chestxpert.recipe import Recipe
from chestxpert.training.average import WeightAverage
from chestxpert.training.checkpoints import Checkpoints, learned_state, load_learned_state
from chestxpert.training.engine import Engine, stream_seed
from chestxpert.training.mixing import Mixer
from chestxpert.training.objective import loss_parts, network_loss, positive_weight, weight_after
from chestxpert.training.rows import epoch_rows
from chestxpert.training.schedule import build_optimizer, learning_rate_factor, set_learning_rate
from chestxpert.training.sources import Source
from chestxpert.training.state import EpochLine, FitState, Second, epoch_line, epoch_score
from chestxpert.training.task import IntArray, Task

EVAL_BATCH = 128


class Trainer:
    """Trains one network on one task.

    Parameters
    ----------
    network : Classifier, on the engine's device
    task, source : what is asked, and where its inputs come from
    train_rows, val_rows : int arrays of cohort rows; repeats in `train_rows` are copies
    recipe, seed, engine : how
    second : of a second stage, which goes on with the weights that `network` has; `recipe` is the stage's own
    """

    def __init__(
        self,
        network: Classifier,
        task: Task,
        source: Source,
        train_rows: IntArray,
        val_rows: IntArray,
        recipe: Recipe,
        seed: int,
        engine: Engine,
        second: Second | None = None,
    ) -> None:
        if len(train_rows) < 2:
            raise RunError(
                f"Network '{task.name}' has {len(train_rows)} training rows and needs at least 2. "
                "Use more data, or a recipe that thins less."
            )
        self.network, self.task, self.source = network, task, source
        self.train_rows, self.val_rows = train_rows, val_rows
        self.recipe, self.seed, self.engine, self.second = recipe, seed, engine, second
        # What a second stage draws is not what the first drew in its epoch of the same number.
        self.stream = task.name if second is None else f"{task.name}/{second.kind}"
        self.loss_parts = loss_parts(recipe, task)
        self.loss = network_loss(self.loss_parts, task, train_rows).to(engine.device)
        weight = positive_weight(self.loss_parts, task, train_rows)
        self.weight = None if weight is None else weight.to(engine.device)
        self.state = FitState()
        if second is None or network.fixed:  # else its last layer has learnt already
            self._start_at_prior()
        self.optimizer = build_optimizer(network, recipe.optimizer, self.loss)
        # Listed once: finding them in the whole network takes longer than a tenth of a step of a head.
        self._clipped = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.targets = torch.from_numpy(task.targets.astype(np.float32)).to(engine.device)
        self.known = torch.from_numpy(task.known).to(engine.device)
        self.rows_per_epoch = len(self._draw(self._epoch(1)))  # later epochs may be a few rows longer or shorter
        self.steps_per_epoch = batch_count(self.rows_per_epoch, recipe.batch_size)
        self.mixer = Mixer(recipe.sampling.mix, task, train_rows, source, self._examples)
        self.average = WeightAverage(network, recipe.optimizer.average * recipe.epochs * self.steps_per_epoch)

    @property
    def unweighted_epochs(self) -> int:
        """Epochs before the weights of positives are on in all parts of the loss."""
        return max(part.unweighted_epochs(self.recipe.epochs) for part in self.loss_parts)

    def _weight_now(self) -> torch.Tensor | None:
        """Weight of positives in the epoch that is under way."""
        return weight_after(self.weight, self.loss_parts, self.recipe.epochs, self.state.epoch)

    def _start_at_prior(self) -> None:
        """Start the head at the log-odds that the first epoch's loss, weighted or not, sees."""
        first = self._weight_now()
        weight = None if first is None else first.cpu().numpy()
        targets, known = self.task.targets[self.train_rows], self.task.known[self.train_rows]
        self.network.head.start_at(torch.from_numpy(prior_logits(targets, known, weight)))

    def fit(
        self, checkpoints: Checkpoints, report: Callable[[FitState], None], tick: Tick = lambda images: None
    ) -> FitState:
        """Train until the epochs or the patience are used up; leaves the best weights in the network.

        Parameters
        ----------
        checkpoints : where to keep the last epoch, to go on from if there is one, and the best
        report : called after each epoch, once it is safely stored
        tick : called after each step with the number of images it took
        """
        if self.state.epoch == 0:
            self.resume(checkpoints)
        while self.state.epoch < self.recipe.epochs and not self._patience_is_over():
            started = time.perf_counter()
            epoch = self.state.epoch + 1
            with self.source.threads():
                train_loss = self._train_epoch(epoch, tick)
                diverged = not math.isfinite(train_loss)
                val_loss, val_ap, val_auroc = (math.nan,) * 3 if diverged else self._validate()
            if diverged or (len(self.val_rows) > 0 and not math.isfinite(val_loss)):
                self._give_up(epoch)
                break
            self._keep_if_best(epoch, epoch_score(val_ap, val_loss), checkpoints)
            self.engine.synchronise()
            seconds = time.perf_counter() - started
            self.state.epoch = epoch
            self.state.seconds += seconds
            self.state.lines.append(self._line(epoch, train_loss, (val_loss, val_ap, val_auroc), seconds))
            self._save_last(checkpoints)
            report(self.state)
        best = checkpoints.load_best()
        for network in (self.network, self.average.network):
            load_learned_state(network, best)
        return self.state

    def _keep_if_best(self, epoch: int, score: float, checkpoints: Checkpoints) -> None:
        if score > self.state.best_score or len(self.val_rows) == 0:
            self.state.best_score, self.state.best_epoch = score, epoch
            checkpoints.save_best(learned_state(self.average.network), {"network": self.task.name, "epoch": epoch})

    def _give_up(self, epoch: int) -> None:
        """End training that diverged: with the best epoch so far, or with an error if there is none."""
        if self.state.best_epoch == 0:
            where, rates = f"epoch {epoch}", "optimizer.lr and optimizer.head_lr"
            if self.second is not None:
                where, rates = f"{where} of stage '{self.second.kind}'", "stage.rate"
            raise RunError(
                f"Recipe '{self.recipe.name}', seed {self.seed}, network '{self.task.name}': the loss is no number "
                f"any more in {where}. Try a lower {rates}, optimizer.clip=1, or precision=float32."
            )
        self.state.lines.append(self._line(epoch, math.nan, (math.nan,) * 3, math.nan))

    def _line(self, epoch: int, loss: float, validated: tuple[float, float, float], seconds: float) -> EpochLine:
        """Line of metrics.jsonl; epochs are counted on through both stages."""
        number = epoch if self.second is None else self.second.after + epoch
        line = epoch_line(self.task.name, number, loss, validated, self.optimizer, seconds)
        return line if self.second is None else {**line, "stage": self.second.kind}

    def _train_epoch(self, epoch: int, tick: Tick) -> float:
        """One epoch of steps; returns the mean training loss."""
        streams = self._epoch(epoch)
        rows_drawn = self._draw(streams)
        self.mixer.begin(streams, len(rows_drawn))
        batches = batch_count(len(rows_drawn), self.recipe.batch_size)
        total = torch.zeros((), device=self.engine.device)
        self.network.train()
        self.loss.train()
        with self.engine.seeded(stream_seed(self.seed, self.stream, "dropout", epoch)):
            drawn = self.source.train_batches(rows_drawn, self.recipe.batch_size, streams.torch_generator())
            for step, (inputs, rows) in enumerate(drawn):
                self._set_rate((epoch - 1) * batches + step, self.recipe.epochs * batches)
                total += self.step(inputs, rows)
                self.average.update()
                tick(len(rows))
        self.state.image_passes += len(rows_drawn)
        return float(total) / batches

    def _epoch(self, number: int) -> Epoch:
        return Epoch(number, self.recipe.epochs, self.seed, self.stream)

    def _draw(self, epoch: Epoch) -> IntArray:
        return epoch_rows(self.recipe, self.task, self.train_rows, epoch)

    def _examples(self, inputs: torch.Tensor, rows: IntArray) -> Examples:
        index = torch.from_numpy(rows).to(self.engine.device)
        return Examples(inputs, self.targets[index], self.known[index])

    def step(self, inputs: torch.Tensor, rows: IntArray) -> torch.Tensor:
        """One optimiser step on a batch, mixed as the recipe says; returns its loss, still on the device."""
        batch = self.mixer(inputs, rows)
        with self.engine.autocast():
            logits = self.source.forward(self.network, batch.inputs)
        loss: torch.Tensor = self.loss(logits, batch.targets, batch.known, self._weight_now())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
        if self.recipe.optimizer.clip > 0:
            torch.nn.utils.clip_grad_norm_(self._clipped, self.recipe.optimizer.clip)
        self.optimizer.step()
        return loss.detach()

    def _set_rate(self, step: int, steps: int) -> None:
        set_learning_rate(self.optimizer, learning_rate_factor(step, steps, self.recipe.optimizer.warmup))

    def _validate(self) -> tuple[float, float, float]:
        """Loss, macro average precision and macro AUROC on the validation rows; NaN where there are none."""
        if len(self.val_rows) == 0:
            return math.nan, math.nan, math.nan
        logits = self.predict(self.val_rows)
        index = torch.from_numpy(self.val_rows).to(self.engine.device)
        self.loss.eval()  # what a loss remembers is of training rows alone
        with torch.inference_mode():
            loss = self.loss(
                torch.from_numpy(logits).to(self.engine.device),
                self.targets[index],
                self.known[index],
                self._weight_now(),
            )
        return float(loss), *self.task.score(logits.astype(np.float64), self.val_rows)

    def predict(self, rows: IntArray) -> npt.NDArray[np.float32]:
        """Logits (n, M) of `rows` by the averaged weights, without augmentation or dropout."""
        with self.source.threads():
            return np.concatenate(list(predict_batches(self.average.network, self.source, rows, self.engine)))

    def _patience_is_over(self) -> bool:
        # Patience begins once the weights are on: before that, the recipe's own loss has not been tried.
        best = max(self.state.best_epoch, self.unweighted_epochs)
        return self.state.epoch - best >= self.recipe.patience and self.state.epoch > 0

    def _save_last(self, checkpoints: Checkpoints) -> None:
        checkpoints.save_last(
            {
                "state": vars(self.state),
                "network": learned_state(self.network),
                "average": self.average.state(),
                "optimizer": self.optimizer.state_dict(),
                "loss": self.loss.state_dict(),
            }
        )

    def resume(self, checkpoints: Checkpoints) -> None:
        """Go on from the last whole epoch, if there is one."""
        stored = checkpoints.load_last()
        if stored is not None:
            load_learned_state(self.network, stored["network"])
            self.average.load_state(stored["average"])
            self.optimizer.load_state_dict(stored["optimizer"])
            self.loss.load_state_dict(stored["loss"])
            self.state = FitState(**stored["state"])


def predict_batches(
    network: Classifier, source: Source, rows: IntArray, engine: Engine, view: int = 0
) -> Iterator[npt.NDArray[np.float32]]:
    """Logits of `rows` in one view (0 is the plain image), batch after batch, in order."""
    network.eval()
    for inputs, _ in source.eval_batches(rows, EVAL_BATCH, view):
        with torch.inference_mode(), engine.autocast():
            logits = source.forward(network, inputs)
        yield logits.float().cpu().numpy()
