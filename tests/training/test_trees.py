"""Runs down other trees than the study's, and probabilities routed after training."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.cohort.tree import cohort_taxonomy, training_counts
from chestxpert.dataset import Dataset
from chestxpert.errors import RecipeError, RunError
from chestxpert.evaluation.inference import tempered
from chestxpert.evaluation.predictions import Predictions
from chestxpert.recipe import Recipe
from chestxpert.training.check import check_recipe
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import train_run

MakeRecipe = Callable[..., Recipe]
FAST = ("epochs=1", "freeze=true", "head.hidden=[8]", "head.dropout=[0]")


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("hierarchical-clinical", []),
        ("hierarchical-majority-3", []),
        ("hierarchical-cascade", ["taxonomy=majority-2"]),
    ],
)
def test_a_run_goes_down_the_tree_its_recipe_names_and_stores_it(
    name: str,
    overrides: list[str],
    tiny_dataset: Dataset,
    tiny_kit: NetworkKit,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
) -> None:
    recipe = tiny_recipe(name, *FAST, *overrides)
    result = train_run(recipe, tiny_dataset, tmp_path / "run", kit=tiny_kit)
    tree = cohort_taxonomy(recipe.taxonomy, tiny_dataset.cohort)
    assert Predictions.load(tmp_path / "run" / "predictions.parquet").taxonomy == tree
    assert result.evaluation["taxonomy"] == recipe.taxonomy
    assert list(result.evaluation["test"]["tree"]["nodes"]) == list(tree.nodes)
    environment = json.loads((tmp_path / "run" / "environment.json").read_text(encoding="utf-8"))
    assert environment["taxonomy"]["decisions"][0]["children"] == ["finding"]
    if recipe.architecture == "cascade":
        counts = training_counts(tiny_dataset.cohort)
        rare = set(tree.decisions[2].children)
        assert min(counts[name] for name in tree.decisions[1].children[:-1]) >= max(counts[name] for name in rare)


def test_a_run_is_not_resumed_down_a_tree_that_has_changed(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\ntree: {finding: [Effusion, Mass, {others: rest}]}\n", encoding="utf-8")
    recipe = tiny_recipe("hierarchical-shared", *FAST, f"taxonomy={mine}")
    first = train_run(recipe, tiny_dataset, tmp_path / "run", kit=tiny_kit)
    again = train_run(recipe, tiny_dataset, tmp_path / "run", kit=tiny_kit, resume=True)
    assert again.evaluation == first.evaluation
    mine.write_text("name: mine\ntree: {finding: [Effusion, {others: rest}]}\n", encoding="utf-8")
    with pytest.raises(RunError, match="down another tree"):
        train_run(recipe, tiny_dataset, tmp_path / "run", kit=tiny_kit, resume=True)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("taxonomy=clincal", "Recipe 'hierarchical-shared': There is no taxonomy 'clincal'.*'clinical'"),
        ("taxonomy=none.yaml", "Recipe 'hierarchical-shared': The taxonomy none.yaml cannot be read"),
        ("taxonomy=majority-13", "Recipe 'hierarchical-shared': majority-COUNT takes a count of 1 to 12"),
    ],
)
def test_a_tree_that_there_is_not_is_found_before_anything_is_made(
    override: str, words: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=words):
        train_run(tiny_recipe("hierarchical-shared", *FAST, override), tiny_dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_gate_changes_nothing_but_the_root_of_the_same_networks(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    plain = train_run(tiny_recipe("hierarchical-shared", *FAST), tiny_dataset, tmp_path / "plain", kit=tiny_kit)
    gated = train_run(tiny_recipe("hierarchical-gated", *FAST), tiny_dataset, tmp_path / "gated", kit=tiny_kit)
    one, other = (Predictions.load(run.folder / "predictions.parquet").frame for run in (plain, gated))
    np.testing.assert_allclose(other["given:finding"], one["given:finding"] ** 0.5)
    inner = [column for column in one if column.startswith("given:") and column != "given:finding"]
    pd.testing.assert_frame_equal(one[inner], other[inner], check_exact=True)
    np.testing.assert_allclose(other["Effusion"], one["Effusion"] / one["given:finding"] ** 0.5)
    assert "routing" not in plain.evaluation
    assert gated.evaluation["routing"] == {"kind": "gated", "alpha": 0.5}


@pytest.mark.parametrize("name", ["flat-basic", "hierarchical-shared"])
def test_temperatures_are_fitted_on_validation_and_stored(
    name: str, tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    plain = train_run(tiny_recipe(name, *FAST), tiny_dataset, tmp_path / "plain", kit=tiny_kit)
    recipe = tiny_recipe(name, *FAST, "routing.temperature=fit")
    fitted = train_run(recipe, tiny_dataset, tmp_path / "fit", kit=tiny_kit)
    heat = fitted.evaluation["routing"]["temperatures"]
    assert heat["chosen_on"] == "val"
    one, other = (Predictions.load(run.folder / "predictions.parquet").frame for run in (plain, fitted))
    decision, column = ("flat", "Effusion") if name == "flat-basic" else ("B", "given:Effusion")
    assert heat[decision] is not None
    np.testing.assert_allclose(other[column], tempered(one[column], heat[decision]))
    # Dividing logits by one number keeps the order of the images, so a flat run ranks as it did.
    if name == "flat-basic":
        assert fitted.evaluation["test"]["metrics"]["macro_ap"] == pytest.approx(
            plain.evaluation["test"]["metrics"]["macro_ap"]
        )


def test_a_flat_run_can_be_gated_and_is_consistent_then(
    tiny_dataset: Dataset, tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("flat-basic", *FAST, "routing={kind: gated, alpha: 2}")
    train_run(recipe, tiny_dataset, tmp_path / "run", kit=tiny_kit)
    frame = Predictions.load(tmp_path / "run" / "predictions.parquet").frame
    for finding in tiny_dataset.cohort.label_space.findings:
        assert (frame[finding] <= 1 - frame["No Finding"] + 1e-12).all()


def test_a_gate_needs_no_finding_and_says_so_first(tiny_dataset: Dataset, tiny_recipe: MakeRecipe) -> None:
    from chestxpert.labels import LabelSpace

    space = LabelSpace("without", tiny_dataset.cohort.label_space.findings, None)
    cohort = Cohort(tiny_dataset.cohort.table.drop(columns="No Finding"), space)
    assert check_recipe(tiny_recipe("hierarchical-shared"), cohort, 0) == ()
    with pytest.raises(RecipeError, match="needs No Finding, which the label space 'without' lacks"):
        check_recipe(tiny_recipe("hierarchical-gated"), cohort, 0)


def test_unknown_labels_go_down_a_deeper_tree(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path, hide: Callable[..., np.ndarray]
) -> None:
    folder = shutil.copytree(tiny_dataset.folder, tmp_path / "data")
    cohort = tiny_dataset.cohort
    known = hide(cohort.labels(), cohort.label_space, 0.2)
    table = cohort.table.copy()
    for column, label in enumerate(cohort.label_space.labels):
        table[label] = table[label].astype("boolean").mask(~known[:, column])
    Cohort(table, cohort.label_space).save(folder / "cohort.parquet")
    recipe = tiny_recipe("hierarchical-clinical", *FAST, "routing={kind: gated, alpha: 0.5, temperature: fit}")
    result = train_run(recipe, Dataset.load(folder), tmp_path / "run")
    inner = result.evaluation["test"]["levels"]["inner"]
    assert inner["opacity"]["n_known"] < result.evaluation["test"]["images"]
    assert all(value is None or value > 0 for value in list(result.evaluation["routing"]["temperatures"].values())[1:])
