"""The programs of experiments/ and what they import of each other."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
Load = Callable[[str], ModuleType]


@pytest.fixture(scope="session")
def experiment() -> Iterator[Load]:
    """Imports one of the programs by name, as running it would."""
    sys.path.insert(0, str(EXPERIMENTS))
    yield importlib.import_module
    sys.path.remove(str(EXPERIMENTS))
