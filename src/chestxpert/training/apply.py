"""Apply: a finished run's networks on images of a dataset folder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError, StoreError
from chestxpert.evaluation.inference import route_again
from chestxpert.evaluation.log_odds import sigmoid
from chestxpert.evaluation.predictions import Predictions
from chestxpert.models.classifier import Classifier
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.checkpoints import Checkpoints, load_learned_state
from chestxpert.training.engine import Engine
from chestxpert.training.folder import CHECKPOINTS
from chestxpert.training.kits import start_of
from chestxpert.training.networks import NetworkKit
from chestxpert.training.sources import Source
from chestxpert.training.stored_run import StoredRun
from chestxpert.training.task import FloatArray
from chestxpert.training.tta import predict_logits


def heads_of(run: StoredRun) -> list[tuple[str, int | Taxonomy]]:
    """Name and head of each network of a run, in the order of training."""
    if run.recipe.architecture == "flat":
        return [("flat", len(run.label_space))]
    if run.recipe.architecture == "shared":
        return [("shared", run.tree)]
    return [(decision.name, len(decision.children)) for decision in run.tree.decisions]


def predict(run: StoredRun, dataset: Dataset, rows: npt.NDArray[np.int64], progress: Progress = SILENT) -> Predictions:
    """Probabilities of the run's findings for some images, in the run's size and number format, routed as its own.

    A run that kept its backbone fixed stored its heads alone; the backbone's weights are fetched or read again, and
    must be the same to the last bit.

    Parameters
    ----------
    run : StoredRun
    dataset : Dataset
        Whose images are at least as large as the run's.
    rows : (n,) int64 array
        Of the dataset's cohort.
    progress : Progress

    Raises
    ------
    StoreError
        If the images are smaller than the run's.
    RunError
        If weights are missing, do not fit, or are not those that the run learnt with.
    """
    networks = StoredNetworks(run, dataset, progress)
    logits = [networks.logits(name, rows) for name, _ in heads_of(run)]
    return _predictions(run, dataset, rows, np.concatenate(logits, axis=1))


class StoredNetworks:
    """The networks of a finished run, each put together when it is first asked for.

    Parameters
    ----------
    run, dataset, progress
        As for `predict`.
    """

    def __init__(self, run: StoredRun, dataset: Dataset, progress: Progress = SILENT) -> None:
        self.run, self.dataset, self._progress = run, dataset, progress
        self._kits: dict[tuple[object, ...], NetworkKit] = {}
        self._networks: dict[str, Classifier] = {}

    def logits(self, name: str, rows: npt.NDArray[np.int64], source: Source | None = None) -> FloatArray:
        """(n, M) float64 logits that a network gives images; `source` stands in for where its inputs come from."""
        kit, network, views = self.kit(name), self.network(name), self.run.recipe.tta.views
        with self._progress.bar(f"predicting: network {name}", len(rows) * (1 + views)) as tick:
            return predict_logits(network, source or kit.source(kit.recipe, rows), rows, kit.engine, views, tick)

    def network(self, name: str) -> Classifier:
        """The network called `name`, with the weights it learnt."""
        if name not in self._networks:
            kit, head = self.kit(name), dict(heads_of(self.run))[name]
            network = kit.classifier(self._recipe(name), head, seed=0)
            load_learned_state(network, Checkpoints(self.run.folder / CHECKPOINTS, name).load_best())
            self._networks[name] = kit.engine.place(network)
        return self._networks[name]

    def kit(self, name: str) -> NetworkKit:
        """Backbone, pixels and engine as the network called `name` had them."""
        recipe, start = self._recipe(name), start_of(self.run.environment["start"], name)
        key = (start["backbone"], recipe.weights, start["dtype"])
        if key not in self._kits:
            self._kits[key] = _kit(self.run, name, recipe, self.dataset, self._progress)
        return self._kits[key]

    def _recipe(self, name: str) -> Recipe:
        """The network's recipe, but that a trained backbone's weights are the run's own, put in place afterwards."""
        recipe = replace(self.run.recipe.network(name), size=int(self.run.environment["size"]))
        return recipe if recipe.freeze else replace(recipe, weights="none")


def _kit(run: StoredRun, name: str, recipe: Recipe, dataset: Dataset, progress: Progress) -> NetworkKit:
    start, size = start_of(run.environment["start"], name), int(run.environment["size"])
    if dataset.store.size < size:
        raise StoreError(
            f"The images in {dataset.folder} are {dataset.store.size} px, but {run.folder} learnt from images of "
            f"{size} px. Prepare the data set with '--size {size}' or more."
        )
    if not recipe.freeze:
        progress.note(f"backbone: {start['backbone']}; weights: the run's own")
    kit = NetworkKit.create(recipe, dataset, progress if recipe.freeze else SILENT, backbone_name=start["backbone"])
    if recipe.freeze:
        _check_backbone(run, name, kit.describe_start()["weights_fingerprint"])
    if kit.describe_start()["dtype"] != start["dtype"]:
        kit = replace(kit, engine=Engine.create("bfloat16" if start["dtype"] == "bfloat16" else "float32"))
    kit = replace(kit, progress=progress)
    if recipe.freeze and kit.feature_passes():  # nothing is trained, so no image is needed in its training views
        kit = replace(kit, recipe=replace(recipe, views=0))
    return kit


def _check_backbone(run: StoredRun, name: str, found: str) -> None:
    """RunError if a fixed backbone's weights are not, to the last bit, those that the network learnt with."""
    wanted = start_of(run.environment["start"], name)["weights_fingerprint"]
    backbone = run.environment.get("backbones", {}).get(name, run.environment["backbone"])
    if found != wanted:
        raise RunError(
            f"{run.folder} kept its backbone {backbone['name']} fixed and stored its heads alone, but "
            f"'{run.recipe.network(name).weights}' now gives other weights ({found}) than it learnt with ({wanted}: "
            f"{backbone['source']}). Put those in place, and try again."
        )


def _predictions(run: StoredRun, dataset: Dataset, rows: npt.NDArray[np.int64], logits: FloatArray) -> Predictions:
    table, tree = dataset.cohort.table, run.tree if run.recipe.hierarchical else None
    given = Predictions.from_arrays(
        image_ids=table["image_id"].to_numpy()[rows],
        split=table["split"].to_numpy()[rows],
        probs=sigmoid(logits) if tree is None else tree.marginals(logits),
        label_space=run.label_space,
        conditionals=None if tree is None else sigmoid(logits),
        taxonomy=tree,
    )
    return route_again(given, run.evaluation.get("routing"))
