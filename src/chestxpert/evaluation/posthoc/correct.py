"""A run's predictions corrected, and the record of what was done."""

from __future__ import annotations

from typing import Any

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.inference import answers_of, with_answers
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.posthoc.fitted import Fitted, fit
from chestxpert.evaluation.posthoc.truth import prevalence, true_answers
from chestxpert.evaluation.predictions import Predictions
from chestxpert.recipe import Posthoc


def correct_run(predictions: Predictions, cohort: Cohort, posthoc: Posthoc) -> tuple[Predictions, dict[str, Any]]:
    """A run's predictions of its own validation and test images, corrected.

    Everything is fitted on training or validation labels. Prior shift estimates the prevalence of the test images from
    their predictions, and leaves the validation images at the prevalence they have; so thresholds chosen on validation
    keep their meaning as probabilities, and decide differently on test.

    Parameters
    ----------
    predictions : Predictions
    cohort : Cohort
        Of the run. Labels of its test images change nothing in the predictions returned.
    posthoc : Posthoc

    Returns
    -------
    Predictions
    dict
        ``kind``, its settings, and under ``answers`` for each label (or node given its parent) what was fitted. For
        prior shift with ``prevalence``: ``val``, what its probabilities are calibrated for; ``estimated`` for test and
        ``p``, of the test that it has not changed; and ``test``, the truth, for comparison alone.

    Raises
    ------
    PredictionsError
        If there are no validation images, or the predictions are of another cohort.
    """
    fitted = fit(posthoc, predictions, cohort)
    answers, record = answers_of(predictions), fitted.describe()
    test = (predictions.frame["split"] == "test").to_numpy()
    corrected = np.empty_like(answers)
    corrected[~test] = fitted.here(answers[~test])
    corrected[test], found = fitted.there(answers[test])
    if found is not None and fitted.before is not None:
        true = prevalence(*true_answers(predictions, cohort, "test"))
        _add(record, fitted, {"val": fitted.before, "estimated": found.after, "p": found.p, "test": true})
    return with_answers(predictions, corrected), record


def _add(record: dict[str, Any], fitted: Fitted, values: dict[str, FloatArray]) -> None:
    """Put what is known of each answer's prevalence into the record; None if undefined."""
    for column, name in enumerate(fitted.names):
        each = {key: float(value[column]) for key, value in values.items()}
        record["answers"][name]["prevalence"] = {key: None if np.isnan(value) else value for key, value in each.items()}
