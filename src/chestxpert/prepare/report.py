"""What a preparation made, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chestxpert.cohort.table import SIMULATED, SPLITS

REJECTS = "rejects.csv"

_WAYS = {
    "official": "official (the test list stays test; validation cut from train_val by patient)",
    "tables": "as the tables say, every patient on one side",
    "random": "random by patient, stratified over findings",
    "test": "everything is for testing",
}


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare` made.

    Parameters
    ----------
    folder : Path
        The dataset folder.
    source : str
        "nih", "simulated", or the name of another data set.
    label_space : str
        Name of the label space.
    size : int
        Side of the stored images in pixels.
    split : str
        "official", "tables", "random" or "test".
    images, patients : mapping of str to int
        For "train", "val" and "test".
    rejects : mapping of str to int
        What was left out, by reason (`chestxpert.cohort.rejects.REASONS`).
    boxes : int
        Boxes of images in the data set.
    notes : tuple of str
        What a user should know of the data set, in sentences.
    remarks : tuple of str
        What a user should know of how it was made this time; no part of the data set.
    """

    folder: Path
    source: str
    label_space: str
    size: int
    split: str
    images: Mapping[str, int]
    patients: Mapping[str, int]
    rejects: Mapping[str, int]
    boxes: int
    notes: tuple[str, ...] = field(default=())
    remarks: tuple[str, ...] = field(default=())

    def summary(self) -> str:
        """Return a few lines for a person."""
        kind = "simulated images (not radiographs)" if self.source == SIMULATED else "images"
        lines = [
            f"{self.folder}: {sum(self.images.values()):,} {kind} of {sum(self.patients.values()):,} patients, "
            f"{self.size} px, findings of {self.label_space}, {self.boxes:,} boxes",
            *(f"  {name:<6}{self.images[name]:>8,} images of {self.patients[name]:>6,} patients" for name in SPLITS),
            f"  split: {_WAYS[self.split]}",
            *(f"  note: {note}" for note in (*self.remarks, *self.notes)),
        ]
        if self.rejects:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.rejects.items())
            lines.append(f"  left out: {reasons}; each is listed in {self.folder / REJECTS}")
        return "\n".join(lines)
