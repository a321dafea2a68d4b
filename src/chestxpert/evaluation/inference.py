"""Routing: how the probabilities that a network gave become those of a run, after training and without the network.

All of it works on what predictions store. Three parts, in this order:

- a temperature a decision, fitted on validation rows: logits are divided by it (Guo, Pleiss, Sun and Weinberger, On
  calibration of modern neural networks, ICML 2017, section 4.2, here for sigmoids and one decision of the tree at a
  time);
- the gate of ``gated``: the probability of any finding, 1 - P(No Finding), raised to the power `alpha`;
- the soft product along each path (`Taxonomy.marginals_from_conditionals`).

With P(any) = (1 - p0)^alpha put in place of 1 - p0, the probability of a finding is (1 - p0)^alpha p, where p is the
product of the conditionals below the root's child or, in a flat model, its own output; P(No Finding) becomes
1 - (1 - p0)^alpha. So no finding is likelier than a node above it, and P(No Finding) agrees with the rest, for every
alpha; 1 leaves a hierarchy as it is. A flat model has no such order by itself, and gets one.

Hard routing decides instead of multiplying: `Taxonomy.route`, with thresholds of `thresholds.node_thresholds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.cohort.table import Cohort
from chestxpert.errors import PredictionsError
from chestxpert.evaluation.log_odds import finite_logit, logit, sigmoid
from chestxpert.evaluation.metrics import BoolArray, FloatArray
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import LabelSpace
from chestxpert.recipe import Routing
from chestxpert.taxonomy import Taxonomy

FLAT = "flat"
"""How the one decision of a flat model is called, which is over all its labels."""

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of a fitted temperature. Below the first nothing is fitted: a decision that errs on no validation image would
want 0, and be as sure of every other image."""


def tempered(probs: npt.ArrayLike, temperature: npt.ArrayLike) -> FloatArray:
    """Probabilities whose logits are divided by `temperature`, above 0; it broadcasts against `probs`.

    A temperature of 1 gives back the very same numbers.
    """
    values, divisor = np.asarray(probs, dtype=np.float64), np.asarray(temperature, dtype=np.float64)
    return np.where(divisor == 1.0, values, sigmoid(logit(values) / divisor))


def fit_temperature(truth: npt.ArrayLike, probs: npt.ArrayLike) -> float | None:
    """The temperature with the smallest negative log-likelihood of a set of yes-or-no answers.

    The likelihood is concave in the inverse temperature, so its one maximum is found by halving an interval on the
    sign of the slope.

    Parameters
    ----------
    truth : (n,) bool array
    probs : (n,) array in [0, 1]

    Returns
    -------
    float from `COLDEST` up to `HOTTEST`, which a decision gets that is wrong more often than right; None where there
    is nothing to fit on: all answers are alike, no logit differs from 0, or the likelihood still grows at `COLDEST`.
    """
    held = np.asarray(truth, dtype=np.bool_)
    scores = finite_logit(probs)
    if not held.any() or held.all() or not scores.any():
        return None
    low, high = 1 / HOTTEST, 1 / COLDEST
    if _slope(high, held, scores) < 0:
        return None
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if _slope(middle, held, scores) < 0 else (low, middle)
    return 1 / high


def _slope(inverse: float, held: BoolArray, scores: FloatArray) -> float:
    """Derivative of the negative log-likelihood by the inverse temperature; it only ever grows."""
    return float((scores * (sigmoid(inverse * scores) - held)).sum())


def fit_temperatures(
    labels: BoolArray, conditionals: npt.ArrayLike, taxonomy: Taxonomy, known: BoolArray | None = None
) -> dict[str, float | None]:
    """Temperature of each decision of a tree, from the rows where it is asked and its answers are known.

    Parameters
    ----------
    labels : (N, K) bool array in label order
    conditionals : (N, M) array
        Probability of each node given its parent.
    taxonomy : Taxonomy
    known : (N, K) bool array, optional
        Where the labels are known; everywhere by default.

    Returns
    -------
    dict
        By decision; None where there is nothing to fit on.
    """
    values = np.asarray(conditionals, dtype=np.float64)
    targets, mask = taxonomy.targets(labels, known), taxonomy.mask(labels, known)
    fitted = {}
    for decision in taxonomy.decisions:
        columns = taxonomy.columns(decision.name)
        asked = mask[:, columns]
        fitted[decision.name] = fit_temperature(targets[:, columns][asked], values[:, columns][asked])
    return fitted


def gate(conditionals: npt.ArrayLike, alpha: float) -> FloatArray:
    """(N, M) conditional probabilities of a tree with one node below its root, that node's raised to `alpha` > 0."""
    values = np.array(conditionals, dtype=np.float64)
    values[:, 0] **= alpha
    return values


