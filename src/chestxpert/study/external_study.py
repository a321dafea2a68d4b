"""What `chestxpert evaluate --predictions` does: a study of other tools' predictions, or these added to a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from chestxpert import __version__
from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.dataset import Dataset
from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.evaluation.partitions import DEFAULT, partitions
from chestxpert.evaluation.threshold_rules import F1, ThresholdRule
from chestxpert.evaluation.uncertainty.smallest import checked_margin
from chestxpert.files import begin_or_go_on, removed_if_left_empty, taken_back_if_it_fails, write_text
from chestxpert.folders import locked
from chestxpert.progress import SILENT, Progress
from chestxpert.study.ensemble import read_ensembles
from chestxpert.study.external import ABOUT, EXTERNAL, named_files, read_named, store_external
from chestxpert.study.plan import COHORT, COMPARISON, PLAN, read_plan
from chestxpert.study.stored import read_cohort, read_runs, write_comparison

_BUSY = "Another process is working on {} right now. Wait for it."


def evaluate_on_data(
    files: Sequence[str],
    data: Path,
    out: Path,
    *,
    logits: bool = False,
    allow_missing: bool = False,
    threshold: str | None = None,
    subgroups: Sequence[str] | None = None,
    margin: float | None = None,
    taxonomy: str | None = None,
    draws: int = DRAWS,
    command: str = "",
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Make a study of what other tools predicted of a data set, and compare each with the first; returns that.

    Parameters
    ----------
    files : sequence of str
        ``FILE`` or ``NAME=FILE``; files of one name are its seeds.
    data : Path
        Dataset folder.
    out : Path
        A new folder, which `chestxpert report` can draw again.
    logits, allow_missing : bool
        See `chestxpert.evaluation.external.read_external`.
    threshold : str, optional
        Rule by which thresholds are chosen on validation; the highest F1 by default.
    subgroups : sequence of str, optional
        What subgroups are made by.
    margin : float, optional
        Largest difference that would not matter.
    taxonomy : str, optional
        Name or file of the tree that hierarchical metrics are measured on; ``study`` by default.
    draws : int
        Bootstrap draws over patients.
    command : str
        The command line that asked for it, for the record.
    progress : Progress

    Raises
    ------
    PredictionsError
        If a file cannot be used.
    RunError
        If `out` is in the way.
    """
    named, dataset = named_files(files), Dataset.load(data)
    cohort, tree = dataset.cohort, cohort_taxonomy(taxonomy or "study", dataset.cohort)
    rule, columns = ThresholdRule.parse(threshold or str(F1)), tuple(subgroups or DEFAULT)
    checked_margin(margin)
    partitions(cohort, cohort.rows("test"), columns)  # raises for what there is not, before anything is made
    read = read_named(named, cohort, logits, allow_missing)
    begin_or_go_on(out, PLAN, (), resume=False, resumable=False)
    made = [out / name for name in (COHORT, EXTERNAL, PLAN, COMPARISON)]
    with removed_if_left_empty(out), locked(out, _BUSY.format(out)), taken_back_if_it_fails(*made):
        cohort.save(out / COHORT)
        for external in read:
            store_external(out, external, cohort)
        plan = {
            "schema": 1,
            "dataset": str(data),
            "cohort_fingerprint": cohort.fingerprint,
            "command": command,
            "chestxpert": __version__,
            "seeds": [],
            "recipes": {},
            "externals": list(named),
            "measured_on": tree.name,
            "threshold": str(rule),
            "subgroups": list(columns),
            "margin": margin,
            "taxonomies": {tree.name: tree.to_dict()},
            "posthoc": [],
            "prepared": {key: dataset.info.get(key) for key in ("source", "arguments", "split")},
            "start": {},
        }
        write_text(out / PLAN, yaml.safe_dump(plan, sort_keys=False, width=100))
        return write_comparison(out, draws=draws, progress=progress)


def add_to_study(
    files: Sequence[str],
    study: Path,
    *,
    logits: bool = False,
    allow_missing: bool = False,
    threshold: str | None = None,
    subgroups: Sequence[str] | None = None,
    margin: float | None = None,
    draws: int = DRAWS,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Add what other tools predicted to a finished study and compare again; returns the comparison.

    Parameters
    ----------
    files, logits, allow_missing, draws, progress
        As for `evaluate_on_data`.
    study : Path
        Whose runs are complete.
    threshold, subgroups, margin
        By default the study's own.

    Raises
    ------
    UsageError
        If a name is taken by a recipe or an ensemble.
    RunError
        If there is no finished study, or predictions of that name are in it already.
    PredictionsError
        If a file cannot be used.
    """
    named, plan = named_files(files), read_plan(study)
    cohort = read_cohort(study, plan)
    taken = {**read_runs(study), **read_ensembles(study)}
    for name in named:
        if name in taken:
            raise UsageError(
                f"{study} has a recipe or ensemble called '{name}'. Give another: --predictions NAME=FILE."
            )
        if (study / EXTERNAL / name / ABOUT).exists():
            raise RunError(f"{study} has predictions called '{name}' already, and they are never overwritten.")
    checked_margin(margin)
    if threshold is not None:
        ThresholdRule.parse(threshold)
    partitions(cohort, cohort.rows("test"), tuple(subgroups or plan.get("subgroups", DEFAULT)))
    read = read_named(named, cohort, logits, allow_missing)
    made = [study / EXTERNAL / external.name for external in read]
    with locked(study, _BUSY.format(study)), taken_back_if_it_fails(*made):
        for external in read:
            store_external(study, external, cohort)
        return write_comparison(
            study, draws=draws, margin=margin, threshold=threshold, subgroups=subgroups, progress=progress
        )
