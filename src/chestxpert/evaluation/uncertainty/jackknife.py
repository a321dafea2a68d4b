"""Leaving patients out: the jackknife, written as draws so that every metric that takes bootstrap draws takes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import FEWER, PatientDraws
from chestxpert.evaluation.metrics import FloatArray

MOST = 400
"""Most groups left out one after the other; more patients than that are left out several at a time."""


def leave_out(draws: PatientDraws, most: int = MOST) -> PatientDraws:
    """Draws in which each patient weighs 1, except for those left out, a patient or a group of them a draw.

    Parameters
    ----------
    draws : PatientDraws
        Over the same images and patients.
    most : int
        Beyond so many patients, as many groups of nearly equal size are left out instead (Shao and Tu, The jackknife
        and bootstrap, 1995, section 2.3). Patients are dealt to groups in turn, in the order of their names.

    Returns
    -------
    PatientDraws
        min(P, most) draws.
    """
    patients = draws.counts.shape[1]
    groups = min(patients, most)
    group_of_patient = np.arange(patients) % groups
    counts = (np.arange(groups)[:, np.newaxis] != group_of_patient).astype(np.int32)
    return PatientDraws(draws.patient_of_image, counts)


@dataclass(frozen=True, eq=False)
class Resamples:
    """Bootstrap draws and, behind them, patients left out: what takes both is measured in one go.

    Parameters
    ----------
    all : PatientDraws
        D draws and G that leave patients out.
    few : PatientDraws
        The first `FEWER` draws and the same G.
    """

    all: PatientDraws
    few: PatientDraws

    @classmethod
    def of(cls, draws: PatientDraws) -> Resamples:
        """Put those that leave patients out behind the draws."""
        without = leave_out(draws)
        return cls(draws.followed_by(without), draws.first(FEWER).followed_by(without))


@lru_cache(maxsize=1)
def resamples(draws: PatientDraws) -> Resamples:
    """`Resamples.of` the draws of a comparison, made once for all its runs."""
    return Resamples.of(draws)


def influences(left_out: npt.ArrayLike, estimate: npt.ArrayLike) -> FloatArray:
    """How far each left-out group moves a metric: (G - 1) (estimate - value without the group).

    Parameters
    ----------
    left_out : (G, ...) array
        The metric in each draw of `leave_out`. NaN, where nothing positive is left without the group, counts as no
        move: one patient who alone carries a finding says nothing of how the finding varies.
    estimate : (...) array
        The metric of all patients.

    Returns
    -------
    (G, ...) float64 array
        NaN where the estimate is.
    """
    values, whole = np.asarray(left_out, dtype=np.float64), np.asarray(estimate, dtype=np.float64)
    moved = np.where(np.isnan(values), 0.0, whole - values)
    return np.asarray((len(values) - 1) * np.where(np.isnan(whole), np.nan, moved))


def jackknife_bias(moves: npt.ArrayLike) -> FloatArray:
    """Quenouille's estimate of bias from (G, ...) influences: minus their mean."""
    return np.asarray(-np.asarray(moves, dtype=np.float64).mean(axis=0))


def jackknife_error(moves: npt.ArrayLike) -> FloatArray:
    """Tukey's standard error from (G, ...) influences: their standard deviation over the root of G.

    Efron and Tibshirani, An introduction to the bootstrap, 1993, equation 11.5.
    """
    values = np.asarray(moves, dtype=np.float64)
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return np.asarray(values.std(axis=0, ddof=1) / len(values) ** 0.5)


def acceleration(moves: npt.ArrayLike) -> FloatArray:
    """Acceleration of BCa from (G, ...) influences: their third moment over six times the 3/2 power of the second.

    Efron, Better bootstrap confidence intervals, JASA 82, 1987, equation 6.6 (with the jackknife, Efron and
    Tibshirani 1993, equation 14.15). 0 where no group moves the metric.
    """
    values = np.asarray(moves, dtype=np.float64)
    centred = values - values.mean(axis=0)
    second, third = (centred**2).sum(axis=0), (centred**3).sum(axis=0)
    return np.asarray(np.divide(third, 6 * second**1.5, out=np.zeros_like(third), where=second > 0))
