"""Seeds as a second source of variance beside patients: how much each adds, and an interval that speaks of both.

S networks of one recipe are measured on the same patients: a two-way layout without replication. Their metric is

    Y_s = mu + patients + seed_s + (seed x patients)_s,

and the law of total variance splits the variance of the mean over seeds into what other patients would change
(patients, and interaction / S) and what other seeds would change (seed / S). Bootstrap draws over patients, the same
for all seeds, tell the first two; what is left of the spread between seeds is the third. Drawing seeds with
replacement as well would be simpler, but with the two or three seeds of a study it would find (S - 1) / S of their
variance, and its interval would end at the best and the worst seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from chestxpert.evaluation.bootstrap import LEVEL
from chestxpert.evaluation.metrics import FloatArray


@dataclass(frozen=True)
class SeedVariance:
    """Components of variance of one metric of one recipe; NaN where they cannot be told.

    Parameters
    ----------
    seeds : int
        S, in which the metric is defined.
    patients : float
        Variance over patients of the mean over these S networks.
    interaction : float
        Variance of one network over patients beyond what all networks share; 0 or more.
    seed : float
        Variance between seeds were there patients without end; 0 or more.
    """

    seeds: int
    patients: float
    interaction: float
    seed: float

    @classmethod
    def of(cls, points: Sequence[float], draws: Sequence[FloatArray]) -> SeedVariance:
        """Components from a metric's value of each seed and its (D,) draws, paired between seeds.

        The sample variance of the S values expects seed + interaction, and the mean of the networks' variances
        over patients exceeds that of their mean by interaction (S - 1) / S.
        """
        values = np.asarray(points, dtype=np.float64)
        defined = np.flatnonzero(~np.isnan(values))
        drawn = np.stack([draws[int(seed)] for seed in defined]) if len(defined) else np.empty((0, 0))
        drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
        count = len(defined)
        if not count or drawn.shape[1] < 2:
            return cls(count, math.nan, math.nan, math.nan)
        patients = float(drawn.mean(axis=0).var(ddof=1))
        if count == 1:
            return cls(1, patients, math.nan, math.nan)
        own = float(drawn.var(axis=1, ddof=1).mean())
        interaction = max(0.0, (own - patients) * count / (count - 1))
        seed = max(0.0, float(values[defined].var(ddof=1)) - interaction)
        return cls(count, patients, interaction, seed)

    @property
    def total(self) -> float:
        """Variance of the mean over S new seeds on new patients; NaN with fewer than two seeds."""
        return self.patients + self.seed / max(1, self.seeds)


def combined_interval(
    estimate: float, parts: Sequence[SeedVariance], patients: int, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of a mean over seeds, or of a difference of two, for other patients *and* other seeds.

    The estimate and, to either side, the root of the sum of each variance times the square of Student's t with its own
    degrees of freedom (Banerjee, Sankhya 22, 1960), which holds the truth in at least `level` of all cases: P - 1 for
    the patients, S - 1 for S seeds. So it is wide with three seeds and of little use with two, as it should be; one t
    for the sum of both (Satterthwaite) covered .87 to .94 there.

    Parameters
    ----------
    estimate : float
    parts : sequence of SeedVariance
        The recipe's; for a difference both recipes', the first with the variance over patients of the *paired*
        difference, the second with 0 there. Seeds of two recipes are taken to be independent.
    patients : int
    level : float

    Returns
    -------
    low, high : float
        NaN with fewer than two seeds on any side.
    """
    if patients < 2 or math.isnan(estimate) or any(math.isnan(part.total) for part in parts):
        return math.nan, math.nan
    share = (1 + level) / 2
    square = sum(part.patients for part in parts) * float(stdtrit(patients - 1, share)) ** 2
    square += sum(part.seed / part.seeds * float(stdtrit(part.seeds - 1, share)) ** 2 for part in parts)
    return estimate - square**0.5, estimate + square**0.5
