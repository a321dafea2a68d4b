"""Files of a dataset folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from chestxpert import __version__
from chestxpert.cohort.rejects import Reject, count_reasons, write_rejects
from chestxpert.cohort.source import SIMULATION_FILE, Split
from chestxpert.cohort.table import SIMULATED, SPLITS, Cohort
from chestxpert.errors import DataError
from chestxpert.files import write_json
from chestxpert.labels import LabelSpace
from chestxpert.pixels.job import Build
from chestxpert.pixels.store import ImageStore
from chestxpert.prepare.report import REJECTS, PrepareReport
from chestxpert.prepare.tables import Tables
from chestxpert.progress import Progress
from chestxpert.quality import check_images, label_remarks, write_quality
from chestxpert.quality import notes as quality_notes

COHORT, BOXES, INFO = "cohort.parquet", "boxes.parquet", "dataset.json"
SCHEMA = 1

SIMULATED_FILE = "simulated.json"
"""What the source's simulation.json says; under another name, since that one marks folders of images."""


def make_contents(
    build: Build,
    tables: Tables,
    split: Split,
    sources: Sequence[Path],
    out: Path,
    arguments: Mapping[str, Any],
    checks: Progress,
) -> PrepareReport:
    """Finish the store, and write everything else beside it, ``dataset.json`` last.

    Raises
    ------
    DataError
        If no image can be decoded, or none of one side of the split.
    """
    why = build.refused(set(split.frame["image_id"]))
    undecodable = [Reject(name, "undecodable", detail) for name, detail in why.items()]
    cohort = _cohort(tables.source.label_space, split, undecodable)
    where = ", ".join(map(str, sources))
    build.finish(list(cohort.image_ids), f"{tables.source.kind}: {where}")
    boxes, stray = _boxes_of(tables.source.boxes, cohort)
    rejects = [*tables.source.rejects, *_missing(build, tables), *build.rejects(), *split.rejects, *undecodable, *stray]
    changed = label_remarks([tables.folder], tables.source.label_space)
    quality = check_images(cohort, ImageStore.open(build.folder), rejects, changed, checks)
    report = PrepareReport(
        folder=out,
        source=tables.source.kind,
        label_space=tables.source.label_space.name,
        size=build.job.preprocess.size,
        split=split.way,
        images={name: len(cohort.rows(name)) for name in SPLITS},
        patients={name: cohort.n_patients(name) for name in SPLITS},
        rejects=count_reasons(rejects),
        boxes=len(boxes),
        notes=(*split.notes, *_notes(build), *quality_notes(quality, cohort)),
        remarks=_remarks(build),
    )
    info = _info(report, tables, sources, cohort, build.folder, arguments)
    cohort.save(build.folder / COHORT)
    boxes.to_parquet(build.folder / BOXES, index=False)
    write_rejects(rejects, build.folder / REJECTS)
    write_quality(quality, build.folder)
    write_json(build.folder / INFO, info)
    return report


def _missing(build: Build, tables: Tables) -> list[Reject]:
    found = build.found()
    missing = (name for name in tables.source.frame["image_id"] if name not in found)
    return [Reject(name, "missing-image", "no file of this name") for name in missing]


def _cohort(label_space: LabelSpace, split: Split, undecodable: Sequence[Reject]) -> Cohort:
    """Cohort of the images that could be decoded."""
    lost = {reject.image_id for reject in undecodable}
    frame = split.frame[~split.frame["image_id"].isin(lost)].reset_index(drop=True)
    if frame.empty:
        raise DataError(f"None of the {len(lost)} images can be decoded. The first: {undecodable[0].detail}")
    cohort = Cohort(frame, label_space)
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


def _notes(build: Build) -> list[str]:
    """Archives of which something is missing: thousands of images may be."""
    return [
        f"{build.job.containers[number].path} IS DAMAGED ({why}). What came before is used; get it again and prepare "
        "anew, or the rest is missing."
        for number, why in build.ledger.damaged.items()
    ]


def _remarks(build: Build) -> tuple[str, ...]:
    if build.begun_anew:
        return ("an unfinished data set of other images, tables or preprocessing lay there, and was begun anew.",)
    return (f"{build.taken_over:,} images were taken over from an interrupted run.",) if build.taken_over else ()


def _info(
    report: PrepareReport, tables: Tables, sources: Sequence[Path], cohort: Cohort, folder: Path,
    arguments: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Contents of ``dataset.json``. No date: the same source and arguments give the same bytes."""
    source: dict[str, Any] = {"kind": report.source, "path": ", ".join(map(str, sources))}
    if len(sources) > 1:
        source["paths"] = [str(path) for path in sources]
    info: dict[str, Any] = {
        "schema": SCHEMA,
        "chestxpert": __version__,
        "source": source,
        "label_space": tables.source.label_space.to_dict(),
        "split": report.split,
        "images": dict(report.images),
        "patients": dict(report.patients),
        "boxes": report.boxes,
        "rejects": dict(report.rejects),
        "notes": list(report.notes),
        "arguments": dict(arguments),
        "fingerprints": {"cohort": cohort.fingerprint, "store": ImageStore.open(folder).fingerprint},
    }
    if report.source == SIMULATED:
        with suppress(ValueError):  # what it says is kept where it can be read; that it is there decides
            papers = json.loads((tables.folder / SIMULATION_FILE).read_text(encoding="utf-8"))
            write_json(folder / SIMULATED_FILE, papers)
            # The truth of each image is megabytes at the full size, which whoever opens a data set need not read.
            info["simulation"] = (
                {key: papers[key] for key in papers if key != "truth"} if isinstance(papers, dict) else {}
            )
    return info
