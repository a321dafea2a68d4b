"""Evaluate a finished run on a dataset folder it did not learn from, and write what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.dataset import Dataset
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.evaluation.elsewhere import Seen, measure, why_not_shared
from chestxpert.evaluation.run_metrics import plain
from chestxpert.files import removed_if_left_empty, write_json
from chestxpert.progress import SILENT, Progress
from chestxpert.recipe import Posthoc
from chestxpert.training.apply import predict
from chestxpert.training.corrected import at_hand, corrected_elsewhere
from chestxpert.training.folder import EVALUATION, PREDICTIONS
from chestxpert.training.leak import Overlap, overlap
from chestxpert.training.stored_run import OwnData, StoredRun, own_data, read_run

SCHEMA = 1
EVALUATIONS = "evaluations"
SPLITS = ("test", "all")


def evaluate_elsewhere(
    run_folder: Path,
    data: Path,
    out: Path | None = None,
    *,
    split: str = "test",
    draws: int = DRAWS,
    run_data: Path | None = None,
    posthoc: Posthoc | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Predict the images of a data set with a finished run, and measure the findings that both share.

    Patients that the run trained or validated on are left out; if the data set is the run's own, its test images
    remain. The result is never called external then.

    Parameters
    ----------
    run_folder : Path
        A finished run.
    data : Path
        Dataset folder.
    out : Path, optional
        New folder for ``predictions.parquet`` and ``evaluation.json``; ``RUN/evaluations/NAME`` by default.
    split : {"test", "all"}
        Which images: of the test side, or of every side.
    draws : int
        Bootstrap draws over patients.
    run_data : Path, optional
        The dataset folder that the run learnt from, if it has moved.
    posthoc : Posthoc, optional
        A correction to apply first, fitted on the run's own data; thresholds are chosen there anew.
    progress : Progress

    Returns
    -------
    dict
        What ``evaluation.json`` holds; docs/evaluate.md describes it.

    Raises
    ------
    RunError
        If there is no finished run, `out` is in the way, or no image is left that may be evaluated.
    """
    if split not in SPLITS:
        raise UsageError(f"The images are one of {', '.join(SPLITS)}, got '{split}'.")
    run, dataset = read_run(run_folder), Dataset.load(data)
    out = run_folder / EVALUATIONS / data.resolve().name if out is None else out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} exists already and is never overwritten. Choose another --out.")
    own = own_data(run, run_data, data)
    fitted_on = None if posthoc is None else at_hand(own, posthoc)
    common = overlap(run, own, dataset.cohort, dataset.info)
    rows = _rows(dataset, split, common)
    out.mkdir(parents=True, exist_ok=True)
    with removed_if_left_empty(out):
        predictions = predict(run, dataset, _predicted(run, dataset, rows), progress)
        fitted = None
        if posthoc is not None and fitted_on is not None:
            images = dataset.cohort.image_ids[rows].tolist()
            run, predictions, fitted = corrected_elsewhere(run, fitted_on, predictions, images, posthoc)
        progress.note(f"measuring on {draws} bootstrap draws over patients")
        seen = Seen.of(predictions, dataset.cohort, rows)
        result = plain(_result(run, dataset, seen, own, common, split, draws) | {"folder": str(out)})
        result |= {} if fitted is None else {"posthoc": plain(fitted)}
        predictions.save(out / PREDICTIONS)
        write_json(out / EVALUATION, result)
    return dict(result)


def _rows(dataset: Dataset, split: str, common: Overlap) -> npt.NDArray[np.int64]:
    """Rows that may be evaluated; RunError if there are none."""
    cohort = dataset.cohort
    rows = cohort.rows("test") if split == "test" else np.arange(len(cohort), dtype=np.int64)
    allowed = rows[~common.learnt[rows]]
    if not len(allowed):
        why = "all of them are of patients that the run learnt from" if len(rows) else "there are none on its test side"
        hint = "" if len(rows) or split == "all" else " Take every image: '--split all'."
        raise RunError(f"No image of {dataset.folder} can be evaluated: {why}.{hint}")
    return allowed


def _predicted(run: StoredRun, dataset: Dataset, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows to predict: on the run's own data set those it predicted itself, in its own batches, to the last bit."""
    cohort = dataset.cohort
    if cohort.fingerprint != run.environment["cohort_fingerprint"]:
        return rows
    return np.concatenate([cohort.rows("val"), cohort.rows("test")])


def _result(
    run: StoredRun, dataset: Dataset, seen: Seen, own: OwnData | None, common: Overlap, split: str, draws: int
) -> dict[str, Any]:
    reasons = why_not_shared(seen, run.not_learnt)
    labels = [label for label, reason in reasons.items() if not reason]
    shared = [label for label in labels if label in run.label_space.findings]
    cohort = dataset.cohort
    theirs = [name for name in cohort.label_space.labels if name not in run.label_space]
    fallbacks = run.evaluation["thresholds"]["labels"]
    return {
        "schema": SCHEMA,
        "run": {
            "name": run.recipe.name,
            "seed": run.environment.get("seed"),
            "folder": str(run.folder),
            "label_space": run.label_space.name,
            "cohort_fingerprint": run.environment["cohort_fingerprint"],
        },
        "data": {
            "name": ", ".join(sorted(set(cohort.table["source"]))),
            "folder": str(dataset.folder),
            "label_space": cohort.label_space.name,
            "cohort_fingerprint": cohort.fingerprint,
            "split": split,
            "left_out": int(common.learnt[cohort.rows("test")].sum() if split == "test" else common.learnt.sum()),
        },
        "external": common.external,
        "simulated": cohort.simulated,
        "bootstrap": {"unit": "patient", "draws": draws, "seed": 0},
        "shared": shared,
        "not_shared": {label: reason for label, reason in reasons.items() if reason}
        | dict.fromkeys(theirs, "the run has no such label"),
        "threshold_fallback": [label for label in labels if fallbacks[label].get("fallback")],
        "here": measure(seen, labels, run.thresholds, draws),
        "own": None if own is None else _own(run, own, labels, draws),
        "notes": list(common.notes),
    }


def _own(run: StoredRun, own: OwnData, labels: list[str], draws: int) -> dict[str, Any] | None:
    """The same metrics on the run's own test images, from what it predicted itself."""
    rows = own.cohort.rows("test")
    if not len(rows):
        return None
    return measure(Seen.of(run.predictions, own.cohort, rows), labels, run.thresholds, draws)
