"""Decisions that differ from their recipe: every wire from the recipe to the networks, the folder and back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import timm
import torch

from chestxpert.dataset import Dataset
from chestxpert.errors import RecipeError, RunError, WeightsError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.imbalance.weights import pos_weight, prior_logits
from chestxpert.recipe import Recipe
from chestxpert.study.plan import StudyPlan
from chestxpert.study.run import run_study
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.apply import predict
from chestxpert.training.check import check_recipe
from chestxpert.training.estimate import estimate_fine_tuning
from chestxpert.training.kits import Kits
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.rows import training_rows
from chestxpert.training.run import train_run
from chestxpert.training.stored_run import read_run
from chestxpert.training.task import tasks_for

MakeRecipe = Callable[..., Recipe]
HEAD = ("head.hidden=[8]", "head.dropout=[0.1]")
OTHER = "test_efficientnet"  # not the tiny recipes' backbone, and not of its number of features
DEPTHS = (*HEAD, f"decisions.C.backbone={OTHER}", "epochs=1")
B, C = slice(1, 7), slice(7, 16)  # columns of the study's tree over nih15
OWN_LOSSES = "decisions={B: {loss: {kind: focal, gamma: 3, alpha: 0.4}}, C: {loss: {pos_weight: balanced}}}"


def trainer(kit: NetworkKit, recipe: Recipe, number: int = 0) -> Trainer:
    cohort = kit.dataset.cohort
    task = tasks_for(recipe, cohort.labels(), cohort.label_space, study_taxonomy(cohort.label_space))[number]
    own = recipe.network(task.name)
    return kit.trainer(own, task, training_rows(own, cohort, task.eligible, 0), 0)


def environment_of(folder: Path) -> dict[str, Any]:
    environment: dict[str, Any] = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    return environment


def test_each_decision_of_a_shared_network_learns_by_its_own_loss(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    one = trainer(tiny_kit, tiny_recipe("hierarchical-shared", "freeze=true", *HEAD, OWN_LOSSES))
    rows = one.train_rows
    inputs, _ = next(one.source.eval_batches(rows, len(rows)))
    one.network.train()
    torch.manual_seed(5)
    x = one.source.forward(one.network, inputs).detach().double().numpy()
    torch.manual_seed(5)  # the same units drop out
    value = one.step(inputs, rows).item()
    y, known = one.task.targets[rows], one.task.known[rows]
    p = 1 / (1 + np.exp(-x))
    losses = -np.where(y, np.log(p), np.log(1 - p))
    losses[:, B] *= np.where(y, 0.4 * (1 - p) ** 3, 0.6 * p**3)[:, B]
    positive, negative = (y & known).sum(axis=0), (~y & known).sum(axis=0)
    odds = np.where((positive > 0) & (negative > 0), negative / np.maximum(positive, 1), 1.0)
    losses[:, C] *= np.where(y, odds, 1.0)[:, C]
    assert value == pytest.approx(losses[known].sum() / known.sum(), rel=1e-4)


def test_a_shared_network_starts_each_head_at_the_odds_of_its_loss(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    one = trainer(tiny_kit, tiny_recipe("hierarchical-shared", OWN_LOSSES))
    targets, known = one.task.targets[one.train_rows], one.task.known[one.train_rows]
    weight = np.ones(16, dtype=np.float32)
    weight[C] = pos_weight(targets[:, C], known[:, C])
    biases = torch.cat([out.bias for out in one.network.head.outs]).detach().numpy()  # type: ignore[union-attr]
    assert biases == pytest.approx(prior_logits(targets, known, weight))


def test_weights_are_deferred_decision_by_decision_and_patience_waits_for_the_last(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    weighed = "decisions={B: {loss: {pos_weight: sqrt, deferred: 0.25}}, C: {loss: {pos_weight: sqrt, deferred: 0.5}}}"
    one = trainer(tiny_kit, tiny_recipe("hierarchical-shared", "epochs=4", weighed))
    assert one.unweighted_epochs == 2
    assert one.weight is not None
    whole = one.weight.numpy()
    seen = []
    for done in range(4):
        one.state.epoch = done
        now = one._weight_now()
        seen.append(None if now is None else now.numpy())
    assert seen[0] is None
    assert np.array_equal(seen[1], np.concatenate([whole[:7], np.ones(9)]))
    assert all(np.array_equal(later, whole) for later in seen[2:])
    assert (whole[B] != 1).any()
    assert (whole[C] != 1).any()
    assert whole[0] == 1


def test_each_network_of_a_cascade_is_made_and_fed_as_its_decision_says(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(
        "hierarchical-cascade", *HEAD, "loss.kind=focal",
        f"decisions={{B: {{loss: {{kind: bce, pos_weight: sqrt}}, sampling: {{thin: {{drop: {{Effusion: 0.5}}}}}}}}, "
        f"C: {{backbone: {OTHER}, head: {{hidden: [4, 3], dropout: [0, 0]}}, "
        "sampling: {draw: {kind: class-balanced}, mix: {kind: mixup}}}}",
    )  # fmt: skip
    kits = Kits(tiny_dataset).of_networks(recipe, study_taxonomy(tiny_dataset.cohort.label_space))
    assert kits["A"] is kits["B"] is not kits["C"]
    networks = {name: trainer(kits[name], recipe, number) for number, name in enumerate("ABC")}
    assert [one.network.backbone.name for one in networks.values()] == ["test_resnet", "test_resnet", OTHER]
    assert [len(one.network.head.linears) for one in networks.values()] == [1, 1, 2]  # type: ignore[arg-type]
    assert [one.recipe.loss.kind for one in networks.values()] == ["focal", "bce", "focal"]
    assert [one.weight is not None for one in networks.values()] == [False, True, False]
    eligible = tiny_dataset.cohort.rows("train")
    of_b = eligible[networks["B"].task.eligible[eligible]]
    assert 0 < len(networks["B"].train_rows) < len(of_b)
    drawn = networks["C"]._draw(networks["C"]._epoch(1))
    assert len(set(drawn.tolist())) < len(drawn)
    assert sorted(networks["B"]._draw(networks["B"]._epoch(1))) == sorted(networks["B"].train_rows)
    assert [one.mixer._mix.kind for one in networks.values()] == ["none", "none", "mixup"]


@pytest.mark.parametrize("freeze", ["true", "false"])
def test_a_run_stores_each_networks_backbone_resumes_with_it_and_predicts_again_what_it_did(
    freeze: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe, out = tiny_recipe("hierarchical-cascade", *DEPTHS, f"freeze={freeze}"), tmp_path / "run"
    result = train_run(recipe, tiny_dataset, out)
    environment = environment_of(out)
    names = {name: backbone["name"] for name, backbone in environment["backbones"].items()}
    assert names == {"A": "test_resnet", "B": "test_resnet", "C": OTHER}
    prints = {name: start["weights_fingerprint"] for name, start in environment["start"]["networks"].items()}
    if freeze == "true":
        assert prints["A"] == prints["B"] == environment["start"]["weights_fingerprint"] != prints["C"]
    run = read_run(out)
    rows = np.concatenate([tiny_dataset.cohort.rows("val"), tiny_dataset.cohort.rows("test")])
    again = predict(run, tiny_dataset, rows).frame
    pd.testing.assert_frame_equal(again, run.predictions.frame, rtol=1e-5, atol=1e-7)
    assert train_run(recipe, tiny_dataset, out, resume=True).evaluation == json.loads(json.dumps(result.evaluation))
    environment["start"]["networks"]["C"]["weights_fingerprint"] = "0123456789ab"
    (out / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    with pytest.raises(RunError, match="another weights fingerprint of network C"):
        train_run(recipe, tiny_dataset, out, resume=True)
    if freeze == "true":
        with pytest.raises(RunError, match=f"kept its backbone {OTHER} fixed.*0123456789ab"):
            predict(read_run(out), tiny_dataset, rows)


def test_a_cascade_of_two_backbones_killed_between_networks_ends_with_the_same_bytes(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe("hierarchical-cascade", *DEPTHS, "decisions.C.sampling.draw.kind=class-balanced")
    train_run(recipe, tiny_dataset, tmp_path / "whole")
    make = NetworkKit.trainer

    def stop_at_c(self: NetworkKit, recipe: Recipe, task: Any, *rest: Any) -> Trainer:
        if task.name == "C":
            raise KeyboardInterrupt
        return make(self, recipe, task, *rest)

    monkeypatch.setattr(NetworkKit, "trainer", stop_at_c)
    with pytest.raises(KeyboardInterrupt):
        train_run(recipe, tiny_dataset, tmp_path / "cut")
    monkeypatch.undo()
    train_run(recipe, tiny_dataset, tmp_path / "cut", resume=True)
    whole, cut = (tmp_path / name / "predictions.parquet" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()


def test_a_run_that_auto_began_goes_on_with_what_each_network_began_with(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe("hierarchical-cascade", *DEPTHS, "decisions.C.backbone=auto", "freeze=true")
    monkeypatch.setattr("chestxpert.models.backbones.AUTO_FIRST", OTHER)
    train_run(recipe, tiny_dataset, tmp_path / "run")
    monkeypatch.setattr("chestxpert.models.backbones.AUTO_FIRST", "test_nfnet")
    (tmp_path / "run" / "evaluation.json").unlink()
    train_run(recipe, tiny_dataset, tmp_path / "run", resume=True)
    backbones = environment_of(tmp_path / "run")["backbones"]
    assert (backbones["C"]["asked"], backbones["C"]["name"]) == ("auto", OTHER)


def test_recipes_of_a_study_share_the_kits_of_their_networks_and_resume_with_them(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths = tiny_recipe("hierarchical-cascade", *DEPTHS, "freeze=true")
    flat = tiny_recipe("flat-basic", *HEAD, "epochs=1", "freeze=true", f"backbone={OTHER}")
    made: list[str] = []
    create = NetworkKit.create

    def watched(recipe: Recipe, *rest: Any, **named: Any) -> NetworkKit:
        made.append(recipe.backbone)
        return create(recipe, *rest, **named)

    monkeypatch.setattr(NetworkKit, "create", watched)
    plan = StudyPlan(tiny_dataset.folder, (depths, flat), (0,))
    run_study(plan, tmp_path / "study", draws=20)
    assert made == ["test_resnet", OTHER]
    run_study(plan, tmp_path / "study", resume=True, draws=20)
    text = (tmp_path / "study" / "study.yaml").read_text(encoding="utf-8")
    assert f"backbone: {OTHER}" in text
    (tmp_path / "study" / "study.yaml").write_text(text.replace(f"backbone: {OTHER}", "backbone: test_nfnet"))
    with pytest.raises(RunError):
        run_study(plan, tmp_path / "study", resume=True, draws=20)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("c", "a decision 'c', but the tree 'study' makes A, B, C. Did you mean 'C'"),
        ("minority", "a decision 'minority', but the tree 'study' makes A, B, C. Did you mean 'C'"),
        ("D", r"a decision 'D', but the tree 'study' makes A, B, C\.$"),
    ],
)
def test_a_decision_that_the_tree_does_not_make_is_found_before_anything_is_made(
    name: str, words: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    for architecture in ("hierarchical-cascade", "hierarchical-shared"):
        recipe = tiny_recipe(architecture, f"decisions.{name}.loss.kind=focal")
        with pytest.raises(RecipeError, match=f"Recipe '{architecture}' has settings for {words}"):
            train_run(recipe, tiny_dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_decisions_are_those_of_the_recipes_own_tree(tiny_dataset: Dataset, tiny_recipe: MakeRecipe) -> None:
    recipe = tiny_recipe("hierarchical-clinical", "decisions.pleural.loss.kind=focal")
    assert check_recipe(recipe, tiny_dataset.cohort, 0) == ()
    with pytest.raises(RecipeError, match=r"makes .*pleural.*Did you mean 'pleural'"):
        check_recipe(tiny_recipe("hierarchical-clinical", "decisions.plural.loss.kind=focal"), tiny_dataset.cohort, 0)


@pytest.mark.parametrize(
    ("own", "error"),
    [
        ("loss.kind=nowhere.py:mine", "no file nowhere.py"),
        ("sampling.mix.kind=nowhere.py:mine", "no file nowhere.py"),
        ("sampling.draw.kind=nowhere.py:mine", "no file nowhere.py"),
        ("sampling.thin={drop: {Efusion: 0.4}}", "Efusion"),
    ],
)
def test_what_one_decision_cannot_have_is_found_before_any_network_is_trained(
    own: str, error: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe
) -> None:
    with pytest.raises(RecipeError, match=error):
        check_recipe(tiny_recipe("hierarchical-cascade", f"decisions.C.{own}"), tiny_dataset.cohort, 0)


def test_an_estimate_times_each_backbone_and_counts_what_its_networks_see(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: dict[str, tuple[int, int]] = {}

    def rates(work: Any, steps: int) -> tuple[float, float]:
        timed[work.kit.backbone.name] = (work.trained, work.evaluated)
        return 1.0, 1.0

    monkeypatch.setattr("chestxpert.training.estimate._rates", rates)
    recipe = tiny_recipe("hierarchical-cascade", *DEPTHS)
    total = estimate_fine_tuning([recipe, recipe], Kits(tiny_dataset))
    alone = {}
    predicted = sum(len(tiny_dataset.cohort.rows(split)) for split in ("val", "test"))
    for number, name in enumerate("ABC"):
        one = trainer(NetworkKit.create(recipe.network(name), tiny_dataset), recipe, number)
        alone[name] = (2 * len(one.train_rows), 2 * len(one.val_rows) + 2 * predicted)
    assert timed[OTHER] == alone["C"]
    assert timed["test_resnet"] == tuple(a + b for a, b in zip(alone["A"], alone["B"], strict=True))
    assert total == sum(sum(counts) for counts in timed.values())


def test_weights_of_one_decision_are_its_own_and_a_file_says_which(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    path = tmp_path / "own.safetensors"
    safetensors.torch.save_file(timm.create_model(OTHER, pretrained=False).state_dict(), path)
    recipe = tiny_recipe("hierarchical-cascade", *DEPTHS, "freeze=true", f"decisions.C.weights={path}")
    train_run(recipe, tiny_dataset, tmp_path / "run")
    sources = {name: kit["source"] for name, kit in environment_of(tmp_path / "run")["backbones"].items()}
    assert sources["A"] == sources["B"] == "random"
    assert sources["C"].startswith(f"file: {path} (sha256 ")
    rows = tiny_dataset.cohort.rows("test")
    assert len(predict(read_run(tmp_path / "run"), tiny_dataset, rows)) == len(rows)


def test_weights_of_one_decision_that_cannot_be_had_are_missed_before_anything_is_trained(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    recipe = tiny_recipe("hierarchical-cascade", *DEPTHS, "decisions.C={backbone: resnet101, weights: imagenet}")
    with pytest.raises(WeightsError, match="resnet101"):
        train_run(recipe, tiny_dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_stored_run_of_a_version_without_decisions_is_read(
    tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("hierarchical-cascade", *HEAD, "epochs=1", "freeze=true")
    train_run(recipe, tiny_dataset, tmp_path / "run")
    text = (tmp_path / "run" / "recipe.yaml").read_text(encoding="utf-8")
    assert "decisions" not in text
    environment = environment_of(tmp_path / "run")
    assert not {"backbones", "networks"} & (environment.keys() | environment["start"].keys())
    assert isinstance(read_run(tmp_path / "run").predictions, Predictions)
