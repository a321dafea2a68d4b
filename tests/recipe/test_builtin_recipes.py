"""The recipes that come with ChestXpert: their order, their heads, and what each changes."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from chestxpert.labels import NIH15
from chestxpert.recipe import (
    LOSSES,
    STUDY_RECIPES,
    DecisionSettings,
    Draw,
    Head,
    Loss,
    Mix,
    Oversample,
    Routing,
    Sampling,
    Stage,
    Thin,
    Tta,
    builtin_recipes,
    head_comment,
    load_recipe,
    recipes_folder,
)

SIX = [
    "flat-basic", "flat-weighted", "flat-downsampled", "flat-resampled", "hierarchical-cascade", "hierarchical-shared",
]  # fmt: skip
OF_ONE_LOSS = {
    "flat-ap": "average_precision", "flat-asl": "asymmetric", "flat-aucm": "aucm", "flat-class-balanced": "bce",
    "flat-db": "distribution_balanced", "flat-focal": "focal", "flat-ldam-drw": "ldam", "flat-ral": "robust_asymmetric",
}  # fmt: skip
MINIMAL = "{name: x, architecture: flat}"


def test_the_six_recipes_of_the_study_come_first_and_in_reading_order() -> None:
    assert list(STUDY_RECIPES) == SIX
    assert list(builtin_recipes()) == [*SIX, *sorted(builtin_recipes().keys() - set(SIX))]
    assert set(OF_ONE_LOSS) <= builtin_recipes().keys()
    assert all(path.parent == recipes_folder() for path in builtin_recipes().values())


@pytest.mark.parametrize("name", OF_ONE_LOSS)
def test_a_recipe_of_a_loss_is_flat_basic_with_another_loss(name: str) -> None:
    recipe, basic = load_recipe(name), load_recipe("flat-basic")
    assert recipe == replace(basic, name=name, loss=recipe.loss)
    assert recipe.loss.kind == OF_ONE_LOSS[name]
    assert recipe.loss != basic.loss
    assert recipe.loss.settings == LOSSES[recipe.loss.kind].settings  # spelt out in the file, as in the papers


@pytest.mark.parametrize("name", builtin_recipes())
def test_each_recipe_is_valid_and_headed_by_what_it_is_and_its_command(name: str) -> None:
    path = builtin_recipes()[name]
    recipe = load_recipe(name)
    assert recipe.name == name
    backbone = "resnet152" if name == "hierarchical-cascade-depths" else "auto"
    assert (recipe.backbone, recipe.weights, recipe.freeze) == (backbone, "imagenet", False)
    assert recipe.head == Head((512, 256), (0.4, 0.4))
    head = path.read_text(encoding="utf-8").split("\nname:")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert f"chestxpert train {name} --data" in head
    assert "Expect:" in head
    assert len(head_comment(path)) > 20
    assert head_comment(path)[0] != "#"


def test_each_flat_recipe_changes_only_its_own_part_of_the_one_before() -> None:
    basic, weighted, downsampled, resampled = (load_recipe(name) for name in SIX[:4])
    thin = Thin({"Infiltration": 0.63, "Effusion": 0.4, "Atelectasis": 0.4, "No Finding": 0.95}, protect=True)
    oversample = Oversample(target=0.05, max_copies=8)
    assert (basic.loss, basic.sampling) == (Loss("bce"), Sampling())
    assert weighted == replace(basic, name="flat-weighted", loss=Loss("bce", pos_weight="balanced"))
    assert downsampled == replace(weighted, name="flat-downsampled", sampling=Sampling(thin))
    assert resampled == replace(downsampled, name="flat-resampled", sampling=Sampling(thin, oversample))
    # The original drops them one after the other, in this order.
    assert downsampled.sampling.thin is not None
    assert list(downsampled.sampling.thin.drop) == list(thin.drop)
    assert all(NIH15.canonical(name) == name for name in thin.drop)


def test_hierarchies_differ_from_flat_basic_in_their_architecture_alone() -> None:
    basic = load_recipe("flat-basic")
    for name, architecture in (("hierarchical-cascade", "cascade"), ("hierarchical-shared", "shared")):
        recipe = load_recipe(name)
        assert recipe == replace(basic, name=name, architecture=architecture)
        assert recipe.hierarchical
    assert not basic.hierarchical


@pytest.mark.parametrize(
    ("name", "sampling"),
    [
        ("flat-repeat-factor", Sampling(draw=Draw("repeat-factor", {"threshold": 0.05}))),
        ("flat-class-balanced-draw", Sampling(draw=Draw("class-balanced"))),
        ("flat-square-root", Sampling(draw=Draw("square-root"))),
        ("flat-progressive", Sampling(draw=Draw("progressive"))),
        ("flat-ml-ros", Sampling(draw=Draw("ml-ros", {"percent": 25}))),
        ("flat-ml-rus", Sampling(draw=Draw("ml-rus", {"percent": 25}))),
        ("flat-mixup", Sampling(mix=Mix("mixup", {"alpha": 0.2}))),
        ("flat-balanced-mixup", Sampling(mix=Mix("balanced-mixup", {"alpha": 0.2}))),
        ("flat-cutmix", Sampling(mix=Mix("cutmix", {"alpha": 1.0}))),
    ],
)
def test_recipes_of_sampling_differ_from_flat_basic_in_it_alone(name: str, sampling: Sampling) -> None:
    assert load_recipe(name) == replace(load_recipe("flat-basic"), name=name, sampling=sampling)


def test_other_trees_and_routings_differ_from_hierarchical_shared_by_that_alone() -> None:
    shared = load_recipe("hierarchical-shared")
    for name, change in {
        "hierarchical-clinical": {"taxonomy": "clinical"},
        "hierarchical-majority-3": {"taxonomy": "majority-3"},
        "hierarchical-gated": {"routing": Routing("gated", {"alpha": 0.5})},
    }.items():
        assert load_recipe(name) == replace(shared, name=name, **change)  # type: ignore[arg-type]


def test_recipes_with_a_second_stage_take_as_many_epochs_as_those_without() -> None:
    basic, shared = load_recipe("flat-basic"), load_recipe("hierarchical-shared")
    crt = Stage("crt", {"epochs": 4, "rate": 1.0})
    assert load_recipe("flat-crt") == replace(basic, name="flat-crt", epochs=8, stage=crt)
    assert load_recipe("flat-tau-norm") == replace(basic, name="flat-tau-norm", stage=Stage("tau-norm", {"bias": 1.0}))
    unconditional = Stage("unconditional", {"epochs": 4, "rate": 0.1})
    assert load_recipe("hierarchical-unconditional") == replace(
        shared, name="hierarchical-unconditional", epochs=8, stage=unconditional
    )
    for name in builtin_recipes():
        recipe = load_recipe(name)
        assert recipe.epochs + recipe.stage.epochs == basic.epochs, name


def test_decisions_are_all_that_their_recipes_change_in_the_cascade() -> None:
    cascade = load_recipe("hierarchical-cascade")
    balanced = {"C": DecisionSettings(sampling=Sampling(draw=Draw("class-balanced")))}
    assert load_recipe("hierarchical-cascade-balanced") == replace(
        cascade, name="hierarchical-cascade-balanced", decisions=balanced
    )
    depths = load_recipe("hierarchical-cascade-depths")
    assert depths == replace(
        cascade, name=depths.name, backbone="resnet152", decisions={"C": DecisionSettings(backbone="resnet101")}
    )
    assert [depths.network(name).backbone for name in "ABC"] == ["resnet152", "resnet152", "resnet101"]


def test_recipes_are_found_where_a_wheel_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An installed package has them inside itself, a checkout beside src; pyproject.toml names the place.
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["recipes"] == "chestxpert/recipes"
    inside = tmp_path / included["recipes"]
    inside.mkdir(parents=True)
    (inside / "only.yaml").write_text(MINIMAL, encoding="utf-8")
    monkeypatch.setattr("chestxpert.recipe.files.__file__", str(tmp_path / "chestxpert" / "recipe" / "files.py"))
    assert list(builtin_recipes()) == ["only"]


def test_recipes_that_average_views_differ_by_that_alone() -> None:
    for name, base in {"flat-tta": "flat-basic", "hierarchical-shared-tta": "hierarchical-shared"}.items():
        assert load_recipe(name) == replace(load_recipe(base), name=name, tta=Tta(4))
