"""A finished run, read back from its folder. Nothing here loads torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chestxpert.cohort.table import Cohort
from chestxpert.errors import ChestXpertError, RunError
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import LabelSpace
from chestxpert.prepare import COHORT, INFO
from chestxpert.recipe import Recipe, load_recipe
from chestxpert.taxonomy import Taxonomy, taxonomy
from chestxpert.training.folder import ENSEMBLE, ENVIRONMENT, EVALUATION, PREDICTIONS, RECIPE, is_complete


@dataclass(frozen=True, eq=False)
class StoredRun:
    """What a run folder holds, but for its weights.

    Parameters
    ----------
    folder : Path
    recipe : Recipe
    environment, evaluation : dict
        Contents of ``environment.json`` and ``evaluation.json``.
    predictions : Predictions
        Of the run's own validation and test images.
    """

    folder: Path
    recipe: Recipe
    environment: dict[str, Any]
    evaluation: dict[str, Any]
    predictions: Predictions

    @property
    def label_space(self) -> LabelSpace:
        """The findings that the run predicts."""
        return self.predictions.label_space

    @property
    def tree(self) -> Taxonomy:
        """The recipe's tree over these findings, as stored: its file may have changed or gone since."""
        if "taxonomy" in self.environment:
            return Taxonomy.from_dict(self.environment["taxonomy"])
        return taxonomy(self.recipe.taxonomy, self.label_space)  # of versions that had one tree alone

    @property
    def thresholds(self) -> dict[str, float]:
        """Threshold of each label, as chosen on the run's own validation images."""
        stored = self.evaluation["thresholds"]["labels"]
        return {label: float(stored[label]["threshold"]) for label in self.label_space.labels}

    @property
    def not_learnt(self) -> tuple[str, ...]:
        """Labels that no training image could teach."""
        return tuple(self.evaluation.get("not_learnt", ()))


def read_run(folder: Path) -> StoredRun:
    """Read a finished run.

    Raises
    ------
    RunError
        If the folder holds none, or one that is not finished or damaged.
    """
    if not is_complete(folder):
        raise RunError(
            f"{folder} holds no finished run: it has no {EVALUATION}. Name a run folder (of 'chestxpert train', or "
            "STUDY/runs/RECIPE/seed-N of 'chestxpert compare')."
        )
    if (folder / ENSEMBLE).is_file():
        raise RunError(
            f"{folder} is an ensemble, which has no networks of its own. Name one of the runs it was made of."
        )
    try:
        environment, evaluation = (
            json.loads((folder / name).read_text(encoding="utf-8")) for name in (ENVIRONMENT, EVALUATION)
        )
        run = StoredRun(
            folder, load_recipe(folder / RECIPE), environment, evaluation, Predictions.load(folder / PREDICTIONS)
        )
        _ = run.thresholds, run.tree, environment["start"]["weights_fingerprint"], environment["size"]
    except (OSError, ValueError, KeyError, TypeError, ChestXpertError) as error:
        raise RunError(f"The run in {folder} cannot be read ({error}). Is the folder whole?") from error
    return run


@dataclass(frozen=True, eq=False)
class OwnData:
    """The data set that a run learnt from: its cohort, and what its ``dataset.json`` says, if that is at hand."""

    cohort: Cohort
    info: dict[str, Any]


def own_data(run: StoredRun, given: Path | None, other: Path) -> OwnData | None:
    """The run's own cohort, known by its fingerprint: where it is said to be, where it was, in the study, or `other`.

    Parameters
    ----------
    run : StoredRun
    given : Path or None
        Dataset folder that somebody names.
    other : Path
        Dataset folder that the run is to be evaluated on, which may be the same.

    Raises
    ------
    RunError
        If `given` is another data set than the run's.
    """
    if given is not None:
        found = _if_own(given, run)
        if found is None:
            raise RunError(f"{given} is not the data set that {run.folder} learnt from: its cohort is another.")
        return found
    return next((own for folder in _places(run, other) if (own := _if_own(folder, run)) is not None), None)


def _places(run: StoredRun, other: Path) -> Iterator[Path]:
    yield Path(run.environment["dataset"])
    yield other
    yield from list(run.folder.absolute().parents)[2:3]  # STUDY of STUDY/runs/RECIPE/seed-N


def _if_own(folder: Path, run: StoredRun) -> OwnData | None:
    """The cohort in `folder` if there is one and it is the run's."""
    try:
        cohort = Cohort.load(folder / COHORT)
    except (ChestXpertError, OSError):
        return None
    if cohort.fingerprint != run.environment["cohort_fingerprint"]:
        return None
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        info = {}
    return OwnData(cohort, info if isinstance(info, dict) else {})
