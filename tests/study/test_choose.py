"""Which recipes a study compares: patterns, settings for those that take them, and sweeps."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.dataset import prepare
from chestxpert.errors import RecipeError, UsageError
from chestxpert.recipe import STUDY_RECIPES, Override, Recipe, builtin_recipes, load_recipe
from chestxpert.report import build_report
from chestxpert.study.choose import choose_recipes
from chestxpert.study.plan import StudyPlan, load_recipes
from chestxpert.study.run import run_study
from chestxpert.study.sweep import MOST_RECIPES, Sweep, unique_name, value_name

TINY = ["size=32", "backbone=test_resnet", "weights=none", "epochs=1", "batch_size=16", "precision=float32", "views=1"]


def names(*asked: str, sets: tuple[str, ...] = (), sweeps: tuple[str, ...] = ()) -> list[str]:
    return [recipe.name for recipe in choose_recipes(asked, sets, sweeps=sweeps).recipes]


def test_the_sweep_that_the_help_shows() -> None:
    recipes = load_recipes([], [], freeze=True, sweeps=["loss.kind=bce,focal,asl,ldam"])
    for recipe, (short, kind) in zip(
        recipes, [("bce", "bce"), ("focal", "focal"), ("asl", "asymmetric"), ("ldam", "ldam")], strict=True
    ):
        expected = load_recipe("flat-basic", [f"loss.kind={kind}", "freeze=true"])
        assert recipe == replace(expected, name=f"flat-basic-{short}")


def test_a_sweep_is_over_every_recipe_that_is_named_and_several_make_every_combination() -> None:
    sweeps = ("optimizer.lr=1e-3,1e-4", "augment.hflip=true,false")
    recipes = choose_recipes(["flat-focal", "hierarchical-shared"], ["size=64"], sweeps=sweeps).recipes
    assert [recipe.name for recipe in recipes] == [
        f"{name}-{lr}-{flip}"
        for name in ("flat-focal", "hierarchical-shared")
        for lr in ("0.001", "0.0001")
        for flip in ("true", "false")
    ]
    for recipe in recipes:
        base, lr, flip = re.fullmatch(r"(flat-focal|hierarchical-shared)-([\d.]+)-(\w+)", recipe.name).groups()  # type: ignore[union-attr]
        changed = load_recipe(base, ["size=64", f"optimizer.lr={lr}", f"augment.hflip={flip}"])
        assert recipe == replace(changed, name=recipe.name)


@pytest.mark.parametrize(
    ("sweep", "found"),
    [
        ("head.hidden=[512, 256],[64, 32]", ["512-256", "64-32"]),
        ("size=null,128", ["null", "128"]),
        ("optimizer.lr=1e-5,.5", ["1e-05", "0.5"]),
        ("loss.kind=lossés/mine.py:loss,'bce'", ["lossés-mine.py-loss", "bce"]),
        ("sampling.thin={drop: {No Finding: 0.5}},null", ["drop-No-Finding-0.5", "null"]),
        ("routing={kind: gated, alpha: 2},{kind: gated, alpha: 3}", ["kind-gated-alpha-2", "kind-gated-alpha-3"]),
        ("loss.kind=a/mine.py:f,a.mine.py:f,a-mine.py:f", ["a-mine.py-f", "a.mine.py-f", "a-mine.py-f-2"]),
        ("weights=W.pt,w.pt", ["W.pt", "w.pt-2"]),  # a disk that takes no notice of case holds both
        (f"weights={'x' * 50}1,{'x' * 50}2", ["x" * 40, "x" * 40 + "-2"]),
    ],
)
def test_values_are_read_as_yaml_and_become_folders_of_their_own(sweep: str, found: list[str]) -> None:
    assert names(sweeps=(sweep,)) == [f"flat-basic-{name}" for name in found]


@given(st.lists(st.text(max_size=60) | st.floats(allow_nan=False) | st.integers(), max_size=6))
def test_any_value_gives_a_safe_name_and_no_two_are_one(values: list[object]) -> None:
    taken: list[str] = []
    for value in values:
        name = unique_name(f"x-{value_name(value)}", taken)
        assert Recipe(name, "flat").name == name  # or it raises
        assert len(name) < 360
        assert "/" not in name
        taken.append(name)
    assert len({name.casefold() for name in taken}) == len(values)


def test_a_recipe_of_ones_own_keeps_its_name_before_a_sweeps(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: flat-basic-2\narchitecture: flat\n", encoding="utf-8")
    found = choose_recipes(["flat-basic", str(mine)], [], sweeps=["loss.kind=bce,focal"])
    assert [recipe.name for recipe in found.recipes] == [
        "flat-basic-bce", "flat-basic-focal", "flat-basic-2-bce", "flat-basic-2-focal",
    ]  # fmt: skip
    mine.write_text("name: flat-focal-2\narchitecture: flat\n", encoding="utf-8")
    found = choose_recipes(["flat-focal", str(mine)], [], sweeps=["loss.gamma=1,2"])
    assert [recipe.name for recipe in found.recipes] == ["flat-focal-1", "flat-focal-2-2", "flat-focal-2"]


def test_a_setting_applies_to_the_recipes_that_use_its_method_and_a_note_says_so() -> None:
    found = choose_recipes(["flat-asl", "hierarchical-shared"], ["loss.gamma_neg=2", "size=64"])
    asl, shared = found.recipes
    assert asl == load_recipe("flat-asl", ["loss.gamma_neg=2", "size=64"])
    assert shared == load_recipe("hierarchical-shared", ["size=64"])
    assert found.notes == ("loss.gamma_neg=2: applies to flat-asl; not used by hierarchical-shared",)
    assert found.told(3) == found.notes
    assert choose_recipes(["flat-asl", "flat-ral"], ["loss.gamma_neg=2"]).notes == ()


def test_a_swept_setting_leaves_those_alone_that_do_not_use_it() -> None:
    found = choose_recipes(["flat-asl", "hierarchical-shared"], [], sweeps=["loss.gamma_neg=1,2.5"])
    assert [recipe.name for recipe in found.recipes] == ["flat-asl-1", "flat-asl-2.5", "hierarchical-shared"]
    assert found.recipes[2] == load_recipe("hierarchical-shared")
    assert found.notes == (
        "sweep loss.gamma_neg: applies to flat-asl-1, flat-asl-2.5; not used by hierarchical-shared",
    )
    assert found.told(3)[-1] == (
        f"sweep: 3 recipes (at most {MOST_RECIPES}) x 3 seeds = 9 runs: flat-asl-1, flat-asl-2.5, hierarchical-shared"
    )
    assert "x 1 seed = 3 runs" in found.told(1)[-1]


def test_settings_follow_the_method_that_a_sweep_puts_in() -> None:
    swept = ("loss.kind=bce,focal,asl", "loss.gamma=1,2")
    assert names(sweeps=swept) == ["flat-basic-bce", "flat-basic-focal-1", "flat-basic-focal-2", "flat-basic-asl"]
    found = choose_recipes(["flat-asl"], ["loss.gamma=3"], sweeps=["loss.kind=focal,asl"])
    assert [recipe.loss.settings for recipe in found.recipes] == [
        {"gamma": 3.0, "alpha": 0.25}, load_recipe("flat-asl").loss.settings,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "sets", "sweeps", "words"),
    [
        (["flat-basic", "hierarchical-shared"], ["loss.gamma_neg=4"], [], "flat-basic: .*belongs to loss.kind asymm"),
        (["flat-asl", "flat-focal"], ["loss.gama_neg=4"], [], "flat-asl: .*Did you mean 'gamma_neg'"),
        (["flat-basic", "flat-asl"], ["loss.gama_neg=4"], [], "flat-basic: .*Did you mean 'gamma_neg' of loss.kind"),
        (["flat-basic"], ["lr=1"], [], r"Did you mean 'optimizer\.lr'"),
        (["flat-basic"], [], ["lr=1,2"], r"Did you mean 'optimizer\.lr'"),
        (["flat-basic"], [], ["loss.gamma_neg=1,2"], "belongs to loss.kind asymmetric"),
        (["flat-basic"], ["sampling.thin.protect=false"], [], "'drop' is missing"),
        (["flat-basic"], ["loss.beta=0.9999"], [], "No recipe of this study has a use for 'loss.beta=0.9999'"),
        (["flat-*"], ["epochs=0"], [], "epochs is at least 1"),
        ([], ["epochs=[", "size=64"], [], "no valid YAML"),
        ([], [], ["epochs"], "reads key=value"),
        ([], [], ["epochs="], "A sweep reads KEY=VALUE,VALUE"),
        ([], [], ["epochs=1,[2"], "sweep 'epochs=1,\\[2' is no valid YAML"),
        ([], [], ["name=a,b"], "cannot be overridden"),
        ([], [], ["loss.kind=asl,bce,asl"], "has the value asl twice"),
        ([], [], ["loss.kind=asl,asymmetric"], "same recipe twice: as flat-basic-asl and as flat-basic-asymmetric"),
        ([], ["epochs=3"], ["epochs=1,2"], "'epochs' is swept, so it cannot be set"),
        ([], [], ["epochs=1,2", "epochs=3,4"], "'epochs' is swept"),
        (["flat-weighted"], [], ["loss.kind=bce,aucm"], "aucm balances by itself"),
        (["flat-basic", "flat-cutm*"], ["freeze=true", "sampling.mix.alpha=2"], [], "only to recipes that a pattern"),
        (["flat-basic", "flat-*", "flat-basic"], [], [], "different names, but 'flat-basic' is named twice"),
        (["flat-z*"], [], [], "No recipe matches 'flat-z\\*'.*flat-basic"),
        (["flat-bsic"], [], [], "Did you mean 'flat-basic'"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: list[str], sets: list[str], sweeps: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):  # which RecipeError is one of
        choose_recipes(asked, sets, sweeps=sweeps)


def test_there_is_an_end_to_what_one_study_sweeps() -> None:
    ten = ",".join(map(str, range(1, 11)))
    assert len(names(sweeps=(f"epochs={ten}", f"patience={ten}"))) == 100 == MOST_RECIPES
    with pytest.raises(UsageError, match="make 1000 recipes, and a study compares at most 100"):
        choose_recipes([], [], sweeps=[f"{key}={ten}" for key in ("epochs", "patience", "views")])
    with pytest.raises(UsageError, match="make 200 recipes"):
        choose_recipes(["flat-basic", "flat-focal"], [], sweeps=[f"epochs={ten}", f"patience={ten}"])


def test_patterns_and_all() -> None:
    builtin = list(builtin_recipes())
    assert names("all") == builtin
    assert names("flat-*") == [name for name in builtin if name.startswith("flat-")]
    some = [name for name in builtin if name.startswith(("hierarchical-c", "hierarchical-s"))]
    assert names("hierarchical-[cs]*", "flat-basic") == [*some, "flat-basic"]
    assert some[:2] == ["hierarchical-cascade", "hierarchical-shared"]  # as the list has them
    assert names("flat-m*", "flat-mixup", "flat-mix*").count("flat-mixup") == 1
    assert names() == list(STUDY_RECIPES)


def test_a_pattern_leaves_out_what_the_settings_rule_out_and_says_so_but_a_name_does_not() -> None:
    found = choose_recipes(["flat-*"], [], freeze=True)
    assert "flat-cutmix" not in [recipe.name for recipe in found.recipes]
    assert len(found.recipes) == len(names("flat-*")) - 1
    (note,) = found.notes
    assert note.startswith("left out: flat-cutmix: freeze: true trains on features")
    with pytest.raises(RecipeError, match="flat-cutmix: freeze: true"):
        choose_recipes(["flat-*", "flat-cutmix"], [], freeze=True)


def test_a_files_name_may_hold_signs_of_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine[1].yaml").write_text("{name: mine, architecture: flat}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert names("mine[1].yaml") == ["mine"]


def test_long_notes_end_in_a_number() -> None:
    (note, _) = choose_recipes(["all"], ["loss.gamma=1"], freeze=True).notes
    assert re.search(r"applies to flat-db, flat-focal; not used by flat-basic, .* and \d+ more$", note)
    assert len(note) < 250


def test_a_sweeps_overrides_are_typed_and_say_what_they_are() -> None:
    assert Sweep.parse("optimizer.lr=1e-3,1").overrides == (
        Override(("optimizer", "lr"), 1e-3, "optimizer.lr=0.001"),
        Override(("optimizer", "lr"), 1, "optimizer.lr=1"),
    )


def test_a_swept_study_runs_reports_and_goes_on(tiny_nih: Path, tmp_path: Path) -> None:
    prepare(tiny_nih, tmp_path / "data", size=32, workers=1)

    def plan() -> StudyPlan:
        recipes = load_recipes(["flat-asl", "hierarchical-shared"], TINY, True, ["loss.gamma_neg=1,4"])
        return StudyPlan(tmp_path / "data", recipes, (0,))

    out = tmp_path / "study"
    comparison = run_study(plan(), out, draws=20)
    expected = ["flat-asl-1", "flat-asl-4", "hierarchical-shared"]
    assert sorted(path.name for path in (out / "runs").iterdir()) == expected
    assert list(comparison["recipes"]) == expected
    assert comparison["baseline"] == "flat-asl-1"  # the first value
    stored = yaml.safe_load((out / "study.yaml").read_text(encoding="utf-8"))["recipes"]
    assert [stored[name]["loss"].get("gamma_neg") for name in expected] == [1.0, 4.0, None]
    build_report(out)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<mark>  gamma_neg: 4.0</mark>" in page  # the one line in which it differs from the baseline
    assert "<mark>  margin: 0.05</mark>" not in page
    (out / "runs" / "flat-asl-4" / "seed-0" / "evaluation.json").unlink()
    again = run_study(plan(), out, resume=True, draws=20)
    assert again["contrasts"] == comparison["contrasts"]
