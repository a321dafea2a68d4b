from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from chestxpert.evaluation.uncertainty.seeds import SeedVariance, combined_interval

PATIENTS = 200
WEIGHTS = np.random.default_rng(9).multinomial(PATIENTS, np.full(PATIENTS, 1 / PATIENTS), 400).T.astype(float)
"""Of each patient in each bootstrap draw; the same draws serve all repetitions."""


def layout(
    rng: np.random.Generator, seeds: int, sd_patients: float, sd_cross: float, sd_seed: float
) -> tuple[list[float], list[np.ndarray]]:
    """A metric that is a mean over patients: of each seed its value, and its draws, paired between seeds."""
    common = rng.normal(0, sd_patients, PATIENTS)
    values = common + rng.normal(0, sd_cross, (seeds, PATIENTS)) + rng.normal(0, sd_seed, (seeds, 1))
    drawn = values @ WEIGHTS / PATIENTS
    return list(values.mean(axis=1)), list(drawn)


def test_components_are_found_on_average() -> None:
    rng = np.random.default_rng(0)
    found = [SeedVariance.of(*layout(rng, 6, 1.0, 0.5, 0.1)) for _ in range(60)]
    assert np.mean([part.interaction for part in found]) == pytest.approx(0.5**2 / PATIENTS, rel=0.1)
    assert np.mean([part.patients for part in found]) == pytest.approx((1 + 0.5**2 / 6) / PATIENTS, rel=0.1)
    assert np.mean([part.seed for part in found]) == pytest.approx(0.1**2, rel=0.2)


def test_two_equal_seeds_add_nothing() -> None:
    points, draws = layout(np.random.default_rng(1), 1, 1.0, 0.0, 0.0)
    parts = SeedVariance.of(points * 2, draws * 2)
    assert (parts.interaction, parts.seed) == (pytest.approx(0, abs=1e-15), 0)
    assert parts.total == pytest.approx(draws[0].var(ddof=1))


def test_the_law_of_total_variance() -> None:
    parts = SeedVariance(4, patients=0.03, interaction=0.01, seed=0.02)
    assert parts.total == pytest.approx(0.03 + 0.02 / 4)


def test_one_seed_tells_nothing_of_seeds() -> None:
    points, draws = layout(np.random.default_rng(1), 1, 1.0, 0.0, 0.0)
    parts = SeedVariance.of(points, draws)
    assert parts.patients > 0
    assert math.isnan(parts.seed)
    assert math.isnan(parts.total)
    assert np.isnan(combined_interval(points[0], [parts], PATIENTS)).all()


def test_undefined_seeds_and_draws_are_left_out() -> None:
    points, draws = layout(np.random.default_rng(2), 3, 1.0, 0.3, 0.1)
    whole = SeedVariance.of(points, draws)
    assert SeedVariance.of([*points, math.nan], [*draws, np.full(400, np.nan)]) == whole
    gaps = [np.append(each, np.nan) for each in draws]
    assert SeedVariance.of(points, gaps) == whole
    assert math.isnan(SeedVariance.of([math.nan], [np.full(9, np.nan)]).patients)


def test_each_variance_is_reached_out_for_with_the_quantile_of_its_own_degrees_of_freedom() -> None:
    a, b = SeedVariance(3, 4e-4, 0.0, 9e-4), SeedVariance(5, 0.0, 0.0, 10e-4)
    quantiles = stats.t.ppf(0.975, [99, 2, 4])
    reach = (quantiles**2 @ [4e-4, 9e-4 / 3, 10e-4 / 5]) ** 0.5
    np.testing.assert_allclose(combined_interval(0.1, [a, b], 100), [0.1 - reach, 0.1 + reach])


def test_its_limits_are_those_of_patients_alone_and_of_seeds_alone() -> None:
    patients = combined_interval(0.0, [SeedVariance(3, 1.0, 0.0, 0.0)], 50)
    np.testing.assert_allclose(patients, stats.t(49).interval(0.95))
    seeds = combined_interval(0.0, [SeedVariance(3, 0.0, 0.0, 3.0)], 50)
    np.testing.assert_allclose(seeds, stats.t(2).interval(0.95))
    assert combined_interval(0.4, [SeedVariance(3, 0.0, 0.0, 0.0)], 50) == (0.4, 0.4)
    assert np.isnan(combined_interval(math.nan, [SeedVariance(3, 1.0, 0.0, 0.0)], 50)).all()


def test_it_holds_the_mean_over_all_seeds_where_patients_alone_do_not() -> None:
    rng = np.random.default_rng(3)
    held = {"both": 0, "patients": 0}
    for _ in range(200):
        points, draws = layout(rng, 3, 1.0, 0.5, 0.1)
        mean = float(np.mean(points))
        low, high = combined_interval(mean, [SeedVariance.of(points, draws)], PATIENTS)
        held["both"] += low <= 0 <= high
        low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
        held["patients"] += low <= 0 <= high
    assert 0.93 <= held["both"] / 200 <= 0.99
    assert held["patients"] / 200 < 0.88
