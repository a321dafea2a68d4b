from __future__ import annotations

import numpy as np
import pytest

from chestxpert.evaluation.contrasts import RecipeValues, contrasts
from chestxpert.evaluation.uncertainty.seeds import SeedVariance
from chestxpert.evaluation.verdict import Setting, shown, verdict

SETTING = Setting(images=393, patients=276, simulated=False)
NOISE = np.random.default_rng(0).normal(0, 0.01, 1000)


def recipe(hierarchical: bool, test: float, wobble: float = 0.0, validation: float | None = None) -> RecipeValues:
    """A recipe whose draws move with the others', and `wobble` times apart from them."""
    own = np.random.default_rng(int(test * 1e6)).normal(0, 1, 1000) * wobble
    chosen = test if validation is None else validation
    return RecipeValues(hierarchical, chosen, {"macro_ap": test}, {"macro_ap": test + NOISE + own})


def sentence(recipes: dict[str, RecipeValues], setting: Setting = SETTING) -> str:
    return verdict(recipes, contrasts(recipes, ["macro_ap"]), "macro_ap", setting)


def test_a_difference_is_said_with_its_direction_size_interval_p_and_patients() -> None:
    said = sentence({"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.30, 0.005)})
    assert said.startswith("On 393 test images of 276 patients, macro average precision of the best hierarchical")
    for part in (
        "(shared)",
        "(flat-basic)",
        "both chosen on validation",
        "was higher",
        "by 0.050",
        "adjusted p = 0.002",
    ):
        assert part in said
    assert "no difference shown" not in said
    assert "was lower" in sentence({"flat-basic": recipe(False, 0.30), "shared": recipe(True, 0.25, 0.005)})


@pytest.mark.parametrize("patients", [1, 5])
def test_a_handful_of_patients_shows_nothing_however_sure_their_draws_are(patients: int) -> None:
    """Of five patients all swaps that agree are 2 of 32, which is above .05: no test could show anything."""
    few = Setting(images=20, patients=patients, simulated=False)
    apart = {"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.75)}
    assert "was higher" in sentence(apart)
    said = sentence(apart, few)
    assert "nothing shown between the best hierarchical recipe (shared) and the best flat one" in said
    assert "differs by +0.500, but of fewer than 6 patients no difference could be shown" in said
    assert "higher" not in said
    alike = {"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.25)}
    near = contrasts(alike, ["macro_ap"], margin=0.01)
    assert "are equivalent" in verdict(alike, near, "macro_ap", SETTING)
    assert "equivalent" not in verdict(alike, near, "macro_ap", few)
    alone = sentence({"flat-basic": recipe(False, 0.25)}, few)
    assert "of 0.250 (too few patients for an interval)" in alone


def test_an_interval_around_zero_is_no_difference_shown() -> None:
    said = sentence({"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.255, 0.02)})
    assert "no difference shown between the best hierarchical recipe (shared) and the best flat one" in said
    assert "differs by +0.005" in said
    assert "higher" not in said


def test_a_p_value_that_does_not_survive_adjustment_is_no_difference_shown() -> None:
    entry = {"difference": 0.02, "low": 0.001, "high": 0.04, "p_adjusted": 0.06}
    assert not shown(entry)
    assert shown({**entry, "p_adjusted": 0.04})
    assert not shown({**entry, "low": -0.001, "p_adjusted": 0.04})
    assert not shown({**entry, "p_adjusted": float("nan")})


def test_the_sides_are_those_chosen_on_validation() -> None:
    said = sentence(
        {
            "flat-basic": recipe(False, 0.4, validation=0.1),
            "flat-weighted": recipe(False, 0.2, validation=0.2),
            "shared": recipe(True, 0.3, 0.001),
        }
    )
    assert "(flat-weighted)" in said
    assert "flat-basic" not in said


def test_simulated_images_are_called_so_first() -> None:
    said = sentence({"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.30)}, Setting(50, 20, simulated=True))
    assert said.startswith("On simulated images (50 for testing, of 20 simulated patients), ")


@pytest.mark.parametrize(("hierarchical", "side"), [(False, "flat"), (True, "hierarchical")])
def test_one_side_alone_leaves_the_question_open(hierarchical: bool, side: str) -> None:
    said = sentence({"one": recipe(hierarchical, 0.25), "two": recipe(hierarchical, 0.30, 0.001)})
    assert "macro average precision of two was higher than that of one" in said
    assert said.endswith(f"only {side} recipes were compared, so whether a hierarchy helps stays open.")


def test_one_side_whose_baseline_is_best_is_told_by_the_runner_up() -> None:
    said = sentence({"flat-basic": recipe(False, 0.30), "b": recipe(False, 0.2, 0.001), "c": recipe(False, 0.1)})
    assert "of b was lower than that of flat-basic" in said


def test_one_recipe_alone_is_not_compared() -> None:
    said = sentence({"flat-basic": recipe(False, 0.25)})
    assert "flat-basic reached a macro average precision of 0.250 (95 % interval" in said
    assert "nothing is compared" in said


def test_an_undefined_metric_shows_nothing() -> None:
    nothing = RecipeValues(True, 0.5, {"macro_ap": np.nan}, {"macro_ap": np.full(10, np.nan)})
    flat = RecipeValues(False, 0.5, {"macro_ap": np.nan}, {"macro_ap": np.full(10, np.nan)})
    assert "not defined" in sentence({"flat-basic": flat, "shared": nothing})
    assert "not defined" in sentence({"flat-basic": flat})


def test_it_is_one_sentence_that_ends() -> None:
    said = sentence({"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.30)})
    assert said.endswith(".")
    assert ". " not in said


def test_no_difference_shown_says_how_large_one_would_have_to_be() -> None:
    recipes = {"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.255, 0.02)}
    smallest = contrasts(recipes, ["macro_ap"])[0]["mdd"]["adjusted"]
    said = sentence(recipes)
    assert f"with these patients a difference below about {smallest:.3f} would likely go unseen" in said
    assert 0.05 < smallest < 0.06  # 2.8 standard errors of .02
    assert said.endswith(".")
    assert ". " not in said
    assert "unseen" not in sentence({"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.30, 0.005)})


def test_equivalence_within_the_margin_is_said_with_its_90_percent_interval() -> None:
    recipes = {"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.251, 0.002)}
    said = verdict(recipes, contrasts(recipes, ["macro_ap"], margin=0.01), "macro_ap", SETTING)
    assert "(shared) and that of the best flat one (flat-basic)" in said
    assert "are equivalent within the margin of 0.01: they differ by +0.001 (90 % interval" in said
    for words in ("no difference shown", "unseen", "higher", "not equal"):
        assert words not in said
    wide = {"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.251, 0.02)}
    said = verdict(wide, contrasts(wide, ["macro_ap"], margin=0.01), "macro_ap", SETTING)
    assert "no difference shown" in said
    assert "equivalent" not in said


def test_a_difference_too_small_to_matter_is_both() -> None:
    recipes = {"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.254, 0.0005)}
    said = verdict(recipes, contrasts(recipes, ["macro_ap"], margin=0.01), "macro_ap", SETTING)
    assert "are equivalent within the margin of 0.01, though not equal (adjusted p = 0.00" in said


def test_doubts_about_a_difference_that_is_shown_are_said() -> None:
    recipes = {"flat-basic": recipe(False, 0.25), "shared": recipe(True, 0.30, 0.005)}

    def said(p: float) -> str:
        entries = contrasts(recipes, ["macro_ap"], permuted=lambda a, b: {"macro_ap": p})
        return verdict(recipes, entries, "macro_ap", SETTING)

    assert "; a permutation test does not confirm it (adjusted p = 0.080)." in said(0.08)
    assert "permutation" not in said(0.01)
    for name, values in recipes.items():
        seeds = {"macro_ap": SeedVariance(3, 1e-5, 0.0, 0.01)}
        recipes[name] = RecipeValues(
            values.hierarchical, values.validation, values.test, values.draws, seeds=seeds, patients=276
        )
    assert "was higher" in said(0.01)
    assert said(0.01).endswith("; networks trained with other seeds might not show it.")
