"""A correction fitted to a run: curves, and for prior shift the prevalence that they are right for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.calibration import Curve, apply_curves, fit_curves
from chestxpert.evaluation.metrics import FloatArray, ratio
from chestxpert.evaluation.posthoc.logit_adjustment import adjust_logits
from chestxpert.evaluation.posthoc.prior_shift import Shift, shift_all
from chestxpert.evaluation.posthoc.truth import answer_names, prevalence, true_answers
from chestxpert.evaluation.predictions import Predictions
from chestxpert.recipe import Posthoc
from chestxpert.taxonomy import Taxonomy

SHIFTED = "em"


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a correction does to a run's answers; nothing in it knows a label of an image that it is applied to.

    Parameters
    ----------
    posthoc : Posthoc
    names : tuple of str
        Of the C answers.
    tree : Taxonomy or None
        The tree whose conditionals they are.
    curves : sequence of Curve
        One an answer.
    before : (C,) array or None
        For prior shift, the prevalence that the curves are right for; NaN where it is not known.
    """

    posthoc: Posthoc
    names: tuple[str, ...]
    tree: Taxonomy | None
    curves: Sequence[Curve]
    before: FloatArray | None = None

    def here(self, answers: FloatArray) -> FloatArray:
        """(n, C) answers of images from the population that it was fitted on, corrected."""
        return apply_curves(self.curves, answers)

    def there(self, answers: FloatArray) -> tuple[FloatArray, Shift | None]:
        """(n, C) answers of images from another population, corrected, and what was found of its prevalence."""
        calibrated = self.here(answers)
        if self.before is None:
            return calibrated, None
        return shift_all(calibrated, self.before, self.tree, self.posthoc.settings["alpha"])

    def describe(self) -> dict[str, Any]:
        """Kind, settings and curves, by answer."""
        curves = zip(self.names, self.curves, strict=True)
        return {
            "kind": self.posthoc.kind,
            **self.posthoc.settings,
            "answers": {name: curve.describe() for name, curve in curves},
        }


def fit(posthoc: Posthoc, predictions: Predictions, cohort: Cohort) -> Fitted:
    """Fit a correction to a run, on labels of training images (logit adjustment) or of validation images (the others).

    Parameters
    ----------
    posthoc : Posthoc
    predictions : Predictions
        Covering the validation images of the cohort.
    cohort : Cohort
        Of the run.

    Raises
    ------
    PredictionsError
        If there are no validation images to fit on, or some without predictions.
    """
    names, tree = answer_names(predictions), predictions.taxonomy
    probs, given = predictions.align(cohort, "val")
    if posthoc.kind == "logit-adjustment":
        shares = prevalence(*true_answers(predictions, cohort, "train"))
        return Fitted(posthoc, names, tree, adjust_logits(shares, posthoc.settings["tau"]))
    if not len(probs):
        raise PredictionsError(f"The cohort has no validation images, so '{posthoc.name}' has nothing to be fitted on.")
    truth, counts = true_answers(predictions, cohort, "val")
    answers = probs if given is None else given
    if posthoc.kind != SHIFTED:
        return Fitted(posthoc, names, tree, fit_curves(posthoc.kind, truth, answers, counts))
    curves = fit_curves("platt", truth, answers, counts)
    calibrated = np.where(counts, apply_curves(curves, answers), 0.0)
    # A finding without both answers on val is not calibrated, and has no prevalence to start from.
    both = (truth & counts).any(axis=0) & (~truth & counts).any(axis=0)
    before = np.where(both, ratio(calibrated.sum(axis=0), counts.sum(axis=0)), np.nan)
    return Fitted(posthoc, names, tree, curves, before)
