"""Prepare: from a folder as NIH ships it to a dataset folder, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from chestxpert import __version__
from chestxpert.cohort.rejects import Reject, count_reasons, write_rejects
from chestxpert.cohort.source import SIMULATION_FILE, SPLIT_WAYS, Source, Split, read_source, split_source
from chestxpert.cohort.splits import DEFAULT_VAL_FRACTION
from chestxpert.cohort.table import SIMULATED, SPLITS, Cohort
from chestxpert.errors import DataError, UsageError
from chestxpert.files import write_json
from chestxpert.folders import check_free, made_aside
from chestxpert.labels import label_space
from chestxpert.pixels.build import build_store, find_images
from chestxpert.pixels.pool import Progress
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.store import ImageStore
from chestxpert.quality import check_images, label_remarks, notes, write_quality

COHORT, BOXES, REJECTS, INFO = "cohort.parquet", "boxes.parquet", "rejects.csv", "dataset.json"
SCHEMA = 1

_WAYS = {
    "official": "official (the test list stays test; validation cut from train_val by patient)",
    "tables": "that of NIH-CXR-LT's tables, every patient on one side",
    "random": "random by patient, stratified over findings",
}


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare` made.

    Parameters
    ----------
    folder : Path
        The dataset folder.
    source : str
        "nih" or "simulated".
    label_space : str
        Name of the label space.
    size : int
        Side of the stored images in pixels.
    split : str
        "official", "tables" or "random".
    images, patients : mapping of str to int
        For "train", "val" and "test".
    rejects : mapping of str to int
        What was left out, by reason (`chestxpert.cohort.rejects.REASONS`).
    boxes : int
        Boxes of images in the data set.
    notes : tuple of str
        What a user should know, in sentences.
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

    def summary(self) -> str:
        """Return a few lines for a person."""
        kind = "simulated images (not radiographs)" if self.source == SIMULATED else "images"
        lines = [
            f"{self.folder}: {sum(self.images.values()):,} {kind} of {sum(self.patients.values()):,} patients, "
            f"{self.size} px, findings of {self.label_space}, {self.boxes:,} boxes",
            *(f"  {name:<6}{self.images[name]:>8,} images of {self.patients[name]:>6,} patients" for name in SPLITS),
            f"  split: {_WAYS[self.split]}",
            *(f"  note: {note}" for note in self.notes),
        ]
        if self.rejects:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.rejects.items())
            lines.append(f"  left out: {reasons}; each is listed in {self.folder / REJECTS}")
        return "\n".join(lines)


def prepare(
    source: str | Path,
    out: str | Path,
    *,
    labels: str = "nih15",
    size: int = 224,
    split: str = "auto",
    val_fraction: float = DEFAULT_VAL_FRACTION,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PrepareReport:
    """Make a dataset folder from a folder in NIH's layout.

    Written beside `out` and renamed when whole, so `out` is never half made; what a killed run left is cleared by the
    next. With more than one worker a script must start behind ``if __name__ == "__main__":``.

    Parameters
    ----------
    source : str or Path
        Folder with the label table (and lists and boxes, if any), and the images at any depth below it.
    out : str or Path
        Dataset folder to make; must not exist, or be empty.
    labels : {"nih15", "cxrlt20"}
        Label space.
    size : int
        Side of the stored images in pixels.
    split : {"auto", "official", "random"}
        See `chestxpert.cohort.source.split_source`.
    val_fraction : float
        Share of the patients outside the test set that become validation, between 0 and 1.
    seed : int
        Decides the split. Same source and arguments, same bytes.
    workers : int, optional
        Processes that decode; all cores if None.
    progress : callable, optional
        Called as progress(done, total) while images are decoded.

    Returns
    -------
    PrepareReport

    Raises
    ------
    UsageError
        If an argument is out of range.
    DataError
        If `out` is in the way, the source has no usable table, or nothing is left.
    CohortError
        If the split asked for cannot be had.
    StoreError
        If the images cannot be written.
    """
    source, out = Path(source), Path(out)
    _check_arguments(split, val_fraction, seed, workers)
    preprocess, space = Preprocess(size=size), label_space(labels)
    check_free(out)
    tables = read_source(source, space, split)
    frame, images, rejects = _match(tables, source)
    chosen = split_source(tables, frame, split, val_fraction, seed)
    arguments = {"labels": labels, "size": size, "split": split, "val_fraction": val_fraction, "seed": seed}
    with made_aside(out) as folder:
        files = {name: images[name] for name in chosen.frame["image_id"]}
        undecodable = build_store(files, folder, preprocess, f"{tables.kind}: {source}", workers, progress)
        cohort = _final_cohort(tables, chosen, undecodable)
        boxes, stray = _boxes_of(tables.boxes, cohort)
        everything = [*tables.rejects, *rejects, *chosen.rejects, *undecodable, *stray]
        report = _report(out, tables, chosen, cohort, everything, len(boxes), size)
        quality = check_images(cohort, ImageStore.open(folder), everything, label_remarks([source], space))
        write_quality(quality, folder)
        report = replace(report, notes=(*report.notes, *notes(quality, cohort)))
        _write(folder, cohort, boxes, everything, _info(report, tables, source, cohort, folder, arguments))
    return report


def _check_arguments(split: str, val_fraction: float, seed: int, workers: int | None) -> None:
    if split not in SPLIT_WAYS:
        raise UsageError(f"The split must be one of {', '.join(SPLIT_WAYS)}, got '{split}'.")
    if not 0 < val_fraction < 1:
        raise UsageError(f"The share of validation must lie between 0 and 1, got {val_fraction}.")
    if seed < 0:
        raise UsageError(f"The seed must be 0 or more, got {seed}.")
    if workers is not None and workers < 1:
        raise UsageError(f"At least one worker is needed, got {workers}.")


def _match(tables: Source, folder: Path) -> tuple[pd.DataFrame, dict[str, Path], list[Reject]]:
    """Rows whose image is there, all image files by name, and rejects for what has no counterpart.

    Raises
    ------
    DataError
        If no row has an image.
    """
    images, rejects = find_images(folder)
    there = tables.frame["image_id"].isin(images.keys())
    rejects += [Reject(name, "missing-image", "no file of this name") for name in tables.frame["image_id"][~there]]
    ours = set(tables.frame["image_id"]) | {reject.image_id for reject in tables.rejects}
    rejects += [Reject(n, "no-row", str(path.relative_to(folder))) for n, path in images.items() if n not in ours]
    if not there.any():
        reasons = ", ".join(
            f"{reason} {count:,}" for reason, count in count_reasons([*tables.rejects, *rejects]).items()
        )
        raise DataError(
            f"Nothing is left of {folder}: its tables have {len(tables.frame):,} usable rows and {len(images):,} image "
            f"files lie below it, but no two belong together ({reasons or 'no rows, no images'}). "
            "Does the folder hold both the label table and the PNG files it names?"
        )
    return tables.frame[there].reset_index(drop=True), images, rejects


def _final_cohort(tables: Source, split: Split, undecodable: Sequence[Reject]) -> Cohort:
    """Cohort of the images that could be decoded; DataError if a side has none left."""
    lost = {reject.image_id for reject in undecodable}
    frame = split.frame[~split.frame["image_id"].isin(lost)].reset_index(drop=True)
    cohort = Cohort(frame, tables.label_space)
    empty = [name for name in SPLITS if not len(cohort.rows(name))]
    if empty:
        raise DataError(
            f"{len(lost)} images cannot be decoded, and none is left for {' and '.join(empty)}. Get the images again."
        )
    return cohort


def _boxes_of(boxes: pd.DataFrame, cohort: Cohort) -> tuple[pd.DataFrame, list[Reject]]:
    inside = boxes["image_id"].isin(cohort.image_ids)
    outside = boxes[~inside]
    stray = [
        Reject(name, "box-without-image", finding)
        for name, finding in zip(outside["image_id"], outside["finding"], strict=True)
    ]
    return boxes[inside].reset_index(drop=True), stray


def _report(
    out: Path, tables: Source, split: Split, cohort: Cohort, rejects: Sequence[Reject], boxes: int, size: int
) -> PrepareReport:
    return PrepareReport(
        folder=out,
        source=tables.kind,
        label_space=tables.label_space.name,
        size=size,
        split=split.way,
        images={name: len(cohort.rows(name)) for name in SPLITS},
        patients={name: cohort.n_patients(name) for name in SPLITS},
        rejects=count_reasons(rejects),
        boxes=boxes,
        notes=split.notes,
    )


def _info(
    report: PrepareReport, tables: Source, source: Path, cohort: Cohort, folder: Path, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Contents of ``dataset.json``. No date: the same source and arguments give the same bytes."""
    info = {
        "schema": SCHEMA,
        "chestxpert": __version__,
        "source": {"kind": tables.kind, "path": str(source)},
        "label_space": tables.label_space.to_dict(),
        "split": report.split,
        "images": dict(report.images),
        "patients": dict(report.patients),
        "boxes": report.boxes,
        "rejects": dict(report.rejects),
        "notes": list(report.notes),
        "arguments": dict(arguments),
        "fingerprints": {"cohort": cohort.fingerprint, "store": ImageStore.open(folder).fingerprint},
    }
    if tables.kind == SIMULATED:
        with suppress(ValueError):  # what it says is kept where it can be read; that it is there decides
            info["simulation"] = json.loads((source / SIMULATION_FILE).read_text(encoding="utf-8"))
    return info


def _write(
    folder: Path, cohort: Cohort, boxes: pd.DataFrame, rejects: Sequence[Reject], info: Mapping[str, Any]
) -> None:
    """Write all but the store, ``dataset.json`` last."""
    cohort.save(folder / COHORT)
    boxes.to_parquet(folder / BOXES, index=False)
    write_rejects(rejects, folder / REJECTS)
    write_json(folder / INFO, info)
