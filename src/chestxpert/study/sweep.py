"""Sweeps: one key, several values, and the name that each value gives to a recipe."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chestxpert.errors import UsageError
from chestxpert.recipe import Override, split_override
from chestxpert.strict_yaml import parse_yaml

MOST_RECIPES = 100
"""Recipes that sweeps may make of those given: a page with more can be drawn, but hardly read."""

_LONGEST = 40


@dataclass(frozen=True)
class Sweep:
    """A key, and an override of it for each value."""

    keys: tuple[str, ...]
    overrides: tuple[Override, ...]

    @classmethod
    def parse(cls, text: str) -> Sweep:
        """From ``KEY=V1,V2,...``, values as in a YAML list: ``head.hidden=[512],[256]``, ``size=null,128``.

        Raises
        ------
        UsageError
            If it does not read so, or a value stands twice.
        """
        keys, values = split_override(text)
        listed = parse_yaml(f"value: [{values}]", f"sweep '{text}'")["value"]
        if not listed:
            raise UsageError(f"A sweep reads KEY=VALUE,VALUE,..., but got '{text}'.")
        said = [_plain(value) for value in listed]
        twice = sorted({value for value in said if said.count(value) > 1})
        if twice:
            raise UsageError(f"The sweep '{text}' has the value {', '.join(twice)} twice.")
        key = ".".join(keys)
        return cls(keys, tuple(Override(keys, value, f"{key}={_plain(value)}") for value in listed))


def parse_sweeps(texts: Sequence[str], overrides: Iterable[Override]) -> tuple[Sweep, ...]:
    """Sweeps from their texts; UsageError for a key that is set or swept twice, and for more than `MOST_RECIPES`."""
    sweeps = tuple(Sweep.parse(text) for text in texts)
    taken = [override.keys for override in overrides]
    for sweep in sweeps:
        if sweep.keys in taken:
            raise UsageError(f"'{'.'.join(sweep.keys)}' is swept, so it cannot be set or swept a second time.")
        taken.append(sweep.keys)
    check_count(math.prod(len(sweep.overrides) for sweep in sweeps))
    return sweeps


def check_count(recipes: int) -> None:
    """UsageError if sweeps would make too many recipes."""
    if recipes > MOST_RECIPES:
        raise UsageError(
            f"These sweeps make {recipes} recipes, and a study compares at most {MOST_RECIPES}. Sweep fewer values at "
            "a time, in a study each."
        )


def combinations(sweeps: Sequence[Sweep]) -> Iterator[tuple[Override, ...]]:
    """Every way to take one value of each sweep, the last one changing fastest; a single empty one without sweeps."""
    return itertools.product(*(sweep.overrides for sweep in sweeps))


def value_name(value: Any) -> str:
    """A value as part of a folder's name: letters, digits, '-', '_' and '.'.

    Examples
    --------
    >>> [value_name(value) for value in ("asl", 1e-05, [512, 256], None, -1)]
    ['asl', '1e-05', '512-256', 'null', '-1']
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value).replace("+", "")
    return re.sub(r"[^\w.]+", "-", _plain(value)).strip("-.")[:_LONGEST].rstrip("-.") or "empty"


def _plain(value: Any) -> str:
    """As a user would type it: texts as they are, all else as YAML's flow style, which JSON is part of."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def unique_name(name: str, taken: Iterable[str]) -> str:
    """`name`, with a number after it where it stands among `taken`, on any disk: upper and lower case are one."""
    used = {other.casefold() for other in taken}
    numbered = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    return next(candidate for candidate in numbered if candidate.casefold() not in used)