def gate_flat(probs: npt.ArrayLike, label_space: LabelSpace, alpha: float) -> FloatArray:
    """(N, K) probabilities of a flat model, each finding's times (1 - P(No Finding))^alpha, alpha > 0.

    P(No Finding) becomes what that gate leaves, 1 - (1 - P(No Finding))^alpha.
    """
    values = np.asarray(probs, dtype=np.float64)
    none = label_space.index(str(label_space.no_finding))
    any_finding = (1.0 - values[:, none]) ** alpha
    result = values * any_finding[:, None]
    result[:, none] = 1.0 - any_finding
    return result


def route_predictions(
    predictions: Predictions, cohort: Cohort, routing: Routing
) -> tuple[Predictions, dict[str, Any] | None]:
    """A run's predictions as its recipe routes them; whatever is fitted is fitted on validation rows.

    Parameters
    ----------
    predictions : Predictions
        As the network gave them.
    cohort : Cohort
    routing : Routing

    Returns
    -------
    Predictions
        The same object where the recipe asks for nothing.
    dict or None
        What evaluation.json says of it under ``routing``: ``kind``, ``alpha``, and ``temperatures`` by decision,
        which undo it; None where the recipe asks for nothing.

    Raises
    ------
    PredictionsError
        If a gate is asked for in a label space without No Finding.
    """
    if routing == Routing():
        return predictions, None
    record: dict[str, Any] = {"kind": routing.kind, **routing.settings}
    if routing.temperature == "fit":
        record["temperatures"] = {"chosen_on": "val", **_fitted(predictions, cohort)}
    return route_again(predictions, record), record


def route_again(predictions: Predictions, record: Mapping[str, Any] | None) -> Predictions:
    """Predictions of any images, as the network gave them, routed as a run's own were; nothing is fitted.

    Parameters
    ----------
    predictions : Predictions
    record : mapping or None
        ``routing`` of the run's evaluation.json: what `route_predictions` returned; None leaves them as they are.

    Raises
    ------
    PredictionsError
        If a gate is asked for in a label space without No Finding.
    """
    if record is None:
        return predictions
    space, tree, alpha = predictions.label_space, predictions.taxonomy, record.get("alpha")
    if alpha is not None and space.no_finding is None:
        raise PredictionsError(f"Routing '{record['kind']}' needs No Finding, which label space '{space.name}' lacks.")
    given = answers_of(predictions)
    if tree is None:
        if "temperatures" in record:
            given = tempered(given, _columns(record["temperatures"], tree))
        return with_answers(predictions, given if alpha is None else gate_flat(given, space, alpha))
    return with_answers(predictions, conditionals_again(given, record, tree))


def conditionals_again(given: FloatArray, record: Mapping[str, Any] | None, tree: Taxonomy) -> FloatArray:
    """(N, M) conditional probabilities, as networks gave them, routed as a run's own were: entry by entry.

    `record` is as in `route_again`.
    """
    if record is None:
        return given
    if "temperatures" in record:
        given = tempered(given, _columns(record["temperatures"], tree))
    alpha = record.get("alpha")
    return given if alpha is None else gate(given, alpha)


def answers_of(predictions: Predictions) -> FloatArray:
    """(N, C) probabilities that a run states itself: of K labels, or in a hierarchy of M nodes given their parents."""
    given = predictions.conditionals
    return predictions.probs if given is None else given


def with_answers(predictions: Predictions, answers: FloatArray) -> Predictions:
    """The same images with other `answers_of` them; a hierarchy's probabilities are their products along the path."""
    frame, tree = predictions.frame, predictions.taxonomy
    return Predictions.from_arrays(
        frame["image_id"].to_numpy(),
        frame["split"].to_numpy(),
        answers if tree is None else tree.marginals_from_conditionals(answers),
        predictions.label_space,
        None if tree is None else answers,
        tree,
    )


def _fitted(predictions: Predictions, cohort: Cohort) -> dict[str, float | None]:
    rows = cohort.rows("val")
    labels, known = cohort.labels(rows), cohort.known(rows)
    probs, given = predictions.align(cohort, "val")
    if given is None or predictions.taxonomy is None:
        return {FLAT: fit_temperature(labels[known], probs[known])}
    return fit_temperatures(labels, given, predictions.taxonomy, known)


def _columns(fitted: Mapping[str, float | None], tree: Taxonomy | None) -> npt.ArrayLike:
    """Temperature of each column; 1 where none could be fitted."""
    if tree is None:
        return fitted[FLAT] or 1.0
    return np.concatenate([np.full(len(d.children), fitted[d.name] or 1.0) for d in tree.decisions])
