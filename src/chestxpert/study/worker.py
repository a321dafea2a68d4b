"""A process that trains runs of a study; `side_by_side` is the other end of its pipes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chestxpert.dataset import Dataset
from chestxpert.errors import ChestXpertError, RunError
from chestxpert.processes import tasks_from_parent
from chestxpert.progress import Progress
from chestxpert.recipe import Recipe
from chestxpert.training.networks import NetworkKit
from chestxpert.training.run import train_run


@dataclass(frozen=True)
class Training:
    """A run to train.

    Attributes
    ----------
    recipe : Recipe
    seed : int
    folder : of the run
    start : what the study began with, as `NetworkKit.describe_start` says it
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
        self._kits: dict[tuple[object, ...], NetworkKit] = {}

    def train(self, training: Training) -> Ended:
        notes = _Notes()
        try:
            kit = self._kit(training)
            folder = training.folder
            train_run(
                training.recipe, self._dataset, folder, seed=training.seed, resume=folder.exists(), kit=kit,
                progress=notes,
            )  # fmt: skip
        except ChestXpertError as error:
            return Ended(tuple(notes.lines), error)
        return Ended(tuple(notes.lines))

    def _kit(self, training: Training) -> NetworkKit:
        key = NetworkKit.shared_key(training.recipe)
        if key not in self._kits:
            kit = NetworkKit.create(
                training.recipe, self._dataset, backbone_name=training.start["backbone"], alone=False
            )
            if kit.describe_start() != training.start:
                raise RunError(
                    f"A process that trains for this study found another beginning ({kit.describe_start()}) than "
                    f"the study has ({training.start}). Has a file of weights changed? Try again with '--workers 1'."
                )
            self._kits[key] = kit
        return self._kits[key]


def main() -> None:
    """Train what is asked for until whoever started this process ends."""
    tasks, answers = tasks_from_parent()
    trainer = _Trainer(next(tasks))
    for training in tasks:
        answers.send(trainer.train(training))
