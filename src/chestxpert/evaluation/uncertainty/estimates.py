"""A figure with its interval: which kind of interval which metric has, and BCa beside it."""

from __future__ import annotations

import math
from typing import Any

from chestxpert.evaluation.bootstrap import interval
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.uncertainty.intervals import bca, jackknifed, logit_t
from chestxpert.evaluation.uncertainty.jackknife import jackknife_error
from chestxpert.evaluation.uncertainty.shares import f1_of_patients, share_of_patients

KINDS = {
    "auroc": "logit-t",
    "ap": "logit-t-binomial",
    "f1": "wilson-f1",
    "recall": "wilson",
    "precision": "wilson",
}
"""Metrics of a single label or node whose interval is not the percentile one: few patients may carry it, and draws
know those few alone. docs/statistics.md has the coverage of each kind."""


def kind_of(metric: str) -> str:
    """Which interval a metric of a single label or node has."""
    return KINDS.get(metric, "percentile")


def estimate(
    mean: float,
    draws: FloatArray,
    moves: FloatArray,
    kind: str = "percentile",
    carriers: int = 0,
    patients: float = 0.0,
) -> dict[str, Any]:
    """One figure as comparison.json has it.

    Parameters
    ----------
    mean : float
        The mean over seeds.
    draws : (D,) float64 array
        The same in each bootstrap draw.
    moves : (G,) float64 array
        The same for the influences of patients left out.
    kind : {"percentile", "jackknife", "logit-t", "logit-t-binomial", "wilson", "wilson-f1"}
    carriers : int
        Patients that carry the label, or lack it if they are fewer, for the last four.
    patients : float
        Patients with an image that the metric is a share of, for the last two.

    Returns
    -------
    dict
        ``mean``, ``low``, ``high``, ``interval``, ``n_draws``, ``bca``.
    """
    low, high, n_draws = interval(draws)
    if kind == "jackknife":
        low, high = jackknifed(mean, moves)
    elif kind.startswith("logit-t"):
        low, high = logit_t(mean, float(jackknife_error(moves)), carriers, binomial=kind == "logit-t-binomial")
    elif kind.startswith("wilson"):
        of_patients = f1_of_patients if kind == "wilson-f1" else share_of_patients
        low, high = of_patients(mean, float(jackknife_error(moves)), patients, carriers)
    entry = {"mean": mean, "low": low, "high": high, "interval": kind, "n_draws": n_draws}
    return entry | {"bca": ends(bca(draws, mean, moves))}


def ends(pair: tuple[float, float]) -> dict[str, float] | None:
    """An interval as JSON has it, None where it cannot be told."""
    return None if any(map(math.isnan, pair)) else {"low": pair[0], "high": pair[1]}
