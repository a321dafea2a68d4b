"""A process that trains runs of a study; `side_by_side` is the other end of its pipes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.errors import ChestXpertError, RunError
from chestxpert.processes import tasks_from_parent
from chestxpert.progress import Progress
from chestxpert.recipe import Recipe
from chestxpert.training.kits import Kits, describe_starts
from chestxpert.training.run import train_run


@dataclass(frozen=True)
class Training:
    """A run to train.

    Attributes
    ----------
    recipe : Recipe
    seed : int
    folder : of the run
    start : what its networks begin with, as `describe_starts` says it
    """

    recipe: Recipe
    seed: int
    folder: Path
    start: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """How it went: what is worth telling, and why there is no run if there is none."""

    notes: tuple[str, ...]
    error: ChestXpertError | None = None


class _Notes(Progress):
    """Keeps what is worth knowing for the process that has somebody to tell."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


class _Trainer:
    """Trains one run after the other, with what they share."""

    def __init__(self, dataset: Path) -> None:
        self._dataset = Dataset.load(dataset)
        self._kits = Kits(self._dataset, alone=False)

    def train(self, training: Training) -> Ended:
        notes = _Notes()
        try:
            self._check_start(training)
            folder = training.folder
            train_run(
                training.recipe, self._dataset, folder, seed=training.seed, resume=folder.exists(), kit=self._kits,
                progress=notes,
            )  # fmt: skip
        except ChestXpertError as error:
            return Ended(tuple(notes.lines), error)
        return Ended(tuple(notes.lines))

    def _check_start(self, training: Training) -> None:
        """RunError if the networks would begin with anything else than the study has."""
        tree = cohort_taxonomy(training.recipe.taxonomy, self._dataset.cohort)
        found = describe_starts(self._kits.of_networks(training.recipe, tree, training.start))
        if found != training.start:
            raise RunError(
                f"A process that trains for this study found another beginning ({found}) than the study has "
                f"({training.start}). Has a file of weights changed? Try again with '--workers 1'."
            )


def main() -> None:
    """Train what is asked for until whoever started this process ends."""
    tasks, answers = tasks_from_parent()
    trainer = _Trainer(next(tasks))
    for training in tasks:
        answers.send(trainer.train(training))
