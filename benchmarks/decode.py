"""Time to decode one image and bring it to size, beside Pillow's decoding alone; one core.

    OMP_NUM_THREADS=1 python benchmarks/decode.py [FOLDER] [--size 224] [--rounds 7]

FOLDER holds PNG or JPEG files; without it, 20 simulated radiographs of 1024 px are drawn. The two take turns, round by
round, over the same files. Prints milliseconds of CPU time an image (median of the rounds, with their range), and the
ratio: 1 would be as fast as ``np.asarray(Image.open(file).convert("L"))``.
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

from chestxpert.pixels.build import find_images
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.simulator import simulate


def milliseconds(work: Callable[[Path], object], files: list[Path]) -> float:
    """Mean CPU time of `work` on a file, so that other programs do not count."""
    started = time.process_time()
    for file in files:
        work(file)
    return 1000 * (time.process_time() - started) / len(files)


def plain(file: Path) -> object:
    """Decode as plainly as can be."""
    with Image.open(file) as image:
        return np.asarray(image.convert("L"))


def measure(files: list[Path], size: int, rounds: int) -> None:
    """Let the two take turns and print what they took."""
    preprocess = Preprocess(size)
    ours: list[float] = []
    pillow: list[float] = []
    for _ in range(rounds):
        pillow.append(milliseconds(plain, files))
        ours.append(milliseconds(lambda file: preprocess.apply(preprocess.read(file).pixels), files))
    ratios = [a / b for a, b in zip(pillow, ours, strict=True)]
    for name, values in (("Pillow alone, ms", pillow), (f"decoded and {size} px, ms", ours), ("ratio", ratios)):
        print(f"{name:24} {statistics.median(values):6.2f} ({min(values):.2f} to {max(values):.2f})")


def main() -> None:
    """Find or draw images, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder
        if folder is None:
            folder = Path(scratch) / "images"
            simulate(folder, images=20, size=1024, seed=0)
        measure(list(find_images(folder)[0].values()), arguments.size, arguments.rounds)


if __name__ == "__main__":
    main()
