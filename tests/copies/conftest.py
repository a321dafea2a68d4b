from pathlib import Path

import pytest

from chestxpert.dataset import Dataset, prepare


@pytest.fixture(scope="session")
def prepared(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny folder, prepared at 32 px; read only."""
    out = tmp_path_factory.mktemp("copies") / "data"
    prepare(tiny_nih, out, size=32, workers=1)
    return Dataset.load(out)
