from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.evaluation.contrasts import (
    RecipeValues,
    baseline_of,
    contrast_pairs,
    contrasts,
    holm,
    ranked_by_validation,
)


def recipe(hierarchical: bool = False, validation: float = 0.5, test: float = 0.5, seed: int = 0) -> RecipeValues:
    draws = np.random.default_rng(seed).normal(test, 0.02, 500)
    return RecipeValues(hierarchical, validation, {"macro_ap": test}, {"macro_ap": draws})


def test_holm_on_published_examples() -> None:
    # R's documentation style: p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm"); then Wikipedia's worked example.
    np.testing.assert_allclose(holm([0.01, 0.02, 0.03, 0.04]), [0.04, 0.06, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_what_was_not_tested_out_of_the_family() -> None:
    np.testing.assert_allclose(holm([0.02, np.nan, 0.04]), [0.04, np.nan, 0.04])
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_its_stepwise_definition_rejects(p_values: list[float]) -> None:
    alpha, m = 0.05, len(p_values)
    rejected = np.zeros(m, dtype=bool)
    for step, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] * (m - step) > alpha:
            break
        rejected[index] = True
    np.testing.assert_array_equal(holm(p_values) <= alpha, rejected)


def test_the_baseline_is_flat_basic_else_the_first_flat_else_the_first() -> None:
    assert baseline_of({"x": recipe(), "flat-basic": recipe()}) == "flat-basic"
    assert baseline_of({"h": recipe(True), "x": recipe(), "y": recipe()}) == "x"
    assert baseline_of({"h": recipe(True), "i": recipe(True)}) == "h"


def test_the_best_is_chosen_on_validation_and_never_on_test() -> None:
    recipes = {
        "good-on-test": recipe(validation=0.3, test=0.9),
        "good-on-validation": recipe(validation=0.4, test=0.1),
        "undefined": recipe(validation=float("nan"), test=1.0),
    }
    assert ranked_by_validation(recipes, False) == ["good-on-validation", "good-on-test", "undefined"]


def test_every_recipe_meets_the_baseline_and_best_meets_best() -> None:
    recipes = {
        "flat-basic": recipe(validation=0.2),
        "flat-weighted": recipe(validation=0.4),
        "cascade": recipe(True, validation=0.1),
        "shared": recipe(True, validation=0.3),
    }
    assert contrast_pairs(recipes) == [
        ("flat-weighted", "flat-basic", "baseline"),
        ("cascade", "flat-basic", "baseline"),
        ("shared", "flat-basic", "baseline"),
        ("shared", "flat-weighted", "best"),
    ]


def test_a_pair_that_is_both_stands_once_as_best() -> None:
    recipes = {"flat-basic": recipe(validation=0.4), "shared": recipe(True, validation=0.3)}
    assert contrast_pairs(recipes) == [("shared", "flat-basic", "best")]


def test_a_contrast_is_paired_on_the_draws() -> None:
    """Two recipes that go up and down together differ clearly, though each one's interval is wide."""
    low, rng = recipe(test=0.30), np.random.default_rng(9)
    high = RecipeValues(
        True, 0.5, {"macro_ap": 0.31}, {"macro_ap": low.draws["macro_ap"] + rng.normal(0.01, 0.001, 500)}
    )
    (entry,) = contrasts({"flat-basic": low, "shared": high}, ["macro_ap"])
    assert entry["difference"] == pytest.approx(0.01)
    assert 0.005 < entry["low"] < 0.01 < entry["high"] < 0.015
    assert entry["p"] == pytest.approx(2 / 501)
    assert low.interval("macro_ap")[1] > high.interval("macro_ap")[0]


def test_p_values_are_adjusted_within_one_metric_at_a_time() -> None:
    recipes = {"flat-basic": recipe(), "a": recipe(seed=1), "b": recipe(seed=2)}
    for name, values in recipes.items():
        recipes[name] = RecipeValues(
            False, 0.5, {"m": 0.5, "n": 0.5}, {"m": values.draws["macro_ap"], "n": values.draws["macro_ap"] * 2}
        )
    entries = contrasts(recipes, ["m", "n"])
    assert [(entry["metric"], entry["a"]) for entry in entries] == [("m", "a"), ("m", "b"), ("n", "a"), ("n", "b")]
    for metric in ("m", "n"):
        family = [entry for entry in entries if entry["metric"] == metric]
        adjusted = holm([entry["p"] for entry in family])
        assert [entry["p_adjusted"] for entry in family] == adjusted.tolist()


def test_macro_average_precision_alone_has_the_basic_interval() -> None:
    draws = np.linspace(0.4, 0.6, 1001)
    values = RecipeValues(False, 0.5, {"macro_ap": 0.45, "macro_f1": 0.45}, {"macro_ap": draws, "macro_f1": draws})
    assert values.interval("macro_f1")[:2] == (pytest.approx(0.405), pytest.approx(0.595))
    assert values.interval("macro_ap")[:2] == (pytest.approx(0.9 - 0.595), pytest.approx(0.9 - 0.405))
