"""What reading an image costs, and early exit of stored cascades. Clocks are replaced: nothing here measures time."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError
from chestxpert.evaluation.early_exit import EarlyExit, EarlyRouting, typical_rows
from chestxpert.evaluation.scored import Operating
from chestxpert.models.classifier import Classifier
from chestxpert.recipe import load_recipe
from chestxpert.training.early_exit import decide_early
from chestxpert.training.networks import NetworkKit
from chestxpert.training.price import IMAGES, REPEATS, fastest
from chestxpert.training.run import train_run
from chestxpert.training.stored_run import StoredRun, read_run

TINY = (
    "size=32", "backbone=test_resnet", "weights=none", "epochs=2", "batch_size=16", "precision=float32", "views=1",
    "head.hidden=[8]", "head.dropout=[0.1]",
)  # fmt: skip
OTHER = "decisions.C.backbone=test_efficientnet"
RUNS = {
    "trained": ("hierarchical-cascade", "freeze=false"),
    "fixed": ("hierarchical-cascade", "freeze=true"),
    "routed": ("hierarchical-cascade", "freeze=true", "routing={kind: gated, alpha: 0.5, temperature: fit}"),
    "branches": ("hierarchical-cascade", "freeze=true", "taxonomy=branches.yaml"),
    "two-backbones": ("hierarchical-cascade", "freeze=true", OTHER),
    "two-trained": ("hierarchical-cascade", "freeze=false", OTHER),
    "flat": ("flat-basic", "freeze=true"),
    "shared": ("hierarchical-shared", "freeze=false"),
}
BRANCHES = "name: branches\ntree: {finding: {low: [Effusion, Atelectasis], other: rest}}\n"
ONE_NETWORK = ("flat", "shared")
TRAINED = ("trained", "two-trained", "shared")


class Work:
    """A clock that counts instead: 1 s for each image through a backbone, 1 ms for each through a head."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown = self.headed = 0
        features, head = Classifier.forward_features, Classifier.forward_head

        def forward_features(network: Classifier, images: torch.Tensor) -> torch.Tensor:
            self.shown += len(images)
            return features(network, images)

        def forward_head(network: Classifier, given: torch.Tensor) -> torch.Tensor:
            self.headed += len(given)
            return head(network, given)

        def fastest(wait: Callable[[], None], *works: Callable[[], object]) -> list[float]:
            return [self.of(work) for work in works]

        monkeypatch.setattr(Classifier, "forward_features", forward_features)
        monkeypatch.setattr(Classifier, "forward_head", forward_head)
        monkeypatch.setattr("chestxpert.training.price.fastest", fastest)

    def of(self, work: Callable[[], object]) -> float:
        shown, headed = self.shown, self.headed
        work()
        return self.shown - shown + 0.001 * (self.headed - headed)


