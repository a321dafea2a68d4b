"""One tool's predictions from its files: a run a seed, and the record of what was and was not used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chestxpert.cohort.rejects import Reject, count_reasons
from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.coverage import Coverage
from chestxpert.evaluation.external.columns import Columns
from chestxpert.evaluation.external.numbers import probabilities
from chestxpert.evaluation.external.rows import MEASURED, Placed, place_rows
from chestxpert.evaluation.external.table import StrangersTable
from chestxpert.evaluation.measured_runs import RunResult
from chestxpert.evaluation.predictions import Predictions

Source = str | Path | pd.DataFrame


@dataclass(frozen=True, eq=False)
class External:
    """What another tool predicted.

    Parameters
    ----------
    name : str
    runs : mapping of seed to Predictions
        Of validation and test images alone, in the cohort's order; partial.
    record : mapping
        Plain values: ``files`` (name, sha256, rows, image_column and seeds of each), ``scale``, ``not_measured``
        (labels with the reason), ``unused_columns``, ``rejected`` (rows by reason), ``training_rows``, ``missing``
        (images by split) and ``notes``.
    rejects : sequence of Reject
        Rows that are of no image of the cohort.
    """

    name: str
    runs: Mapping[int, Predictions]
    record: Mapping[str, Any]
    rejects: Sequence[Reject] = ()

    @property
    def results(self) -> list[RunResult]:
        """What a comparison reads of it."""
        return [
            RunResult(seed, predictions, "external", external=self.record) for seed, predictions in self.runs.items()
        ]


@dataclass(frozen=True, eq=False)
class _File:
    """One file read."""

    table: StrangersTable
    columns: Columns
    placed: Placed
    runs: Mapping[int | None, Predictions]
    absent: Mapping[str, str]
    notes: Sequence[str]


def read_external(
    name: str, sources: Source | Sequence[Source], cohort: Cohort, *, logits: bool = False, allow_missing: bool = False
) -> External:
    """Read one tool's predictions of the validation and test images of a cohort.

    Parameters
    ----------
    name : str
        What the tool is to be called.
    sources : path or pandas.DataFrame, or several
        Each a table with one row an image: a column that names it (``image``, ``Image Index``, ``filename``, ``path``
        and the like), one column a finding with probabilities in [0, 1], and, if there are any, ``split`` and ``seed``.
        Several are several seeds, numbered from 0 unless they say which.
    cohort : Cohort
    logits : bool
        Whether the columns hold logits, of which the probability is 1 / (1 + exp(-logit)).
    allow_missing : bool
        Whether validation and test images may be missing; they are counted, and not measured.

    Returns
    -------
    External

    Raises
    ------
    PredictionsError
        If a table cannot be read, an image stands twice or is missing, a value is missing or out of range, or seeds
        differ in what they predict.
    """
    every = [sources] if isinstance(sources, str | Path | pd.DataFrame) else list(sources)
    if not every:
        raise PredictionsError(f"There is no file of predictions for '{name}'. Name at least one.")
    files = [_read(StrangersTable.of(source), cohort, logits) for source in every]
    runs, per_file = _by_seed(name, files)
    missing = _missing(name, runs, cohort, allow_missing)
    return External(name, runs, _record(files, per_file, missing, logits), [r for f in files for r in f.placed.rejects])


def _read(table: StrangersTable, cohort: Cohort, logits: bool) -> _File:
    space = cohort.label_space
    columns = Columns.of(table, space)
    placed = place_rows(table, columns, cohort)
    values, notes = np.full((len(placed.rows), len(space)), np.nan), []
    absent = {label: columns.why_absent(label) for label in space.labels if label not in columns.findings}
    for label, column in columns.findings.items():
        found = probabilities(table, column, placed.rows, logits)
        if found is None:
            absent[label] = "its column is empty"
        elif len(found):
            values[:, space.index(label)] = found
            notes += _suspicions(table.header[column], label, found, cohort, placed)
    if len(absent) == len(space):
        raise PredictionsError(f"Every column of a finding in {table.name} is empty, so there is nothing to measure.")
    runs: dict[int | None, Predictions] = {}
    stated = [] if placed.seeds is None else np.unique(placed.seeds).tolist()
    for seed in stated or [None]:
        rows = np.flatnonzero(np.ones(len(values), dtype=bool) if placed.seeds is None else placed.seeds == seed)
        rows = rows[np.argsort(placed.images[rows], kind="stable")]  # in the cohort's order, whatever the file's was
        images = placed.images[rows]
        split = cohort.table["split"].to_numpy(dtype=object)[images]
        runs[seed] = Predictions.from_arrays(cohort.image_ids[images], split, values[rows], space, partial=True)
    return _File(table, columns, placed, runs, absent, notes)


def _suspicions(column: str, label: str, values: Any, cohort: Cohort, placed: Placed) -> list[str]:
    """What may be a slip of whoever made the table: the labels themselves in place of predictions."""
    if not np.isin(values, (0.0, 1.0)).all():
        return []
    at = cohort.label_space.index(label)
    told = cohort.known()[placed.images, at]
    truth = cohort.labels()[placed.images, at]
    if told.any() and (values[told] == truth[told]).all() and truth[told].any():
        return [f"{column} is equal to the data set's labels on every image: is it the truth, and not a prediction?"]
    return [f"{column} holds 0 and 1 alone: decisions, which have no ranking within"]


def _by_seed(name: str, files: Sequence[_File]) -> tuple[dict[int, Predictions], list[list[int]]]:
    """Runs by seed, and the seeds of each file."""
    runs: dict[int, Predictions] = {}
    per_file: list[list[int]] = []
    for number, file in enumerate(files):
        per_file.append([])
        for stated, predictions in file.runs.items():
            seed = number if stated is None else stated
            if seed in runs:
                raise PredictionsError(
                    f"Seed {seed} of '{name}' stands twice, the second time in {file.table.name}. Several files of one "
                    "name are its seeds; give each another number in a column 'seed', or another name."
                )
            runs[seed] = predictions
            per_file[-1].append(seed)
    first, *others = runs.values()
    for other in others:
        if other.absent != first.absent or not other.frame["image_id"].equals(first.frame["image_id"]):
            raise PredictionsError(
                f"The seeds of '{name}' predict different images or findings, so no mean over them can be taken. "
                "Files of one name are its seeds: put the validation and test rows of a seed into one file, and give "
                "files of different tools different names."
            )
    return dict(sorted(runs.items())), per_file


def _missing(name: str, runs: Mapping[int, Predictions], cohort: Cohort, allowed: bool) -> dict[str, int]:
    """How many validation and test images have no prediction; a file without any of validation lacks none."""
    first = next(iter(runs.values()))
    missing: dict[str, int] = {}
    examples: list[str] = []
    for split in MEASURED:
        if split == "val" and not first.has("val"):
            continue
        names = cohort.image_ids[cohort.rows(split)][~Coverage.of(first, cohort, split).images]
        if len(names):
            missing[split] = len(names)
            examples += [str(image) for image in names[:3]]
    if not first.has("test"):
        raise PredictionsError(f"'{name}' predicts none of the data set's test images, on which it would be measured.")
    if missing and not allowed:
        counts = " and ".join(f"{count} of the {len(cohort.rows(split))} {split}" for split, count in missing.items())
        raise PredictionsError(
            f"'{name}' has no prediction for {counts} images, for example {', '.join(examples[:3])}. Add them, or "
            "measure those that are there with --allow-missing."
        )
    return missing


def _record(
    files: Sequence[_File], per_file: Sequence[Sequence[int]], missing: Mapping[str, int], logits: bool
) -> dict[str, Any]:
    first = next(iter(files[0].runs.values()))
    return {
        "files": [
            {
                "file": file.table.name,
                "sha256": file.table.sha256 or None,
                "rows": len(file.table.lines),
                "image_column": file.table.header[file.columns.image],
                "seeds": list(seeds),
            }
            for file, seeds in zip(files, per_file, strict=True)
        ],
        "scale": "logits" if logits else "probabilities",
        "findings": [label for label in first.label_space.labels if label not in first.absent],
        "not_measured": dict(files[0].absent),
        "unused_columns": list(dict.fromkeys(name for file in files for name in file.columns.unused)),
        "rejected": count_reasons(reject for file in files for reject in file.placed.rejects),
        "training_rows": sum(file.placed.training for file in files),
        "missing": dict(missing),
        "notes": list(dict.fromkeys(note for file in files for note in file.notes)),
    }
