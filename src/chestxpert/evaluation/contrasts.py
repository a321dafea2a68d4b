"""Contrasts between recipes, paired on the same bootstrap draws, with p-values adjusted by Holm's method."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import interval, two_sided_p
from chestxpert.evaluation.derived import Derived
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts
from chestxpert.evaluation.uncertainty.intervals import jackknifed
from chestxpert.evaluation.uncertainty.paired import judge_family, pair_details
from chestxpert.evaluation.uncertainty.seeds import SeedVariance

Permuted = Callable[[str, str], Mapping[str, float]]

BASELINE = "flat-basic"

REFLECTED = ("macro_ap", "macro_ap_findings", "macro_ap_head", "macro_ap_medium", "macro_ap_tail")
"""Metrics with the jackknife interval (the basic one where no patients were left out): a positive drawn twice ranks
next to itself and raises average precision, a bias that the mean over labels keeps while their spread shrinks.
docs/statistics.md has the coverage of each."""


@dataclass(frozen=True, eq=False)
class RecipeValues:
    """What contrasts need of one recipe, means over its seeds.

    Parameters
    ----------
    hierarchical : bool
    validation : float
        The primary metric on validation, by which the best recipe is chosen.
    test : dict of float
        Metrics on test by name.
    draws : dict of (D,) float64 arrays
        The same metrics in each bootstrap draw.
    moves : dict of (G,) float64 arrays
        Influences of patients left out on each metric, as `uncertainty.moves` gives them; may be empty.
    seeds : dict of SeedVariance
        How patients and seeds share the variance of each metric; may be empty.
    auroc : AurocParts or None
        Of macro AUROC, what each patient adds to it.
    patients : int
        Of the test images.
    """

    hierarchical: bool
    validation: float
    test: Mapping[str, float]
    draws: Mapping[str, FloatArray]
    moves: Mapping[str, FloatArray] = field(default_factory=dict)
    seeds: Mapping[str, SeedVariance] = field(default_factory=dict)
    auroc: AurocParts | None = None
    patients: int = 0

    def interval(self, metric: str) -> tuple[float, float, int]:
        """Low, high and number of draws of a metric, by the kind of interval that suits it."""
        kind = self.interval_kind(metric)
        low, high, n_draws = interval(self.draws[metric], self.test[metric] if kind == "basic" else None)
        if kind == "jackknife":
            low, high = jackknifed(self.test[metric], self.moves[metric])
        return low, high, n_draws

    def interval_kind(self, metric: str) -> str:
        """Kind "percentile", or for `REFLECTED` metrics "jackknife" ("basic" where no patients were left out)."""
        if metric not in REFLECTED:
            return "percentile"
        return "jackknife" if metric in self.moves else "basic"


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Adjusted p-values that control the family-wise error rate (Holm, Scand J Statist 6, 1979).

    Parameters
    ----------
    p_values : (m,) array
        A family of p-values in [0, 1]; NaN is no test, stays NaN and does not count.

    Returns
    -------
    (m,) float64 array, each at least its p-value and at most 1
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted


def baseline_of(recipes: Mapping[str, RecipeValues]) -> str:
    """Name of the recipe that all are held against: flat-basic, else the first flat one, else the first."""
    flat = [name for name, values in recipes.items() if not values.hierarchical]
    return BASELINE if BASELINE in flat else [*flat, *recipes][0]


def ranked_by_validation(recipes: Mapping[str, RecipeValues], hierarchical: bool) -> list[str]:
    """Names of the flat or of the hierarchical recipes, best on validation first; the test set has no say."""
    names = [name for name, values in recipes.items() if values.hierarchical == hierarchical]
    return sorted(names, key=lambda name: (math.isnan(recipes[name].validation), -recipes[name].validation))


def contrast_pairs(recipes: Mapping[str, RecipeValues]) -> list[tuple[str, str, str]]:
    """Pairs (a, b, kind) to test: kind "best" for best hierarchical against best flat, else "baseline".

    Where the best flat recipe is the baseline, that pair stands once, as "best".
    """
    baseline = baseline_of(recipes)
    pairs = {(name, baseline): "baseline" for name in recipes if name != baseline}
    hierarchical, flat = ranked_by_validation(recipes, True), ranked_by_validation(recipes, False)
    if hierarchical and flat:
        pairs[hierarchical[0], flat[0]] = "best"
    return [(a, b, kind) for (a, b), kind in pairs.items()]


def contrasts(
    recipes: Mapping[str, RecipeValues],
    metrics: Sequence[str],
    permuted: Permuted | None = None,
    margin: float | None = None,
) -> list[dict[str, Any]]:
    """Every pair of `contrast_pairs` on every metric, a minus b; one family of tests a metric.

    Parameters
    ----------
    recipes : mapping of RecipeValues
    metrics : sequence of str
    permuted : callable, optional
        Called with (a, b), gives the p-values of the permutation test by metric.
    margin : float, optional
        Largest difference that would not matter; each contrast is then tested for equivalence as well.

    Returns
    -------
    list of dict
        Keys a, b, metric, kind, difference, low, high, n_draws, p, p_permutation, those of
        `uncertainty.paired.pair_details` and of `uncertainty.paired.judge_family`; numbers may be NaN.
    """
    pairs = contrast_pairs(recipes)
    swapped = {(a, b): permuted(a, b) for a, b, _ in pairs} if permuted is not None else {}
    result: list[dict[str, Any]] = []
    for metric in metrics:
        result.extend(judged([contrast(recipes, metric, *pair, margin) for pair in pairs], swapped))
    return result


def derived_contrasts(
    lines: Mapping[str, RecipeValues],
    derived: Mapping[str, Derived],
    metrics: Sequence[str],
    permuted: Permuted | None = None,
) -> list[dict[str, Any]]:
    """Every derived line against each line it was made of, as `contrasts` gives them.

    Families of their own, so that what is looked at beside a study leaves the p-values of its recipes as they are: for
    each metric, the corrections of one line are a family, and so are all ensembles. An ensemble is not permuted: it is
    one prediction, the line it is held against a mean over several, and nothing says they could be exchanged. Neither
    has ``seeds``, since both sides are made of the same networks and not of independent ones.
    """
    families: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}
    for name, origin in derived.items():
        family = families.setdefault(origin.of if origin.kind == "posthoc" else (), [])
        family.extend((name, other, origin.kind) for other in origin.of)
    result: list[dict[str, Any]] = []
    for pairs in families.values():
        swapped = {(a, b): permuted(a, b) for a, b, kind in pairs if kind == "posthoc" and permuted is not None}
        for metric in metrics:
            entries = [contrast(lines, metric, *pair) | {"seeds": None} for pair in pairs]
            result.extend(judged(entries, swapped))
    return result


def judged(
    entries: Sequence[dict[str, Any]], swapped: Mapping[tuple[str, str], Mapping[str, float]]
) -> list[dict[str, Any]]:
    """One family of contrasts with the p-values of its permutations, and what depends on its size."""
    family = [
        entry | {"p_permutation": swapped.get((entry["a"], entry["b"]), {}).get(entry["metric"], math.nan)}
        for entry in entries
    ]
    return judge_family(family, holm)


def contrast(
    recipes: Mapping[str, RecipeValues], metric: str, a: str, b: str, kind: str, margin: float | None = None
) -> dict[str, Any]:
    """One metric of `a` minus that of `b`, as `contrasts` describes it, before its family is judged."""
    differences = recipes[a].draws[metric] - recipes[b].draws[metric]
    low, high, n_draws = interval(differences)
    return {
        "a": a,
        "b": b,
        "metric": metric,
        "kind": kind,
        "difference": recipes[a].test[metric] - recipes[b].test[metric],
        "low": low,
        "high": high,
        "n_draws": n_draws,
        "p": two_sided_p(differences),
        **pair_details(recipes[a], recipes[b], metric, differences, margin),
    }
