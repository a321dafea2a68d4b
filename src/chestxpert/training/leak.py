"""Whether images that a run is to be evaluated on are of patients it learnt from. Nothing here loads torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import SIMULATED, Cohort
from chestxpert.errors import RunError
from chestxpert.training.stored_run import OwnData, StoredRun


@dataclass(frozen=True, eq=False)
class Overlap:
    """What a run and a data set have in common.

    Parameters
    ----------
    learnt : (N,) bool array
        Rows of patients that the run trained or validated on.
    external : bool
        Whether the data set is another than the run's, and shares no patient with it.
    notes : tuple of str
    """

    learnt: npt.NDArray[np.bool_]
    external: bool
    notes: tuple[str, ...]


def overlap(run: StoredRun, own: OwnData | None, cohort: Cohort, info: Mapping[str, Any]) -> Overlap:
    """Compare by name of the data set and patient id; and, whatever the names, by image id and patient id together.

    Parameters
    ----------
    run : StoredRun
    own : OwnData or None
        What the run learnt from; None if it cannot be found.
    cohort : Cohort
        What it is to be evaluated on.
    info : mapping
        The ``dataset.json`` of that.

    Raises
    ------
    RunError
        If the data sets have one name and the run's own cannot be found, so that nobody knows who is in both.
    """
    here = _sources(cohort, info)
    if own is None:
        if run.environment.get("source", "") in set(cohort.table["source"]):
            raise RunError(
                f"{run.folder} learnt from images of '{run.environment['source']}', as there are here, and the data "
                "set it learnt from cannot be found, to tell which patients are in both. Say where: --run-data DIR."
            )
        note = "The run's own data set cannot be found (--run-data DIR), so its own test figures are not shown."
        return Overlap(np.zeros(len(cohort), dtype=np.bool_), True, (note,))
    theirs = _sources(own.cohort, own.info)
    seen = np.concatenate([own.cohort.rows("train"), own.cohort.rows("val")])
    persons = set(zip(theirs[seen], own.cohort.patients[seen], strict=True))
    learnt = _in(persons, here, cohort.patients)
    if not (cohort.simulated or own.cohort.simulated):  # simulations name their images alike
        images = set(zip(own.cohort.image_ids[seen], own.cohort.patients[seen], strict=True))
        learnt |= _in(images, cohort.image_ids, cohort.patients)
    # One image that is the same under another name tells on all images of its patient.
    learnt |= np.isin(cohort.patients.astype(str), np.unique(cohort.patients[learnt].astype(str)))
    common = sorted(set(here) & set(theirs))
    return Overlap(learnt, not common and not learnt.any(), tuple(_notes(common, learnt, cohort)))


def _in(pairs: set[tuple[Any, Any]], *columns: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    return np.fromiter((pair in pairs for pair in zip(*columns, strict=True)), dtype=np.bool_, count=len(columns[0]))


def _sources(cohort: Cohort, info: Mapping[str, Any]) -> npt.NDArray[np.object_]:
    """Data set of every row; two simulations are two data sets, though both call their patients 1, 2, 3."""
    names = cohort.table["source"].to_numpy(dtype=object)
    made = json.dumps(info.get("simulation"), sort_keys=True)
    mark = f"{SIMULATED} {hashlib.sha256(made.encode()).hexdigest()[:12]}" if info.get("simulation") else SIMULATED
    return np.array([mark if name == SIMULATED else name for name in names], dtype=object)


def _notes(common: list[str], learnt: npt.NDArray[np.bool_], cohort: Cohort) -> list[str]:
    notes = []
    if common:
        names = ", ".join(name.partition(" ")[0] for name in common)
        notes.append(f"The run learnt from '{names}' too, so this is no external evaluation.")
    if learnt.any():
        count = len(set(cohort.patients[learnt]))
        notes.append(
            f"{int(learnt.sum()):,} images of {count:,} patients that the run trained or validated on are left out."
        )
    return notes
