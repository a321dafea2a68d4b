"""Rates of drawing and of preparing images, each beside what it is measured against.

    python benchmarks/images.py [--images 1000] [--size 224] [--rounds 3]

Prints the median of the rounds, with its range:

- simulate: images a second of a whole `chestxpert data simulate`, files and tables included, on all cores.
- prepare / decoding alone: images a second of a whole `chestxpert data prepare` over those of Pillow decoding the
  same files to grey on one core. Two cores that do nothing but decode would reach 2.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from chestxpert.dataset import prepare
from chestxpert.pixels.pool import available_cores
from chestxpert.simulator import simulate


def seconds(work: Callable[[], object]) -> float:
    """Time that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def decode_all(folder: Path) -> None:
    """Decode every PNG below `folder` to grey, as plainly as can be."""
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            np.asarray(image.convert("L"))


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def one_round(images: int, size: int, seed: int) -> tuple[float, float]:
    """Images a second of simulating, and the rate of preparing over that of decoding."""
    with tempfile.TemporaryDirectory() as scratch:
        drawn, data = Path(scratch) / "images", Path(scratch) / "data"
        simulating = seconds(lambda: simulate(drawn, images=images, size=size, seed=seed))
        preparing = seconds(lambda: prepare(drawn, data, size=size))
        return images / simulating, seconds(lambda: decode_all(drawn)) / preparing


def main() -> None:
    """Simulate, prepare, decode, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds = [one_round(arguments.images, arguments.size, turn) for turn in range(arguments.rounds)]
    rates, ratios = (list(values) for values in zip(*rounds, strict=True))
    print(f"{arguments.images} images of {arguments.size} px, {available_cores()} cores")
    print(f"simulate: {spread(rates)} images/s")
    print(f"prepare / decoding alone on one core: {spread(ratios)}")


if __name__ == "__main__":
    main()
