"""NetworkKit: backbone, pixels and features that the networks of a run, and the runs of a study, share."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from chestxpert.dataset import Dataset
from chestxpert.models.backbones import Backbone, create_backbone
from chestxpert.models.classifier import Classifier, build_classifier, weights_drawn_from
from chestxpert.pixels.store import ImageStore
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.engine import Engine, keep_freed_memory, stream_seed
from chestxpert.training.features import (
    FeatureCache,
    FeatureJob,
    array_fingerprint,
    averaged_features,
    averaged_passes_needed,
    cached_features,
    passes_needed,
    weights_fingerprint,
)
from chestxpert.training.loop import Trainer
from chestxpert.training.sources import FeatureSource, PixelSource, Source
from chestxpert.training.state import Second
from chestxpert.training.task import IntArray, Task


@dataclass(frozen=True)
class NetworkKit:
    """What can be shared between networks because training does not change it.

    Attributes
    ----------
    recipe : the first recipe that asked; `shared_key` says which others may use the same kit
    backbone : with its starting weights, never trained itself: networks get a copy, or share it if it is frozen
    store : the pixels at the recipe's size
    alone : whether nothing else runs beside, so that a clock tells how long a prediction takes
    """

    recipe: Recipe
    dataset: Dataset
    backbone: Backbone
    store: ImageStore
    engine: Engine
    progress: Progress
    alone: bool = True

    @classmethod
    def create(
        cls,
        recipe: Recipe,
        dataset: Dataset,
        progress: Progress = SILENT,
        engine: Engine | None = None,
        backbone_name: str | None = None,
        alone: bool = True,
    ) -> NetworkKit:
        """Fetch or read the backbone's weights and bring the pixels to the recipe's size.

        `backbone_name` stands in for the recipe's own, for example to go on with what 'auto' once became.
        """
        with weights_drawn_from(0, "backbone"):  # only `weights: none` draws any
            backbone = create_backbone(backbone_name or recipe.backbone, recipe.weights, progress.note)
        why = f" ({backbone.why})" if backbone.why else ""
        progress.note(f"backbone: {backbone.name}{why}; weights: {backbone.source}")
        store = dataset.store if recipe.size is None else dataset.store.at_size(recipe.size)
        engine = engine or Engine.create(recipe.precision, trained=None if recipe.freeze else backbone)
        if engine.device.type == "cpu":
            keep_freed_memory()
        return cls(recipe, dataset, backbone, store, engine, progress, alone)

    @staticmethod
    def shared_key(recipe: Recipe) -> tuple[object, ...]:
        """Recipes with equal keys can share a kit."""
        return (
            recipe.backbone,
            recipe.weights,
            recipe.size,
            recipe.views,
            recipe.augment,
            recipe.precision,
            recipe.freeze,
        )

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return self.store.size

    @property
    def pixels_fingerprint(self) -> str:
        """Fingerprint of the pixels at this size."""
        return self.store.fingerprint

    def describe_backbone(self) -> dict[str, Any]:
        """Plain values: what was asked for, what it became, where its weights came from."""
        return {
            **self.backbone.record,
            "asked": self.recipe.backbone,
            "weights_fingerprint": self._backbone_fingerprint if self._shares_start else None,
        }

    @property
    def _shares_start(self) -> bool:
        """Whether all networks start from the same backbone: random weights are drawn by each run's own seed."""
        return self.recipe.weights != "none" or self.recipe.freeze

    def describe_start(self) -> dict[str, Any]:
        """What two runs must have in common, beside recipe, seed and cohort, to be one run cut in two."""
        return {
            "backbone": self.backbone.name,
            "weights_fingerprint": self._backbone_fingerprint if self._shares_start else None,
            "pixels_fingerprint": self.pixels_fingerprint,
            "dtype": str(self.engine.dtype).removeprefix("torch."),
            "device": self.engine.device.type,
        }

    @cached_property
    def backbone_times(self) -> dict[tuple[int, int], float]:
        """Seconds that the backbone takes for so many images and views, as measured (`price.backbone_seconds`)."""
        return {}

    @cached_property
    def _backbone_fingerprint(self) -> str:
        return weights_fingerprint(self.backbone)

    @cached_property
    def _store_rows(self) -> IntArray:
        return self.dataset.pixel_rows(self.dataset.cohort.table["image_id"].to_numpy())

    @cached_property
    def pixels(self) -> PixelSource:
        """Images of the store, by row of the cohort."""
        return PixelSource(self.store.pixels, self._store_rows, self.recipe.augment, self.engine)

    @cached_property
    def _feature_job(self) -> FeatureJob:
        cohort = self.dataset.cohort
        return FeatureJob(
            backbone=(self.backbone.name, self.backbone.mean, self.backbone.std, self._backbone_fingerprint),
            pixels=self.store.fingerprint,
            rows=array_fingerprint(self._store_rows),
            train_rows=array_fingerprint(cohort.rows("train")),
            augment=self.recipe.augment,
            views=self.recipe.views,
            dtype=str(self.engine.dtype),
            device=self.engine.device.type,
        )

    @property
    def _feature_folder(self) -> Path:
        return self.dataset.folder / "features"

    def feature_passes(self) -> int:
        """Images that must go through the backbone before frozen training can start."""
        cohort = self.dataset.cohort
        return passes_needed(self._feature_folder, self._feature_job, len(cohort), len(cohort.rows("train")))

    @cached_property
    def _features(self) -> FeatureCache:
        cohort, train_rows = self.dataset.cohort, self.dataset.cohort.rows("train")
        network = self.engine.place(self.classifier(self.recipe, 1, seed=0))
        with self.progress.bar("features of the fixed backbone", self.feature_passes()) as tick:
            return cached_features(
                self._feature_folder,
                self._feature_job,
                network,
                self.pixels,
                np.arange(len(cohort)),
                train_rows,
                self.engine,
                tick,
            )

    @cached_property
    def _feature_source(self) -> FeatureSource:
        return FeatureSource(self._features.plain, self._features.views, self.dataset.cohort.rows("train"), self.engine)

    def source(self, recipe: Recipe, predicted: IntArray | None = None) -> Source:
        """Where the recipe's batches come from.

        Parameters
        ----------
        predicted : int array of the cohort rows that predictions are made of; its val and test rows by default
        """
        if not recipe.freeze:
            return self.pixels
        if recipe.tta.views == 0:
            return self._feature_source
        cohort = self.dataset.cohort
        rows = np.concatenate([cohort.rows("val"), cohort.rows("test")]) if predicted is None else predicted
        return self._averaging_source(np.unique(rows), recipe.tta.views)

    def _averaging_source(self, rows: IntArray, views: int) -> FeatureSource:
        """The feature source with the views of `rows` (ascending) that predictions are averaged over."""
        features, folder, job = self._features, self._feature_folder, self._feature_job
        network = self.engine.place(self.classifier(self.recipe, 1, seed=0))
        left = averaged_passes_needed(folder, job, rows, views)
        progress = self.progress if left else SILENT  # a cascade asks once a network
        with progress.bar("features of the views to average", left) as tick:
            averaged = averaged_features(folder, job, network, self.pixels, rows, views, self.engine, tick)
        train_rows = self.dataset.cohort.rows("train")
        return FeatureSource(features.plain, features.views, train_rows, self.engine, averaged, rows)

    def classifier(self, recipe: Recipe, head: int | Taxonomy, seed: int) -> Classifier:
        """A new network with the backbone's weights and a head drawn from `seed`; its backbone fixed if frozen."""
        if not self._shares_start:  # every run starts from random weights of its own
            return build_classifier(replace(recipe, backbone=self.backbone.name), head, seed)
        # A frozen backbone is read only, so its networks may share one.
        backbone = self.backbone if recipe.freeze else copy.deepcopy(self.backbone)
        return build_classifier(recipe, head, seed, backbone)

    def trainer(
        self,
        recipe: Recipe,
        task: Task,
        train_rows: IntArray,
        seed: int,
        network: Classifier | None = None,
        second: Second | None = None,
    ) -> Trainer:
        """Everything in place to train `task`: a new network, or in a `second` stage the one that the first left."""
        if network is None:
            network = self.classifier(recipe, task.head, stream_seed(seed, task.name, "weights"))
        validation = self.dataset.cohort.rows("val")
        return Trainer(
            network=self.engine.place(network),
            task=task,
            source=self.source(recipe),
            train_rows=train_rows,
            val_rows=validation[task.eligible[validation]],
            recipe=recipe,
            seed=seed,
            engine=self.engine,
            second=second,
        )
