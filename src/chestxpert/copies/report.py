"""What over-sampling on disk made, for a person and for the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chestxpert.copies.choice import IntArray, Wish, goals
from chestxpert.dataset import Dataset


@dataclass(frozen=True)
class OversampleReport:
    """What `oversample_to_disk` made.

    Parameters
    ----------
    folder : Path
        Holds ``images/``, ``augmented_images.csv`` and ``oversample.json``.
    copies, origins : int
        Augmented images, and the training images they were made from.
    size : int
        Side in pixels.
    simulated : bool
        Whether they are drawings.
    before, after : mapping of str to int
        Training images with each label, in label order, without and with the copies.
    notes : tuple of str
        What a user should know, in sentences.
    dataset : Path or None
        Dataset folder with the copies, if one was asked for.
    """

    folder: Path
    copies: int
    origins: int
    size: int
    simulated: bool
    before: Mapping[str, int]
    after: Mapping[str, int]
    notes: tuple[str, ...] = field(default=())
    dataset: Path | None = None

    def summary(self) -> str:
        """Return a few lines for a person."""
        kind = "simulated training images (not radiographs)" if self.simulated else "training images"
        width = max(map(len, [*self.before, "finding"]))
        lines = [
            f"{self.folder}: {self.copies:,} augmented copies of {self.origins:,} {kind}, {self.size} px",
            f"  {'finding':<{width}} {'before':>9} {'copies':>9} {'after':>9}",
        ]
        for name, before in self.before.items():
            after = self.after[name]
            lines.append(f"  {name:<{width}} {before:>9,} {after - before:>9,} {after:>9,}")
        lines += [f"  note: {note}" for note in self.notes]
        if self.dataset is not None:
            lines.append(f"{self.dataset}: the data set with the copies as training rows; val and test are unchanged")
        return "\n".join(lines)


def report_on(data: Dataset, out: Path, rows: IntArray, wish: Wish, also: Path | None) -> OversampleReport:
    """Report on copies of these rows of a data set, wanted as `wish` says, in `out` (and as dataset folder `also`)."""
    cohort = data.cohort
    before = cohort.counts("train")
    added = cohort.labels(rows).sum(axis=0)
    after = {name: before[name] + int(more) for name, more in zip(before, added, strict=True)}
    return OversampleReport(
        folder=out,
        copies=len(rows),
        origins=len(set(rows.tolist())),
        size=data.store.size,
        simulated=cohort.simulated,
        before=before,
        after=after,
        notes=tuple(_notes(before, after, goals(cohort, wish), wish.max_copies)),
        dataset=also,
    )


def _notes(before: Mapping[str, int], after: Mapping[str, int], wanted: Mapping[str, int], most: int) -> Iterator[str]:
    """What stays below its goal, and why."""
    often = "once" if most == 1 else f"{most} times"
    for name, goal in wanted.items():
        if after[name] >= goal:
            continue
        if before[name] == 0:
            yield f"No training image carries {name}, so there is nothing to copy."
        else:
            yield (
                f"{name} stays at {after[name]:,} of {goal:,}: each of its {before[name]:,} images is copied "
                f"{often} already. More copies of the same few patients teach little."
            )
