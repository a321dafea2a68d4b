"""What stands beside each contrast: the second opinions, the difference that could be seen, equivalence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from chestxpert.evaluation.contrasts import RecipeValues, contrasts, holm
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts
from chestxpert.evaluation.uncertainty.intervals import bca
from chestxpert.evaluation.uncertainty.multiplicity import benjamini_hochberg
from chestxpert.evaluation.uncertainty.paired import analytic
from chestxpert.evaluation.uncertainty.seeds import SeedVariance
from chestxpert.evaluation.uncertainty.smallest import Equivalence, detectable_difference

RNG = np.random.default_rng(0)
COMMON, MOVES = RNG.normal(0, 0.02, 1000), RNG.normal(0, 0.5, 100)


def recipe(test: float, wobble: float = 0.002, seed_variance: float = 1e-6) -> RecipeValues:
    """A recipe whose macro AP and macro AUROC move with the others' and a little by themselves."""
    own = np.random.default_rng(int(test * 1e6))
    draws = test + COMMON + own.normal(0, wobble, 1000)
    names = ("macro_ap", "macro_auroc")
    truth = np.random.default_rng(1).random((60, 1)) < 0.4
    scores = truth + np.random.default_rng(2).normal(size=(60, 1)) + 0.1 * own.normal(size=(60, 1))
    return RecipeValues(
        False,
        0.5,
        dict.fromkeys(names, test),
        dict.fromkeys(names, draws),
        moves=dict.fromkeys(names, MOVES + own.normal(0, 0.05, 100)),
        seeds=dict.fromkeys(names, SeedVariance(3, 4e-4, 0.0, seed_variance)),
        auroc=AurocParts.of(truth, scores, np.arange(60) // 2).macro(),
        patients=100,
    )


RECIPES = {"flat-basic": recipe(0.30), "a": recipe(0.31), "b": recipe(0.301)}


def permuted(a: str, b: str) -> dict[str, float]:
    return {"macro_ap": {"a": 0.01, "b": 0.03}[a], "macro_auroc": 0.5}


def test_every_contrast_has_its_second_opinions() -> None:
    entries = contrasts(RECIPES, ["macro_ap", "macro_auroc"], permuted, margin=0.008)
    for entry in entries:
        a, b, metric = RECIPES[entry["a"]], RECIPES[entry["b"]], entry["metric"]
        differences = a.draws[metric] - b.draws[metric]
        assert entry["error"] == pytest.approx(differences.std(ddof=1))
        expected = bca(differences, entry["difference"], a.moves[metric] - b.moves[metric])
        assert (entry["bca"]["low"], entry["bca"]["high"]) == expected
        assert entry["seeds"]["low"] < entry["difference"] < entry["seeds"]["high"]
        assert ("obuchowski" in entry) == (metric == "macro_auroc")
        tested = Equivalence.of(differences, 0.008)
        assert entry["equivalence"]["p"] == tested.p
        assert entry["equivalence"]["margin"] == 0.008
    family = [entry for entry in entries if entry["metric"] == "macro_ap"]
    assert [entry["p_permutation"] for entry in family] == [0.01, 0.03]
    assert [entry["p_permutation_adjusted"] for entry in family] == holm([0.01, 0.03]).tolist()
    assert [entry["p_bh"] for entry in family] == benjamini_hochberg([entry["p"] for entry in family]).tolist()
    equivalences = [entry["equivalence"] for entry in family]
    assert [e["p_adjusted"] for e in equivalences] == holm([e["p"] for e in equivalences]).tolist()
    assert [e["equivalent"] for e in equivalences] == [False, True]  # apart by .010 and by .001


def test_the_difference_that_could_be_seen_counts_the_tests_of_the_family() -> None:
    for entry in contrasts(RECIPES, ["macro_ap"]):
        assert entry["mdd"] == {
            "alone": pytest.approx(detectable_difference(entry["error"])),
            "adjusted": pytest.approx(detectable_difference(entry["error"], 2)),
            "tests": 2,
            "power": 0.8,
        }


def test_seeds_widen_the_interval_by_their_own_variance() -> None:
    narrow, wide = (
        contrasts({"flat-basic": recipe(0.30, seed_variance=v), "a": recipe(0.31, seed_variance=v)}, ["macro_ap"])[0]
        for v in (0.0, 1e-4)
    )
    assert narrow["seeds"]["high"] - narrow["seeds"]["low"] == pytest.approx(
        2 * 1.984 * narrow["error"], rel=1e-3
    )  # t with 99 degrees of freedom
    assert wide["seeds"]["high"] - wide["seeds"]["low"] > 2 * 4.3 * (2e-4 / 3) ** 0.5


def test_without_a_margin_or_permutations_nothing_is_claimed_of_them() -> None:
    (first, _) = contrasts(RECIPES, ["macro_ap"])
    assert "equivalence" not in first
    assert math.isnan(first["p_permutation"])
    assert math.isnan(first["p_permutation_adjusted"])


def test_what_a_recipe_does_not_carry_is_not_told() -> None:
    bare = {
        name: RecipeValues(False, 0.5, {"macro_ap": values.test["macro_ap"]}, {"macro_ap": values.draws["macro_ap"]})
        for name, values in RECIPES.items()
    }
    for entry in contrasts(bare, ["macro_ap"]):
        assert entry["bca"] is None
        assert entry["seeds"] is None


def test_the_analytic_test_is_a_z_test() -> None:
    difference = RECIPES["a"].auroc.minus(RECIPES["b"].auroc)  # type: ignore[union-attr,arg-type]
    entry, error = analytic(difference, test=True), difference.errors()[0]
    assert entry["p"] == pytest.approx(2 * norm.sf(abs(difference.values[0]) / error))
    assert (entry["low"] + entry["high"]) / 2 == pytest.approx(difference.values[0])
    assert entry["high"] - entry["low"] == pytest.approx(2 * norm.ppf(0.975) * error)
    same = RECIPES["a"].auroc.minus(RECIPES["a"].auroc)  # type: ignore[union-attr,arg-type]
    assert analytic(same, test=True)["p"] == 1
    assert "p" not in analytic(difference)
