"""Statistics that statsmodels computes too, in its own way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logit
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import ttost_paired

from chestxpert.evaluation.agreement import Crossed
from chestxpert.evaluation.bootstrap import PatientDraws, two_sided_p
from chestxpert.evaluation.contrasts import holm
from chestxpert.evaluation.metrics import ratio
from chestxpert.evaluation.reliability import cox
from chestxpert.evaluation.uncertainty.jackknife import influences, jackknife_error, leave_out
from chestxpert.evaluation.uncertainty.multiplicity import benjamini_hochberg
from chestxpert.evaluation.uncertainty.seeds import SeedVariance
from chestxpert.evaluation.uncertainty.shares import wilson
from chestxpert.evaluation.uncertainty.smallest import Equivalence, detectable_difference

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@settings(max_examples=12, deadline=None)  # statsmodels takes a tenth of a second for Holm's
@given(P_VALUES)
def test_adjusted_p_values(p_values: list[float]) -> None:
    for ours, method in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        np.testing.assert_allclose(ours(p_values), multipletests(p_values, method=method)[1], atol=1e-12)


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilsons_interval(hits: int, n: int, level: float) -> None:
    hits = min(hits, n)
    expected = proportion_confint(hits, n, alpha=1 - level, method="wilson")
    np.testing.assert_allclose(wilson(hits / n, n, level), expected, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.05, 0.8), st.integers(20, 2000), st.floats(0.5, 0.95), st.integers(1, 8))
def test_the_detectable_difference_has_the_power_that_is_asked_for(
    effect: float, n: int, power: float, tests: int
) -> None:
    """A one-sample z test of n differences of spread 1: its error is the root of 1 / n."""
    found = detectable_difference(n**-0.5, tests, power=power)
    there = NormalIndPower().solve_power(nobs1=n, alpha=0.05 / tests, power=power, ratio=0, alternative="larger")
    assert found > there  # one-sided at .05 is easier than two-sided
    two_sided = NormalIndPower().power(found, nobs1=n, alpha=0.05 / tests, ratio=0, alternative="two-sided")
    assert two_sided == pytest.approx(power, abs=1e-4)  # and the other side's tail, which is next to nothing


@pytest.mark.parametrize("shift", [0.0, 0.006, 0.012, -0.008])
def test_equivalence_is_two_one_sided_paired_tests(shift: float) -> None:
    """Of means over patients with one image each, whose bootstrap is near to normal."""
    rng = np.random.default_rng(1)
    first = rng.normal(0.8, 0.1, 600)
    second = first - rng.normal(shift, 0.1, 600)
    draws = PatientDraws.draw([f"{k:03d}" for k in range(600)], 8000, 0)
    drawn = draws.totals((first - second)[:, None])[:, 0] / 600
    expected = ttost_paired(first, second, -0.01, 0.01)[0]
    assert Equivalence.of(drawn, 0.01).p == pytest.approx(expected, abs=0.015)
    assert two_sided_p(drawn) == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=0.03)


def test_slope_and_intercepts_are_those_of_a_binomial_model() -> None:
    rng = np.random.default_rng(2)
    probs = rng.beta(1, 5, (500, 3))
    truth = rng.random((500, 3)) < probs**0.8
    found = cox(truth, probs)
    for label in range(3):
        x = logit(probs[:, label])
        both = sm.GLM(truth[:, label].astype(float), sm.add_constant(x), sm.families.Binomial()).fit()
        large = sm.GLM(truth[:, label].astype(float), np.ones(500), sm.families.Binomial(), offset=x).fit()
        assert (found.intercept[label], found.slope[label]) == pytest.approx(both.params, rel=1e-6)
        assert found.in_the_large[label] == pytest.approx(large.params[0], rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=4, max_size=4))
def test_kappa(counts: list[int]) -> None:
    both, here, there, neither = counts
    crossed = Crossed(*(np.array([float(count)]) for count in (both, here, there, neither)))
    expected = cohens_kappa(np.array([[both, here], [there, neither]])).kappa
    assert crossed.kappa()[0] == pytest.approx(expected, abs=1e-12)


def test_the_jackknife_error_of_a_share_is_that_of_a_model_with_clusters() -> None:
    """Liang and Zeger's sandwich, which is linear where the jackknife is not: they differ by a few per cent."""
    rng = np.random.default_rng(3)
    owner = np.repeat(np.arange(120), rng.integers(1, 6, 120))
    found = rng.normal(size=120)[owner] + rng.normal(size=len(owner)) > 0.4
    model = sm.OLS(found.astype(float), np.ones(len(owner))).fit(cov_type="cluster", cov_kwds={"groups": owner})
    without = leave_out(PatientDraws.draw([f"{k:03d}" for k in owner], 1, 0))
    left = ratio(without.totals(found[:, None]), without.totals(np.ones((len(owner), 1))))[:, 0]
    assert jackknife_error(influences(left, found.mean())) == pytest.approx(model.bse[0], rel=0.02)
    naive = (found.mean() * (1 - found.mean()) / len(owner)) ** 0.5
    assert model.bse[0] > 1.2 * naive


def test_variances_of_seeds_and_patients_are_those_of_an_analysis_of_variance() -> None:
    """Two ways without replication: mean squares of seeds and of the residual, by patients and seeds."""
    rng = np.random.default_rng(4)
    seeds, patients = 4, 150
    values = rng.normal(0, 1, patients) + rng.normal(0, 0.6, (seeds, patients)) + rng.normal(0, 0.2, (seeds, 1))
    rows = [(value, s, p) for s, row in enumerate(values) for p, value in enumerate(row)]
    table = anova_lm(ols("y ~ C(s) + C(p)", pd.DataFrame(rows, columns=["y", "s", "p"])).fit())
    mean_squares = table["sum_sq"] / table["df"]
    draws = PatientDraws.draw([f"{p:03d}" for p in range(patients)], 6000, 0)
    parts = SeedVariance.of(list(values.mean(axis=1)), list((draws.totals(values.T) / patients).T))
    interaction = mean_squares["Residual"] / patients
    assert parts.interaction == pytest.approx(interaction, rel=0.08)
    assert parts.seed == pytest.approx(mean_squares["C(s)"] / patients - interaction, rel=0.08)
    assert parts.patients == pytest.approx(mean_squares["C(p)"] / seeds / patients, rel=0.08)
