"""Another prevalence than where a run was calibrated, estimated from unlabelled images and corrected for.

Saerens, Latinne and Decaestecker, Adjusting the outputs of a classifier to new a priori probabilities: a simple
procedure, Neural Computation 14, 2002. Where the images of a finding look alike in both populations and only its share
differs (label shift), the posterior there is (their equation 2.4; here for a finding and its absence)

    p'(x) = r p(x) / (r p(x) + q (1 - p(x))),    r = pi' / pi,  q = (1 - pi') / (1 - pi)

and pi' is found by turns: p' from pi', then pi' as the mean of p' (equation 2.9). That is expectation maximisation of

    sum over x of log(r p(x) + q (1 - p(x))),

which is concave in pi' (Alexandari, Kundaje and Shrikumar, Maximum likelihood with bias-corrected calibration is
hard-to-beat at label shift adaptation, ICML 2020), so where the turns end is found faster by halving an interval on the
sign of its slope. Twice what the sum gains over pi' = pi is compared with chi-square of one degree of freedom, their
likelihood-ratio test of whether the prevalence has changed (section 2.3). pi is the mean of p where p was calibrated
(Alexandari et al.), not the share counted there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chestxpert.evaluation.metrics import FloatArray
from chestxpert.taxonomy import Taxonomy


def shift(probs: FloatArray, before: float, after: float) -> FloatArray:
    """(n,) posteriors for prevalence `after` from those for `before`, both in (0, 1)."""
    held = probs * (after / before)
    absent = (1.0 - probs) * ((1.0 - after) / (1.0 - before))
    return np.asarray(held / (held + absent))


def likeliest_prevalence(probs: FloatArray, before: float, weights: FloatArray | None = None) -> float:
    """The prevalence at which images with these posteriors are likeliest: where Saerens' iteration ends.

    Parameters
    ----------
    probs : (n,) array in [0, 1]
        Calibrated for prevalence `before`.
    before : float in (0, 1)
    weights : (n,) array, optional
        How much each image counts; 1 by default.

    Returns
    -------
    float
        Never nearer to 0 or 1 than half an image: the likelihood may well be largest at 0 itself, and all images
        would be equal then.
    """
    counted = np.ones(len(probs)) if weights is None else weights
    low = min(0.5 / max(float(counted.sum()), 1.0), before)
    high = max(1.0 - low, before)
    held, absent = probs / before, (1.0 - probs) / (1.0 - before)

    def slope(after: float) -> float:
        return float((counted * (held - absent) / (after * held + (1.0 - after) * absent)).sum())

    if slope(low) <= 0:
        return low
    if slope(high) >= 0:
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return (low + high) / 2


def p_unchanged(probs: FloatArray, before: float, after: float, weights: FloatArray | None = None) -> float:
    """p-value of the likelihood-ratio test that the prevalence still is `before`, in [0, 1].

    It takes the calibrated probabilities for exact and the images for independent. Neither holds for curves fitted on
    few images and for several images of a patient, so that it finds a change too often.
    """
    ratios = probs * (after / before) + (1.0 - probs) * ((1.0 - after) / (1.0 - before))
    gain = 2.0 * float((np.log(ratios) * (1.0 if weights is None else weights)).sum())
    return math.erfc(math.sqrt(max(gain, 0.0) / 2.0))


@dataclass(frozen=True, eq=False)
class Shift:
    """What was found for each of C columns; NaN where there is nothing to start from.

    Parameters
    ----------
    after : (C,) float64 array
        Prevalence that the images make likeliest, of a node given its parent.
    p : (C,) float64 array
        p-value that it is not another than before.
    """

    after: FloatArray
    p: FloatArray


def shift_all(
    answers: FloatArray, before: FloatArray, tree: Taxonomy | None = None, alpha: float = 1.0
) -> tuple[FloatArray, Shift]:
    """Every column corrected to the prevalence that these images make likeliest.

    Columns are taken one by one. In a hierarchy that is decision by decision from the root down: a node's prevalence is
    that among the images where its parent holds, so an image counts there as much as its parent is likely after its
    own correction. What comes out are conditionals, so a child is never likelier than its parent.

    Parameters
    ----------
    answers : (n, C) array
        Calibrated probabilities of images of one population, in any order; their labels are not asked for.
    before : (C,) array
        The prevalence that each column is calibrated for; a column where it is not in (0, 1) stays as it is.
    tree : Taxonomy, optional
        The tree whose conditionals they are.
    alpha : float in (0, 1]
        A column is corrected where the test of an unchanged prevalence gives at most this; at 1 always.

    Returns
    -------
    corrected : (n, C) float64 array
    found : Shift
    """
    corrected = np.array(answers, dtype=np.float64)
    found = Shift(np.full(len(before), np.nan), np.full(len(before), np.nan))
    reached = np.ones_like(corrected)  # probability of each node, after correction
    for column, prior in enumerate(before):
        weights = _above(tree, column, reached)
        if 0 < prior < 1 and len(corrected):
            after = likeliest_prevalence(corrected[:, column], float(prior), weights)
            found.after[column], found.p[column] = (
                after,
                p_unchanged(corrected[:, column], float(prior), after, weights),
            )
            if found.p[column] <= alpha:
                corrected[:, column] = shift(corrected[:, column], float(prior), after)
        reached[:, column] = corrected[:, column] if weights is None else corrected[:, column] * weights
    return corrected, found


def _above(tree: Taxonomy | None, column: int, reached: FloatArray) -> FloatArray | None:
    parent = None if tree is None else tree.parent(tree.nodes[column])
    return None if tree is None or parent is None else reached[:, tree.nodes.index(parent)]
