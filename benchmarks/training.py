"""Ratios of the training loop, each measured within one run of this file.

    python benchmarks/training.py [--size 128] [--backbone tf_efficientnet_lite0] [--rounds 5]

Prints, for fine-tuning on simulated images:

- loop / bare step: images a second of the real loop (reading, augmenting, stepping) over those of the same step
  on one batch of noise that is in memory already. 1 means that feeding costs nothing.
- bfloat16 / float32: images a second of the same step in the two number formats.
- shared / flat: time of a step with one conditional head a decision over that of the flat network.

Each pair is timed in turn, round after round, and the median of the rounds' ratios is printed with its range.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from chestxpert.dataset import Dataset, prepare
from chestxpert.recipe import load_recipe
from chestxpert.simulator import simulate
from chestxpert.taxonomy import study_taxonomy
from chestxpert.training.loop import Trainer
from chestxpert.training.networks import NetworkKit
from chestxpert.training.task import flat_task, shared_task

STEPS = 8


def trainer(dataset: Dataset, arguments: argparse.Namespace, architecture: str, precision: str) -> Trainer:
    """A trainer on the training rows of `dataset`."""
    overrides = [f"size={arguments.size}", f"backbone={arguments.backbone}", f"precision={precision}"]
    recipe = load_recipe(architecture, [*overrides, f"weights={arguments.weights}"])
    kit = NetworkKit.create(recipe, dataset)
    labels, space = dataset.cohort.labels(), dataset.cohort.label_space
    task = flat_task(labels, space) if recipe.architecture == "flat" else shared_task(labels, study_taxonomy(space))
    return kit.trainer(recipe, task, dataset.cohort.rows("train"), seed=0)


def loop_rate(one: Trainer) -> float:
    """Images a second of STEPS steps as training takes them."""
    one.network.train()
    batches = one.source.train_batches(one.train_rows, one.recipe.batch_size, torch.Generator().manual_seed(0))
    images, started = 0, time.perf_counter()
    for _ in range(STEPS):
        inputs, rows = next(batches)
        one.step(inputs, rows)
        images += len(rows)
    one.engine.synchronise()
    return images / (time.perf_counter() - started)


def bare_rate(one: Trainer) -> float:
    """Images a second of STEPS steps on a fixed batch of noise."""
    one.network.train()
    rows = np.resize(one.train_rows, one.recipe.batch_size)
    noise = torch.rand((len(rows), 1, one.recipe.size or 224, one.recipe.size or 224)) * 255
    noise = noise.to(one.engine.device)
    started = time.perf_counter()
    for _ in range(STEPS):
        one.step(noise, rows)
    one.engine.synchronise()
    return STEPS * len(rows) / (time.perf_counter() - started)


def paired(name: str, first: Callable[[], float], second: Callable[[], float], rounds: int) -> None:
    """Print the median ratio of two rates, timed in turn."""
    first(), second()
    ratios, rates = [], []
    for turn in range(rounds):
        order = (first, second) if turn % 2 == 0 else (second, first)
        measured = {function: function() for function in order}
        ratios.append(measured[first] / measured[second])
        rates.append(measured[first])
    low, high = min(ratios), max(ratios)
    print(f"{name}: {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f}), {statistics.median(rates):.0f} images/s")


def main() -> None:
    """Simulate, prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        simulate(Path(scratch) / "images", images=600, size=arguments.size)
        prepare(Path(scratch) / "images", Path(scratch) / "data", size=arguments.size)
        dataset = Dataset.load(Path(scratch) / "data")
        flat = trainer(dataset, arguments, "flat-basic", "auto")
        shared = trainer(dataset, arguments, "hierarchical-shared", "auto")
        single, half = (trainer(dataset, arguments, "flat-basic", kind) for kind in ("float32", "bfloat16"))
        print(f"{arguments.backbone} at {arguments.size} px, {flat.engine.describe()}")
        paired("loop / bare step", lambda: loop_rate(flat), lambda: bare_rate(flat), arguments.rounds)
        paired("bfloat16 / float32", lambda: bare_rate(half), lambda: bare_rate(single), arguments.rounds)
        paired(
            "flat / shared (time of shared over flat)",
            lambda: bare_rate(flat),
            lambda: bare_rate(shared),
            arguments.rounds,
        )


if __name__ == "__main__":
    main()
