"""Early exit of a finished cascade: each network reads only the images that the networks above let through."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.early_exit import EarlyExit, EarlyRouting
from chestxpert.imbalance.batches import batches_of
from chestxpert.progress import SILENT, Progress
from chestxpert.training.apply import StoredNetworks
from chestxpert.training.features import BATCH
from chestxpert.training.networks import NetworkKit
from chestxpert.training.sources import FeatureSource, Source
from chestxpert.training.stored_run import StoredRun
from chestxpert.training.task import FloatArray, IntArray


def decide_early(
    run: StoredRun, dataset: Dataset, rows: npt.NDArray[np.int64], progress: Progress = SILENT
) -> EarlyRouting:
    """Decisions of a cascade by hard routing, with the thresholds that the run chose on its own validation images.

    They are what ``tree.route`` makes of `predict`'s conditional probabilities, but for rounding: a network's last
    digits depend a little on which images share a batch, so an image that lies within rounding of a threshold may
    fall to the other side of it. A network that no image reaches is not even loaded.

    Parameters
    ----------
    run : StoredRun
        A cascade's.
    dataset : Dataset
    rows : (n,) int64 array
        Of the dataset's cohort.
    progress : Progress

    Returns
    -------
    EarlyRouting
        Decisions (n, K) in label order, and which networks were asked of each image.

    Raises
    ------
    RunError
        If the run has one network that answers everything, and as `predict`.
    """
    if run.recipe.architecture != "cascade":
        raise RunError(
            f"{run.folder} has one network that answers everything at once, so none can be left out. "
            "Only a cascade (architecture: cascade) can exit early."
        )
    networks = StoredNetworks(run, dataset, progress)
    chosen = run.evaluation["thresholds"]["nodes"]
    thresholds = np.array([float(chosen[node]["threshold"]) for node in run.tree.nodes])
    features: dict[int, FeaturesOnDemand] = {}

    def ask(name: str, at: IntArray) -> FloatArray:
        kit = networks.kit(name)
        source: Source | None = None
        if run.recipe.freeze and kit.feature_passes() and not run.recipe.tta.views:
            asked = features.setdefault(id(kit), FeaturesOnDemand(kit))
            source = asked.source(networks, name, rows[at])
        return networks.logits(name, rows[at], source)

    return EarlyExit(run.tree, thresholds, run.evaluation.get("routing")).route(len(rows), ask)


class FeaturesOnDemand:
    """Features of a fixed backbone, of the images that somebody asks for; nothing is kept on disk.

    Rounded as the cache rounds them, so that a head sees what it would have seen.
    """

    def __init__(self, kit: NetworkKit) -> None:
        count, width = len(kit.dataset.cohort), kit.backbone.num_features
        self._kit = kit
        self._plain = np.zeros((count, width), dtype=np.float16)
        self._there = np.zeros(count, dtype=np.bool_)

    def source(self, networks: StoredNetworks, name: str, rows: IntArray) -> FeatureSource:
        """A source that has the features of `rows`."""
        network, kit = networks.network(name), self._kit
        missing = np.unique(rows[~self._there[rows]])
        network.eval()
        for batch in batches_of(missing, BATCH) if len(missing) else []:
            with torch.inference_mode(), kit.engine.autocast():
                values = network.forward_features(network.normalise(kit.pixels.load(batch)))
            self._plain[batch] = values.float().cpu().numpy()
        self._there[missing] = True
        return FeatureSource(self._plain, (), np.empty(0, dtype=np.int64), kit.engine)
