"""Augmentation settings from texts such as a command line gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chestxpert.errors import RecipeError
from chestxpert.recipe import Augment
from chestxpert.strict_yaml import build, parse_yaml


def augment_from(items: Iterable[str], origin: str) -> Augment:
    """Augmentation from ``key=value`` texts such as ``rotate=5``; keys that are not given have their default.

    Raises
    ------
    RecipeError
        With the key, what it got and what it takes.
    """
    values: dict[str, Any] = {}
    for item in items:
        key, separator, text = item.partition("=")
        if not separator or key.strip() in values:
            raise RecipeError(f"{origin} takes key=value, each key once, but got '{item}'.")
        values[key.strip()] = parse_yaml(f"value: {text}", f"{origin} {item}")["value"]
    return build(Augment, values, origin)
