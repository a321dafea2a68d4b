import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import RecipeError, UsageError
from chestxpert.labels import NIH15
from chestxpert.recipe import (
    DRAWS,
    LOSSES,
    Augment,
    Head,
    Loss,
    Optimizer,
    Oversample,
    Recipe,
    Routing,
    Sampling,
    Stage,
    StageDraw,
    Thin,
    head_comment,
    load_recipe,
    parse_recipe,
)

MINIMAL = "{name: x, architecture: flat}"


@pytest.mark.parametrize("kind", ["cutmix", "balanced-cutmix"])
def test_regions_cannot_be_pasted_into_features(kind: str) -> None:
    mix = f"sampling.mix.kind={kind}"
    assert load_recipe("flat-basic", [mix]).sampling.mix.kind == kind
    with pytest.raises(RecipeError, match=f"'mixup' and 'balanced-mixup' mix features too.*'{kind}'"):
        load_recipe("flat-basic", [mix, "freeze=true"])
    assert load_recipe("flat-basic", ["sampling.mix.kind=balanced-mixup", "freeze=true"]).freeze


shares = st.floats(0, 0.99)
names = st.text("abcXYZ019-_", min_size=1, max_size=8) | st.sampled_from(["1e3", "no", "null", "007"])
recipes = st.builds(
    Recipe,
    name=names,
    architecture=st.sampled_from(["flat", "cascade", "shared"]),
    size=st.none() | st.integers(32, 2048),
    epochs=st.integers(1, 100),
    freeze=st.booleans(),
    head=st.lists(st.tuples(st.integers(1, 4096), shares), max_size=3).map(
        lambda layers: Head(tuple(width for width, _ in layers), tuple(rate for _, rate in layers))
    ),
    sampling=st.builds(
        Sampling,
        thin=st.none() | st.builds(Thin, drop=st.dictionaries(st.sampled_from(NIH15.labels), shares)),
        oversample=st.none() | st.builds(Oversample, target=st.floats(0.01, 0.9), max_copies=st.integers(1, 20)),
    ),
    loss=st.builds(Loss, pos_weight=st.sampled_from(["none", "balanced"]))
    | st.builds(Loss, kind=st.sampled_from(sorted(LOSSES)))
    | st.builds(Loss, pos_weight=st.just("effective"), beta=st.floats(0, 0.999), deferred=shares),
    augment=st.builds(Augment, rotate=st.floats(0, 45), hflip=st.booleans()),
    optimizer=st.builds(Optimizer, lr=st.floats(1e-12, 1), weight_decay=st.floats(0, 1)),
    stage=st.builds(Stage, kind=st.just("tau-norm"), tau=st.none() | st.floats(0, 2))
    | st.builds(Stage)
    | st.builds(
        Stage,
        kind=st.just("crt"),
        settings=st.fixed_dictionaries({"epochs": st.integers(1, 50).map(float), "rate": st.floats(0.01, 9)}),
        draw=st.none() | st.builds(StageDraw, kind=st.sampled_from(sorted(DRAWS))),
    ),
    routing=st.builds(Routing, temperature=st.sampled_from(["none", "fit"]))
    | st.builds(Routing, kind=st.just("gated"), settings=st.fixed_dictionaries({"alpha": st.floats(0.01, 9)})),
)


@given(recipes)
def test_a_recipe_survives_yaml_whole(recipe: Recipe) -> None:
    text = recipe.to_yaml()
    assert parse_recipe(text) == recipe
    assert parse_recipe(text).to_yaml() == text
    thin = recipe.sampling.thin
    if thin is not None:  # dropping is done one after the other, so order is part of the meaning
        again = parse_recipe(text).sampling.thin
        assert again is not None
        assert list(again.drop) == list(thin.drop)


