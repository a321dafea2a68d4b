"""Apply: a finished run's networks on images of a dataset folder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError, StoreError
from chestxpert.evaluation.inference import route_again
from chestxpert.evaluation.predictions import Predictions
from chestxpert.models.classifier import Classifier
from chestxpert.progress import SILENT, Progress, Tick
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.checkpoints import Checkpoints, load_learned_state
from chestxpert.training.engine import Engine
from chestxpert.training.folder import CHECKPOINTS
from chestxpert.training.loop import predict_batches
from chestxpert.training.networks import NetworkKit
from chestxpert.training.sources import Source
from chestxpert.training.stored_run import StoredRun
from chestxpert.training.task import FloatArray, sigmoid


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
    kit = _kit(run, dataset, progress)
    logits = []
    for name, head in heads_of(run):
        network = kit.classifier(kit.recipe, head, seed=0)
        load_learned_state(network, Checkpoints(run.folder / CHECKPOINTS, name).load_best())
        source = kit.source(kit.recipe)
        with progress.bar(f"predicting: network {name}", len(rows)) as tick:
            logits.append(_logits(kit.engine.place(network), source, rows, kit.engine, tick))
    return _predictions(run, dataset, rows, np.concatenate(logits, axis=1))


def _kit(run: StoredRun, dataset: Dataset, progress: Progress) -> NetworkKit:
    """Backbone, pixels and engine as the run had them."""
    start, size = run.environment["start"], int(run.environment["size"])
    if dataset.store.size < size:
        raise StoreError(
            f"The images in {dataset.folder} are {dataset.store.size} px, but {run.folder} learnt from images of "
            f"{size} px. Prepare the data set with '--size {size}' or more."
        )
    recipe = replace(run.recipe, size=size)
    if not recipe.freeze:
        recipe = replace(recipe, weights="none")  # the run's own are put in their place
        progress.note(f"backbone: {start['backbone']}; weights: the run's own")
    kit = NetworkKit.create(recipe, dataset, progress if recipe.freeze else SILENT, backbone_name=start["backbone"])
    if recipe.freeze:
        _check_backbone(run, kit.describe_start()["weights_fingerprint"])
    if kit.describe_start()["dtype"] != start["dtype"]:
        kit = replace(kit, engine=Engine.create("bfloat16" if start["dtype"] == "bfloat16" else "float32"))
    kit = replace(kit, progress=progress)
    if recipe.freeze and kit.feature_passes():  # of these images nothing but the plain view is needed
        kit = replace(kit, recipe=replace(recipe, views=0))
    return kit


def _check_backbone(run: StoredRun, found: str) -> None:
    """RunError if a fixed backbone's weights are not, to the last bit, those that the run learnt with."""
    wanted, backbone = run.environment["start"]["weights_fingerprint"], run.environment["backbone"]
    if found != wanted:
        raise RunError(
            f"{run.folder} kept its backbone {backbone['name']} fixed and stored its heads alone, but "
            f"'{run.recipe.weights}' now gives other weights ({found}) than it learnt with ({wanted}: "
            f"{backbone['source']}). Put those in place, and try again."
        )


def _logits(network: Classifier, source: Source, rows: npt.NDArray[np.int64], engine: Engine, tick: Tick) -> FloatArray:
    """(n, M) logits of the rows, batch after batch."""
    parts = []
    with source.threads():  # as many as the run predicted with, for the same bits
        for part in predict_batches(network, source, rows, engine):
            parts.append(part)
            tick(len(part))
    return np.concatenate(parts).astype(np.float64)


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
