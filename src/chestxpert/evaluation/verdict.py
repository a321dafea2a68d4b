"""The verdict: one plain sentence that says what the primary contrast allows, and no more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chestxpert.evaluation.contrasts import RecipeValues, baseline_of, ranked_by_validation

ALPHA = 0.05
FEWEST = 6
"""Patients below which nothing is claimed: draws of a handful that agree always agree, however many are drawn, and of
all swaps of five patients two in 32 are as extreme as can be, which is above `ALPHA`."""

WORDS = {
    "macro_ap": "macro average precision",
    "macro_auroc": "macro AUROC",
    "macro_f1": "macro F1",
}


@dataclass(frozen=True)
class Setting:
    """Where the figures come from: how many test images of how many patients, and whether they are simulated."""

    images: int
    patients: int
    simulated: bool

    @property
    def words(self) -> str:
        """How the sentence begins."""
        if self.simulated:
            return f"On simulated images ({self.images} for testing, of {self.patients} simulated patients)"
        return f"On {self.images} test images of {self.patients} patients"


def shown(contrast: Mapping[str, Any]) -> bool:
    """Whether a contrast shows a difference: the interval leaves zero out and the adjusted p is below 0.05."""
    if any(math.isnan(contrast[key]) for key in ("difference", "low", "high", "p_adjusted")):
        return False
    return not contrast["low"] <= 0 <= contrast["high"] and contrast["p_adjusted"] < ALPHA


def verdict(
    recipes: Mapping[str, RecipeValues], contrasts: Sequence[Mapping[str, Any]], primary: str, setting: Setting
) -> str:
    """One sentence on the primary metric.

    Parameters
    ----------
    recipes : mapping of RecipeValues
    contrasts : sequence of dict
        As `chestxpert.evaluation.contrasts.contrasts` gives them.
    primary : str
        The metric that decides.
    setting : Setting
    """
    if len(recipes) == 1:
        (name,) = recipes
        statement = alone_words(name, recipes[name], primary, setting.patients)
        return f"{setting.words}, {statement}; it is the only recipe, so nothing is compared."
    flat, hierarchical = ranked_by_validation(recipes, False), ranked_by_validation(recipes, True)
    if flat and hierarchical:
        pair = find_contrast(contrasts, primary, hierarchical[0], flat[0])
        sides = (
            f"the best hierarchical recipe ({pair['a']})",
            f"the best flat one ({pair['b']}), both chosen on validation",
        )
        return f"{setting.words}, {pair_words(pair, *sides, setting.patients)}."
    a, b, side = (
        _within_one_side(recipes, flat or hierarchical),
        baseline_of(recipes),
        "flat" if flat else "hierarchical",
    )
    statement = pair_words(find_contrast(contrasts, primary, a, b), a, b, setting.patients)
    return f"{setting.words}, {statement}; only {side} recipes were compared, so whether a hierarchy helps stays open."


def _within_one_side(recipes: Mapping[str, RecipeValues], ranked: Sequence[str]) -> str:
    """The best recipe on validation that is not the baseline."""
    baseline = baseline_of(recipes)
    return next(name for name in ranked if name != baseline)


def find_contrast(contrasts: Sequence[Mapping[str, Any]], metric: str, a: str, b: str) -> Mapping[str, Any]:
    """The contrast of `a` against `b` on a metric."""
    return next(entry for entry in contrasts if (entry["metric"], entry["a"], entry["b"]) == (metric, a, b))


def pair_words(contrast: Mapping[str, Any], a: str, b: str, patients: int) -> str:
    """What a contrast on so many patients shows, with names `a` and `b` of its sides: a sentence without its end."""
    metric, difference = WORDS[contrast["metric"]], contrast["difference"]
    if math.isnan(difference) or math.isnan(contrast["p"]):
        return f"no difference shown between {a} and {b}: {metric} is not defined on these images"
    if patients < FEWEST:
        return (
            f"nothing shown between {a} and {b}: {metric} differs by {_signed(difference)}, but of fewer than "
            f"{FEWEST} patients no difference could be shown, and none ruled out"
        )
    numbers = (
        f"95 % interval {_signed(contrast['low'])} to {_signed(contrast['high'])}, "
        f"adjusted p = {_p_value(contrast['p_adjusted'])}"
    )
    equivalence = contrast.get("equivalence")
    if equivalence is not None and equivalence["equivalent"]:
        return _equivalent(contrast, a, b)
    if not shown(contrast):
        return (
            f"no difference shown between {a} and {b}: {metric} differs by {_signed(difference)} ({numbers})"
            f"{_unseen(contrast)}"
        )
    direction = "higher" if difference > 0 else "lower"
    return f"{metric} of {a} was {direction} than that of {b}: by {abs(difference):.3f} ({numbers}){_doubts(contrast)}"


def _equivalent(contrast: Mapping[str, Any], a: str, b: str) -> str:
    """A difference that is shown to be too small to matter, whether or not it is shown to be one."""
    equivalence, difference = contrast["equivalence"], contrast["difference"]
    also = f", though not equal (adjusted p = {_p_value(contrast['p_adjusted'])})" if shown(contrast) else ""
    return (
        f"{WORDS[contrast['metric']]} of {a} and that of {b} are equivalent within the margin of "
        f"{equivalence['margin']:g}{also}: they differ by {_signed(difference)} (90 % interval "
        f"{_signed(equivalence['low'])} to {_signed(equivalence['high'])}, adjusted p = "
        f"{_p_value(equivalence['p_adjusted'])})"
    )


def _unseen(contrast: Mapping[str, Any]) -> str:
    """How large a difference would have to be for these patients to show it."""
    smallest = contrast["mdd"]["adjusted"]
    if math.isnan(smallest) or smallest == 0:
        return ""
    return f"; with these patients a difference below about {smallest:.3f} would likely go unseen"


def _doubts(contrast: Mapping[str, Any]) -> str:
    """What speaks against a difference that is shown: the permutation test, or seeds that differ as much."""
    doubts = []
    if contrast["p_permutation_adjusted"] >= ALPHA:
        doubts.append(
            f"a permutation test does not confirm it (adjusted p = {_p_value(contrast['p_permutation_adjusted'])})"
        )
    over_seeds = contrast["seeds"]
    if over_seeds is not None and over_seeds["low"] <= 0 <= over_seeds["high"]:
        doubts.append("networks trained with other seeds might not show it")
    return "".join(f"; {doubt}" for doubt in doubts)


def alone_words(name: str, values: RecipeValues, primary: str, patients: int) -> str:
    """What one line reached, where there is nothing to compare it with."""
    low, high, n_draws = values.interval(primary)
    if not n_draws:
        return f"the {WORDS[primary]} of {name} is not defined"
    width = f"95 % interval {low:.3f} to {high:.3f}" if patients >= FEWEST else "too few patients for an interval"
    return f"{name} reached a {WORDS[primary]} of {values.test[primary]:.3f} ({width})"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _p_value(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
