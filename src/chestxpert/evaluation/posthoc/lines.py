"""Corrected lines of a comparison, beside those they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.derived import Derived
from chestxpert.evaluation.measured_runs import RunResult
from chestxpert.evaluation.posthoc.correct import correct_run
from chestxpert.recipe import Posthoc


def with_posthoc(
    study: Mapping[str, Sequence[RunResult]], cohort: Cohort, corrections: Sequence[Posthoc]
) -> dict[str, list[RunResult]]:
    """Every line, and after all of them the corrected ones, called ``LINE+CORRECTION``.

    Each run is corrected by itself: what is fitted is fitted on its own validation predictions.

    Parameters
    ----------
    study : mapping of line to its runs
    cohort : Cohort
    corrections : sequence of Posthoc
    """
    result = {name: list(runs) for name, runs in study.items()}
    for name, runs in study.items():
        for posthoc in corrections:
            result[f"{name}+{posthoc.name}"] = [_corrected(name, run, cohort, posthoc) for run in runs]
    return result


def _corrected(name: str, run: RunResult, cohort: Cohort, posthoc: Posthoc) -> RunResult:
    predictions, record = correct_run(run.predictions.in_memory(), cohort, posthoc)
    return replace(run, predictions=predictions, derived=Derived("posthoc", (name,), record))
