"""Strict YAML: plain values into frozen dataclasses and back, with errors that name the key."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import reprlib
import types
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from chestxpert.errors import RecipeError

T = TypeVar("T")

_SHORT = reprlib.Repr()  # a few kilobytes of aliases of aliases can stand for more text than there is memory
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlevel = 3


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise RecipeError(f"line {node.start_mark.line + 1}: {', '.join(twice)} is given twice.")
        return super().construct_mapping(node, deep)


_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes texts which `_Loader` would read as numbers."""


# YAML 1.1, which PyYAML reads, takes 1e-3 for text; YAML 1.2 and every reader take it for a number.
for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
    )


def read_stored(text: str) -> Any:
    """What this program wrote itself, by libyaml where it is there; yaml.YAMLError if it is no YAML."""
    return yaml.load(text, Loader=_FAST)  # a SafeLoader


def parse_yaml(text: str, origin: str) -> dict[str, Any]:
    """Mapping in `text`; RecipeError with the line if it is no YAML or no mapping."""
    try:
        values = yaml.load(text, Loader=_Loader)  # a SafeLoader
    except RecipeError as error:
        raise RecipeError(f"{origin}, {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: what looks like a date and is none. RecursionError: a thousand brackets.
        raise RecipeError(f"{origin} is no valid YAML: {error}") from error
    if values is None:
        raise RecipeError(f"{origin} is empty.")
    if not isinstance(values, dict):
        raise RecipeError(f"{origin} must be a list of 'key: value' lines, but holds {type(values).__name__}.")
    return values


def to_yaml(values: Mapping[str, Any]) -> str:
    """YAML text of plain nested values, keys in their own order."""
    return yaml.dump(_plain(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def build(kind: type[T], values: Any, where: str) -> T:
    """An instance of the dataclass `kind` from plain `values`, each checked against its annotation."""
    if not isinstance(values, dict):
        choice = isinstance(values, str) and any(item.name == "kind" for item in dataclasses.fields(kind))  # type: ignore[arg-type]
        hint = f" Did you mean 'kind: {values}' below it?" if choice else ""
        raise RecipeError(f"{where}: expected keys and values, but got {_SHORT.repr(values)}.{hint}")
    if gather := getattr(kind, "gather", None):  # a class whose keys in YAML are not its fields
        try:
            values = gather(values)
        except RecipeError as error:
            raise RecipeError(f"{where}: {error}") from None
    known = get_type_hints(kind)
    hints = {item.name: known[item.name] for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in hints:
            near = [path for path in _paths(kind) if path.rpartition(".")[2] == key]
            near = near or difflib.get_close_matches(str(key), hints, n=1)
            meant = " or ".join(f"'{path}'" for path in near)
            hint = f" Did you mean {meant}?" if near else f" The keys are: {', '.join(hints)}."
            raise RecipeError(f"{where}: unknown key '{key}'.{hint}")
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]  # every caller passes a dataclass
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and item.name not in values:
            raise RecipeError(f"{where}: the key '{item.name}' is missing.")
    converted = {key: _convert(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    try:
        return kind(**converted)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from None


def _paths(kind: Any, above: str = "") -> Iterator[str]:
    """Dotted keys of a dataclass at every depth, but for those below keys of the user's own."""
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        hint = hints[item.name]
        yield above + item.name
        if get_origin(hint) is Mapping:
            continue
        for inner in (part for part in (hint, *get_args(hint)) if dataclasses.is_dataclass(part)):
            yield from _paths(inner, f"{above}{item.name}.")
            yield from (f"{above}{item.name}.{name}" for name in getattr(inner, "setting_names", dict)())


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value, where)
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type]  # a class here, never an instance
    if origin is Literal:
        return _one_of(arguments, value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise RecipeError(f"{where} takes a list, but got {_SHORT.repr(value)}.")
        return tuple(_convert(arguments[0], inner, where) for inner in value)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise RecipeError(f"{where} takes keys and values, but got {_SHORT.repr(value)}.")
        return {str(key): _convert(arguments[1], inner, f"{where}.{key}") for key, inner in value.items()}
    return _scalar(hint, value, where)


def _one_of(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise RecipeError(f"{where} is one of {', '.join(map(str, choices))}, but got {_SHORT.repr(value)}.{hint}")


def _scalar(hint: type, value: Any, where: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"{where} takes a finite number, but got {_SHORT.repr(value)}.")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # bool is a subclass of int in Python, but 'epochs: true' is a mistake.
    if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise RecipeError(f"{where} takes a {_TYPE_NAMES.get(hint, hint.__name__)}, but got {_SHORT.repr(value)}.")


_TYPE_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}
