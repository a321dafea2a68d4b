"""What a run was made with, for its `environment.json`."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import torch

import chestxpert
from chestxpert.dataset import Dataset
from chestxpert.training.networks import NetworkKit

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pandas", "pillow", "scikit-learn")


def describe_environment(dataset: Dataset, kit: NetworkKit, seed: int) -> dict[str, Any]:
    """Plain values: versions, machine, backbone and where its weights came from, fingerprints, seed."""
    return {
        "schema": 1,
        "chestxpert": chestxpert.__version__,
        "seed": seed,
        "backbone": kit.describe_backbone(),
        "dataset": str(dataset.folder),
        "source": dataset.cohort.table["source"].iloc[0] if len(dataset.cohort) else "",
        "cohort_fingerprint": dataset.cohort.fingerprint,
        "start": kit.describe_start(),
        "size": kit.size,
        **kit.engine.describe(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
