"""Over-sample a data set on disk: choose, augment, write, record; whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chestxpert import __version__
from chestxpert.cohort.table import Cohort
from chestxpert.copies.choice import IntArray, Wish, make_wish, rows_to_copy
from chestxpert.copies.dataset import add_copies
from chestxpert.copies.images import CopyWriter
from chestxpert.copies.report import OversampleReport, report_on
from chestxpert.copies.table import IMAGES, RECORD, SEPARATOR, TABLE, CopyTable, name_copies
from chestxpert.dataset import Dataset
from chestxpert.errors import UsageError
from chestxpert.files import write_json
from chestxpert.folders import check_free, made_aside
from chestxpert.progress import SILENT, Progress, counting
from chestxpert.recipe import Augment

SCHEMA = 1


def oversample_to_disk(
    dataset: str | Path,
    out: str | Path,
    *,
    target: float | None = None,
    copies: Mapping[str, int] | None = None,
    like_study: bool = False,
    max_copies: int = 10,
    seed: int = 0,
    augment: Augment | None = None,
    as_dataset: str | Path | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> OversampleReport:
    """Write augmented copies of training images with rare findings.

    Only rows of the split ``train`` are ever copied, after the split, so no copy can reach validation or test.
    Everything is written aside and renamed when whole. Same data set and arguments, same bytes, whatever `workers` is.

    Parameters
    ----------
    dataset : str or Path
        Dataset folder made by `chestxpert.dataset.prepare`, without copies.
    out : str or Path
        Folder to make; must not exist, or be empty.
    target : float, optional
        Share of the training rows that each rare finding is brought up to (`imbalance.sampling.oversample`). 0.05
        if neither `copies` nor `like_study` is given.
    copies : mapping of str to int, optional
        Copies that should carry each finding (`imbalance.sampling.oversample_by_counts`).
    like_study : bool
        The original study's numbers of copies, scaled from its 86,524 images to the training rows.
    max_copies : int
        Most copies of one image, at least 1.
    seed : int
        At least 0. Decides which rows are copied, and the changes of each copy.
    augment : Augment, optional
        Largest change of each kind; a recipe's default if None.
    as_dataset : str or Path, optional
        Also make this dataset folder, which has the copies as training rows (`add_copies`).
    workers : int, optional
        Threads; one for each core if None.
    progress : Progress
        Speaks, or is silent.

    Returns
    -------
    OversampleReport

    Raises
    ------
    UsageError
        If an argument is out of range, or arguments exclude each other.
    LabelError
        If a finding is unknown.
    DataError
        If a folder is in the way, there is nothing to copy, or the data set has copies already.
    """
    out, also = Path(out), None if as_dataset is None else Path(as_dataset)
    _check_arguments(out, also, seed, workers)
    data = Dataset.load(dataset)
    cohort, settings = data.cohort, augment or Augment()
    wish = make_wish(cohort.label_space, len(cohort.rows("train")), target, copies, like_study, max_copies)
    rows = rows_to_copy(cohort, wish, seed)
    table = _table(cohort, rows)
    arguments = _arguments(wish, like_study, seed, settings)
    report = report_on(data, out, rows, wish, also)
    with made_aside(out) as folder:
        writer = CopyWriter(folder / IMAGES, data.store.pixels, settings, seed, cohort.simulated)
        with progress.bar("augmenting", len(table)) as tick:
            writer.write_all(table, data.pixel_rows(table.origins).tolist(), workers, counting(tick))
        table.write(folder / TABLE)
        write_json(folder / RECORD, _record(data, report, arguments))
        if also is not None:
            with progress.bar("adding to the data set", len(table)) as tick:
                add_copies(data, folder, also, counting(tick))
    return report


def _check_arguments(out: Path, also: Path | None, seed: int, workers: int | None) -> None:
    if seed < 0:
        raise UsageError(f"The seed must be 0 or more, got {seed}.")
    if workers is not None and workers < 1:
        raise UsageError(f"At least one worker is needed, got {workers}.")
    check_free(out)
    if also is not None:
        check_free(also)
        inner, outer = also.resolve(), out.resolve()
        if inner == outer or outer in inner.parents or inner in outer.parents:
            raise UsageError(f"{out} and {also} must be two folders, neither inside the other: name another place.")


def _table(cohort: Cohort, rows: IntArray) -> CopyTable:
    labels, names = cohort.labels(rows), cohort.label_space.labels
    origins = tuple(str(name) for name in cohort.image_ids[rows])
    findings = tuple(SEPARATOR.join(n for n, there in zip(names, row, strict=True) if there) for row in labels)
    return CopyTable(name_copies(origins, cohort.image_ids), findings, origins)


def _arguments(wish: Wish, like_study: bool, seed: int, settings: Augment) -> dict[str, Any]:
    return {
        "target": wish.target,
        "copies": dict(wish.counts),
        "like_study": like_study,
        "max_copies": wish.max_copies,
        "seed": seed,
        "augment": asdict(settings),
    }


def _record(data: Dataset, report: OversampleReport, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Contents of ``oversample.json``. No date: the same data set and arguments give the same bytes."""
    return {
        "schema": SCHEMA,
        "chestxpert": __version__,
        "dataset": {
            "path": str(data.folder),
            "cohort": data.cohort.fingerprint,
            "store": data.store.fingerprint,
        },
        "label_space": data.cohort.label_space.to_dict(),
        "simulated": report.simulated,
        "size": report.size,
        "arguments": dict(arguments),
        "copies": report.copies,
        "origins": report.origins,
        "train": {name: {"before": report.before[name], "after": report.after[name]} for name in report.before},
        "notes": list(report.notes),
    }
