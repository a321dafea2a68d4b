"""What comparison.json says beyond its agreed keys, with names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.report.results import Results
from chestxpert.report.stored_values import Estimate

GROUP_WORDS = {"head": "Head", "medium": "Medium", "tail": "Tail"}


def part(values: object, *keys: str) -> Mapping[str, Any]:
    """What lies under some keys, one below the other; empty where one is missing or holds something else."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def number(values: object, *keys: str) -> float | None:
    """A single number under some keys; None where it is missing or undefined."""
    holder: object = part(values, *keys[:-1])
    value = holder.get(keys[-1]) if isinstance(holder, Mapping) else None
    return Estimate.of({"mean": value}).mean


def numbers(values: object) -> list[float | None]:
    """A list of numbers, None for each that is undefined; empty where there is no list."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return []
    return [Estimate.of({"mean": value}).mean for value in values]


def detailed(results: Results, values: Mapping[str, Any]) -> list[str]:
    """The best of each side and what other tools predicted, as far as `values` has something on them."""
    return [name for name in results.drawn if values.get(name)]


def has_interval(comparison: Mapping[str, Any], kind: str) -> bool:
    """Whether a mean or a single finding of a recipe has an interval of this kind, which older results may lack."""
    return any(
        part(estimate).get("interval") == kind
        for recipe in part(comparison, "recipes").values()
        for estimates in (part(recipe, "metrics"), *part(recipe, "per_label").values())
        for estimate in part(estimates).values()
    )
