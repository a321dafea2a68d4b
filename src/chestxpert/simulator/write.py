"""A simulated cohort in NIH's exact layout: images, label table, lists, boxes; and papers that say it is simulated."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chestxpert.errors import DataError, UsageError
from chestxpert.labels import NIH15, NO_FINDING
from chestxpert.simulator.canvas import Box
from chestxpert.simulator.drawing import NOTICE, Progress, draw_all, image_id
from chestxpert.simulator.population import Population, draw_population
from chestxpert.simulator.render import Scene

ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"  # malformed as NIH's own is
BOX_SPACE = 1024  # NIH's boxes are in pixels of its 1024 px images, whatever the size here
# Sizes of the detectors that NIH's images came from, by view: width, height, spacing in mm
_DETECTORS = {"PA": "2992,2991,0.143,0.143", "AP": "2500,2048,0.168,0.168"}


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
        If an argument is out of range or `out` is in the way.
    DataError
        If the folder cannot be written.
    """
    arguments = {
        "images": images, "size": size, "seed": seed, "difficulty": difficulty, "tail": tail,
        "label_noise": label_noise,
    }  # fmt: skip
    _check_arguments(arguments, workers)
    started = time.monotonic()
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    with _written_aside(Path(out)) as folder:
        population = draw_population(images, tail, label_noise, rng)
        (folder / "images").mkdir()
        boxes = draw_all(
            population.scenes, folder / "images", size=size, difficulty=difficulty, seed=seed,
            workers=workers, progress=progress,
        )  # fmt: skip
        _write_tables(folder, population, boxes)
        report = _report(Path(out), population, boxes, arguments, time.monotonic() - started)
        _write_papers(folder, population, report)
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
            raise UsageError(f"The simulator's `{name}` must be from {low:g} to {high:g}, but got {value}.")
    if workers is not None and workers < 1:
        raise UsageError(f"The simulator needs at least one worker, but got {workers}.")


@contextmanager
def _written_aside(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its name when all is written, and is gone if anything fails."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"'{out}' exists and is not an empty folder; the simulator never overwrites. Name a new folder, or "
            "remove this one first."
        )
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.absolute().parent))
        try:
            yield aside
            aside.chmod(0o755)
            if out.exists():
                out.rmdir()
            aside.rename(out)
        finally:
            if aside.exists():
                shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise DataError(f"The simulated cohort could not be written to '{out}': {error}.") from error


def _cell(labels: Sequence[str]) -> str:
    return "|".join(labels) or NO_FINDING


def _entry(scene: Scene, labels: Sequence[str]) -> str:
    return (
        f"{image_id(scene)},{_cell(labels)},{scene.follow_up},{scene.patient},{scene.age},{scene.sex},"
        f"{scene.view},{_DETECTORS[scene.view]}"
    )


def _lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii", newline="\n")


def _write_tables(folder: Path, population: Population, boxes: Sequence[tuple[str, str, Box]]) -> None:
    pairs = zip(population.scenes, population.labels, strict=True)
    rows = [_entry(scene, labels) for scene, labels in pairs]
    _lines(folder / "Data_Entry_2017_v2020.csv", [ENTRY_HEADER, *rows])
    names = [image_id(scene) for scene in population.scenes]
    for file, side in (("train_val_list.txt", False), ("test_list.txt", True)):
        listed = [name for name, test in zip(names, population.in_test, strict=True) if test is side]
        _lines(folder / file, listed)
    _lines(folder / "BBox_List_2017.csv", [BOX_HEADER, *(_box_row(*box) for box in boxes)])


def _box_row(name: str, finding: str, box: Box) -> str:
    written = "Infiltrate" if finding == "Infiltration" else finding  # as NIH's box table spells it
    return ",".join([name, written, *(f"{value * BOX_SPACE:.3f}" for value in box)])


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


def _write_papers(folder: Path, population: Population, report: SimulationReport) -> None:
    """simulation.json (all arguments, and the truth before label noise) and README.txt."""
    papers = {
        "schema": 1,
        "simulated": True,
        "notice": NOTICE,
        "arguments": report.arguments,
        "images": report.images,
        "patients": report.patients,
        "counts": report.counts,
        "truth": {image_id(scene): list(scene.findings) for scene in population.scenes},
    }
    (folder / "simulation.json").write_text(json.dumps(papers, indent=1) + "\n", encoding="ascii")
    (folder / "README.txt").write_text(_README, encoding="ascii")


_README = f"""{NOTICE}

The images in this folder were drawn by a program to test and teach software. They show no patient, they are no
radiographs, and nothing measured on them says anything about radiographs. The letters SIM are burnt into the
lower left corner of each image.

The layout is that of NIH's ChestX-ray14, so that whatever reads one reads the other. It is not NIH's data.
simulation.json holds the arguments the folder was made with and, image by image, the findings truly drawn;
Data_Entry_2017_v2020.csv holds the labels, which differ from them where label noise was asked for.
"""
