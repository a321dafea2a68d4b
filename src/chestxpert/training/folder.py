"""Files of a run folder. Nothing here loads torch, so that stored runs can be read without it."""

from __future__ import annotations

from pathlib import Path

RECIPE = "recipe.yaml"
ENVIRONMENT = "environment.json"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
FIRST = "first"
"""Checkpoints of the first stage within those of a run with a second one, until it is complete."""

PREDICTIONS = "predictions.parquet"
COST = "cost.json"
ENSEMBLE = "ensemble.json"
"""Of a folder that is no run, but made of several: how, and of whom."""
EVALUATION = "evaluation.json"
"""Written last: a run that has it is complete."""


def is_complete(folder: Path) -> bool:
    """Whether the run in `folder` came to its end."""
    return (folder / EVALUATION).is_file()
