"""Sources of batches: images from the store, or cached features of a fixed backbone.

A source hands out tensors on the device with the rows they belong to. What they mean to the network is the
source's matter (`forward`), so the loop is the same for fine-tuning and for frozen backbones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from chestxpert.imbalance.batches import batches_of
from chestxpert.models.classifier import Classifier
from chestxpert.pixels.augment import augment, changed, draw_changes
from chestxpert.recipe import Augment
from chestxpert.training.engine import Engine, stream_seed

IntArray = npt.NDArray[np.int64]
Batch = tuple[torch.Tensor, IntArray]


class Source(Protocol):
    """What the loop asks of a source of batches."""

    def train_batches(self, rows: IntArray, size: int, generator: torch.Generator) -> Iterator[Batch]:
        """One epoch over `rows` (repeats are copies, each augmented anew), shuffled and augmented."""

    def eval_batches(self, rows: IntArray, size: int, view: int = 0) -> Iterator[Batch]:
        """`rows` once, in order: unchanged, or in one of the `views`, from 1, that predictions are averaged over."""

    def load_augmented(self, rows: IntArray, generator: torch.Generator) -> torch.Tensor:
        """One batch of exactly `rows`, in their order, augmented."""

    def forward(self, network: Classifier, inputs: torch.Tensor) -> torch.Tensor:
        """Logits (B, M) of a batch from this source."""

    def threads(self) -> AbstractContextManager[None]:
        """Context in which steps on this source are taken."""


def shuffled(count: int, generator: torch.Generator) -> IntArray:
    """Random order of range(count)."""
    return torch.randperm(count, generator=generator).numpy()


def copy_numbers(rows: IntArray) -> IntArray:
    """For each entry, how many earlier entries are the same row: 0 for an original, 1 for its first copy."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    numbers = np.empty(len(rows), dtype=np.int64)
    numbers[order] = np.arange(len(rows)) - starts
    return numbers


class PixelSource:
    """Images from an array of the store, augmented on the device.

    Parameters
    ----------
    pixels : (N, H, W) uint8 array, memory-mapped or not
    store_rows : (cohort length,) int array, where each row of the cohort lies in `pixels`
    """

    def __init__(self, pixels: npt.NDArray[np.uint8], store_rows: IntArray, settings: Augment, engine: Engine) -> None:
        self._pixels, self._store_rows, self._settings, self._engine = pixels, store_rows, settings, engine

    def load(self, rows: IntArray) -> torch.Tensor:
        """Unchanged images (B, 1, H, W), float32 in [0, 255]."""
        images = torch.from_numpy(np.ascontiguousarray(self._pixels[self._store_rows[rows]]))
        return images[:, None].to(self._engine.device, non_blocking=True).float()

    def load_augmented(self, rows: IntArray, generator: torch.Generator) -> torch.Tensor:
        """Randomly changed images (B, 1, H, W), float32 in [0, 255]."""
        return augment(self.load(rows), self._settings, generator)

    def load_view(self, rows: IntArray, view: int) -> torch.Tensor:
        """Images (B, 1, H, W) in one of the views that predictions are averaged over; view 0 is the plain one.

        A view is one change of every image, drawn from a stream that it alone names. So what is predicted for an image
        depends on the image, not on its neighbours, the run's seed or the order, and no draw comes between two images.
        """
        images = self.load(rows)
        if view == 0:
            return images
        draws = draw_changes(1, torch.Generator().manual_seed(stream_seed(0, "tta", view)))
        return changed(images, self._settings, draws.expand(len(images), -1))

    def train_batches(self, rows: IntArray, size: int, generator: torch.Generator) -> Iterator[Batch]:
        """One augmented epoch; copies of a row differ, since each image draws its own changes."""
        for batch in batches_of(rows[shuffled(len(rows), generator)], size):
            yield self.load_augmented(batch, generator), batch

    def eval_batches(self, rows: IntArray, size: int, view: int = 0) -> Iterator[Batch]:
        """Images in order, in one view."""
        for batch in batches_of(rows, size):
            yield self.load_view(batch, view), batch

    def forward(self, network: Classifier, inputs: torch.Tensor) -> torch.Tensor:
        """Logits of grey images (B, 1, H, W) in [0, 255]."""
        return network.forward_head(network.forward_features(network.normalise(inputs)))

    def threads(self) -> AbstractContextManager[None]:
        """All there are."""
        return nullcontext()


class FeatureSource:
    """Cached features of a fixed backbone: the plain view of every row, augmented views of training rows.

    With test-time augmentation also the views of those rows that predictions are made of.

    Parameters
    ----------
    plain : (N, D) array over the rows of the cohort
    views : V arrays (N_train, D) of augmented views
    train_rows : (N_train,) int array, the cohort rows that `views` holds, ascending
    averaged : arrays (n, D) of the views that predictions are averaged over
    predicted : (n,) int array, the cohort rows that `averaged` holds, ascending
    """

    def __init__(
        self,
        plain: npt.NDArray[np.float16],
        views: Sequence[npt.NDArray[np.float16]],
        train_rows: IntArray,
        engine: Engine,
        averaged: Sequence[npt.NDArray[np.float16]] = (),
        predicted: IntArray | None = None,
    ) -> None:
        self._plain, self._views, self._train_rows, self._engine = plain, views, train_rows, engine
        self._averaged, self._predicted = averaged, np.arange(0) if predicted is None else predicted

    def _tensor(self, features: npt.NDArray[np.float16]) -> torch.Tensor:
        return torch.from_numpy(features.astype(np.float32)).to(self._engine.device)

    def train_batches(self, rows: IntArray, size: int, generator: torch.Generator) -> Iterator[Batch]:
        """One epoch over `rows`, shuffled, each row in a random one of its views.

        A copy of a row is one view further on than the row itself, so an epoch shows them as different images, until
        there are more copies than views.
        """
        count = 1 + len(self._views)
        drawn = torch.randint(count, (len(self._plain),), generator=generator).numpy()
        view = (drawn[rows] + copy_numbers(rows)) % count
        for part in batches_of(shuffled(len(rows), generator), size):
            yield self._tensor(self._pick(rows[part], view[part])), rows[part]

    def load_augmented(self, rows: IntArray, generator: torch.Generator) -> torch.Tensor:
        """Each of `rows` in a random one of its views."""
        view = torch.randint(1 + len(self._views), (len(rows),), generator=generator).numpy()
        return self._tensor(self._pick(rows, view))

    def _pick(self, rows: IntArray, view: IntArray) -> npt.NDArray[np.float16]:
        """Features (B, D) of each row in its view; view 0 is the plain one."""
        picked = np.array(self._plain[rows])
        for number in np.unique(view[view > 0]):
            chosen = view == number
            picked[chosen] = self._views[number - 1][np.searchsorted(self._train_rows, rows[chosen])]
        return picked

    def eval_batches(self, rows: IntArray, size: int, view: int = 0) -> Iterator[Batch]:
        """Features in order, of one view."""
        for batch in batches_of(rows, size):
            if view == 0:
                yield self._tensor(self._plain[batch]), batch
            else:
                yield self._tensor(self._averaged[view - 1][np.searchsorted(self._predicted, batch)]), batch

    def forward(self, network: Classifier, inputs: torch.Tensor) -> torch.Tensor:
        """Logits of features (B, D), in float32: a head is too small to gain from anything less."""
        with torch.autocast(self._engine.device.type, enabled=False):
            return network.forward_head(inputs)

    def threads(self) -> AbstractContextManager[None]:
        """One: a step takes milliseconds."""
        return self._engine.one_thread()
