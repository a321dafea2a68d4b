"""Test-time augmentation: the mean it claims to be, of the views it claims to show, at no cost to whoever has none."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chestxpert.dataset import Dataset
from chestxpert.errors import RecipeError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.pixels.augment import augment, changed
from chestxpert.recipe import Recipe, Tta, load_recipe, parse_recipe
from chestxpert.streams import stream_seed
from chestxpert.training.apply import heads_of, predict
from chestxpert.training.checkpoints import Checkpoints, load_learned_state
from chestxpert.training.estimate import estimate_fine_tuning
from chestxpert.training.kits import Kits
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import train_run
from chestxpert.training.sources import PixelSource
from chestxpert.training.stored_run import read_run
from chestxpert.training.tta import mean_probability

MakeRecipe = Callable[..., Recipe]
VIEWS = 2
TTA = f"tta.views={VIEWS}"
NAMES = ["flat-basic", "hierarchical-shared", "hierarchical-cascade"]
FROZEN = ["freeze=false", "freeze=true"]


@pytest.fixture
def kit(tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path) -> NetworkKit:
    """A kit whose features go to a folder of the test's own."""
    return NetworkKit.create(tiny_recipe("flat-basic", "freeze=true"), replace(tiny_dataset, folder=tmp_path / "data"))


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def predictions(folder: Path) -> pd.DataFrame:
    return Predictions.load(folder / "predictions.parquet").frame


@given(arrays(np.float64, (3, 2, 4), elements=st.floats(-30, 30)))
def test_it_is_the_mean_of_the_probabilities(logits: np.ndarray) -> None:
    mean = sigmoid(logits).mean(axis=0)
    assert np.allclose(sigmoid(mean_probability(list(logits))), mean, rtol=1e-12, atol=0)
    # Seen from the other answer it is the same mean: 1 - p of one is p of the other.
    assert np.allclose(mean_probability(list(-logits)), -mean_probability(list(logits)), rtol=0, atol=1e-12)


def test_a_mean_worked_out_by_hand() -> None:
    # p = 1/2 and 9/10: the mean is 7/10, its odds 7 to 3. The mean of the logits would have odds 3 to 1.
    assert mean_probability([np.zeros((1, 1)), np.full((1, 1), math.log(9))])[0, 0] == pytest.approx(math.log(7 / 3))


def test_no_view_is_so_sure_that_the_mean_rounds_to_certainty() -> None:
    sure = mean_probability([np.array([[800.0, -800.0]]), np.array([[900.0, -900.0]])])
    assert sure == pytest.approx(np.array([[800 + math.log(2), -800 - math.log(2)]]))  # half the odds of the nearer


def plain_images(dataset: Dataset, rows: np.ndarray) -> torch.Tensor:
    place = dataset.pixel_rows(dataset.cohort.table["image_id"].to_numpy()[rows])
    return torch.from_numpy(dataset.store.pixels[place].copy())[:, None].float()


def images_in_view(dataset: Dataset, recipe: Recipe, rows: np.ndarray, view: int) -> torch.Tensor:
    """Each image for itself, changed by the draws that the view's name seeds."""
    images = plain_images(dataset, rows)
    if view == 0:
        return images
    seed = stream_seed(0, "tta", view)
    return torch.cat([augment(image[None], recipe.augment, torch.Generator().manual_seed(seed)) for image in images])


def conditionals_by_hand(folder: Path, kit: NetworkKit) -> np.ndarray:
    """Mean over the views of what the run's stored networks say of its val and test images, in float64."""
    run, cohort = read_run(folder), kit.dataset.cohort
    rows = np.concatenate([cohort.rows("val"), cohort.rows("test")])
    columns = []
    for name, head in heads_of(run):
        network = kit.classifier(run.recipe, head, seed=0)
        load_learned_state(network, Checkpoints(folder / "checkpoints", name).load_best())
        network.eval()
        views = []
        for view in range(1 + VIEWS):
            images = images_in_view(kit.dataset, run.recipe, rows, view)
            with torch.inference_mode():
                logits = network.forward_head(network.forward_features(network.normalise(images)))
            views.append(sigmoid(logits.double().numpy()))
        columns.append(np.mean(views, axis=0))
    return np.concatenate(columns, axis=1)


