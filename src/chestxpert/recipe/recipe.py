"""Recipe: all parts together, from YAML and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from chestxpert.errors import RecipeError
from chestxpert.recipe.catalogue import MIXES
from chestxpert.recipe.checks import require
from chestxpert.recipe.decisions import DecisionSettings, check_decisions, inherited
from chestxpert.recipe.overrides import Override, apply_overrides, idle_overrides
from chestxpert.recipe.parts import Augment, Head, Optimizer, Tta
from chestxpert.recipe.routing import Routing
from chestxpert.recipe.sampling import Sampling
from chestxpert.recipe.selection import Chosen, Loss
from chestxpert.recipe.stage import Stage
from chestxpert.strict_yaml import build, parse_yaml, to_yaml

Architecture = Literal["flat", "cascade", "shared"]


@dataclass(frozen=True)
class Recipe:
    """One way to train: see `docs/recipes.md` for each key.

    Attributes
    ----------
    size : int or None
        Side in pixels; None takes the store's.
    epochs, patience : int
        At most `epochs`; training stops after `patience` epochs without a better validation macro average
        precision. The best epoch's weights are kept.
    freeze : bool
        Train heads on cached features of a fixed backbone: in each epoch, every training row is seen in a random
        one of its `views` augmented views and the plain one.
    """

    name: str
    architecture: Architecture
    taxonomy: str = "study"
    backbone: str = "auto"
    weights: str = "imagenet"
    size: int | None = None
    epochs: int = 12
    patience: int = 5
    batch_size: int = 32
    freeze: bool = False
    views: int = 4
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    head: Head = field(default_factory=Head)
    sampling: Sampling = field(default_factory=Sampling)
    loss: Loss = field(default_factory=Loss)
    augment: Augment = field(default_factory=Augment)
    optimizer: Optimizer = field(default_factory=Optimizer)
    stage: Stage = field(default_factory=Stage)
    routing: Routing = field(default_factory=Routing)
    tta: Tta = field(default_factory=Tta)
    decisions: Mapping[str, DecisionSettings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        safe = bool(self.name) and all(c.isalnum() or c in "-_." for c in self.name) and self.name[0] != "."
        require(safe, "name becomes a folder: letters, digits, '-', '_' and '.'", self.name)
        require(self.size is None or 32 <= self.size <= 2048, "size is 32 to 2048 pixels", self.size)
        require(self.epochs >= 1, "epochs is at least 1", self.epochs)
        require(self.patience >= 1, "patience is at least 1", self.patience)
        require(self.batch_size >= 2, "batch_size is at least 2 (batch norm needs two rows)", self.batch_size)
        require(self.views >= 0, "views is at least 0", self.views)
        require(
            self.tta.views == 0 or self.augment.changes,
            "tta.views takes its views from the ranges of augment, which are all 0 here: every view would be the plain "
            "image",
            self.tta.views,
        )
        mix = MIXES.get(self.sampling.mix.kind)
        possible = "'mixup' and 'balanced-mixup' mix features too; freeze: false trains on images"
        require(
            not (self.freeze and mix is not None and mix.needs_images),
            f"freeze: true trains on features, which have no regions that sampling.mix could paste ({possible})",
            self.sampling.mix.kind,
        )
        require(
            self.stage.kind != "unconditional" or self.architecture == "shared",
            "stage.kind unconditional multiplies the probabilities along a path while it trains, for which one network "
            "must give all of them: architecture: shared. A cascade's networks are trained one after the other, and a "
            "flat network has no path",
            self.architecture,
        )
        check_decisions(self.architecture, self.decisions)
        for name in self.decisions:
            try:
                self.network(name)
            except RecipeError as error:
                raise RecipeError(f"decisions.{name}: {error}") from None

    @classmethod
    def gather(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Fill in what decisions leave to the recipe; `strict_yaml.build` calls it."""
        return inherited(values)

    def network(self, name: str) -> Recipe:
        """The recipe of one network: in a cascade, what its decision differs in stands in its place.

        Parameters
        ----------
        name : of the network, as a `Task` has it; a cascade's are those of its decisions
        """
        if self.architecture != "cascade" or not self.decisions:
            return self
        own = self.decisions.get(name)
        return replace(self, decisions={}, **({} if own is None else own.named))

    def loss_of(self, decision: str) -> Loss:
        """The loss of one decision: its own, or the recipe's."""
        own = self.decisions.get(decision)
        return self.loss if own is None or own.loss is None else own.loss

    @property
    def hierarchical(self) -> bool:
        """Whether the recipe's outputs are conditional probabilities along a taxonomy."""
        return self.architecture != "flat"

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, in the order of the fields; `decisions` only where there are any."""
        values: dict[str, Any] = _plain(self)
        return values if self.decisions else {key: value for key, value in values.items() if key != "decisions"}

    def to_yaml(self) -> str:
        """YAML text with every key spelt out; `parse_recipe` reads it back to an equal recipe."""
        return to_yaml(self.to_dict())


def parse_recipe(text: str, *, origin: str = "recipe", overrides: Iterable[str | Override] = ()) -> Recipe:
    """Recipe from YAML text, with ``key.subkey=value`` overrides applied before it is checked.

    Where an override chooses another method, the settings that `text` gives the method before are dropped.

    Raises
    ------
    RecipeError
        With the key, what it got and what it takes.
    """
    return build(Recipe, _values(text, origin, overrides), origin)


def used_overrides(text: str, origin: str, overrides: Iterable[str | Override]) -> tuple[Override, ...]:
    """Those of the overrides that the recipe in `text` has a use for.

    The others set what belongs to a method, or to a part, that this recipe does not use once all of them are applied,
    such as ``loss.gamma=3`` where the loss is plain cross-entropy.
    """
    parsed = _parsed(overrides)
    idle = idle_overrides(Recipe, _values(text, origin, parsed), parsed)
    return tuple(override for override in parsed if override not in idle)


def _values(text: str, origin: str, overrides: Iterable[str | Override]) -> dict[str, Any]:
    values = parse_yaml(text, origin)
    apply_overrides(Recipe, values, _parsed(overrides))
    return values


def _parsed(overrides: Iterable[str | Override]) -> list[Override]:
    return [item if isinstance(item, Override) else Override.parse(item) for item in overrides]


def _plain(part: Any) -> Any:
    """Nested values of a part of a recipe, settings of a chosen method beside its kind."""
    if isinstance(part, DecisionSettings):
        return {name: _plain(value) for name, value in part.named.items()}
    if isinstance(part, Mapping):
        return {key: _plain(value) for key, value in part.items()}
    if not dataclasses.is_dataclass(part):
        return part
    values = {item.name: _plain(getattr(part, item.name)) for item in dataclasses.fields(part)}
    return Chosen.spread(values) if isinstance(part, Chosen) else values
