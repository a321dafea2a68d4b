"""Mixing the batches of an epoch, as the recipe says."""

from __future__ import annotations

from collections.abc import Callable

import torch

from chestxpert.imbalance.epochs import Epoch
from chestxpert.imbalance.mixes import Examples, mixed
from chestxpert.recipe import Mix
from chestxpert.training.rows import known_positives
from chestxpert.training.sources import Source
from chestxpert.training.task import IntArray, Task


class Mixer:
    """Makes of each batch what is learned from.

    Parameters
    ----------
    mix : Mix
    task, rows : a network's question, and its training rows, which partners are drawn from
    source : where the inputs of partners come from
    labelled : gives the examples of inputs (B, ...) that belong to cohort rows (B,)
    """

    def __init__(
        self,
        mix: Mix,
        task: Task,
        rows: IntArray,
        source: Source,
        labelled: Callable[[torch.Tensor, IntArray], Examples],
    ) -> None:
        self._mix, self._task, self._rows, self._source, self._labelled = mix, task, rows, source, labelled

    def begin(self, epoch: Epoch, count: int) -> None:
        """Begin an epoch of `count` rows: forget all that was drawn before."""
        drawn = epoch.partners(self._mix, known_positives(self._task, self._rows), count)
        self._partners = None if drawn is None else self._rows[drawn]
        self._generator = epoch.torch_generator("partners")
        self._epoch, self._step, self._taken = epoch, 0, 0

    def __call__(self, inputs: torch.Tensor, rows: IntArray) -> Examples:
        """The next batch of the epoch, mixed."""
        first = self._labelled(inputs, rows)
        if self._mix.kind == "none":
            return first
        rng = self._epoch.generator("mix", self._step)
        second = self._second(first)
        self._step, self._taken = self._step + 1, self._taken + len(rows)
        return mixed(self._mix, first, second, rng)

    def _second(self, first: Examples) -> Examples:
        if self._partners is None:
            order = torch.from_numpy(self._epoch.shuffle(self._step, len(first)))
            return first[order.to(first.inputs.device)]
        rows = self._partners[self._taken : self._taken + len(first)]
        return self._labelled(self._source.load_augmented(rows, self._generator), rows)