@pytest.fixture(scope="module")
def runs(tiny_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs timed by `Work`; read only."""
    room = tmp_path_factory.mktemp("priced")
    with pytest.MonkeyPatch.context() as monkeypatch:
        Work(monkeypatch)
        monkeypatch.chdir(room)
        (room / "branches.yaml").write_text(BRANCHES, encoding="utf-8")
        return {
            name: train_run(load_recipe(recipe, [*TINY, *own]), tiny_dataset, room / name).folder
            for name, (recipe, *own) in RUNS.items()
        }


def cost_of(folder: Path) -> dict[str, Any]:
    cost: dict[str, Any] = json.loads((folder / "cost.json").read_text(encoding="utf-8"))
    return cost


def routed_of(run: StoredRun, dataset: Dataset) -> EarlyRouting:
    """What early exit would have done on the test images, from the stored answers to all questions."""
    nodes = Operating.choose(run.predictions, dataset.cohort).nodes
    given = run.predictions.align(dataset.cohort, "test")[1]
    assert nodes is not None
    assert given is not None
    routed = EarlyExit(run.tree, nodes.values).route_again(given)
    assert np.array_equal(routed.decisions, run.tree.route(given, nodes.values))
    return routed


@pytest.mark.parametrize("name", [name for name in RUNS if name not in ONE_NETWORK])
def test_early_exit_decides_what_hard_routing_of_the_runs_own_predictions_decides(
    name: str, runs: dict[str, Path], tiny_dataset: Dataset
) -> None:
    run = read_run(runs[name])
    expected = routed_of(run, tiny_dataset)
    found = decide_early(run, tiny_dataset, tiny_dataset.cohort.rows("test"))
    assert np.array_equal(found.decisions, expected.decisions)
    assert np.array_equal(found.asked, expected.asked)
    assert found.asked[:, 1:].sum() > 0


@pytest.mark.parametrize("name", ["fixed", "two-backbones"])
def test_where_features_are_not_at_hand_each_backbone_is_shown_only_what_is_asked_of_it(
    name: str, runs: dict[str, Path], tiny_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, expected = read_run(runs[name]), routed_of(read_run(runs[name]), tiny_dataset)
    folder = shutil.copytree(tiny_dataset.folder, tmp_path / "data", ignore=shutil.ignore_patterns("features"))
    work = Work(monkeypatch)
    found = decide_early(run, Dataset.load(folder), tiny_dataset.cohort.rows("test"))
    assert np.array_equal(found.decisions, expected.decisions)
    assert work.headed == expected.asked.sum()
    assert work.shown == len(expected.asked) + (expected.asked[:, 2].sum() if name == "two-backbones" else 0)
    assert not (folder / "features").exists()


def test_a_network_that_no_image_reaches_is_not_loaded(
    runs: dict[str, Path], tiny_dataset: Dataset, tmp_path: Path
) -> None:
    folder = shutil.copytree(runs["trained"], tmp_path / "run")
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    evaluation["thresholds"]["nodes"]["finding"]["threshold"] = 1.1
    (folder / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    for name in "BC":
        (folder / "checkpoints" / "best" / f"{name}.safetensors").unlink()
    rows = tiny_dataset.cohort.rows("test")
    found = decide_early(read_run(folder), tiny_dataset, rows)
    assert found.asked.sum() == len(rows)
    none = tiny_dataset.cohort.label_space.index("No Finding")
    assert found.decisions[:, none].all()
    assert found.decisions.sum() == len(rows)


@pytest.mark.parametrize("name", ONE_NETWORK)
def test_one_network_cannot_exit_early(name: str, runs: dict[str, Path], tiny_dataset: Dataset) -> None:
    with pytest.raises(RunError, match="answers everything at once"):
        decide_early(read_run(runs[name]), tiny_dataset, tiny_dataset.cohort.rows("test"))
    cost = cost_of(runs[name])
    assert cost["image_passes_per_image"] == cost["early_exit_image_passes_per_image"] == 1
    assert cost["early_exit_ms_per_image"] == cost["ms_per_image"] == pytest.approx(1001)
    assert "asked" not in cost


@pytest.mark.parametrize("name", [name for name in RUNS if name not in ONE_NETWORK])
def test_the_price_is_that_of_what_is_asked_of_the_test_images(
    name: str, runs: dict[str, Path], tiny_dataset: Dataset
) -> None:
    run, cost = read_run(runs[name]), cost_of(runs[name])
    asked, networks = routed_of(run, tiny_dataset).asked, len(run.tree.decisions)
    assert cost["image_passes_per_image"] == networks
    assert cost["early_exit_image_passes_per_image"] == pytest.approx(asked.sum(axis=1).mean(), abs=1e-4)
    assert list(cost["asked"]) == [decision.name for decision in run.tree.decisions]
    assert list(cost["asked"].values()) == pytest.approx(asked.mean(axis=0), abs=1e-4)
    batch = asked[typical_rows(asked, IMAGES)]
    if name in TRAINED:  # networks are run whole
        whole, early = 1001 * networks, 1001 * batch.sum() / IMAGES
    else:  # a backbone that networks share is shown each image once
        backbones = [[0, 1], [2]] if name == "two-backbones" else [list(range(networks))]
        shown = sum(batch[:, on_it].any(axis=1).sum() for on_it in backbones)
        whole, early = 1000 * len(backbones) + networks, (1000 * shown + batch.sum()) / IMAGES
    assert cost["ms_per_image"] == pytest.approx(whole, abs=1e-3)
    assert cost["early_exit_ms_per_image"] == pytest.approx(early, abs=1e-3)


def test_a_fixed_backbone_is_timed_once_for_all_runs_of_a_kit(
    tiny_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = [load_recipe(name, [*TINY, "freeze=true"]) for name in ("flat-basic", "hierarchical-shared")]
    kit = NetworkKit.create(recipes[0], tiny_dataset)
    work, shown = Work(monkeypatch), []
    for number, recipe in enumerate(recipes):
        train_run(recipe, tiny_dataset, tmp_path / str(number), kit=kit)
        shown.append(work.shown)
    assert shown[0] >= IMAGES
    assert shown[1] == shown[0]
    assert kit.backbone_times == {(IMAGES, 0): pytest.approx(IMAGES)}


def test_the_fastest_of_works_that_take_turns_is_told_without_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    clock = iter([0, 1, 1, 3, 10, 17, 20, 24, 30, 35, 40, 49, 50, 56, 60, 63])
    monkeypatch.setattr("chestxpert.training.price.time.perf_counter", lambda: next(clock))
    found = fastest(lambda: None, lambda: turns.append("a"), lambda: turns.append("b"))
    assert found == [5, 3]  # 1 and 2 of the first turn do not count
    assert turns == ["a", "b"] * (REPEATS + 1)
