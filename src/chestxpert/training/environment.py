"""What a run was made with, for its `environment.json`."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import torch

import chestxpert
from chestxpert.dataset import Dataset
from chestxpert.training.kits import describe_backbones, describe_starts
from chestxpert.training.networks import NetworkKit

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pandas", "pillow", "scikit-learn")


def describe_environment(dataset: Dataset, kits: Mapping[str, NetworkKit], seed: int) -> dict[str, Any]:
    """Plain values: versions, machine, backbones and where their weights came from, fingerprints, seed, date of begin.

    `kits` is by network; device and number format are those of the first one, and `start` has each network's.
    """
    kit = next(iter(kits.values()))
    return {
        "schema": 1,
        "chestxpert": chestxpert.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        **describe_backbones(kits),
        "dataset": str(dataset.folder),
        "source": dataset.cohort.table["source"].iloc[0] if len(dataset.cohort) else "",
        "cohort_fingerprint": dataset.cohort.fingerprint,
        "start": describe_starts(kits),
        "size": kit.size,
        **kit.engine.describe(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
