"""A small version of benchmarks/coverage.py: intervals hold the truth and tests keep their level, on fixed seeds.

Studies of 80 patients with images that resemble each other within a patient, four labels from 30 % down to 8 %.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
import pytest

from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.metrics import auroc, average_precision
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts
from chestxpert.evaluation.uncertainty.intervals import bca, jackknifed, logit_t
from chestxpert.evaluation.uncertainty.jackknife import influences, jackknife_error, leave_out
from chestxpert.evaluation.uncertainty.paired import analytic
from chestxpert.evaluation.uncertainty.permutation import permutation_p
from chestxpert.evaluation.uncertainty.spread import carriers, mean_move
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.labels import NIH15
from chestxpert.taxonomy import study_taxonomy

SHARES = (0.3, 0.2, 0.12, 0.08)
STUDIES, PATIENTS, DRAWS = 200, 80, 200
RARE = 3


def sample(patients: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Patients, truth, and two correlated scores of one skill."""
    owner = np.repeat(np.arange(patients), np.minimum(rng.geometric(0.6, patients), 6))

    def noise(shared: float) -> np.ndarray:
        own = (1 - shared**2) ** 0.5 * rng.normal(size=(len(owner), 4))
        return shared * rng.normal(size=(patients, 4))[owner] + own

    truth = noise(0.8) > [NormalDist().inv_cdf(1 - share) for share in SHARES]
    first = noise(0.7)
    return owner, truth, 1.2 * truth + first, 1.2 * truth + 0.6 * first + 0.8 * noise(0.7)


def one_study(study: int, rng: np.random.Generator, targets: dict[str, np.ndarray]) -> dict[str, bool]:
    owner, truth, first, second = sample(PATIENTS, rng)
    draws = PatientDraws.draw(owner.astype(str), DRAWS, study)
    place, without = draws.patient_of_image, leave_out(draws)
    drawn, other = (drawn_ranking(truth, scores, draws, workers=1) for scores in (first, second))
    left = drawn_ranking(truth, first, without, workers=1)
    points = auroc(truth, first), average_precision(truth, first)
    moves = [influences(values, point) for values, point in zip(left, points, strict=True)]
    area, precision = float(np.nanmean(points[0])), float(np.nanmean(points[1]))
    mean_area, mean_precision = (np.nanmean(values, axis=1) for values in drawn)
    parts = AurocParts.of(truth, first, place)
    normal = analytic(parts.macro())
    rare = logit_t(float(points[0][RARE]), float(jackknife_error(moves[0][:, RARE])), int(carriers(truth, place)[RARE]))
    ends = {
        ("auroc", "percentile"): interval(mean_area)[:2],
        ("auroc", "bca"): bca(mean_area, area, mean_move(moves[0])),
        ("auroc", "obuchowski"): (normal["low"], normal["high"]),
        ("ap", "percentile"): interval(mean_precision)[:2],
        ("ap", "jackknife"): jackknifed(precision, mean_move(moves[1])),
    }
    held = {f"{m}, {kind}": low <= targets[m].mean() <= high for (m, kind), (low, high) in ends.items()}
    low, high, _ = interval(drawn[0][:, RARE])
    held["rare, percentile"] = low <= targets["auroc"][RARE] <= high
    held["rare, logit-t"] = np.isnan(rare[0]) or rare[0] <= targets["auroc"][RARE] <= rare[1]
    for place_of, name in enumerate(("auroc", "ap")):
        differences = np.nanmean(drawn[place_of], axis=1) - np.nanmean(other[place_of], axis=1)
        held[f"{name}, bootstrap alarm"] = two_sided_p(differences) < 0.05
    tree = study_taxonomy(NIH15)
    runs = [Scored(tree, truth, s, s > 0.9, s > 0.9, None) for s in (first, second)]
    permuted = permutation_p(runs[:1], runs[1:], draws, study)
    return held | {f"{name}, permutation alarm": p <= 0.05 for name, p in permuted.items()}


@cache
def shares() -> dict[str, float]:
    """Of each interval how often it held the truth, of each test how often it gave a false alarm."""
    rng = np.random.default_rng(11)
    _, truth, scores, _ = sample(40_000, rng)
    targets = {"auroc": auroc(truth, scores), "ap": average_precision(truth, scores)}
    studies = [one_study(study, rng, targets) for study in range(STUDIES)]
    return {name: float(np.mean([held[name] for held in studies])) for name in studies[0]}


@pytest.mark.parametrize(
    "interval_of", ["auroc, percentile", "auroc, bca", "auroc, obuchowski", "ap, jackknife", "rare, logit-t"]
)
def test_intervals_hold_the_truth(interval_of: str) -> None:
    assert 0.91 <= shares()[interval_of] <= 0.985  # 95 % within two and a half standard errors of 200 studies


def test_what_the_other_intervals_are_there_for() -> None:
    found = shares()
    assert found["ap, percentile"] < 0.85
    assert found["rare, percentile"] < 0.9


@pytest.mark.parametrize("test", ["bootstrap alarm", "permutation alarm"])
def test_equal_recipes_are_seldom_told_apart(test: str) -> None:
    alarms = [share for name, share in shares().items() if name.endswith(test)]
    assert len(alarms) == (3 if "permutation" in test else 2)
    assert all(0.01 <= share <= 0.09 for share in alarms)
