"""Overrides: what another method drops, whom a setting belongs to, short names, and hints at near keys."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from chestxpert.errors import RecipeError
from chestxpert.recipe import (
    DRAWS,
    LOSSES,
    MIXES,
    ROUTINGS,
    Loss,
    Override,
    Recipe,
    chosen_parts,
    load_recipe,
    parse_recipe,
    recipe_text,
    used_overrides,
)

CATALOGUES = {"loss": LOSSES, "sampling.draw": DRAWS, "sampling.mix": MIXES, "routing": ROUTINGS}
ALIASES = [
    (key, alias, name)
    for key, catalogue in CATALOGUES.items()
    for name, method in catalogue.items()
    for alias in method.aliases
]


def test_every_part_that_chooses_a_method_is_found_with_its_catalogue() -> None:
    found = {".".join(path): part.catalogue for path, part in chosen_parts(Recipe).items()}
    assert CATALOGUES.items() <= found.items()
    assert all(part.what == ".".join(path) for path, part in chosen_parts(Recipe).items())


@pytest.mark.parametrize(("key", "alias", "name"), ALIASES)
def test_a_short_name_is_taken_and_the_name_is_stored(key: str, alias: str, name: str) -> None:
    recipe = load_recipe("flat-basic", [f"{key}.kind={alias}"])
    assert recipe == load_recipe("flat-basic", [f"{key}.kind={name}"])
    assert f"kind: {name}\n" in recipe.to_yaml()
    assert alias not in recipe.to_yaml().split()
    top, _, inner = key.partition(".")
    part = f"{{{inner}: {{kind: {alias}}}}}" if inner else f"{{kind: {alias}}}"
    assert parse_recipe(f"{{name: flat-basic, architecture: flat, {top}: {part}}}") == recipe


def test_short_names_mean_one_method_each() -> None:
    assert {("loss", "asl", "asymmetric"), ("loss", "ral", "robust_asymmetric")} <= set(ALIASES)
    assert {("loss", "db", "distribution_balanced"), ("loss", "ap", "average_precision")} <= set(ALIASES)
    for part in chosen_parts(Recipe).values():
        names = [*part.catalogue, *(alias for method in part.catalogue.values() for alias in method.aliases)]
        assert len(set(names)) == len(names)


def test_settings_of_a_short_name_are_those_of_the_method() -> None:
    assert load_recipe("flat-basic", ["loss={kind: asl, gamma_neg: 2}"]).loss.settings["gamma_neg"] == 2
    with pytest.raises(RecipeError, match=r"loss\.kind 'asymmetric' takes gamma_pos, gamma_neg, margin"):
        load_recipe("flat-basic", ["loss={kind: asl, gama: 2}"])
    assert Loss("asl", {"margin": 0.1}) == Loss("asymmetric", {"margin": 0.1})


def test_another_method_drops_the_settings_of_the_one_before() -> None:
    assert load_recipe("flat-asl", ["loss.kind=focal"]).loss == Loss("focal")
    # A setting of the same name is another method's too: it goes as well.
    odd = "{name: x, architecture: flat, loss: {kind: focal, gamma: 5, pos_weight: sqrt}}"
    assert parse_recipe(odd, overrides=["loss.kind=db"]).loss == Loss("distribution_balanced", pos_weight="sqrt")
    # What stands beside the change stays, in whatever order it is said; so does everything of the same method.
    for overrides in (["loss.kind=focal", "loss.gamma=3"], ["loss.gamma=3", "loss.kind=focal"]):
        assert load_recipe("flat-asl", overrides).loss == Loss("focal", {"gamma": 3})
    for name, setting in (("focal", "gamma"), ("asl", "margin")):
        kept = f"{{name: x, architecture: flat, loss: {{kind: {name}, {setting}: 0.5}}}}"
        assert parse_recipe(kept, overrides=[f"loss.kind={name}"]) == parse_recipe(kept)
    assert load_recipe("hierarchical-gated", ["routing.kind=soft"]).routing.settings == {}
    assert load_recipe("flat-ml-ros", ["sampling.draw.kind=rfs"]).sampling.draw.settings == {"threshold": 0.05}
    assert load_recipe("flat-basic", ["loss.kind=mine.py:loss", "loss.x=3"]).loss.settings == {"x": 3}


@pytest.mark.parametrize(
    ("recipe", "overrides", "used"),
    [
        ("flat-asl", ["loss.gamma_neg=4"], [0]),
        ("flat-basic", ["loss.gamma_neg=4"], []),
        ("flat-basic", ["loss.gamma_neg=4", "loss.kind=asl"], [0, 1]),
        ("flat-asl", ["loss.gamma_neg=4", "loss.kind=bce"], [1]),
        ("flat-basic", ["loss.x=4", "loss.kind=mine.py:loss"], [0, 1]),
        ("flat-basic", ["loss.pos_weight=sqrt", "loss.deferred=0.5", "loss.beta=0.9"], [0, 1]),
        ("flat-class-balanced", ["loss.beta=0.9", "loss.deferred=0.5"], [0, 1]),
        ("flat-basic", ["sampling.thin.protect=false", "sampling.oversample.max_copies=3"], []),
        ("flat-resampled", ["sampling.thin.protect=false", "sampling.oversample.max_copies=3"], [0, 1]),
        ("flat-basic", ["sampling.thin.drop.Mass=0.5", "sampling.thin.protect=false"], [0, 1]),
        ("flat-basic", ["sampling.oversample.target=0.1"], [0]),
        ("flat-mixup", ["sampling.mix.alpha=1", "sampling.draw.percent=3", "routing.alpha=2"], [0]),
        ("flat-basic", ["size=64", "optimizer.lr=1e-4", "sampling.thin=null", "loss={kind: focal}"], [0, 1, 2, 3]),
        # What nobody knows is for checking to refuse, unless it stands where a method's setting would.
        ("flat-basic", ["sise=64", "optimizer.lrr=1", "loss.gama=1"], [0, 1]),
    ],
)
def test_a_setting_is_used_by_a_recipe_whose_method_has_it(recipe: str, overrides: list[str], used: list[int]) -> None:
    found = used_overrides(recipe_text(recipe), recipe, overrides)
    assert [override.text for override in found] == [overrides[place] for place in used]


def test_an_override_keeps_its_words_and_reads_its_value_as_yaml() -> None:
    assert Override.parse("optimizer.lr = 1e-4") == Override(("optimizer", "lr"), 1e-4, "optimizer.lr = 1e-4")
    assert Override.parse("head.hidden=[8, 8]").value == [8, 8]
    assert load_recipe("flat-basic", [Override(("size",), 64, "size=64")]).size == 64


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("lr=1", r"flat-basic: unknown key 'lr'\. Did you mean 'optimizer\.lr'\?"),
        ("gamma_neg=1", r"unknown key 'gamma_neg'\. Did you mean 'loss\.gamma_neg'\?"),
        ("alpha=1", r"Did you mean 'sampling\.mix\.alpha' or 'loss\.alpha' or 'routing\.alpha'\?"),
        ("percent=1", r"Did you mean 'sampling\.draw\.percent' or 'stage\.draw\.percent'\?"),
        ("sampling.protect=1", r"sampling: unknown key 'protect'\. Did you mean 'thin\.protect'\?"),
        ("augmnt.rotate=1", r"unknown key 'augmnt'\. Did you mean 'augment'\?"),
        ("sampling.thn.protect=1", r"sampling: unknown key 'thn'\. Did you mean 'thin'\?"),
        ("tta.view=1", r"tta: unknown key 'view'\. Did you mean 'views'\?"),
        ("zzz=1", "The keys are: name, architecture"),
        ("loss.gama_neg=1", "Did you mean 'gamma_neg' of loss.kind asymmetric and robust_asymmetric"),
        ("loss.gamma_neg=1", "It belongs to loss.kind asymmetric and robust_asymmetric"),
        ("loss.kind=asll", "Did you mean 'asl'"),
        ("loss=focal", "expected keys and values, but got 'focal'. Did you mean 'kind: focal' below it?"),
        ("tta=4", "tta: expected keys and values, but got 4.$"),
    ],
)
def test_a_wrong_key_gets_the_near_one_wherever_it_stands(override: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe("flat-basic", [override])


def test_a_wrong_key_of_a_file_gets_the_near_one_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\narchitecture: flat\nhflip: true\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"unknown key 'hflip'\. Did you mean 'augment\.hflip'\?"):
        load_recipe(path)


def test_the_keys_of_a_loss_are_its_own_but_for_its_settings() -> None:
    assert Loss.own_keys() == {item.name for item in fields(Loss)} - {"settings"}
    assert {"gamma", "gamma_neg", "max_margin"} <= Loss.setting_names().keys()
