"""Overrides: `key.subkey=value` on top of a recipe's YAML, before it is checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from chestxpert.errors import RecipeError
from chestxpert.recipe.selection import Chosen
from chestxpert.strict_yaml import parse_yaml


@dataclass(frozen=True)
class Override:
    """One value for one key.

    Attributes
    ----------
    keys : tuple of str
        The key, and above it those that lead to it.
    value : plain value
    text : str
        How the user put it.
    """

    keys: tuple[str, ...]
    value: Any
    text: str

    @classmethod
    def parse(cls, text: str) -> Override:
        """From ``key.subkey=value``, the value read as YAML; RecipeError if it is none."""
        keys, value = split_override(text)
        return cls(keys, parse_yaml(f"value: {value}", f"override '{text}'")["value"], text)


def split_override(text: str) -> tuple[tuple[str, ...], str]:
    """Keys and value of ``key.subkey=value``; RecipeError if it does not read so, or names what cannot be changed."""
    path, separator, value = text.partition("=")
    keys = tuple(path.strip().split("."))
    if not separator or not all(keys):
        raise RecipeError(f"An override reads key=value or key.subkey=value, but got '{text}'.")
    if keys == ("name",):
        raise RecipeError("A recipe's name cannot be overridden; copy the recipe and name the copy.")
    return keys, value


@cache
def chosen_parts(kind: type, above: tuple[str, ...] = ()) -> Mapping[tuple[str, ...], type[Chosen]]:
    """The parts of a dataclass, at any depth, that choose a method from a catalogue, by the keys that lead to them."""
    found: dict[tuple[str, ...], type[Chosen]] = {}
    for item in dataclasses.fields(kind):
        part = _part(kind, item.name)
        if part is not None and issubclass(part, Chosen):
            found[*above, item.name] = part
        elif part is not None:
            found.update(chosen_parts(part, (*above, item.name)))  # type: ignore[arg-type]  # a class can be hashed
    return MappingProxyType(found)


def apply_overrides(kind: type, values: dict[str, Any], overrides: Iterable[Override]) -> None:
    """Put overrides into the plain values of a dataclass, in their order.

    Another method takes the place of the one in `values`, so the settings of that one go with it.
    """
    listed = list(overrides)
    _drop_settings_of_replaced_methods(kind, values, listed)
    for override in listed:
        _put(values, override)


def _put(values: dict[str, Any], override: Override) -> None:
    inner = values
    for key in override.keys[:-1]:
        step = inner.setdefault(key, {})
        if step is None:
            step = inner[key] = {}
        if not isinstance(step, dict):
            raise RecipeError(f"'{override.text}': '{key}' holds the value {step!r} and has no keys below it.")
        inner = step
    inner[override.keys[-1]] = override.value


def _drop_settings_of_replaced_methods(kind: type, values: dict[str, Any], overrides: Sequence[Override]) -> None:
    for path, part in chosen_parts(kind).items():
        chosen = [override.value for override in overrides if override.keys == (*path, "kind")]
        held = _below(values, path)
        if not chosen or not isinstance(held, dict):
            continue
        if part.canonical(chosen[-1]) != part.canonical(held.get("kind", part.default_kind())):
            for key in [key for key in held if key not in part.own_keys()]:
                del held[key]


def idle_overrides(kind: type, values: dict[str, Any], overrides: Sequence[Override]) -> tuple[Override, ...]:
    """Those overrides whose key belongs to a method or part that the values, all overrides applied, do not use.

    A key that nothing at all knows is among them: it is for the caller to find that nobody takes it.
    """
    return tuple(override for override in overrides if not _in_use(kind, values, override.keys))


def _in_use(kind: type, values: Any, keys: tuple[str, ...]) -> bool:
    part: type | None = kind
    for place, key in enumerate(keys):
        if part is None or not isinstance(values, dict):
            return True  # below a plain value or a mapping of the user's own; whether that is right, checking tells
        if place > 0 and issubclass(part, Chosen):
            return part.takes(key, values)
        if place > 0 and _required(part) - values.keys():
            return False
        part, values = _part(part, key), values.get(key)
    return True


def _required(kind: type) -> set[str]:
    """Keys without which there is no such part."""
    missing = dataclasses.MISSING
    return {item.name for item in dataclasses.fields(kind) if item.default is missing is item.default_factory}


@cache
def _part(kind: type, key: str) -> type | None:
    """The dataclass that stands under `key`, if one does, and not below keys of the user's own."""
    hint = get_type_hints(kind).get(key)
    if get_origin(hint) is Mapping:
        return None
    candidates = [inner for inner in (hint, *get_args(hint)) if isinstance(inner, type)]
    return next((inner for inner in candidates if dataclasses.is_dataclass(inner)), None)


def _below(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(values, dict):
            return None
        values = values.get(key)
    return values
