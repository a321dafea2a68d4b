"""What a study's folder records, looked up in one place for its methods section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from chestxpert.report.evidence.stored import part
from chestxpert.report.read import StudyFolder
from chestxpert.strict_yaml import read_stored


@dataclass(frozen=True)
class Recorded:
    """Recipes as plain values, and the environment of the runs."""

    study: StudyFolder
    recipes: Mapping[str, Mapping[str, Any]]
    environments: list[Mapping[str, Any]]

    @classmethod
    def of(cls, study: StudyFolder) -> Recorded:
        """Read recipes as YAML, not as this version's `Recipe`: older studies have others."""
        runs = {name: list(seeds.values()) for name, seeds in study.runs.items() if name in study.results.recipes}
        recipes = {name: _values(own[0].recipe_text) for name, own in runs.items()}
        return cls(study, recipes, [run.environment for own in runs.values() for run in own])

    def environment(self, *keys: str) -> str:
        """A value of the runs' environments; where they differ, all of them; empty if it is not recorded."""
        found = (part(environment, *keys[:-1]).get(keys[-1]) for environment in self.environments)
        return " or ".join(dict.fromkeys(str(value) for value in found if value not in (None, "")))

    def agreed(self, *keys: str) -> Any:
        """A value that all recipes share; None where they differ or it is not recorded."""
        values = [part(recipe, *keys[:-1]).get(keys[-1]) for recipe in self.recipes.values()]
        return values[0] if values and all(value == values[0] for value in values) else None

    def chosen(self, recipe: str, *keys: str) -> str:
        """The `kind` of a part of one recipe; empty if it is not recorded."""
        return str(part(self.recipes[recipe], *keys).get("kind") or "")


def _values(text: str) -> Mapping[str, Any]:
    try:
        values = read_stored(text)
    except yaml.YAMLError:
        return {}
    return values if isinstance(values, Mapping) else {}
