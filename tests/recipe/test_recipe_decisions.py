"""What decisions of a hierarchy do differently: what they inherit, what is refused, and that YAML keeps all of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import RecipeError
from chestxpert.recipe import (
    DecisionSettings,
    Draw,
    Head,
    Loss,
    Mix,
    Oversample,
    Recipe,
    Sampling,
    Thin,
    load_recipe,
    parse_recipe,
)

THINNED = "thin: {drop: {Infiltration: 0.5}}"


def decision(recipe: str, own: str) -> DecisionSettings:
    """Settings of decision B of a cascade, written as `own` beside the keys of `recipe`."""
    return parse_recipe(f"{{name: x, architecture: cascade, {recipe} decisions: {{B: {own}}}}}").decisions["B"]


@pytest.mark.parametrize(
    ("recipe", "own", "expected"),
    [
        ("", "{loss: {kind: focal}}", Loss("focal")),
        ("loss: {kind: focal, gamma: 3},", "{loss: {pos_weight: sqrt}}", Loss("focal", {"gamma": 3}, "sqrt")),
        ("loss: {kind: focal, gamma: 3},", "{loss: {alpha: -1}}", Loss("focal", {"gamma": 3, "alpha": -1})),
        ("loss: {kind: focal, gamma: 3},", "{loss: {kind: focal}}", Loss("focal", {"gamma": 3})),
        # Settings belong to a method; how positives are weighed does not.
        ("loss: {kind: focal, gamma: 3, pos_weight: sqrt},", "{loss: {kind: ldam}}", Loss("ldam", pos_weight="sqrt")),
        ("loss: {gamma: 3, kind: focal},", "{loss: {kind: bce}}", Loss("bce")),
        ("loss: {pos_weight: sqrt},", "{loss: {kind: bce}}", Loss("bce", pos_weight="sqrt")),
        # Nor do beta and deferred belong to another way of weighing.
        ("loss: {pos_weight: effective, beta: 0.9},", "{loss: {pos_weight: sqrt}}", Loss(pos_weight="sqrt")),
        ("loss: {pos_weight: sqrt, deferred: 0.5},", "{loss: {pos_weight: none}}", Loss()),
        (
            "loss: {pos_weight: effective, beta: 0.9, deferred: 0.5},",
            "{loss: {deferred: 0.25}}",
            Loss(pos_weight="effective", beta=0.9, deferred=0.25),
        ),
    ],
)  # fmt: skip
def test_a_loss_takes_from_the_recipe_what_it_does_not_name(recipe: str, own: str, expected: Loss) -> None:
    assert decision(recipe, own) == DecisionSettings(loss=expected)


@pytest.mark.parametrize(
    ("recipe", "own", "expected"),
    [
        ("", "{draw: {kind: class-balanced}}", Sampling(draw=Draw("class-balanced"))),
        (
            f"sampling: {{{THINNED}}},",
            "{draw: {kind: class-balanced}}",
            Sampling(Thin({"Infiltration": 0.5}), draw=Draw("class-balanced")),
        ),
        (f"sampling: {{{THINNED}}},", "{thin: null, mix: {kind: mixup}}", Sampling(mix=Mix("mixup"))),
        (f"sampling: {{{THINNED}}},", "{thin: {protect: false}}", Sampling(Thin({"Infiltration": 0.5}, protect=False))),
        (f"sampling: {{{THINNED}}},", "{thin: {drop: {Mass: 0.1}}}", Sampling(Thin({"Mass": 0.1}))),
        ("sampling: {draw: {kind: ml-ros, percent: 5}},", "{draw: {kind: ml-rus}}", Sampling(draw=Draw("ml-rus"))),
        (
            "sampling: {draw: {kind: ml-ros, percent: 5}},",
            "{oversample: {target: 0.1}}",
            Sampling(oversample=Oversample(0.1), draw=Draw("ml-ros", {"percent": 5})),
        ),
    ],
)  # fmt: skip
def test_sampling_takes_from_the_recipe_what_it_does_not_name(recipe: str, own: str, expected: Sampling) -> None:
    assert decision(recipe, f"{{sampling: {own}}}") == DecisionSettings(sampling=expected)


def test_a_head_and_a_backbone_take_from_the_recipe_what_they_do_not_name() -> None:
    own = decision("head: {hidden: [8], dropout: [0.1]},", "{head: {dropout: [0.2]}, backbone: resnet18}")
    assert own == DecisionSettings(head=Head((8,), (0.2,)), backbone="resnet18")


def test_each_network_of_a_cascade_has_a_recipe_and_that_of_a_shared_one_is_the_recipe_itself() -> None:
    recipe = parse_recipe(
        "{name: x, architecture: cascade, weights: none, decisions: {B: {backbone: resnet18}, C: {weights: w.pth}}}"
    )
    names = {name: (own.backbone, own.weights) for name in "ABC" for own in [recipe.network(name)]}
    assert names == {"A": ("auto", "none"), "B": ("resnet18", "none"), "C": ("auto", "w.pth")}
    assert all(recipe.network(name).decisions == {} for name in "ABC")
    shared = parse_recipe("{name: x, architecture: shared, decisions: {C: {loss: {kind: focal}}}}")
    assert shared.network("shared") is shared
    assert [shared.loss_of(name).kind for name in "ABC"] == ["bce", "bce", "focal"]


@pytest.mark.parametrize(
    ("architecture", "decisions", "words"),
    [
        ("flat", "{A: {loss: {kind: focal}}}", "'architecture: flat' makes none: 'cascade' and 'shared' do"),
        ("shared", "{C: {sampling: {draw: {kind: ml-ros}}}}", "decisions.C.sampling needs .*cascade.*one batch"),
        ("shared", "{C: {backbone: resnet18}}", "decisions.C.backbone needs 'architecture: cascade'.*one backbone"),
        ("shared", "{C: {loss: {kind: ldam}, weights: none}}", "decisions.C.weights needs .*one backbone"),
        ("shared", "{C: {head: {hidden: [], dropout: []}}}", "decisions.C.head needs .*computed together"),
        ("cascade", "{C: {}}", "decisions.C: a decision differs in one or more of loss, sampling, backbone"),
        ("cascade", "{C: {loss: null}}", "decisions.C: a decision differs in one or more of"),
        ("cascade", "{C: focal}", "decisions.C: expected keys and values, but got 'focal'"),
        ("cascade", "[C]", "decisions takes keys and values"),
        ("cascade", "{C: {los: {kind: focal}}}", "decisions.C: unknown key 'los'. Did you mean 'loss'"),
        ("cascade", "{C: {epochs: 3}}", "decisions.C: unknown key 'epochs'"),
        ("cascade", "{C: {loss: {kind: focl}}}", "decisions.C: loss: loss.kind is one of .*Did you mean 'focal'"),
        ("cascade", "{C: {loss: [focal]}}", "decisions.C: loss: expected keys and values"),
        ("cascade", "{C: {sampling: {draw: ml-ros}}}", "decisions.C: sampling: draw: expected keys and values"),
        ("cascade", "{C: {sampling: {thin: {drop: {Mass: 2}}}}}", "decisions.C: sampling: thin: .*is a share"),
    ],
)  # fmt: skip
def test_what_a_decision_cannot_do_is_refused_with_a_reason(architecture: str, decisions: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse_recipe(f"{{name: x, architecture: {architecture}, decisions: {decisions}}}")


def test_regions_cannot_be_pasted_into_features_for_one_decision_either() -> None:
    text = "{name: x, architecture: cascade, freeze: %s, decisions: {C: {sampling: {mix: {kind: cutmix}}}}}"
    assert parse_recipe(text % "false").network("C").sampling.mix.kind == "cutmix"
    with pytest.raises(RecipeError, match=r"decisions\.C: freeze: true trains on features"):
        parse_recipe(text % "true")


def test_overrides_reach_decisions_and_what_they_inherit() -> None:
    recipe = load_recipe("hierarchical-cascade-balanced", ["loss.kind=focal", "decisions.C.loss.gamma=3"])
    assert recipe.network("B").loss == Loss("focal")
    assert recipe.network("C").loss == Loss("focal", {"gamma": 3})
    assert recipe.network("C").sampling.draw.kind == "class-balanced"


def test_a_recipe_without_decisions_is_written_as_it_always_was() -> None:
    assert "decisions" not in load_recipe("hierarchical-cascade").to_yaml()
    assert "decisions" in load_recipe("hierarchical-cascade-balanced").to_yaml()


losses = st.sampled_from(
    [Loss(), Loss("focal", {"gamma": 3.0}), Loss(pos_weight="effective", beta=0.9, deferred=0.5), Loss("aucm")]
)
samplings = st.builds(
    Sampling,
    thin=st.none() | st.just(Thin({"Mass": 0.5, "Edema": 0.25}, protect=False)),
    oversample=st.none() | st.just(Oversample(0.1)),
    draw=st.sampled_from([Draw(), Draw("ml-ros", {"percent": 7.0}), Draw("progressive")]),
    mix=st.sampled_from([Mix(), Mix("mixup", {"alpha": 0.5})]),
)
settings: dict[str, st.SearchStrategy[Any]] = {
    "loss": losses, "sampling": samplings, "backbone": st.sampled_from(["auto", "resnet18"]),
    "weights": st.sampled_from(["none", "1e3"]), "head": st.sampled_from([Head(), Head((), ())]),
}  # fmt: skip
decisions = st.fixed_dictionaries({}, optional=settings).filter(bool).map(lambda own: DecisionSettings(**own))


@given(losses, samplings, st.dictionaries(st.sampled_from("ABC"), decisions))
def test_what_decisions_say_survives_yaml_whole(
    loss: Loss, sampling: Sampling, decisions: dict[str, DecisionSettings]
) -> None:
    """Whatever stands around them: in YAML a part that is written in full inherits nothing."""
    recipe = Recipe("x", "cascade", loss=loss, sampling=sampling, decisions=decisions)
    text = recipe.to_yaml()
    assert parse_recipe(text) == recipe
    assert parse_recipe(text).to_yaml() == text
