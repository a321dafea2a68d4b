from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chestxpert.dataset import Dataset
from chestxpert.recipe import Recipe
from chestxpert.training.networks import NetworkKit


@pytest.fixture
def kit(tiny_dataset: Dataset, tiny_recipe, tmp_path: Path) -> NetworkKit:  # type: ignore[no-untyped-def]
    """A kit whose features go to a folder of the test's own."""
    recipe: Recipe = tiny_recipe("flat-basic", "views=2", "freeze=true")
    return NetworkKit.create(recipe, replace(tiny_dataset, folder=tmp_path))


def test_features_are_computed_once(kit: NetworkKit, tiny_dataset: Dataset) -> None:
    train, everything = len(tiny_dataset.cohort.rows("train")), len(tiny_dataset.cohort)
    assert kit.feature_passes() == everything + 2 * train
    source = kit.source(kit.recipe)
    assert len(list(source.eval_batches(np.arange(everything), 64))) > 1
    assert kit.feature_passes() == 0
    again = NetworkKit.create(kit.recipe, kit.dataset)
    assert again.feature_passes() == 0


def test_an_interrupted_computation_goes_on_view_by_view(kit: NetworkKit, tiny_dataset: Dataset) -> None:
    kit.source(kit.recipe)
    (lost,) = kit.dataset.folder.glob("features/*/view-2.npy")
    before = np.load(lost)
    lost.unlink()
    again = NetworkKit.create(kit.recipe, kit.dataset)
    assert again.feature_passes() == len(tiny_dataset.cohort.rows("train"))
    again.source(again.recipe)
    assert np.array_equal(np.load(lost), before)


def test_plain_features_equal_the_backbone_on_the_image(kit: NetworkKit, tiny_dataset: Dataset) -> None:
    import torch

    source = kit.source(kit.recipe)
    rows = np.arange(7)
    cached, _ = next(source.eval_batches(rows, 7))
    pixels = tiny_dataset.store.pixels[tiny_dataset.pixel_rows(tiny_dataset.cohort.table["image_id"].to_numpy()[rows])]
    network = kit.classifier(kit.recipe, 1, seed=0).eval()
    with torch.inference_mode():
        direct = network.forward_features(network.normalise(torch.from_numpy(pixels.copy())[:, None].float()))
    assert np.allclose(cached.numpy(), direct.numpy(), rtol=2e-3, atol=2e-3)  # float16 on disk


def test_augmented_views_differ_from_the_plain_one_and_each_other(kit: NetworkKit) -> None:
    features = kit._features
    train = kit.dataset.cohort.rows("train")
    assert [view.shape for view in features.views] == [(len(train), features.plain.shape[1])] * 2
    assert not np.array_equal(features.views[0], features.views[1])
    assert not np.array_equal(features.views[0], features.plain[train])


def test_other_settings_mean_other_features(kit: NetworkKit) -> None:
    other = replace(kit.recipe, augment=replace(kit.recipe.augment, rotate=1.0))
    assert NetworkKit.create(other, kit.dataset)._feature_job.key != kit._feature_job.key


def test_the_same_weights_under_another_input_scale_mean_other_features(kit: NetworkKit) -> None:
    before = kit._feature_job.key
    kit.backbone.mean = tuple(value + 0.1 for value in kit.backbone.mean)
    other = NetworkKit(kit.recipe, kit.dataset, kit.backbone, kit.store, kit.engine, kit.progress)
    assert other._feature_job.key != before
