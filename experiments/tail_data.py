"""Data sets whose training images have tails of different length and whose test images are the same.

The test images come from a population of their own in which every finding is equally frequent (exponent 0), so that
the rarest finding of training has as many test cases as any other, and average precision, which rises with prevalence,
means the same for every finding and after every training set. Patients of the two are different people.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from chestxpert.dataset import prepare
from chestxpert.folders import made_aside
from chestxpert.labels import NIH15, NO_FINDING
from chestxpert.simulator.drawing import draw_all
from chestxpert.simulator.population import Population, draw_population
from chestxpert.simulator.prevalence import TEST_SHARE
from chestxpert.simulator.render import Scene
from chestxpert.simulator.write import write_papers, write_tables

TEST_TAIL = 0.0
_TEST_PATIENTS = 10_000_000  # added to the numbers of the test population's patients

Row = tuple[Scene, tuple[str, ...]]


@dataclass(frozen=True)
class Size:
    """How much is drawn, and how.

    Attributes
    ----------
    images : training and validation images of a whole training set
    test_images : images of the common test set
    size : side of the images in pixels
    difficulty : of the simulator, 0 to 1
    """

    images: int
    test_images: int
    size: int
    difficulty: float


@dataclass(frozen=True)
class Condition:
    """One training set.

    Attributes
    ----------
    name : str
    tail : exponent of its prevalences
    share : how much of the whole training set it is; a part is a part of its patients
    label_noise : share of its labels moved to wrong images; those of the test set are the truth
    """

    name: str
    tail: float
    share: float = 1.0
    label_noise: float = 0.0


def make_dataset(folder: Path, condition: Condition, size: Size, workers: int | None = None) -> Path:
    """Dataset folder of a condition, drawn and prepared unless it is there already."""
    data = folder / "data" / condition.name
    if (data / "dataset.json").is_file():
        return data
    source = folder / "sources" / condition.name
    if not source.exists():
        _draw(source, condition, size, workers)
    prepare(source, data, size=size.size, split="official", workers=workers)
    shutil.rmtree(source)
    return data


def _draw(source: Path, condition: Condition, size: Size, workers: int | None) -> None:
    """Write a folder in NIH's layout, the condition's patients in one list and the test patients in the other."""
    learnt = list(_people(size.images, condition.tail, condition.label_noise, seed=0))
    learnt = learnt[: _whole_patients(learnt, round(condition.share * len(learnt)))]
    tested = [
        (replace(scene, patient=scene.patient + _TEST_PATIENTS), labels)
        for scene, labels in _people(size.test_images, TEST_TAIL, 0.0, seed=1)
    ]
    rows = [*learnt, *tested]
    population = Population(
        scenes=tuple(scene for scene, _ in rows),
        labels=tuple(labels for _, labels in rows),
        in_test=tuple(number >= len(learnt) for number in range(len(rows))),
    )
    source.parent.mkdir(parents=True, exist_ok=True)
    with made_aside(source.absolute()) as aside:
        (aside / "images").mkdir()
        boxes = draw_all(
            population.scenes, aside / "images", size=size.size, difficulty=size.difficulty, seed=0, workers=workers
        )
        write_tables(aside, population, boxes)
        write_papers(aside, population, _facts(population, condition, size))


def _people(images: int, tail: float, label_noise: float, seed: int) -> Iterator[Row]:
    """About `images` images of patients of NIH's training list: other than the test list's, they come 3 a patient."""
    everybody = round(images / (1 - TEST_SHARE))
    drawn = draw_population(everybody, tail, label_noise, np.random.default_rng(seed))
    for scene, labels, in_test in zip(drawn.scenes, drawn.labels, drawn.in_test, strict=True):
        if not in_test:
            yield scene, labels


def _whole_patients(rows: list[Row], wanted: int) -> int:
    """The number of rows nearest above `wanted` that ends with a patient's last image."""
    while wanted < len(rows) and rows[wanted][0].patient == rows[wanted - 1][0].patient:
        wanted += 1
    return wanted


def _facts(population: Population, condition: Condition, size: Size) -> dict[str, object]:
    counts = {name: sum(name in labels for labels in population.labels) for name in NIH15.findings}
    counts[NO_FINDING] = sum(not labels for labels in population.labels)
    return {
        "arguments": {**asdict(size), **asdict(condition), "test_tail": TEST_TAIL},
        "images": len(population.scenes),
        "patients": len({scene.patient for scene in population.scenes}),
        "counts": counts,
    }
