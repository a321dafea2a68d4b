"""Prepare: from a folder as NIH ships it to a dataset folder, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from chestxpert import __version__
from chestxpert.cohort.csv_columns import CsvColumns, Lateral
from chestxpert.cohort.csv_source import CSV_SPLIT_WAYS, CsvSource, read_csv_source, read_layout_table, split_csv_source
from chestxpert.cohort.image_names import assign_images
from chestxpert.cohort.rejects import Reject, count_reasons, write_rejects
from chestxpert.cohort.source import NIH, SIMULATION_FILE, SPLIT_WAYS, Source, Split, read_source, split_source
from chestxpert.cohort.splits import DEFAULT_VAL_FRACTION
from chestxpert.cohort.table import SIMULATED, SPLITS, Cohort
from chestxpert.errors import DataError, UsageError
from chestxpert.files import write_json
from chestxpert.folders import check_free, made_aside
from chestxpert.labels import LabelSpace, label_space
from chestxpert.pixels.build import build_store, find_images, walk_images
from chestxpert.pixels.pool import Progress
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.store import ImageStore
from chestxpert.quality import check_images, label_remarks, notes, write_quality

COHORT, BOXES, REJECTS, INFO = "cohort.parquet", "boxes.parquet", "rejects.csv", "dataset.json"
SCHEMA = 1

_WAYS = {
    "official": "official (the test list stays test; validation cut from train_val by patient)",
    "tables": "that of the tables, every patient on one side",
    "test": "every image is for testing",
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
    format: str = NIH,
    columns: CsvColumns | None = None,
    table: str = "",
    lateral: Lateral = "reject",
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
    format : {"nih", "csv", "chexpert", "mimic-cxr-jpg", "padchest", "vindr-cxr"}
        Whose layout the source has; "csv" is any table, read as `columns` says.
    columns : CsvColumns, optional
        Which columns of a table of one's own hold what.
    table : str
        Of a known data set's label tables, the one to read; all of them by default.
    lateral : {"reject", "keep"}
        What becomes of a known data set's images that are not frontal.
    labels : {"nih15", "cxrlt20"}
        Label space of NIH's tables; other tables' follows from their columns.
    size : int
        Side of the stored images in pixels.
    split : {"auto", "official", "random", "test"}
        See `chestxpert.cohort.source.split_source`, and for other layouts `chestxpert.cohort.csv_source`; "test" is for
        these alone.
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
    _check_format(format, columns, split, labels)
    preprocess, space = Preprocess(size=size), label_space(labels)
    check_free(out)
    tables = _read(source, space, split, format, columns, table, lateral)
    frame, images, rejects = _match(tables, source)
    split_rows = split_csv_source if isinstance(tables, CsvSource) else split_source
    chosen = split_rows(tables, frame, split, val_fraction, seed)  # type: ignore[arg-type]
    arguments: dict[str, Any] = {"labels": labels, "size": size, "split": split, "val_fraction": val_fraction}
    arguments |= {"seed": seed}
    if format != NIH:
        arguments |= {"format": format, "columns": None if columns is None else asdict(columns)}
        arguments |= {"table": table, "lateral": lateral}
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


def _check_format(format: str, columns: CsvColumns | None, split: str, labels: str) -> None:
    if (format == "csv") != (columns is not None):
        raise UsageError("Columns and the format 'csv' go together: say where image, patient and labels are.")
    if format != NIH and labels != "nih15":
        raise UsageError(f"The label space '{labels}' is for NIH's tables; that of others follows from their columns.")
    if split == "test" and format == NIH:
        raise UsageError("NIH's layout has train and test sides of its own. Split it officially or at random.")


def _read(
    folder: Path,
    space: LabelSpace,
    split: str,
    format: str,
    columns: CsvColumns | None,
    table: str,
    lateral: Lateral,
) -> Source | CsvSource:
    """What the tables of a source say, by whoever reads its format."""
    if format == NIH:
        return read_source(folder, space, split)
    if columns is not None:
        return read_csv_source(folder, columns)
    return read_layout_table(folder, format, table, lateral)


def _check_arguments(split: str, val_fraction: float, seed: int, workers: int | None) -> None:
    if split not in {*SPLIT_WAYS, *CSV_SPLIT_WAYS}:
        raise UsageError(f"The split must be one of {', '.join(CSV_SPLIT_WAYS)}, got '{split}'.")
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
    if isinstance(tables, CsvSource):
        found, rejects = assign_images(map(str, walk_images(folder)), tables.names, set(tables.frame["image_id"]))
        images = {name: Path(path) for name, path in found.items()}
    else:
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
    sides = ("test",) if split.way == "test" else SPLITS
    empty = [name for name in sides if not len(cohort.rows(name))]
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
