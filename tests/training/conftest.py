from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chestxpert.dataset import Dataset, prepare
from chestxpert.recipe import Recipe, load_recipe
from chestxpert.training.networks import NetworkKit

TINY = ("size=32", "backbone=test_resnet", "weights=none", "epochs=2", "batch_size=16", "precision=float32", "views=1")


@pytest.fixture(scope="session")
def tiny_dataset(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("prepared") / "dataset"
    prepare(tiny_nih, folder, size=32, workers=1)
    return Dataset.load(folder)


@pytest.fixture
def tiny_recipe() -> Callable[..., Recipe]:
    def make(name: str = "flat-basic", *overrides: str) -> Recipe:
        return load_recipe(name, [*TINY, *overrides])

    return make


@pytest.fixture(scope="session")
def tiny_kit(tiny_dataset: Dataset) -> NetworkKit:
    return NetworkKit.create(replace(load_recipe("flat-basic", TINY)), tiny_dataset)
