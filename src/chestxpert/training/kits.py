"""Kits: the network kits of a run or a study, each made once, and what is stored of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chestxpert.dataset import Dataset
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy
from chestxpert.training.networks import NetworkKit
from chestxpert.training.task import network_names


class Kits:
    """Kits by what recipes must have in common to share one; each is made when it is first asked for.

    Parameters
    ----------
    dataset : Dataset
    progress : Progress
    alone : whether nothing else runs beside, so that a clock tells how long a prediction takes
    """

    def __init__(self, dataset: Dataset, progress: Progress = SILENT, alone: bool = True) -> None:
        self.dataset, self._progress, self._alone = dataset, progress, alone
        self._kits: dict[tuple[object, ...], NetworkKit] = {}

    @classmethod
    def around(cls, kit: NetworkKit, recipe: Recipe) -> Kits:
        """Kits of which one is there already: `kit`, for every network with the recipe's own backbone."""
        kits = cls(kit.dataset, kit.progress)
        kits._kits[NetworkKit.shared_key(recipe)] = kit
        return kits

    def of(self, recipe: Recipe, backbone_name: str | None = None) -> NetworkKit:
        """The kit of one network's recipe (`Recipe.network`).

        `backbone_name` stands in for the recipe's own where the kit is yet to be made, to go on with what 'auto' once
        became.
        """
        key = NetworkKit.shared_key(recipe)
        if key not in self._kits:
            self._kits[key] = NetworkKit.create(
                recipe, self.dataset, self._progress, backbone_name=backbone_name, alone=self._alone
            )
        return self._kits[key]

    @property
    def device(self) -> str:
        """Type of the device that networks run on, such as 'cpu'; "" where there is no kit yet."""
        return next((kit.engine.device.type for kit in self._kits.values()), "")

    def of_networks(
        self, recipe: Recipe, tree: Taxonomy, begun: Mapping[str, Any] | None = None
    ) -> dict[str, NetworkKit]:
        """The kit of each network of a recipe, by its name, in the order of training.

        Parameters
        ----------
        recipe, tree : of the run
        begun : mapping, optional
            What `describe_starts` said when the run began: networks go on with the backbones it names.
        """
        return {
            name: self.of(recipe.network(name), None if begun is None else start_of(begun, name)["backbone"])
            for name in network_names(recipe, tree)
        }


def describe_starts(kits: Mapping[str, NetworkKit]) -> dict[str, Any]:
    """What two runs must have in common, beside recipe, seed and cohort, to be one run cut in two.

    That of the first network (`NetworkKit.describe_start`); under ``networks`` that of each, where they do not all
    share a kit.
    """
    first = next(iter(kits.values()))
    if _one(kits):
        return first.describe_start()
    return {**first.describe_start(), "networks": {name: kit.describe_start() for name, kit in kits.items()}}


def describe_backbones(kits: Mapping[str, NetworkKit]) -> dict[str, Any]:
    """For environment.json: ``backbone`` of the first network; ``backbones`` by network where they differ."""
    described = {"backbone": next(iter(kits.values())).describe_backbone()}
    if _one(kits):
        return described
    return {**described, "backbones": {name: kit.describe_backbone() for name, kit in kits.items()}}


def start_of(starts: Mapping[str, Any], network: str) -> Mapping[str, Any]:
    """What `describe_starts` said of one network."""
    found: Mapping[str, Any] = starts.get("networks", {}).get(network, starts)
    return found


def each_start(starts: Mapping[str, Any]) -> dict[str, Any]:
    """What `describe_starts` said, a value an entry: those of a network end in its name."""
    flat = {key: value for key, value in starts.items() if key != "networks"}
    for name, start in starts.get("networks", {}).items():
        flat |= {f"{key} of network {name}": value for key, value in start.items()}
    return flat


def _one(kits: Mapping[str, NetworkKit]) -> bool:
    return len({id(kit) for kit in kits.values()}) == 1