def test_overrides_reach_every_depth_and_are_typed_like_yaml() -> None:
    recipe = load_recipe(
        "flat-downsampled",
        [
            "size=128", "epochs = 3", "weights=none", "optimizer.lr=1e-4", "loss.pos_weight=none",
            "head.hidden=[8]", "head.dropout=[0]", "augment.hflip=true",
            "sampling.thin.drop.No Finding=0.5", "sampling.thin.protect=false",
        ],
    )  # fmt: skip
    assert (recipe.size, recipe.epochs, recipe.weights, recipe.optimizer.lr) == (128, 3, "none", 1e-4)
    assert (recipe.loss.pos_weight, recipe.head, recipe.augment.hflip) == ("none", Head((8,), (0.0,)), True)
    assert recipe.sampling.thin == Thin(
        {"Infiltration": 0.63, "Effusion": 0.4, "Atelectasis": 0.4, "No Finding": 0.5}, protect=False
    )
    assert load_recipe("flat-downsampled", ["sampling.thin=null"]).sampling == Sampling()
    assert parse_recipe("{name: x, architecture: flat, sampling: null}", overrides=["sampling.oversample.target=.1"])
    assert load_recipe("flat-basic", ["size=64", "size=null"]).size is None


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("size", "An override reads key=value"),
        ("=3", "An override reads key=value"),
        ("loss.=3", "An override reads key=value"),
        ("sise=64", r"flat-basic: unknown key 'sise'\. Did you mean 'size'"),
        ("optimizer.lrr=1", r"flat-basic: optimizer: unknown key 'lrr'\. Did you mean 'lr'"),
        ("size=big", "size takes a whole number, but got 'big'"),
        ("size.x=3", "size takes a whole number, but got {'x': 3}"),
        ("backbone.x=3", "'backbone' holds the value 'auto' and has no keys below it"),
        ("name=other", "cannot be overridden"),
        ("epochs=[", "override 'epochs=\\[' is no valid YAML"),
    ],
)
def test_a_wrong_override_is_named(override: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe("flat-basic", [override])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("size=31", "32 to 2048"),
        ("epochs=0", "epochs is at least 1"),
        ("patience=0", "patience is at least 1"),
        ("batch_size=1", "batch norm needs two rows"),
        ("views=-1", "views is at least 0"),
        ("architecture=flta", "Did you mean 'flat'"),
        ("head.hidden=[8]", "one rate a hidden layer"),
        ("head.hidden=[0, 1]", "widths of at least 1"),
        ("head.dropout=[1.0, 0]", r"rates in \[0, 1\)"),
        ("sampling.thin={drop: {Mass: 1.0}}", r"sampling\.thin\.drop\.Mass is a share"),
        ("sampling.oversample={target: 0}", "target is a share"),
        ("sampling.oversample={target: .1, max_copies: 0}", "max_copies is at least 1"),
        ("augment.rotate=90", "0 to 45 degrees"),
        ("augment.shift=.6", "a share of 0 to 0.5"),
        ("optimizer.lr=0", "above 0"),
        ("optimizer.lr=.inf", "finite"),
        ("optimizer.weight_decay=-1", "at least 0"),
        ("optimizer.warmup=1", r"share in \[0, 1\)"),
        ("optimizer.clip=-1", "at least 0"),
        ("loss.pos_weight=sqrd", "one of none, sqrt, balanced, effective.*Did you mean 'sqrt'"),
        ("loss={pos_weight: effective, beta: 1.0}", r"loss\.beta is in \[0, 1\)"),
        ("loss={pos_weight: sqrt, beta: 0.9}", "beta belongs to pos_weight: effective, but got 'sqrt'"),
        ("loss={pos_weight: sqrt, deferred: 1}", r"a share of the epochs in \[0, 1\)"),
        ("loss.deferred=.5", "defers the weights of loss.pos_weight, but got 'none'"),
        ("loss={kind: aucm, pos_weight: balanced}", "aucm balances by itself: pos_weight is none, but got 'balanced'"),
        ("loss={kind: focal, gamma: -1}", "loss.gamma is at least 0, but got -1"),
        ("loss={kind: focal, alpha: 2}", "loss.alpha is -1 to 1, but got 2"),
        ("loss={kind: robust_asymmetric, first: 2}", "loss.first is at most 1, but got 2"),
        ("loss={kind: ldam, gamma: 2}", "It belongs to loss.kind focal and distribution_balanced"),
        ("loss.kind=bcee", r"loss\.kind is one of .*bce.*Did you mean 'bce'"),
        ("loss.gama=2", "unknown key 'gama': loss.kind 'bce' takes no settings"),
        ("loss.pos_wieght=none", "Did you mean 'pos_weight'"),
        ("loss.kind=mine.py", "or FILE.py:FUNCTION"),
        ("sampling.draw.kind=instanse", "Did you mean 'instance'"),
        ("sampling.draw={kind: class-balanced, percent: 3}", "belongs to sampling.draw.kind ml-ros and ml-rus"),
        ("sampling.mix.kind=mixupp", "Did you mean 'mixup'"),
        ("routing.kind=gatted", r"routing\.kind is one of soft, gated, but got 'gatted'\. Did you mean 'gated'"),
        ("routing.kind=mine.py:route", "one of soft, gated"),
        ("routing.alpha=2", r"unknown key 'alpha'.*It belongs to routing\.kind gated"),
        ("routing={kind: gated, alpha: 0}", "alpha is a number above 0"),
        ("routing.temperature=fitt", "one of none, fit"),
        (
            "stage.kind=ctr",
            r"stage\.kind is one of none, crt, tau-norm, unconditional, but got 'ctr'\. Did you mean 'crt'",
        ),
        ("stage.kind=mine.py:stage", "one of none, crt"),
        ("stage={kind: crt, epochs: 2.5}", "stage.epochs is a whole number, but got 2.5"),
        ("stage={kind: crt, epochs: 0}", "stage.epochs is 1 to 10000"),
        ("stage={kind: crt, rate: 0}", "stage.rate is at least 1e-06"),
        ("stage.epochs=3", r"stage\.kind 'none' takes no settings.*It belongs to stage\.kind crt and unconditional"),
        ("stage={kind: crt, draw: {kind: instanse}}", "stage: draw: .*Did you mean 'instance'"),
        (
            "stage={kind: tau-norm, draw: {kind: instance}}",
            "draws the rows of crt and of unconditional, but got 'tau-norm'",
        ),
        ("stage={kind: crt, tau: 1}", "stage.tau belongs to stage.kind tau-norm, but got 'crt'"),
        ("stage={kind: tau-norm, tau: 2.1}", "stage.tau is an exponent of 0 to 2"),
        ("stage={kind: tau-norm, bias: 2}", "stage.bias is 0 to 1"),
        ("stage={kind: tau-norm, bias: 0}", "with stage.bias 0, stage.tau is a number, but got None"),
        ("stage.kind=unconditional", "architecture: shared.*a flat network has no path, but got 'flat'"),
        ("precision=half", "one of auto, float32, bfloat16"),
    ],
)
def test_values_out_of_range_are_refused(override: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        load_recipe("flat-basic", [override])
    assert "flat-basic" in str(caught.value)
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "a b", "a\\b"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="name becomes a folder"):
        Recipe(name, "flat")


