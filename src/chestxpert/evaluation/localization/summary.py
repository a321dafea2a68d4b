"""Means over cases by finding and over findings, with intervals over patients, and differences on the same draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.localization.cases import Case
from chestxpert.evaluation.localization.measure import COLUMNS, SCORES
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, n_defined, ratio
from chestxpert.evaluation.reliability import share_interval

ENOUGH = 10
"""Patients below which a finding has no interval and no part in the mean over findings: a handful of them resampled
says little, and says it too surely."""

Entry = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Groups:
    """Cases by finding, and the draws over their patients.

    Parameters
    ----------
    findings : tuple of F str
    member : (F, N) bool array
        Which case is of which finding.
    patients : (F,) int array
        Different patients of each finding.
    draws : PatientDraws
        Over the patients of all cases, so that every line is measured on the same ones.
    """

    findings: tuple[str, ...]
    member: BoolArray
    patients: tuple[int, ...]
    draws: PatientDraws

    @classmethod
    def of(cls, cases: Sequence[Case], draws: int, seed: int) -> Groups:
        """Group cases; findings stand in the order in which cases come."""
        findings = tuple(dict.fromkeys(case.finding for case in cases))
        member = np.array([[case.finding == finding for case in cases] for finding in findings])
        patients = tuple(len({case.patient for case in cases if case.finding == finding}) for finding in findings)
        return cls(findings, member, patients, PatientDraws.draw([case.patient for case in cases], draws, seed))

    @property
    def counted(self) -> BoolArray:
        """(F,) which findings the mean over findings is of: those of at least `ENOUGH` patients."""
        return np.array([number >= ENOUGH for number in self.patients], dtype=np.bool_)

    def means(self, values: FloatArray) -> FloatArray:
        """(F, C) means over the cases of each finding of (N, C) values, of those that are defined."""
        return np.array([macro(values[inside], axis=0) for inside in self.member])

    def drawn_means(self, values: FloatArray) -> FloatArray:
        """(D, F, C) the same in every draw; NaN where a draw has no defined case of a finding."""
        defined = ~np.isnan(values)
        filled = np.where(defined, values, 0.0)
        parts = []
        for inside in self.member:
            told = defined & inside[:, np.newaxis]
            parts.append(ratio(self.draws.totals(filled * told), self.draws.totals(told)))
        return np.stack(parts, axis=1)


def summarise(values: FloatArray, groups: Groups) -> tuple[dict[str, dict[str, Entry]], dict[str, Entry]]:
    """Estimates of one line.

    Parameters
    ----------
    values : (N, C) float64 array
        See `measure.Measured`.
    groups : Groups

    Returns
    -------
    per_finding : dict of finding, then measure
        ``mean``, ``low``, ``high``, ``n_draws`` and ``n_undefined`` (cases without a value).
    over_findings : dict of measure
        The same of the mean over the findings that are counted, with ``n_defined`` and ``n_undefined`` of them.
    """
    points, drawn, counted = groups.means(values), groups.drawn_means(values), groups.counted
    per_finding: dict[str, dict[str, Entry]] = {finding: {} for finding in groups.findings}
    over: dict[str, Entry] = {}
    for column, name in enumerate(COLUMNS):
        for place, finding in enumerate(groups.findings):
            entry = _estimate(points[place, column], drawn[:, place, column], groups.patients[place], name in SCORES)
            missing = np.isnan(values[groups.member[place], column]).sum()
            per_finding[finding][name] = entry | {"n_undefined": int(missing)}
        mean = float(macro(points[counted, column]))
        entry = _estimate(mean, macro(drawn[:, counted, column], axis=1), ENOUGH, name in SCORES)
        told = int(n_defined(points[counted, column]))
        over[name] = entry | {"n_defined": told, "n_undefined": int(counted.sum()) - told}
    return per_finding, over


def _estimate(mean: float, draws: FloatArray, patients: int, share: bool) -> Entry:
    """A mean with its percentile interval, or Wilson's where all patients agree and no draw could differ."""
    if patients < ENOUGH or math.isnan(mean):
        return {"mean": float(mean), "low": math.nan, "high": math.nan, "n_draws": 0}
    low, high, n_draws = interval(draws)
    if share and low == high and mean in (0.0, 1.0):
        ends = share_interval(np.array([mean]), np.array([float(patients)]), draws[:, np.newaxis])
        low, high = (float(end[0]) for end in ends)
    return {"mean": float(mean), "low": low, "high": high, "n_draws": n_draws}


def difference(first: FloatArray, second: FloatArray, groups: Groups) -> tuple[list[Entry], list[Entry]]:
    """First minus second line, case by case where both are defined.

    Parameters
    ----------
    first, second : (N, S) float64 arrays
        Values of `SCORES`.
    groups : Groups

    Returns
    -------
    over_findings : list of S dict
        ``difference``, ``low``, ``high``, ``p`` (two-sided, from the draws), ``n_defined`` (findings) of the mean.
    per_finding : list of S dict of finding
        The same of each finding; without interval and p under `ENOUGH` patients.
    """
    values = first - second
    points, drawn, counted = groups.means(values), groups.drawn_means(values), groups.counted
    over, per_finding = [], []
    for column in range(values.shape[1]):
        whole = _tested(float(macro(points[counted, column])), macro(drawn[:, counted, column], axis=1), ENOUGH)
        over.append(whole | {"n_defined": int(n_defined(points[counted, column]))})
        per_finding.append(
            {
                finding: _tested(float(points[place, column]), drawn[:, place, column], groups.patients[place])
                for place, finding in enumerate(groups.findings)
            }
        )
    return over, per_finding


def _tested(value: float, draws: FloatArray, patients: int) -> Entry:
    if patients < ENOUGH or math.isnan(value):
        return {"difference": value, "low": math.nan, "high": math.nan, "p": math.nan}
    low, high, _ = interval(draws)
    return {"difference": value, "low": low, "high": high, "p": two_sided_p(draws)}
