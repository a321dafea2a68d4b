"""Checkpoints of one network: the last epoch, to go on from, and the best one, to use.

Both are read without unpickling anything but tensors and plain values.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from chestxpert.errors import RunError
from chestxpert.files import replace_when_whole
from chestxpert.models.classifier import Classifier


def learned_state(network: Classifier) -> dict[str, torch.Tensor]:
    """Weights that training changes: all of them, or all but those of a frozen backbone."""
    state = network.state_dict()
    return {key: value for key, value in state.items() if not (network.frozen and key.startswith("backbone."))}


def load_learned_state(network: Classifier, state: dict[str, torch.Tensor]) -> None:
    """Put weights given by `learned_state` back; RunError if they are another network's."""
    expected = learned_state(network).keys()
    if state.keys() != expected:
        raise RunError(
            f"Stored weights do not fit the network: {len(state.keys() - expected)} tensors too many, "
            f"{len(expected - state.keys())} missing. Was the checkpoint made by another recipe or version?"
        )
    network.load_state_dict(state, strict=False)  # not strict, for a frozen backbone is not among them


class Checkpoints:
    """`FOLDER/last/NAME.pt` and `FOLDER/best/NAME.safetensors` of the network called `name`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.last = folder / "last" / f"{name}.pt"
        self.best = folder / "best" / f"{name}.safetensors"

    def save_last(self, state: dict[str, Any]) -> None:
        """Store `state` (tensors and plain values) as the epoch to go on from."""
        with replace_when_whole(self.last) as aside:
            torch.save(state, aside)

    def load_last(self) -> dict[str, Any] | None:
        """State of the last whole epoch, or None if none was finished."""
        if not self.last.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.last, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises a different class for each kind of damage
            raise RunError(
                f"The checkpoint {self.last} cannot be read ({error}). Delete it to start this network again."
            ) from error
        return state

    def save_best(self, tensors: dict[str, torch.Tensor], note: dict[str, Any]) -> None:
        """Store the best weights so far with a `note` of plain values in the file's metadata."""
        with replace_when_whole(self.best) as aside:
            safetensors.torch.save_file(
                {key: value.detach().cpu().contiguous() for key, value in tensors.items()},
                aside,
                metadata={"chestxpert": json.dumps(note)},
            )
            aside.chmod(0o644)  # safetensors lets nobody else read it, unlike every other file of a run

    def load_best(self) -> dict[str, torch.Tensor]:
        """Weights written by `save_best`."""
        if not self.best.is_file():
            raise RunError(f"There are no best weights at {self.best}. Train the run first.")
        return safetensors.torch.load_file(self.best)