@pytest.mark.parametrize("freeze", FROZEN)
@pytest.mark.parametrize("name", NAMES)
def test_a_run_predicts_the_mean_over_its_views_and_trains_as_without(
    name: str, freeze: str, kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    for out, own in (("without", ()), ("with", (TTA,))):
        train_run(tiny_recipe(name, freeze, "epochs=2", *own), kit.dataset, tmp_path / out, kit=kit)
    networks = [path.name for path in (tmp_path / "with" / "checkpoints" / "best").iterdir()]
    assert len(networks) == (3 if name == "hierarchical-cascade" else 1)
    for network in networks:
        both = [(tmp_path / out / "checkpoints" / "best" / network).read_bytes() for out in ("without", "with")]
        assert both[0] == both[1]
    timeless = [
        [{**json.loads(line), "seconds": 0} for line in (tmp_path / out / "metrics.jsonl").read_text().splitlines()]
        for out in ("without", "with")
    ]
    assert timeless[0] == timeless[1]  # early stopping looks at plain images, with and without
    stored = Predictions.load(tmp_path / "with" / "predictions.parquet")
    given_by_hand = conditionals_by_hand(tmp_path / "with", kit)
    got = stored.probs if stored.conditionals is None else stored.conditionals
    tolerance = 2e-3 if freeze == "freeze=true" else 1e-6  # features lie in float16 on disk
    assert np.allclose(got, given_by_hand, rtol=0, atol=tolerance)
    without = predictions(tmp_path / "without")
    assert not np.allclose(without.iloc[:, 2:], stored.frame.iloc[:, 2:], rtol=0, atol=1e-5)
    if stored.taxonomy is not None:
        product = stored.taxonomy.marginals_from_conditionals(given_by_hand)
        assert np.allclose(stored.probs, product, rtol=0, atol=tolerance)
        finding = 1.0 - stored.frame["No Finding"].to_numpy()
        findings = list(stored.label_space.findings)
        assert (stored.frame[findings].to_numpy() <= finding[:, None] + 1e-12).all()


def test_a_view_is_the_same_change_of_every_image_whatever_stands_beside_it(kit: NetworkKit) -> None:
    source = kit.source(replace(kit.recipe, freeze=False))
    rows = np.array([3, 8, 5, 11])
    together = [torch.cat([part for part, _ in source.eval_batches(rows, 3, view)]) for view in (0, 1, 2)]
    alone = torch.cat([part for part, _ in source.eval_batches(rows[2:3], 9, 2)])
    assert torch.equal(together[2][2:3], alone)
    assert torch.equal(together[0], plain_images(kit.dataset, rows))
    for view in (1, 2):
        assert torch.allclose(together[view], images_in_view(kit.dataset, kit.recipe, rows, view))
        assert not torch.equal(together[view], together[0])
    assert not torch.equal(together[1], together[2])


def test_a_change_without_strength_is_none() -> None:
    images, still = torch.full((2, 1, 8, 8), 7.0), load_recipe("flat-basic").augment
    still = replace(still, rotate=0, shift=0, scale=0, brightness=0, contrast=0)
    assert not still.changes
    assert torch.equal(changed(images, still, torch.ones(2, 7)), images)
    assert replace(still, hflip=True).changes


def feature_files(kit: NetworkKit) -> dict[str, bytes]:
    folder = kit.dataset.folder / "features"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_whoever_does_not_average_pays_nothing_and_keeps_the_same_features(
    kit: NetworkKit, tiny_recipe: MakeRecipe
) -> None:
    everything, train = len(kit.dataset.cohort), len(kit.dataset.cohort.rows("train"))
    assert kit.feature_passes() == everything + train
    kit.source(tiny_recipe("flat-basic", "freeze=true"))
    before = feature_files(kit)
    assert len(before) == 3  # the plain view, one training view, and what they are of
    recipe = tiny_recipe("hierarchical-shared", "freeze=true", TTA)
    assert NetworkKit.shared_key(recipe) == NetworkKit.shared_key(kit.recipe)
    kit.source(recipe)
    after = feature_files(kit)
    added = after.keys() - before.keys()
    assert {name: after[name] for name in before} == before
    assert len(added) == VIEWS
    features = [np.load(kit.dataset.folder / "features" / name) for name in added]
    assert {len(array) for array in features} == {everything - train}
    assert kit.feature_passes() == 0


def test_views_are_computed_once_and_go_on_after_a_kill(
    kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe("flat-basic", "freeze=true", TTA)
    kit.source(recipe)
    whole = feature_files(kit)
    (lost,) = kit.dataset.folder.glob("features/*/averaged-2-*.npy")
    lost.unlink()
    loaded: list[int] = []
    from chestxpert.training.sources import PixelSource

    load = PixelSource.load_view

    def watched(self: PixelSource, rows: np.ndarray, view: int) -> torch.Tensor:
        loaded.extend([view] * len(rows))
        return load(self, rows, view)

    monkeypatch.setattr(PixelSource, "load_view", watched)
    again = NetworkKit.create(kit.recipe, kit.dataset)
    again.source(recipe)
    predicted = len(kit.dataset.cohort) - len(kit.dataset.cohort.rows("train"))
    assert loaded == [2] * predicted
    again.source(recipe)
    again.source(replace(recipe, tta=Tta(1)))  # fewer views are among them
    assert loaded == [2] * predicted
    assert feature_files(again) == whole


def test_a_features_view_belongs_to_its_row(kit: NetworkKit, tiny_recipe: MakeRecipe) -> None:
    recipe = tiny_recipe("flat-basic", "freeze=true", TTA)
    source = kit.source(recipe)
    rows = kit.dataset.cohort.rows("test")[::-1][:5]
    features, _ = next(source.eval_batches(rows, 5, 2))
    network = kit.classifier(recipe, 1, seed=0).eval()
    with torch.inference_mode():
        images = images_in_view(kit.dataset, recipe, rows, 2)
        direct = network.forward_features(network.normalise(images))
    assert np.allclose(features.numpy(), direct.numpy(), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("freeze", FROZEN)
def test_a_killed_run_goes_on_to_the_same_bytes(
    freeze: str, kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe("hierarchical-cascade", freeze, "epochs=1", TTA)
    train_run(recipe, kit.dataset, tmp_path / "whole", kit=kit)
    make = NetworkKit.trainer

    def stop_at_c(self: NetworkKit, recipe: Recipe, task: object, *rest: object) -> object:
        if task.name == "C":  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return make(self, recipe, task, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(NetworkKit, "trainer", stop_at_c)
    with pytest.raises(KeyboardInterrupt):
        train_run(recipe, kit.dataset, tmp_path / "cut", kit=kit)
    monkeypatch.undo()
    train_run(recipe, kit.dataset, tmp_path / "cut", kit=kit, resume=True)
    pd.testing.assert_frame_equal(predictions(tmp_path / "whole"), predictions(tmp_path / "cut"), check_exact=True)


@pytest.mark.parametrize("freeze", FROZEN)
def test_a_finished_run_averages_on_other_images_as_on_its_own(
    freeze: str, tiny_dataset: Dataset, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    train_run(tiny_recipe("hierarchical-shared", freeze, "epochs=1", TTA), tiny_dataset, folder)
    run, cohort = read_run(folder), tiny_dataset.cohort
    own = predict(run, tiny_dataset, np.concatenate([cohort.rows("val"), cohort.rows("test")]))
    pd.testing.assert_frame_equal(own.frame, predictions(folder), check_exact=True)
    # Elsewhere any image may be asked for, those of a training side too, and in any company.
    elsewhere = replace(tiny_dataset, folder=tmp_path / "elsewhere")
    some = np.array([cohort.rows("test")[4], cohort.rows("train")[7]])
    pair, single = predict(run, elsewhere, some), predict(run, elsewhere, some[1:])
    assert np.allclose(pair.probs[0], own.probs[len(cohort.rows("val")) + 4], rtol=1e-5)
    assert np.allclose(pair.probs[1], single.probs[0], rtol=1e-5)
    plain = replace(run, recipe=replace(run.recipe, tta=Tta(0)))
    assert not np.allclose(predict(plain, elsewhere, some).probs, pair.probs, rtol=1e-4)


def test_the_time_an_image_takes_is_that_of_all_its_views(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    load = PixelSource.load_view

    def watched(self: PixelSource, rows: np.ndarray, view: int) -> torch.Tensor:
        seen.append(view)
        return load(self, rows, view)

    monkeypatch.setattr(PixelSource, "load_view", watched)
    train_run(tiny_recipe("flat-basic", "epochs=1", TTA), tiny_kit.dataset, tmp_path / "run", kit=tiny_kit)
    timed = list(range(1 + VIEWS)) * 4  # once to warm up, then three times; nothing is loaded afterwards
    assert seen[-len(timed) :] == timed


def test_an_estimate_counts_the_views(
    tiny_kit: NetworkKit, tiny_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chestxpert.training.estimate._rates", lambda *_: (math.inf, 1.0))
    few, many = (tiny_recipe("flat-basic", f"tta.views={views}") for views in (0, 9))
    cohort = tiny_kit.dataset.cohort
    extra = 9 * (len(cohort.rows("val")) + len(cohort.rows("test")))
    kits = Kits.around(tiny_kit, few)
    assert estimate_fine_tuning([many], kits) - estimate_fine_tuning([few], kits) == extra


def test_views_that_could_not_differ_are_refused() -> None:
    still = "augment={rotate: 0, shift: 0, scale: 0, brightness: 0, contrast: 0}"
    assert load_recipe("flat-basic", [still]).tta == Tta(0)
    with pytest.raises(RecipeError, match="every view would be the plain image"):
        load_recipe("flat-basic", [still, TTA])
    with pytest.raises(RecipeError, match=r"tta\.views is at least 0, but got -1"):
        load_recipe("flat-basic", ["tta.views=-1"])


def test_a_recipe_of_before_there_were_views_still_loads() -> None:
    text = load_recipe("flat-basic").to_yaml()
    assert "tta:\n  views: 0\n" in text
    assert parse_recipe(text.replace("tta:\n  views: 0\n", "")) == load_recipe("flat-basic")
