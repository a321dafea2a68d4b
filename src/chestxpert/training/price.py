"""Price: what it takes to read one image with the networks of a run, all of them or with early exit.

Times are the fastest of a few repeats on one batch of images. Where the backbone is trained, the run's own networks
are timed whole. Where it is fixed, the runs of a study share it: its part is timed once for each kit and number of
images, the heads' part for each run, and the two are added. Nothing of a backbone's time depends on which run asks it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.early_exit import EarlyExit, EarlyRouting, typical_rows
from chestxpert.evaluation.metrics import BoolArray
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.scored import Operating
from chestxpert.models.classifier import Classifier
from chestxpert.recipe import Recipe
from chestxpert.training.networks import NetworkKit
from chestxpert.training.sources import Source
from chestxpert.training.task import IntArray
from chestxpert.training.tta import mean_probability

IMAGES = 32
"""Images of the batch that is timed."""

REPEATS = 3


Views = tuple[torch.Tensor, ...]
"""Inputs of one batch, a tensor a view."""


@dataclass(frozen=True, eq=False)
class Reader:
    """One trained network, the kit it stands on, and where its inputs come from: images, or features.

    `views` are the augmented views that its predictions are averaged over, beside the plain one.
    """

    network: Classifier
    kit: NetworkKit
    source: Source
    views: int = 0

    def inputs(self, rows: IntArray) -> Views:
        """Inputs (B, ...) of cohort rows (B,) in every view, on the device."""
        return tuple(next(self.source.eval_batches(rows, len(rows), view))[0] for view in range(1 + self.views))

    def logits(self, inputs: Views) -> npt.ArrayLike:
        """(B, M) logits, brought to the host as a prediction is."""
        with self.kit.engine.autocast():
            seen = [self.source.forward(self.network, view).float().cpu().numpy() for view in inputs]
        return seen[0] if len(seen) == 1 else mean_probability(seen)


Readers = Mapping[str, Reader]
"""By network, in the order of training."""

Inputs = Callable[[], Mapping[str, Views]]
"""Gives every network its inputs."""


def price_of_run(
    recipe: Recipe, cohort: Cohort, predictions: Predictions, routing: Mapping[str, Any] | None, readers: Readers
) -> dict[str, Any]:
    """What it costs to read a test image of a run (a validation image, where there are no others); see `price`.

    Parameters
    ----------
    recipe, predictions : of the run, the latter as stored
    cohort : Cohort
    routing : ``routing`` of its evaluation.json
    readers : by network
    """
    split = "test" if len(cohort.rows("test")) else "val"
    _, given = predictions.align(cohort, split)
    nodes, tree = Operating.choose(predictions, cohort).nodes, predictions.taxonomy
    if recipe.architecture != "cascade" or given is None or nodes is None or tree is None:
        return price(readers, cohort.rows(split), None, None)
    exit = EarlyExit(tree, nodes.values, routing)
    return price(readers, cohort.rows(split), exit, exit.route_again(given))


def price(readers: Readers, rows: IntArray, exit: EarlyExit | None, routed: EarlyRouting | None) -> dict[str, Any]:
    """What cost.json says of reading an image.

    Parameters
    ----------
    readers : by network
    rows : (N,) array of cohort rows that the price is to stand for
    exit, routed : of a cascade: how it is routed, and what that asked of the rows. None where one network answers
        everything, so that there is nothing to leave out.

    Returns
    -------
    dict
        ``ms_per_image``; ``image_passes_per_image``, how many networks are asked of each image; the same two with early
        exit, under ``early_exit_``; and for a cascade ``asked``, the share of the images that each network is asked of.
    """
    asked = np.ones((len(rows), 1), dtype=np.bool_) if routed is None else routed.asked
    batch = rows[typical_rows(asked, IMAGES)]
    for reader in readers.values():
        reader.network.eval()
    fixed = all(reader.network.frozen for reader in readers.values())
    with torch.inference_mode():
        whole, early = (_fixed_seconds if fixed else _trained_seconds)(readers, batch, exit)
    shares = {} if routed is None or exit is None else routed.shares(exit.tree)
    return {
        "ms_per_image": _milliseconds(whole),
        "image_passes_per_image": len(readers),
        "early_exit_ms_per_image": _milliseconds(early),
        "early_exit_image_passes_per_image": round(float(asked.sum(axis=1).mean()), 4),
        **({"asked": {name: round(share, 4) for name, share in shares.items()}} if shares else {}),
    }


def _milliseconds(seconds: float) -> float:
    """A batch's seconds as milliseconds an image."""
    return round(1000.0 * seconds / IMAGES, 3)


