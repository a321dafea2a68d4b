"""What an epoch draws: rows, their order, and how they are mixed, all from run seed, network and epoch alone.

So a run that was killed and resumed draws what it would have drawn, and so do several processes that each ask for the
same epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from chestxpert.imbalance.draws import draw_rows
from chestxpert.imbalance.mixes import partner_draw
from chestxpert.recipe import Draw, Mix
from chestxpert.streams import stream_seed

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Epoch:
    """One epoch of one network.

    Attributes
    ----------
    number, of : int
        Which epoch, counted from 1, and how many the recipe has.
    seed : int
        Of the run.
    network : str
        Name of the network; 'flat' for a flat recipe's.
    """

    number: int
    of: int
    seed: int
    network: str

    def rows(self, draw: Draw, labels: BoolArray) -> IntArray:
        """Positions among the rows of `labels` (N, M), in no particular order; see `draw_rows`."""
        return draw_rows(draw, labels, self.generator("draw"), self.number / self.of)

    def partners(self, mix: Mix, labels: BoolArray, count: int) -> IntArray | None:
        """Positions (count,) of the rows that a batch's rows are mixed with, batch after batch.

        None where each batch is mixed with itself.
        """
        draw = partner_draw(mix)
        if draw is None:
            return None
        rng = self.generator("partners")
        drawn = draw_rows(draw, labels, rng, self.number / self.of)
        return np.resize(rng.permutation(drawn), count)

    def shuffle(self, step: int, count: int) -> IntArray:
        """Which of the `count` rows of a batch stands beside each of them where a batch is mixed with itself."""
        return self.generator("shuffle", step).permutation(count)

    def generator(self, *stream: object) -> np.random.Generator:
        """Generator of a stream of this epoch."""
        return np.random.default_rng(stream_seed(self.seed, self.network, *stream, self.number))

    def torch_generator(self, stream: str = "epoch") -> torch.Generator:
        """The same for torch; "epoch" shuffles the rows and augments the images."""
        return torch.Generator().manual_seed(stream_seed(self.seed, self.network, stream, self.number))
