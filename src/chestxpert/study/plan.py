"""StudyPlan: which recipes and seeds on which data set, and where a study keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chestxpert.cohort.table import Cohort
from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.partitions import DEFAULT
from chestxpert.evaluation.threshold_rules import F1, ThresholdRule
from chestxpert.evaluation.uncertainty.smallest import checked_margin
from chestxpert.recipe import Posthoc, Recipe
from chestxpert.strict_yaml import read_stored
from chestxpert.study.choose import choose_recipes
from chestxpert.taxonomy import Taxonomy

PLAN = "study.yaml"
COHORT = "cohort.parquet"
COMPARISON = "comparison.json"


@dataclass(frozen=True)
class StudyPlan:
    """What a study runs.

    Attributes
    ----------
    dataset : folder made by `chestxpert data prepare`
    recipes : with all overrides applied
    seeds : one run a recipe and seed
    command : the command line that asked for it, for the record
    taxonomy : name or file of the tree that hierarchical metrics of all recipes are measured on; None chooses
    threshold : rule by which thresholds are chosen on validation (`chestxpert.evaluation.threshold_rules`)
    subgroups : what subgroups of the test images are made by (`chestxpert.evaluation.partitions`)
    posthoc : corrections that the comparison shows each recipe with too; None is none in a new study, and in one that
        is resumed those it has
    margin : largest difference that would not matter, for tests of equivalence; None tests none
    """

    dataset: Path
    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    command: str = ""
    taxonomy: str | None = None
    threshold: str = str(F1)
    subgroups: tuple[str, ...] = DEFAULT
    posthoc: tuple[Posthoc, ...] | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        names = [recipe.name for recipe in self.recipes]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"A study needs recipes of different names, but got {', '.join(names) or 'none'}.")
        ThresholdRule.parse(self.threshold)  # raises for one that there is not
        checked_margin(self.margin)
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise UsageError(f"A study needs different seeds, but got {list(self.seeds)}.")

    def runs(self, out: Path) -> list[tuple[Recipe, int, Path]]:
        """Recipe, seed and folder of each run, seed by seed so that an early look compares like with like."""
        return [(recipe, seed, run_folder(out, recipe.name, seed)) for seed in self.seeds for recipe in self.recipes]

    @property
    def measured_on(self) -> str:
        """The taxonomy that all recipes are measured on: the one asked for, else the one all hierarchies share.

        Where they share none it is the study's, and in a study of flat recipes the one all of these share.
        """
        if self.taxonomy is not None:
            return self.taxonomy
        hierarchies = [recipe for recipe in self.recipes if recipe.hierarchical]
        names = {recipe.taxonomy for recipe in hierarchies or self.recipes}
        return names.pop() if len(names) == 1 else "study"

    def trees(self, cohort: Cohort) -> dict[str, Taxonomy]:
        """Every taxonomy that the study uses, by name, over the labels of `cohort` and from its training counts."""
        names = dict.fromkeys([self.measured_on, *(recipe.taxonomy for recipe in self.recipes)])
        return {name: cohort_taxonomy(name, cohort) for name in names}

    def to_dict(self, cohort: Cohort) -> dict[str, Any]:
        """Plain values for study.yaml; what each recipe starts from is added once it is known."""
        return {
            "schema": 1,
            "dataset": str(self.dataset),
            "cohort_fingerprint": cohort.fingerprint,
            "command": self.command,
            "seeds": list(self.seeds),
            "recipes": {recipe.name: recipe.to_dict() for recipe in self.recipes},
            "measured_on": self.measured_on,
            "threshold": str(ThresholdRule.parse(self.threshold)),
            "subgroups": list(self.subgroups),
            "margin": self.margin,
            "taxonomies": {name: tree.to_dict() for name, tree in self.trees(cohort).items()},
            "posthoc": [posthoc.name for posthoc in self.posthoc or ()],
        }


def run_folder(study: Path, recipe: str, seed: int) -> Path:
    """Where a study keeps the run of a recipe with a seed."""
    return study / "runs" / recipe / f"seed-{seed}"


def read_plan(study: Path) -> dict[str, Any]:
    """Values of a study's study.yaml."""
    try:
        values = read_stored((study / PLAN).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RunError(f"{study} holds no study ({error}). Make one with 'chestxpert compare'.") from error
    needed = {"recipes", "seeds", "cohort_fingerprint", "start"}
    if not isinstance(values, dict) or values.get("schema") != 1 or not needed <= values.keys():
        raise RunError(f"{study / PLAN} was not written by this version of ChestXpert. Run the study anew.")
    return values


def listed(value: Any) -> Any:
    """`value` with tuples as lists, as JSON and YAML know them."""
    return json.loads(json.dumps(value))


def load_recipes(
    names: Sequence[str], overrides: Sequence[str], freeze: bool, sweeps: Sequence[str] = ()
) -> tuple[Recipe, ...]:
    """Recipes by name, path or pattern, or the study's six if none is named; see `choose_recipes`."""
    return choose_recipes(names, overrides, freeze, sweeps).recipes