def _trained_seconds(readers: Readers, rows: IntArray, exit: EarlyExit | None) -> tuple[float, float]:
    """Seconds to read `rows` with all networks, and with early exit, loading the images included."""
    first = next(iter(readers.values()))

    def inputs() -> Mapping[str, Views]:
        return dict.fromkeys(readers, first.inputs(rows))  # all networks of a run see images of one size

    whole, early, _ = _timed(readers, inputs, exit)
    return whole, early


def _fixed_seconds(readers: Readers, rows: IntArray, exit: EarlyExit | None) -> tuple[float, float]:
    """The same of heads on fixed backbones: the heads' time, and that of each backbone for the images it is shown."""
    on_kit = {id(reader.kit): reader for reader in readers.values()}
    features = {kit: reader.inputs(rows) for kit, reader in on_kit.items()}
    inputs = {name: features[id(reader.kit)] for name, reader in readers.items()}
    whole, early, asked = _timed(readers, lambda: inputs, exit)
    for kit, reader in on_kit.items():
        places = [place for place, other in enumerate(readers.values()) if id(other.kit) == kit]
        whole += backbone_seconds(reader, len(rows))
        shown = len(rows) if asked is None else int(asked[:, places].any(axis=1).sum())
        early += backbone_seconds(reader, shown)
    return whole, early


def _timed(readers: Readers, inputs: Inputs, exit: EarlyExit | None) -> tuple[float, float, BoolArray | None]:
    """Seconds with all networks and with early exit, and what that asked."""
    engine = next(iter(readers.values())).kit.engine

    def all_networks() -> None:
        for name, given in inputs().items():
            readers[name].logits(given)

    def with_exit() -> EarlyRouting:
        assert exit is not None
        given = inputs()

        def ask(name: str, at: IntArray) -> npt.ArrayLike:
            return readers[name].logits(tuple(view[torch.from_numpy(at)] for view in given[name]))

        return exit.route(IMAGES, ask)

    if exit is None:
        [whole] = fastest(engine.synchronise, all_networks)
        return whole, whole, None
    whole, early = fastest(engine.synchronise, all_networks, with_exit)
    return whole, early, with_exit().asked


def backbone_seconds(reader: Reader, images: int) -> float:
    """Seconds in which a kit's backbone reads `images` images from the store, in every view; measured once."""
    kit, network, known, key = reader.kit, reader.network, reader.kit.backbone_times, (images, reader.views)
    if images == 0:
        return 0.0
    if key not in known:
        rows = np.resize(np.arange(len(kit.dataset.cohort)), images)

        def read() -> None:
            with kit.engine.autocast():
                for view in range(1 + reader.views):
                    network.forward_features(network.normalise(kit.pixels.load_view(rows, view)))

        [known[key]] = fastest(kit.engine.synchronise, read)
    return known[key]


def fastest(wait: Callable[[], None], *works: Callable[[], object]) -> list[float]:
    """Seconds of the fastest of `REPEATS` of each of `works`, after one of each that warms up.

    They take turns, so that a machine which is busy for a while is busy for all of them. `wait` returns when the device
    has done its work.
    """
    times: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS + 1):
        for work, taken in zip(works, times, strict=True):
            wait()
            started = time.perf_counter()
            work()
            wait()
            taken.append(time.perf_counter() - started)
    return [min(taken[1:]) for taken in times]


def count_parameters(networks: Iterable[Classifier]) -> int:
    """Numbers that a prediction needs; a backbone that several networks share counts once."""
    seen = {id(p): p.numel() for network in networks for p in network.parameters()}
    return sum(seen.values())
