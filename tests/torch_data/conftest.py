from pathlib import Path
from types import SimpleNamespace

import pytest

from chestxpert.copies import oversample_to_disk
from chestxpert.dataset import prepare


@pytest.fixture(scope="session")
def room(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Folders to read from: NIH's files, a data set at 32 px, copies of it, and the data set that has both."""
    folder = tmp_path_factory.mktemp("torch-data")
    prepare(tiny_nih, folder / "data", size=32, workers=1)
    oversample_to_disk(folder / "data", folder / "copies", target=0.4, as_dataset=folder / "with-copies")
    return SimpleNamespace(
        source=tiny_nih, data=folder / "data", copies=folder / "copies", with_copies=folder / "with-copies"
    )
