"""Stores and cohorts from arrays, and drawn radiographs to plant faults in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chestxpert.dataset import Dataset, prepare
from chestxpert.pixels.manifest import create_pixels, write_manifest
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.store import ImageStore
from chestxpert.simulator import simulate
from quality.making import Images, MakeStore


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    """Function that writes images as a store: ids a.png, b.png... unless given; other columns of the index too."""

    def make(images: Images, ids: Sequence[str] | None = None, **columns: Any) -> ImageStore:
        folder = tmp_path / f"store-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        count, size = images.shape[:2]
        pixels = create_pixels(folder, count, size)
        pixels[:] = images
        pixels.flush()
        names = [f"{i:04d}.png" for i in range(count)] if ids is None else list(ids)
        index = pd.DataFrame({"image_id": names, **({"width": size, "height": size} | columns)})
        write_manifest(folder, index, Preprocess(size=size), "test")
        return ImageStore.open(folder)

    return make


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Drawn radiographs of 60 different patients, 96 px; no two alike. Read only, copy them to change them."""
    folder = tmp_path_factory.mktemp("drawn")
    simulate(folder / "source", images=140, size=96, seed=5, workers=1)
    prepare(folder / "source", folder / "data", size=96, workers=1)
    data = Dataset.load(folder / "data")
    first = data.cohort.table.drop_duplicates("patient_id")["image_id"][:60]
    images = np.array(data.store.pixels[data.pixel_rows(first)])
    images.setflags(write=False)
    assert len(images) == 60
    return images
