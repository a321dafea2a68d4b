"""The full size: 112,120 images at 224 px, prepared, opened, split and trained on.

    python benchmarks/full_size.py [--rows 112120] [--images FOLDER] [--keep FOLDER] [--set size=128 ...]

Labels, patients and lists are drawn by the simulator with NIH's counts. Pixels repeat: a few hundred files (those of
FOLDER, for example radiographs; drawn ones without it) stand under all names. Prints:

- prepare: seconds of `chestxpert data prepare` (decoding, quality control and all), and the largest resident memory
  of its main process;
- load: seconds of `Dataset.load` in a process that has imported it;
- split: seconds to split all rows by patient, by the official lists and at random;
- first batch: seconds from the start of `chestxpert train flat-basic` to the end of its first optimiser step, with the
  largest resident memory up to then. `--set` is handed on to it.

Needs some 7 GB of disk, and the same again in the page cache for steady figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from chestxpert.simulator import simulate
from chestxpert.simulator.drawing import image_id
from chestxpert.simulator.population import draw_population
from chestxpert.simulator.write import write_papers, write_tables

_LOAD = """
import json, time
from pathlib import Path
from chestxpert.cohort.source import read_source, split_source
from chestxpert.dataset import Dataset
from chestxpert.labels import label_space
started = time.perf_counter()
dataset = Dataset.load({data!r})
taken = {{"load": time.perf_counter() - started}}
source = read_source(Path({source!r}), label_space("nih15"))
for way in ("official", "random"):
    started = time.perf_counter()
    split_source(source, source.frame, way, 0.2, 0)
    taken[way] = time.perf_counter() - started
print(json.dumps(taken))
"""

# Ends the process at the end of the first optimiser step: what is timed is the command itself up to there.
_FIRST_STEP = """
import os, sys, torch
from chestxpert.cli.main import main
step = torch.optim.AdamW.step
def first(self, *arguments, **keywords):
    step(self, *arguments, **keywords)
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("first step", peak, flush=True)
    os._exit(0)
torch.optim.AdamW.step = first
sys.exit(main(sys.argv[1:]))
"""


def make_source(folder: Path, rows: int, images: Path | None, distinct: int = 500) -> None:
    """Write a folder in NIH's layout with `rows` images, the pixels of a few under all names."""
    if images is None:
        images = folder / "distinct"
        simulate(images, images=distinct, size=256)
    files = sorted(path for path in images.rglob("*.png"))[:distinct]
    source = folder / "source"
    (source / "images").mkdir(parents=True)
    population = draw_population(rows, 1.0, 0.0, np.random.default_rng(0))
    write_tables(source, population, [])
    (source / "BBox_List_2017.csv").unlink()  # nothing was boxed
    write_papers(source, population, {"note": "pixels repeat"})
    for scene, file in zip(population.scenes, islice(cycle(files), rows), strict=True):
        os.link(_beside(file, folder), source / "images" / image_id(scene))


def _beside(file: Path, folder: Path) -> Path:
    """Copy of `file` on the disk of `folder`, where it can be linked to."""
    copy = folder / "files" / file.name
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(file.read_bytes())
    return copy


def prepare(source: Path, data: Path) -> tuple[float, float]:
    """Seconds and peak memory in GB of preparing."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "chestxpert", "data", "prepare", str(source), "--out", str(data)])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("preparing failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1e6


def load_and_split(source: Path, data: Path) -> dict[str, float]:
    """Seconds of loading, and of both ways to split."""
    script = _LOAD.format(data=str(data), source=str(source))
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return {str(key): float(value) for key, value in json.loads(result.stdout).items()}


def first_batch(data: Path, out: Path, settings: Sequence[str]) -> tuple[float, float]:
    """Seconds from the command to the end of the first step, and peak memory in GB."""
    command = ["train", "flat-basic", "--data", str(data), "--out", str(out)]
    command += [word for setting in settings for word in ("--set", setting)]
    started = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", _FIRST_STEP, *command], check=True, stdout=subprocess.PIPE, text=True
    )
    return time.perf_counter() - started, int(result.stdout.split()[-1]) / 1e6


def main() -> None:
    """Build, open, split, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=112_120)
    parser.add_argument("--images", type=Path, help="folder of PNG files whose pixels repeat (default: drawn ones)")
    parser.add_argument("--keep", type=Path, help="work here, and go on with what an earlier call left")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="changes to the recipe trained")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        source, data = folder / "source", folder / "data"
        if not source.exists():
            make_source(folder, arguments.rows, arguments.images)
        if not data.exists():
            seconds, memory = prepare(source, data)
            print(f"prepare: {seconds:.0f} s, {arguments.rows / seconds:.0f} images/s, main process {memory:.2f} GB")
        taken = load_and_split(source, data)
        print(f"load: {taken['load']:.2f} s; split: {taken['official']:.2f} s official, {taken['random']:.2f} s random")
        for turn in range(3):
            seconds, memory = first_batch(data, Path(scratch) / f"run-{turn}", arguments.settings)
            print(f"first batch: {seconds:.1f} s after the command, {memory:.2f} GB at most")


if __name__ == "__main__":
    main()
