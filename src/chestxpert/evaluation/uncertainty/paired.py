"""What a contrast says beside interval and p: other intervals, seeds, what could have been seen, equivalence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import LEVEL
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts
from chestxpert.evaluation.uncertainty.estimates import ends
from chestxpert.evaluation.uncertainty.intervals import bca
from chestxpert.evaluation.uncertainty.multiplicity import benjamini_hochberg
from chestxpert.evaluation.uncertainty.seeds import combined_interval
from chestxpert.evaluation.uncertainty.smallest import POWER, Equivalence, detectable_difference

if TYPE_CHECKING:
    from chestxpert.evaluation.contrasts import RecipeValues

Entry = dict[str, Any]


def pair_details(
    first: RecipeValues, second: RecipeValues, metric: str, differences: FloatArray, margin: float | None = None
) -> Entry:
    """Keys of one contrast, first minus second; see docs/statistics.md.

    Parameters
    ----------
    first, second : RecipeValues
    metric : str
    differences : (D,) float64 array
        In each bootstrap draw, NaN where undefined.
    margin : float, optional
        Largest difference that would not matter.

    Returns
    -------
    dict
        ``error`` (standard deviation of the draws), ``bca``, ``seeds`` (interval for other seeds too), and where they
        can be told ``obuchowski`` (of macro AUROC) and ``equivalence`` (with a margin).
    """
    difference = first.test[metric] - second.test[metric]
    defined = differences[~np.isnan(differences)]
    entry: Entry = {
        "error": float(defined.std(ddof=1)) if len(defined) > 1 else math.nan,
        "bca": ends(_bca(first, second, metric, differences, difference)),
        "seeds": ends(_over_seeds(first, second, metric, difference)),
    }
    if metric == "macro_auroc" and first.auroc is not None and second.auroc is not None:
        entry["obuchowski"] = analytic(first.auroc.minus(second.auroc), test=True)
    if margin is not None:
        tested = Equivalence.of(differences, margin)
        entry["equivalence"] = {"margin": margin, "low": tested.low, "high": tested.high, "p": tested.p}
    return entry


def judge_family(family: Sequence[Entry], adjust: Callable[[npt.ArrayLike], FloatArray]) -> list[Entry]:
    """Add to the contrasts of one family what depends on how many there are.

    Parameters
    ----------
    family : sequence of dict
        With ``p``, ``p_permutation``, ``error`` and, with a margin, ``equivalence``.
    adjust : callable
        Holm's method.

    Returns
    -------
    list of dict
        Copies with ``p_adjusted``, ``p_bh``, ``p_permutation_adjusted`` and ``mdd``; ``equivalence`` gains
        ``p_adjusted`` and ``equivalent``.
    """
    tests = sum(not math.isnan(entry["p"]) for entry in family)
    columns = {
        "p_adjusted": adjust([entry["p"] for entry in family]),
        "p_bh": benjamini_hochberg([entry["p"] for entry in family]),
        "p_permutation_adjusted": adjust([entry["p_permutation"] for entry in family]),
    }
    judged = []
    for place, entry in enumerate(family):
        alone, hardest = (detectable_difference(entry["error"], number) for number in (1, tests))
        mdd = {"alone": alone, "adjusted": hardest, "tests": tests, "power": POWER}
        judged.append(entry | {name: float(values[place]) for name, values in columns.items()} | {"mdd": mdd})
    if all("equivalence" in entry for entry in judged):
        adjusted = adjust([entry["equivalence"]["p"] for entry in judged])
        judged = [_with_equivalence(entry, float(p)) for entry, p in zip(judged, adjusted, strict=True)]
    return judged


def _with_equivalence(entry: Entry, p_adjusted: float) -> Entry:
    shown = Equivalence(**entry["equivalence"]).shown(p_adjusted)
    return entry | {"equivalence": {**entry["equivalence"], "p_adjusted": p_adjusted, "equivalent": shown}}


def analytic(parts: AurocParts, test: bool = False) -> Entry:
    """Standard error and normal interval of the one AUROC (or difference) in `parts`; with `test` p against zero."""
    value, error = float(parts.values[0]), float(parts.errors()[0])
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * error
    entry: Entry = {"error": error, "low": value - reach, "high": value + reach}
    if test:
        entry["p"] = _normal_p(value, error)
    return entry


def _normal_p(value: float, error: float) -> float:
    if math.isnan(value) or math.isnan(error):
        return math.nan
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return 2 * (1 - NormalDist().cdf(abs(value) / error))


def _bca(
    first: RecipeValues, second: RecipeValues, metric: str, differences: FloatArray, difference: float
) -> tuple[float, float]:
    if metric not in first.moves or metric not in second.moves:
        return math.nan, math.nan
    return bca(differences, difference, first.moves[metric] - second.moves[metric])


def _over_seeds(first: RecipeValues, second: RecipeValues, metric: str, difference: float) -> tuple[float, float]:
    """Interval for other patients and other seeds: the paired variance over patients, each recipe's over seeds."""
    if metric not in first.seeds or metric not in second.seeds:
        return math.nan, math.nan
    differences = first.draws[metric] - second.draws[metric]
    defined = differences[~np.isnan(differences)]
    if len(defined) < 2:
        return math.nan, math.nan
    paired = float(defined.var(ddof=1))
    parts = [replace(first.seeds[metric], patients=paired), replace(second.seeds[metric], patients=0.0)]
    return combined_interval(difference, parts, first.patients)
