"""A simulated cohort from a few arguments: who is in it, their images, the files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chestxpert.errors import UsageError
from chestxpert.folders import check_free, made_aside
from chestxpert.labels import NIH15, NO_FINDING
from chestxpert.simulator.canvas import Box
from chestxpert.simulator.drawing import Progress, draw_all
from chestxpert.simulator.population import Population, draw_population
from chestxpert.simulator.write import write_papers, write_tables


@dataclass(frozen=True)
class SimulationReport:
    """What `simulate` has made.

    Attributes
    ----------
    folder : Path
        Where it is.
    images, test_images, patients, boxes : int
        How many there are.
    arguments : dict
        What it was made with: images, size, seed, difficulty, tail, label_noise.
    counts : dict of str to int
        Images with each label, in label order, No Finding last.
    seconds : float
        How long it took.
    """

    folder: Path
    images: int
    test_images: int
    patients: int
    boxes: int
    arguments: dict[str, Any]
    counts: dict[str, int]
    seconds: float

    def summary(self) -> str:
        """A few lines for a person."""
        given = ", ".join(f"{name} {value}" for name, value in self.arguments.items())
        width = max(map(len, self.counts))
        table = [f"  {name:<{width}} {count:>7}" for name, count in self.counts.items()]
        rate = self.images / max(self.seconds, 1e-9)
        return "\n".join(
            [
                f"Simulated {self.images} images of {self.patients} patients (no radiographs) in {self.folder}",
                f"  {self.images - self.test_images} for training and validation, {self.test_images} for test; "
                f"{self.boxes} boxes; {self.seconds:.1f} s, {rate:.0f} images/s",
                f"  {given}",
                *table,
            ]
        )


def simulate(
    out: Path | str,
    *,
    images: int = 2000,
    size: int = 224,
    seed: int = 0,
    difficulty: float = 0.5,
    tail: float = 1.0,
    label_noise: float = 0.0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> SimulationReport:
    """Draw a simulated cohort and write it as NIH ships ChestX-ray14.

    Parameters
    ----------
    out : Path or str
        Folder to make; one that exists must be empty.
    images : int, default 2000
        How many, 10 to 1,000,000.
    size : int, default 224
        Side of the images in pixels, 32 to 2048.
    seed : int, default 0
        Not negative. Everything drawn depends on it and on the arguments around it, not on `workers`.
    difficulty : float, default 0.5
        0 (plain signs, little noise, chests alike) to 1 (faint signs, much noise, chests unlike).
    tail : float, default 1
        Exponent of the prevalences, 0 to 2: findings become equally frequent at 0, have NIH's prevalences at 1,
        and a longer tail above; the formula is at `chestxpert.simulator.prevalence.target_prevalence`.
    label_noise : float, default 0
        Share of each finding's labels moved to wrong images, 0 to 1; counts stay what they are.
    workers : int, optional
        Processes; by default as many as there are cores and work for.
    progress : callable, optional
        Called with the numbers of images done and wanted.

    Returns
    -------
    SimulationReport
        Counts of what was written.

    Raises
    ------
    UsageError
        If an argument is out of range.
    DataError
        If `out` is in the way or cannot be written, or the worker processes die.
    """
    arguments = {
        "images": images, "size": size, "seed": seed, "difficulty": difficulty, "tail": tail,
        "label_noise": label_noise,
    }  # fmt: skip
    _check_arguments(arguments, workers)
    check_free(Path(out))
    started = time.monotonic()
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    with made_aside(Path(out).absolute()) as folder:
        population = draw_population(images, tail, label_noise, rng)
        (folder / "images").mkdir()
        boxes = draw_all(
            population.scenes, folder / "images", size=size, difficulty=difficulty, seed=seed,
            workers=workers, progress=progress,
        )  # fmt: skip
        write_tables(folder, population, boxes)
        report = _report(Path(out), population, boxes, arguments, time.monotonic() - started)
        facts = {name: getattr(report, name) for name in ("arguments", "images", "patients", "counts")}
        write_papers(folder, population, facts)
    return report


_RANGES: dict[str, tuple[float, float]] = {
    "images": (10, 1_000_000), "size": (32, 2048), "seed": (0, 2**63), "difficulty": (0, 1), "tail": (0, 2),
    "label_noise": (0, 1),
}  # fmt: skip
_WHOLE = ("images", "size", "seed")


def _check_arguments(arguments: dict[str, Any], workers: int | None) -> None:
    for name, value in arguments.items():
        low, high = _RANGES[name]
        if name in _WHOLE and int(value) != value:
            raise UsageError(f"The simulator's `{name}` must be a whole number, but got {value}.")
        if not low <= value <= high:
            raise UsageError(f"The simulator's `{name}` must be from {low:,} to {high:,}, but got {value}.")
    if workers is not None and workers < 1:
        raise UsageError(f"The simulator needs at least one worker, but got {workers}.")


def _report(
    out: Path,
    population: Population,
    boxes: Sequence[tuple[str, str, Box]],
    arguments: dict[str, Any],
    seconds: float,
) -> SimulationReport:
    counts = {name: sum(name in labels for labels in population.labels) for name in NIH15.findings}
    counts[NO_FINDING] = sum(not labels for labels in population.labels)
    return SimulationReport(
        folder=out,
        images=len(population.scenes),
        test_images=sum(population.in_test),
        patients=population.scenes[-1].patient,
        boxes=len(boxes),
        arguments=arguments,
        counts=counts,
        seconds=seconds,
    )
