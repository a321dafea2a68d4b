"""How far probabilities can be taken at their word: reliability bins, calibration error, slope and intercept.

Nothing here changes a probability. A label is measured on the images whose truth is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.log_odds import logit, sigmoid
from chestxpert.evaluation.logistic import fit_logistic
from chestxpert.evaluation.metrics import BoolArray, FloatArray, known_columns, pair, ratio
from chestxpert.evaluation.uncertainty.shares import wilson

BINS = 10
EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1 before their logit is taken: as near as 32-bit numbers come to 1."""

FEWEST = 20
"""Positives, and negatives, from which on slope and intercept get an interval."""


@dataclass(frozen=True, eq=False)
class Cox:
    """Slope and intercept of logit P(truth) = intercept + slope * logit(prob) for K labels.

    Cox, Two further applications of a model for binary regression, Biometrika 45, 1958. Perfect is slope 1 and
    intercept 0. A slope below 1 means probabilities that are too extreme, above 1 too timid.

    Parameters
    ----------
    intercept, slope : (..., K) float64 arrays
        Fitted together.
    in_the_large : (..., K) float64 array
        The intercept with the slope held at 1: above 0, findings are more frequent than was said (Van Calster et al.,
        Calibration: the Achilles heel of predictive analytics, BMC Medicine 17, 2019).
    """

    intercept: FloatArray
    slope: FloatArray
    in_the_large: FloatArray


