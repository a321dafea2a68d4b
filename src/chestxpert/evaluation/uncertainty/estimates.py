"""A figure with its interval: which kind of interval which metric has, and BCa beside it."""

from __future__ import annotations

import math
from typing import Any

from chestxpert.evaluation.bootstrap import interval
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.uncertainty.intervals import bca, jackknifed, logit_t
from chestxpert.evaluation.uncertainty.jackknife import jackknife_error

LOGIT_T = ("auroc", "ap")
"""Metrics of a single label or node whose interval is Student's t of the log-odds: few patients may carry it. All other
metrics of a label have percentile intervals. docs/statistics.md has the coverage of each kind."""


def estimate(
    mean: float, draws: FloatArray, moves: FloatArray, kind: str = "percentile", carriers: int = 0
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
    kind : {"percentile", "jackknife", "logit-t"}
    carriers : int
        Patients that carry the label, for "logit-t".

    Returns
    -------
    dict
        ``mean``, ``low``, ``high``, ``interval``, ``n_draws``, ``bca``.
    """
    low, high, n_draws = interval(draws)
    if kind == "jackknife":
        low, high = jackknifed(mean, moves)
    elif kind == "logit-t":
        low, high = logit_t(mean, float(jackknife_error(moves)), carriers)
    entry = {"mean": mean, "low": low, "high": high, "interval": kind, "n_draws": n_draws}
    return entry | {"bca": ends(bca(draws, mean, moves))}


def ends(pair: tuple[float, float]) -> dict[str, float] | None:
    """An interval as JSON has it, None where it cannot be told."""
    return None if any(map(math.isnan, pair)) else {"low": pair[0], "high": pair[1]}
