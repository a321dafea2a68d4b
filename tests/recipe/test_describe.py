"""Recipes and methods in words: nothing is left out, and what is said to differ does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chestxpert.recipe import (
    DRAWS,
    LOSSES,
    MIXES,
    ROUTINGS,
    STUDY_RECIPES,
    Loss,
    builtin_recipes,
    head_comment,
    load_recipe,
    recipes_folder,
)
from chestxpert.recipe.describe import describe_recipe, list_methods, list_recipes
from chestxpert.recipe.differences import (
    ABSENT,
    HEADINGS,
    SEVERAL,
    STUDY,
    base_of,
    differences,
    heading_of,
    study_recipes,
)


@pytest.fixture(scope="module")
def text() -> str:
    return list_recipes()


def groups(text: str) -> dict[str, list[str]]:
    """Names under each heading of the list, read back from its text."""
    found: dict[str, list[str]] = {}
    for part in text.split("\n\n")[:-1]:
        heading, *lines = part.splitlines()
        found[heading] = [line.split()[0] for line in lines]
    return found


def test_the_list_has_every_recipe_once_with_its_summary(text: str) -> None:
    listed = [name for names in groups(text).values() for name in names]
    assert sorted(listed) == sorted(builtin_recipes())
    for name, path in builtin_recipes().items():
        assert f"  {head_comment(path)}\n" in text
        assert f"\n  {name} " in text
    assert text.endswith(str(recipes_folder()))


def test_recipes_stand_under_what_they_change(text: str) -> None:
    found = groups(text)
    assert next(iter(found)) == STUDY
    assert found[STUDY] == list(STUDY_RECIPES)
    assert set(found) <= {STUDY, *HEADINGS, SEVERAL}
    assert {"flat-focal", "flat-asl", "flat-class-balanced"} <= set(found["the loss, and weights in it"])
    assert {"flat-ml-ros", "flat-repeat-factor"} <= set(found["which rows an epoch sees"])
    assert {"flat-mixup", "flat-cutmix"} <= set(found["how images are mixed"])
    assert {"hierarchical-clinical", "hierarchical-gated"} <= set(found["trees and routing"])
    assert {"flat-tta", "hierarchical-shared-tta"} <= set(found["how predictions are made"])


def test_a_recipe_of_ones_own_stands_beside_the_nearest_of_the_study() -> None:
    study = study_recipes()
    assert [base.name for base in study] == list(STUDY_RECIPES)
    for name, base in {
        "flat-weighted": "flat-basic",
        "flat-downsampled": "flat-weighted",
        "flat-resampled": "flat-downsampled",
        "hierarchical-cascade": "flat-basic",
        "hierarchical-shared": "flat-basic",
        "flat-focal": "flat-basic",
        "hierarchical-gated": "hierarchical-shared",
    }.items():
        found = base_of(load_recipe(name), study)
        assert found is not None
        assert found.name == base, name
    assert base_of(study[0], study) is None
    mine = replace(load_recipe("flat-focal", ["optimizer.lr=1e-4"]), name="mine")
    assert heading_of(mine, study) == SEVERAL
    assert heading_of(replace(mine, loss=Loss()), study) == "how training goes"
    impostor = load_recipe("flat-basic", ["epochs=1"])  # under a name of the study, but not of it
    assert base_of(impostor, study) == study[0]


def test_differences_are_those_keys_alone_and_of_both_sides() -> None:
    basic = load_recipe("flat-basic")
    assert differences(basic, replace(basic, name="other")) == {}
    assert differences(load_recipe("flat-focal"), basic) == {
        "loss.kind": ("focal", "bce"),
        "loss.gamma": (2.0, ABSENT),
        "loss.alpha": (0.25, ABSENT),
    }
    thinned = load_recipe("flat-basic", ["sampling.thin.drop={Mass: 0.5}", "head.hidden=[8, 4]"])
    assert differences(thinned, basic) == {
        "head.hidden": ((8, 4), (512, 256)),
        "sampling.thin.drop.Mass": (0.5, ABSENT),
        "sampling.thin.protect": (True, ABSENT),
    }
    assert differences(basic, thinned)["sampling.thin.protect"] == (ABSENT, True)


def test_one_recipe_is_its_file_and_what_it_changes() -> None:
    told = describe_recipe("hierarchical-gated")
    path = builtin_recipes()["hierarchical-gated"]
    assert told.startswith(path.read_text(encoding="utf-8").rstrip())
    assert told.endswith(f"Its file is {path}")
    _, shared, basic, _ = told.rsplit("\n\n", 3)
    assert shared.splitlines() == [
        "It differs from hierarchical-shared in",
        "  routing.kind: gated (hierarchical-shared: soft)",
        "  routing.alpha: 0.5 (hierarchical-shared: has none)",
    ]
    assert "  architecture: shared (flat-basic: flat)" in basic.splitlines()
    assert describe_recipe("flat-focal").count("It differs from") == 1
    assert "held against" in describe_recipe("flat-basic")


def test_a_file_of_ones_own_is_described_alike(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\narchitecture: flat\nhead: {hidden: [8], dropout: [0.5]}\nsize: 64\n", encoding="utf-8")
    told = describe_recipe(str(path))
    assert "  head.hidden: [8] (flat-basic: [512, 256])" in told
    assert "  size: 64 (flat-basic: null)" in told
    path.write_text("name: mine\narchitecture: flat\n", encoding="utf-8")
    assert "It is flat-basic under another name." in describe_recipe(str(path))


@pytest.mark.parametrize("catalogue", [LOSSES, DRAWS, MIXES, ROUTINGS], ids=["loss", "draw", "mix", "routing"])
def test_every_method_is_listed_with_settings_source_and_short_names(catalogue: dict) -> None:  # type: ignore[type-arg]
    text = list_methods()
    words = " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 110
    for name, method in catalogue.items():
        known_as = f" ({', '.join(method.aliases)})" if method.aliases else ""
        assert f"\n  {name}{known_as}\n" in text
        assert method.summary in words
        assert method.source in words
        for setting, default in method.settings.items():
            assert f"{setting} {default:g}" in words


def test_each_catalogue_stands_under_its_key_and_default() -> None:
    heads = [part.splitlines()[0] for part in list_methods().split("\n\n")]
    assert {"loss.kind, 'bce'", "sampling.draw.kind, 'instance'", "sampling.mix.kind, 'none'"} <= {
        head.partition(" unless")[0] for head in heads
    }