def test_a_recipe_by_name_by_file_and_by_a_checkouts_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(MINIMAL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_recipe(mine) == load_recipe("mine.yaml") == Recipe("x", "flat")
    assert (
        load_recipe("flat-weighted") == load_recipe("flat-weighted.yaml") == load_recipe("recipes/flat-weighted.yaml")
    )
    (tmp_path / "flat-weighted.yaml").write_text(MINIMAL, encoding="utf-8")
    assert load_recipe("flat-weighted.yaml").name == "x"


def test_a_missing_file_of_ones_own_is_never_replaced_by_a_recipe_of_that_name() -> None:
    with pytest.raises(RecipeError, match="no such file"):
        load_recipe("mine/flat-weighted.yaml")


def test_a_misspelt_recipe_gets_the_near_name() -> None:
    with pytest.raises(RecipeError, match=r"There is no recipe 'flat-wieghted'.*Did you mean 'flat-weighted'"):
        load_recipe("flat-wieghted")
    with pytest.raises(RecipeError, match="Those that do: flat-basic, flat-weighted"):
        load_recipe("zzz")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.yaml"
    path.write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(RecipeError, match="cannot be read as text"):
        load_recipe(path)


def test_a_file_that_is_no_recipe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"empty\.yaml is empty"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "summary"),
    [("# mine: a network\nname: mine", "a network"), ("# a network", "a network"), ("name: mine", ""), ("", "")],
)
def test_the_head_comments_first_line(tmp_path: Path, text: str, summary: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert head_comment(path) == summary


def test_plain_values_are_what_any_yaml_reader_takes() -> None:
    recipe = load_recipe("flat-resampled")
    assert yaml.safe_load(recipe.to_yaml())["sampling"] == recipe.to_dict()["sampling"]


def keys_of(kind: type, prefix: str = "") -> Iterator[str]:
    for name in (item.name for item in fields(kind) if item.name != "settings"):
        hint = get_type_hints(kind)[name]
        inner = [part for part in (hint, *get_args(hint)) if is_dataclass(part)]
        if inner and get_origin(hint) is not Mapping:  # below a name, the same keys once more
            yield from keys_of(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_the_documentation_explains_every_key_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
    rows = [line for line in page.partition("## Every key")[2].splitlines() if line.startswith("| `")]
    explained = [key for row in rows for key in re.findall(r"`([a-z_.]+)`", row.split("|")[1])]
    assert sorted(explained) == sorted(keys_of(Recipe))


def test_only_a_shared_network_has_whole_paths_to_train_on() -> None:
    stage = "stage.kind=unconditional"
    assert load_recipe("hierarchical-shared", [stage]).stage.epochs == 4
    with pytest.raises(RecipeError, match=r"A cascade's networks are trained one after the other.*but got 'cascade'"):
        load_recipe("hierarchical-cascade", [stage])


def test_a_recipe_stored_before_there_were_stages_has_none() -> None:
    values = load_recipe("flat-basic").to_dict()
    del values["stage"]
    assert parse_recipe(yaml.safe_dump(values)) == load_recipe("flat-basic")
