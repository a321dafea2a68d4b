"""A finished run with a post-hoc correction, on images of another data set."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from chestxpert.errors import RunError
from chestxpert.evaluation.inference import answers_of, with_answers
from chestxpert.evaluation.posthoc import correct_run, fit
from chestxpert.evaluation.predictions import Predictions
from chestxpert.evaluation.run_metrics import evaluate_run
from chestxpert.recipe import Posthoc
from chestxpert.training.stored_run import OwnData, StoredRun


def at_hand(own: OwnData | None, posthoc: Posthoc) -> OwnData:
    """The run's own data set, on which a correction is fitted; RunError if it was not found."""
    if own is None:
        raise RunError(
            f"'{posthoc.name}' is fitted on the run's own data set, which was not found. Name its folder with "
            "--run-data."
        )
    return own


def corrected_elsewhere(
    run: StoredRun, own: OwnData, predictions: Predictions, images: Collection[str], posthoc: Posthoc
) -> tuple[StoredRun, Predictions, dict[str, Any]]:
    """A run as if its probabilities had been corrected, and what it then says of other images.

    Parameters
    ----------
    run : StoredRun
    own : OwnData
        The data set that the run learnt from, on whose training or validation labels the correction is fitted.
    predictions : Predictions
        Of the other data set.
    images : collection of str
        Those that are evaluated; prior shift takes them, and no others, for the new population.
    posthoc : Posthoc

    Returns
    -------
    StoredRun
        With its own predictions corrected, and thresholds chosen anew on its validation images.
    Predictions
        Of `images`, corrected.
    dict
        What was fitted, and for prior shift the prevalence estimated for these images.
    """
    fitted = fit(posthoc, run.predictions, own.cohort)
    at_home, _ = correct_run(run.predictions, own.cohort, posthoc)
    thresholds = evaluate_run(at_home, own.cohort, run.tree)["thresholds"]
    asked = predictions.frame["image_id"].isin(list(images)).to_numpy()
    frame = predictions.frame[asked].reset_index(drop=True)
    there = Predictions(frame, predictions.label_space, predictions.taxonomy)
    answers, found = fitted.there(answers_of(there))
    record: dict[str, Any] = {"name": posthoc.name, **fitted.describe()}
    if found is not None and fitted.before is not None:
        columns = zip(fitted.names, fitted.before, found.after, found.p, strict=True)
        record["prevalence"] = {name: {"val": a, "estimated": b, "p": p} for name, a, b, p in columns}
    changed = replace(run, predictions=at_home, evaluation={**run.evaluation, "thresholds": thresholds})
    return changed, with_answers(there, answers), record
