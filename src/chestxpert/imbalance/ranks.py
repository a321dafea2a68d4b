"""Batches for several processes that train one network together, in a loop of one's own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Sampler

from chestxpert.errors import UsageError
from chestxpert.imbalance.batches import batches_of, share_of
from chestxpert.imbalance.epochs import Epoch
from chestxpert.imbalance.mixes import Examples, mixed
from chestxpert.recipe import Draw, Mix

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


class RankedBatchSampler(Sampler[list[int]]):
    """A batch sampler for `torch.utils.data.DataLoader`: this process's share of every batch.

    In each step, the shares of all processes together are the batch that one process alone would take, and that one is
    what ``chestxpert train`` takes when it fine-tunes with the same seed. Every process has the same number of steps,
    and no row is lost or doubled to make ends meet. Shares of one batch differ by at most one row; a mean over the
    processes is the mean over the batch if each weighs its own by its number of rows.

    With a mix, a share holds the rows and then as many partners; `mix` makes one batch of the two, once loaded.

    Parameters
    ----------
    labels : (N, M) bool array
        Positives that are known, of the rows that the data set holds, in its order.
    batch_size : int
        Most rows of all processes together in a step, without partners.
    draw, mix : Draw and Mix, or their names
        As in a recipe, where settings are needed: ``Draw("ml-ros", {"percent": 10})``.
    epochs : int
        How many there will be, which the progressive draw goes by.
    seed, network : the run's, as `chestxpert.imbalance.epochs.Epoch` has them
    rank, world_size : which process this is, of how many

    Raises
    ------
    UsageError
        If there is no such process, or a step would leave one without rows.
    """

    def __init__(
        self,
        labels: BoolArray,
        batch_size: int,
        *,
        draw: Draw | str = "instance",
        mix: Mix | str = "none",
        epochs: int = 1,
        seed: int = 0,
        network: str = "flat",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._labels, self._batch_size = labels, batch_size
        self._draw = Draw(draw) if isinstance(draw, str) else draw
        self._mix = Mix(mix) if isinstance(mix, str) else mix
        self._epochs, self._seed, self._network = epochs, seed, network
        self._rank, self._world_size = rank, world_size
        share_of(np.arange(0), rank, world_size)  # is there such a process?
        self.set_epoch(1)

    def set_epoch(self, number: int) -> None:
        """Go to an epoch, counted from 1; the next iteration draws it. Every process has to."""
        if not 1 <= number <= self._epochs:
            raise UsageError(f"Epochs are counted from 1 to {self._epochs} here, but got {number}.")
        self._epoch = Epoch(number, self._epochs, self._seed, self._network)
        self._steps = self._cut(self._epoch)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[int]]:
        for rows, partners in self._steps:
            yield [int(row) for part in (rows, partners) for row in share_of(part, self._rank, self._world_size)]

    def mix(self, examples: Examples, step: int) -> Examples:
        """What to learn from in a step, counted from 0: the loaded rows, mixed with the partners loaded after them."""
        if self._mix.kind == "none":
            return examples
        rng = self._epoch.generator("mix", step)
        return mixed(self._mix, *examples.halves(), rng)

    def _cut(self, epoch: Epoch) -> list[tuple[IntArray, IntArray]]:
        """Rows and partners of each step, of all processes together."""
        drawn = epoch.rows(self._draw, self._labels)
        order = torch.randperm(len(drawn), generator=epoch.torch_generator()).numpy()
        batches = batches_of(drawn[order], self._batch_size)
        if min(map(len, batches)) < self._world_size:
            raise UsageError(
                f"A step of {min(map(len, batches))} rows cannot be shared by {self._world_size} processes. "
                "Use a larger batch_size, more rows, or fewer processes."
            )
        return list(zip(batches, self._partners(epoch, batches), strict=True))

    def _partners(self, epoch: Epoch, batches: list[IntArray]) -> list[IntArray]:
        if self._mix.kind == "none":
            return [batch[:0] for batch in batches]
        lengths = [len(batch) for batch in batches]
        drawn = epoch.partners(self._mix, self._labels, sum(lengths))
        if drawn is None:
            return [batch[epoch.shuffle(step, len(batch))] for step, batch in enumerate(batches)]
        return np.split(drawn, np.cumsum(lengths)[:-1])
