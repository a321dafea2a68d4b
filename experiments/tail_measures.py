"""Runs of several studies measured on the test set that they share, on the same bootstrap draws over its patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.frequency import GROUPS, Group, frequency_groups
from chestxpert.cohort.table import Cohort
from chestxpert.errors import RunError
from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.contrasts import holm
from chestxpert.evaluation.metrics import auroc, average_precision, macro, ratio
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.labels import NIH15
from chestxpert.simulator.prevalence import nih_combinations, target_prevalence
from chestxpert.study.plan import COHORT
from chestxpert.study.stored import read_runs

FloatArray = npt.NDArray[np.float64]
ALL = "all"


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval over patients, and the p-value against zero where it is a difference."""

    mean: float
    low: float
    high: float
    p: float = float("nan")

    @property
    def clear(self) -> bool:
        """Whether it is shown to differ from zero; `p` is adjusted by then."""
        return self.p < 0.05 and not self.low <= 0 <= self.high


@dataclass(frozen=True, eq=False)
class Scores:
    """One recipe after one training set, means over its seeds.

    Attributes
    ----------
    ap, auroc : (K,) arrays over the labels
    ap_draws, auroc_draws : (D, K) arrays, the same in every draw
    ap_seeds : (S, K) array
    """

    ap: FloatArray
    auroc: FloatArray
    ap_draws: FloatArray
    auroc_draws: FloatArray
    ap_seeds: FloatArray


def fixed_groups(tail: float) -> dict[str, list[str]]:
    """Findings of the head, the middle and the tail at an exponent, and all of them: the order is that of any exponent.

    Cut where a comparison cuts (10 % and 1 % of the images), at the prevalences that the simulator aims at.
    """
    shares = target_prevalence(nih_combinations().prevalence, tail)
    images = 1_000_000
    counts = {name: round(images * share) for name, share in zip(NIH15.findings, shares.tolist(), strict=True)}
    group_of: dict[str, Group] = frequency_groups(counts, dict.fromkeys(counts, images))
    groups = {ALL: list(NIH15.findings)}
    for group in GROUPS:
        groups[group] = [name for name, its in group_of.items() if its == group]
    return groups


class Measured:
    """Scores of every recipe of several studies that share a test set.

    Parameters
    ----------
    studies : mapping of str to Path
        Study folders by the name of the condition.
    groups : mapping of str to list of str
        Findings of each group.
    draws : int
        Bootstrap draws over test patients.
    """

    def __init__(self, studies: Mapping[str, Path], groups: Mapping[str, Sequence[str]], draws: int) -> None:
        self._columns = {group: [NIH15.index(name) for name in names] for group, names in groups.items()}
        cohorts = {name: Cohort.load(folder / COHORT) for name, folder in studies.items()}
        self.counts = {name: cohort.counts("train") for name, cohort in cohorts.items()}
        self.images = {name: len(cohort.rows("train")) for name, cohort in cohorts.items()}
        first = next(iter(cohorts.values()))
        rows = first.rows("test")
        self.test_counts, self.test_images = first.counts("test"), len(rows)
        self.test_patients = first.n_patients("test")
        drawn = PatientDraws.draw(first.patients[rows], draws, seed=0)
        self.scores: dict[str, dict[str, Scores]] = {}
        for name, folder in studies.items():
            _check_same_test(cohorts[name], first)
            self.scores[name] = _scores(folder, cohorts[name], drawn)

    def value(self, condition: str, recipe: str, group: str, metric: str = "ap") -> Estimate:
        """Mean of a metric ('ap' or 'auroc') over the findings of a group."""
        point, draws = self._macro(condition, recipe, group, metric)
        low, high, _ = interval(draws, point if metric == "ap" else None)
        return Estimate(point, low, high)

    def seed_spread(self, condition: str, recipe: str, group: str) -> float:
        """Standard deviation over seeds of macro average precision; NaN with one seed."""
        seeds = macro(self.scores[condition][recipe].ap_seeds[:, self._columns[group]], axis=1)
        return float(np.std(seeds, ddof=1)) if len(seeds) > 1 else float("nan")

    def difference(self, condition: str, recipe: str, other: str, group: str) -> Estimate:
        """Macro average precision of one recipe less that of another, after the same training set; p not adjusted."""
        (point, draws), (less, minus) = (self._macro(condition, name, group, "ap") for name in (recipe, other))
        low, high, _ = interval(draws - minus)
        return Estimate(point - less, low, high, two_sided_p(draws - minus))

    def recovered(self, mild: str, extreme: str, recipe: str, baseline: str, group: str) -> Estimate:
        """Share of what the baseline loses from the mild to the extreme tail that a recipe wins back.

        0 is no better than the baseline, 1 as good as the baseline with the mild tail. NaN where nothing was lost.
        """
        easy, easy_draws = self._macro(mild, baseline, group, "ap")
        hard, hard_draws = self._macro(extreme, baseline, group, "ap")
        mine, my_draws = self._macro(extreme, recipe, group, "ap")
        low, high, _ = interval(_share(easy_draws, hard_draws, my_draws))
        return Estimate(float(_share(np.array(easy), np.array(hard), np.array(mine))), low, high)

    def _macro(self, condition: str, recipe: str, group: str, metric: str) -> tuple[float, FloatArray]:
        scores, columns = self.scores[condition][recipe], self._columns[group]
        point, draws = (scores.ap, scores.ap_draws) if metric == "ap" else (scores.auroc, scores.auroc_draws)
        return float(macro(point[columns])), macro(draws[:, columns], axis=1)


def adjusted(estimates: Sequence[Estimate]) -> list[Estimate]:
    """The same with p-values adjusted as one family by Holm's method."""
    values = holm([estimate.p for estimate in estimates]).tolist()
    return [Estimate(e.mean, e.low, e.high, p) for e, p in zip(estimates, values, strict=True)]


def _share(easy: FloatArray, hard: FloatArray, mine: FloatArray) -> FloatArray:
    return ratio(mine - hard, np.maximum(easy - hard, 0.0))


def _scores(study: Path, cohort: Cohort, drawn: PatientDraws) -> dict[str, Scores]:
    truth = cohort.labels(cohort.rows("test"))
    scores = {}
    for recipe, runs in read_runs(study).items():
        probs = [run.predictions.align(cohort, "test")[0] for run in runs]
        points = [(average_precision(truth, each), auroc(truth, each)) for each in probs]
        ranked = [drawn_ranking(truth, each, drawn) for each in probs]
        scores[recipe] = Scores(
            ap=macro([ap for ap, _ in points], axis=0),
            auroc=macro([area for _, area in points], axis=0),
            ap_draws=macro(np.stack([ap for _, ap in ranked]), axis=0),
            auroc_draws=macro(np.stack([area for area, _ in ranked]), axis=0),
            ap_seeds=np.stack([ap for ap, _ in points]),
        )
    return scores


def _check_same_test(cohort: Cohort, first: Cohort) -> None:
    ours, theirs = cohort.rows("test"), first.rows("test")
    same = cohort.image_ids[ours].tolist() == first.image_ids[theirs].tolist()
    if not same or not np.array_equal(cohort.labels(ours), first.labels(theirs)):
        raise RunError("These studies have different test sets, so their figures cannot be compared. Start anew.")