def equal_mass_bins(scores: npt.ArrayLike, bins: int = BINS) -> npt.NDArray[np.int64]:
    """Bin of each of n scores, in order of score and as equally filled as can be; equal scores share one.

    The image with r scores strictly below its own is in bin floor(r * bins / n), so some bins may be empty.
    """
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(values)
    ranked = values[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])
    below = np.empty(len(values), dtype=np.int64)
    below[order] = np.repeat(starts, np.diff(np.append(starts, len(ranked))))
    return np.asarray(below * bins // max(len(values), 1), dtype=np.int64)


def _bin_sums(held: BoolArray, values: FloatArray, bins: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Bin of each image, and of each bin the (3, bins) images, positives and sum of probabilities."""
    where = equal_mass_bins(values, bins)
    sums = [np.bincount(where, weights=part, minlength=bins) for part in (np.ones(len(held)), held, values)]
    return where, np.stack(sums)


def _error(sums: FloatArray) -> FloatArray:
    """Calibration error from (..., 3, bins) sums."""
    images, held, said = np.moveaxis(sums, -2, 0)
    return ratio(np.abs(said - held).sum(axis=-1), images.sum(axis=-1))


def ece(truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None = None, bins: int = BINS) -> FloatArray:
    """Expected calibration error over bins of equal mass: the mean of |mean probability - share of positives|.

    Weighted by the images of each bin. Equal mass and not equal width (Nguyen and O'Connor, Posterior calibration,
    EMNLP 2015, section 3; Nixon et al., Measuring calibration in deep learning, CVPR workshops 2019): the probabilities
    of a rare finding all lie in the lowest bin of equal width, whose error says nothing of the few that matter.

    The value is never below 0 and so too high on average. Read it beside `ece_if_perfect`, not beside 0.

    Returns
    -------
    (K,) float64 array in [0, 1]; NaN only without known images.
    """
    columns = _known_columns(truth, probs, known)
    return np.array([float(_error(_bin_sums(held, values, bins)[1])) for held, values, _ in columns])


def ece_if_perfect(probs: npt.ArrayLike, known: npt.ArrayLike | None = None, bins: int = BINS) -> FloatArray:
    """The calibration error that these probabilities reach on average if every one of them is right.

    In a bin of n images the share of positives then lies around its mean with variance v = sum p (1 - p) / n^2, so at a
    distance of sqrt(2 v / pi) on average (the mean of a half-normal distribution). Images count as independent.

    Returns
    -------
    (K,) float64 array; NaN only without known images.
    """
    values = np.asarray(probs, dtype=np.float64)
    columns = _known_columns(np.zeros_like(values, dtype=np.bool_), values, known)
    found = []
    for _, scores, _ in columns:
        where = equal_mass_bins(scores, bins)
        spread = np.bincount(where, weights=scores * (1 - scores), minlength=bins)
        found.append(float(ratio(np.sqrt(2 * spread / np.pi).sum(), len(scores))))
    return np.array(found)


def reliability(
    truth: npt.ArrayLike,
    probs: npt.ArrayLike,
    known: npt.ArrayLike | None = None,
    draws: PatientDraws | None = None,
    bins: int = BINS,
) -> list[dict[str, FloatArray]]:
    """Reliability bins of each of K labels: the points of its plot.

    Parameters
    ----------
    truth : (N, K) bool array
    probs : (N, K) array of probabilities
    known : (N, K) bool array, optional
    draws : PatientDraws, optional
        Over the same images; bins stay as they are in every draw.
    bins : int

    Returns
    -------
    list of dict
        For each label the arrays ``n``, ``positives``, ``mean_prob``, ``share`` (of positives), (B,) over the bins that
        hold an image; and with draws ``drawn_share`` (D, B) and ``drawn_error`` (D,), the calibration error in each.
    """
    result = []
    for held, values, rows in _known_columns(truth, probs, known):
        where, sums = _bin_sums(held, values, bins)
        filled = sums[0] > 0
        n, positives, said = sums[:, filled]
        entry = {"n": n, "positives": positives, "mean_prob": ratio(said, n), "share": ratio(positives, n)}
        if draws is not None:
            inside = where[:, None] == np.flatnonzero(filled)
            parts = [inside, inside & held[:, None], inside * values[:, None]]
            mine = PatientDraws(draws.patient_of_image[rows], draws.counts)
            drawn = np.stack(np.split(mine.totals(np.hstack(parts)), 3, axis=1), axis=1)
            entry |= {"drawn_share": ratio(drawn[:, 1], drawn[:, 0]), "drawn_error": _error(drawn)}
        result.append(entry)
    return result


def share_interval(share: FloatArray, n: FloatArray, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """95 % interval of the share of positives of each bin, over patients.

    Wilson's interval (JASA 22, 1927) for as many independent images as the bin is worth: its images divided by the
    design effect, which is the variance of the drawn shares over that of independent images, but at least 1 (Korn and
    Graubard, Survey Methodology 24, 1998). A bin without positives has a width, which no resampling of it would give.

    Parameters
    ----------
    share, n : (B,) float64 arrays
        Share of positives and number of images.
    drawn : (D, B) float64 array
        The share in each draw; NaN where a draw has no image of the bin.

    Returns
    -------
    low, high : (B,) float64 arrays in [0, 1]
    """
    told = ~np.isnan(drawn)
    centred = np.where(told, drawn - ratio(np.where(told, drawn, 0).sum(axis=0), told.sum(axis=0)), 0.0)
    variance = ratio((centred**2).sum(axis=0), told.sum(axis=0))
    effect = np.nan_to_num(ratio(variance, share * (1 - share) / n), nan=1.0)
    worth = n / np.maximum(effect, 1.0)
    return wilson(share, worth)


def cox(truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None = None) -> Cox:
    """Calibration slope and intercept of each label: (K,) arrays.

    NaN where no finite fit exists: without positives or negatives, and for slope and intercept where the probabilities
    are constant or separate the classes.
    """
    fits = [_fit(held, values) for held, values, _ in _known_columns(truth, probs, known)]
    return Cox(*(np.array(part, dtype=np.float64) for part in (zip(*fits, strict=True) if fits else ((), (), ()))))


def _fit(held: BoolArray, values: FloatArray) -> tuple[float, float, float]:
    if not held.any() or held.all():
        return float("nan"), float("nan"), float("nan")
    x = logit(values, EPSILON)
    large = float(fit_logistic(np.empty((len(x), 0)), held, offset=x)[0])
    lower, upper = x[~held], x[held]
    # No line has a finite slope if one class lies wholly on one side (Albert and Anderson, Biometrika 71, 1984).
    if lower.max() <= upper.min() or upper.max() <= lower.min():
        return float("nan"), float("nan"), large
    intercept, slope = fit_logistic(x[:, None], held, start=[large, 1.0])
    return float(intercept), float(slope), large


def drawn_cox(
    truth: BoolArray, probs: FloatArray, fitted: Cox, draws: PatientDraws, known: BoolArray | None = None
) -> Cox:
    """`fitted` in every draw, by one Newton step from it: (D, K) arrays.

    The one-step bootstrap (Moulton and Zeger, Bootstrapping generalized linear models, Comput Stat Data Anal 11, 1991):
    the sums that a step needs are sums over patients, so no draw is fitted anew. From 25 positives on the ends of the
    intervals are those of new fits to a tenth of the width; with 15 they can be a quarter too narrow, so labels with
    fewer than `FEWEST` positives or negatives get none.
    """
    told = np.ones_like(truth) if known is None else known
    x = logit(probs, EPSILON)
    both = _one_step([np.ones_like(x), x], truth, told, np.zeros_like(x), [fitted.intercept, fitted.slope], draws)
    large = _one_step([np.ones_like(x)], truth, told, x, [fitted.in_the_large], draws)
    return Cox(both[..., 0], both[..., 1], large[..., 0])


def _one_step(
    design: list[FloatArray], truth: BoolArray, told: BoolArray, shift: FloatArray, start: list[FloatArray],
    draws: PatientDraws,
) -> FloatArray:  # fmt: skip
    """(D, K, p) coefficients after one weighted Newton step from `start`; NaN where a draw has no such step.

    `design` holds p columns, each (N, K), of which each of the K labels has its own; `start` p arrays (K,).
    """
    width, beta = len(design), np.stack(start, axis=-1)
    probs = sigmoid(sum(np.nan_to_num(one) * column for one, column in zip(start, design, strict=True)) + shift)
    spread = probs * (1 - probs)
    pairs = [(row, column) for row in range(width) for column in range(row, width)]
    columns = [column * (truth - probs) for column in design]
    columns += [spread * design[row] * design[column] for row, column in pairs]
    columns += [truth.astype(np.float64), (~truth).astype(np.float64)]
    # One product for all: of draws by patients, and of patients by all that is summed.
    summed = draws.totals(np.hstack([np.where(told, column, 0.0) for column in columns]))
    sums = np.moveaxis(summed.reshape(len(draws), len(columns), -1), 1, -1)
    curvature = np.empty((*sums.shape[:2], width, width))
    for position, (row, column) in enumerate(pairs):
        curvature[..., row, column] = curvature[..., column, row] = sums[..., width + position]
    enough = np.minimum((truth & told).sum(axis=0), (~truth & told).sum(axis=0)) >= FEWEST
    # A draw without positives or without negatives has no fit, though it may have a step.
    usable = (sums[..., -2:] > 0).all(axis=-1) & enough & ~np.isnan(beta).any(axis=-1)
    usable &= np.linalg.cond(curvature) < 1 / np.finfo(np.float64).eps
    steps = np.full((*sums.shape[:2], width), np.nan)
    steps[usable] = np.linalg.solve(curvature[usable], sums[..., :width, None][usable])[..., 0]
    return np.asarray(beta + steps)


def _known_columns(
    truth: npt.ArrayLike, probs: npt.ArrayLike, known: npt.ArrayLike | None
) -> list[tuple[BoolArray, FloatArray, BoolArray]]:
    """Of each label truth and probabilities of its known images, and which of all images those are."""
    held, values = pair(truth, probs, "probabilities")
    mask = known_columns(known, held.shape)
    told = np.ones_like(held) if mask is None else mask
    return [(held[told[:, k], k], values[told[:, k], k], told[:, k]) for k in range(held.shape[1])]
