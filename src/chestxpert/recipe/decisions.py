"""What single decisions of a hierarchy do differently from the recipe around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from chestxpert.errors import RecipeError
from chestxpert.recipe.checks import require
from chestxpert.recipe.parts import Head
from chestxpert.recipe.sampling import Draw, Mix, Sampling
from chestxpert.recipe.selection import Chosen, Loss


@dataclass(frozen=True)
class DecisionSettings:
    """What one decision has of its own; None is what the recipe says.

    In YAML a decision names only the keys that differ: `inherited` fills in the others. Here each part that differs is
    whole.

    Attributes
    ----------
    loss, sampling, head : Loss, Sampling, Head or None
    backbone, weights : str or None
    """

    loss: Loss | None = None
    sampling: Sampling | None = None
    backbone: str | None = None
    weights: str | None = None
    head: Head | None = None

    def __post_init__(self) -> None:
        require(bool(self.named), f"a decision differs in one or more of {', '.join(_PARTS)}", {})

    @property
    def named(self) -> dict[str, Any]:
        """The parts that differ, by name."""
        return {part: value for part in _PARTS if (value := getattr(self, part)) is not None}


_PARTS = tuple(item.name for item in fields(DecisionSettings))

_WHY_SHARED = {
    "sampling": "one network sees one batch for all decisions, so no rows can be drawn for one of them alone",
    "backbone": "all decisions stand on one backbone",
    "weights": "all decisions stand on one backbone",
    "head": "the heads of all decisions are of one shape, since they are computed together",
}


def check_decisions(architecture: str, decisions: Mapping[str, DecisionSettings]) -> None:
    """RecipeError for what an architecture cannot do decision by decision."""
    require(
        not decisions or architecture != "flat",
        "decisions are those of a tree, and 'architecture: flat' makes none: 'cascade' and 'shared' do",
        ", ".join(decisions),
    )
    if architecture != "shared":
        return
    for name, own in decisions.items():
        for part in own.named:
            if part in _WHY_SHARED:
                raise RecipeError(
                    f"decisions.{name}.{part} needs 'architecture: cascade'. In 'shared' a decision has a loss of its "
                    f"own and nothing else: {_WHY_SHARED[part]}."
                )


def inherited(values: dict[str, Any]) -> dict[str, Any]:
    """Values of a recipe in which every part that a decision differs in is whole.

    What the decision does not name is as the recipe has it, key by key. Settings of a method stay with it: a decision
    that names another `kind` takes that one's defaults. What is no mapping is left for the checks that come after.
    """
    decisions = values.get("decisions")
    if not isinstance(decisions, dict):
        return values
    whole = {name: _whole(own, values) if isinstance(own, dict) else own for name, own in decisions.items()}
    return {**values, "decisions": whole}


def _whole(own: dict[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(own)
    if "loss" in own:
        whole["loss"] = _loss_over(recipe.get("loss"), own["loss"])
    if "head" in own:
        whole["head"] = _over(recipe.get("head"), own["head"])
    if isinstance(own.get("sampling"), dict):
        whole["sampling"] = _sampling_over(recipe.get("sampling") or {}, own["sampling"])
    return whole


def _sampling_over(base: Any, own: dict[str, Any]) -> Any:
    if not isinstance(base, dict):
        return own
    kinds: dict[str, type[Chosen]] = {"draw": Draw, "mix": Mix}
    return {**base, **{key: _over(base.get(key), value, kinds.get(key)) for key, value in own.items()}}


def _loss_over(base: Any, own: Any) -> Any:
    merged = _over(base, own, Loss)
    if not isinstance(own, dict) or not isinstance(merged, dict):
        return merged
    # What belongs to a way of weighing goes with it, unless the decision names it.
    weighing = merged.get("pos_weight", "none")
    gone = {"beta": weighing != "effective", "deferred": weighing == "none"}
    return {key: value for key, value in merged.items() if key in own or not gone.get(key, False)}


def _over(base: Any, own: Any, chosen: type[Chosen] | None = None) -> Any:
    """Keys of `own` over those of `base`; of another method than `own` chooses, `base` gives no settings."""
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    if chosen is not None and "kind" in own:
        defaults = {item.name: item.default for item in fields(chosen)}
        if own["kind"] != base.get("kind", defaults["kind"]):
            base = {key: value for key, value in base.items() if key in defaults and key != "settings"}
    return {**base, **own}
