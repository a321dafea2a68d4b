"""Permutation test of two recipes on the same images: their predictions are swapped, patient by patient.

If two recipes are alike, it is chance which of the two a patient's predictions come from. So in each permutation a coin
for each patient says whether the predictions for all its images change sides. Probabilities of different recipes have
different scales, and to swap them would mix the scales; so ranks within each recipe are swapped for AUROC and average
precision (Bandos, Rockette and Gur, Statistics in Medicine 24, 2005), which know no more than ranks, and decisions for
F1. Where both recipes have a rank, a coin says whose image stands first: ties that the recipes themselves do not have
would change average precision in permutations alone, and the test would find too much (.070 for .05).

The weights of the bootstrap's kernel do the swapping: both recipes' predictions stand below each other, and a patient's
weigh 1 on one side and 0 on the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, ratio
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.uncertainty.auroc_parts import midranks
from chestxpert.evaluation.weighted_ranking import split_ranking

METRICS = ("macro_ap", "macro_auroc", "macro_f1")
_ROUNDING = 1e-12
"""Two sums of the same numbers in another order may differ by less than this."""


def permutation_p(
    first: Sequence[Scored], second: Sequence[Scored], draws: PatientDraws, seed: int = 0
) -> dict[str, float]:
    """Two-sided p-values of "the two are alike" against a difference of their means over seeds.

    Parameters
    ----------
    first, second : sequences of Scored
        The runs of two recipes, a seed each, on the same images. They are paired in turn; where one recipe has more
        seeds, those left over take no part.
    draws : PatientDraws
        Of the same images; as many permutations are drawn.
    seed : int
        Of the permutations. All pairs of recipes are permuted alike.

    Returns
    -------
    dict of float
        For each of `METRICS` (b + 1) / (m + 1), where b of the m permutations give a difference at least as large as
        the one seen (Phipson and Smyth, Stat Appl Genet Mol Biol 9, 2010); NaN where the metric is undefined.
    """
    patients = draws.counts.shape[1]
    swapped = np.random.default_rng(seed).integers(0, 2, (len(draws) + 1, patients), dtype=np.int32)
    swapped[0] = 0  # the recipes as they are, measured in the same way
    totals = dict.fromkeys(METRICS, np.zeros(len(swapped)))
    for one, other in zip(first, second, strict=False):
        for name, values in _differences(one, other, draws, swapped, seed).items():
            totals[name] = totals[name] + values
    return {name: _share_as_large(values) for name, values in totals.items()}


def _share_as_large(differences: FloatArray) -> float:
    """The p-value of the first difference among all of them."""
    if np.isnan(differences[0]):
        return float("nan")
    sizes = np.abs(differences)
    return float((sizes >= sizes[0] - _ROUNDING).sum() / len(sizes))


def _differences(one: Scored, other: Scored, draws: PatientDraws, swapped: npt.NDArray[np.int32], seed: int) -> Values:
    """First minus second in every permutation: (m + 1,) arrays."""
    patients = draws.counts.shape[1]
    owners = np.concatenate([draws.patient_of_image, draws.patient_of_image + patients])
    first = PatientDraws(owners, np.hstack([1 - swapped, swapped]).astype(np.int32))
    truth = np.vstack([one.truth, other.truth])
    known = None if one.known is None else np.vstack([one.known, one.known])
    ranks = common_ranks(one, other, np.random.default_rng([seed, 1]))
    (auroc, precision), (other_auroc, other_precision) = split_ranking(truth, ranks, first, known=known)
    decisions = np.vstack([one.decisions, other.decisions])
    if known is not None:
        truth, decisions = truth & known, decisions & known
    return {
        "macro_ap": macro(precision) - macro(other_precision),
        "macro_auroc": macro(auroc) - macro(other_auroc),
        "macro_f1": _f1_difference(truth, decisions, first),
    }


def _f1_difference(truth: BoolArray, decisions: BoolArray, first: PatientDraws) -> FloatArray:
    """Macro F1 of the predictions that weigh 1 minus that of the others. Both have the same positives."""
    held = first.totals(truth)
    sides = []
    for images in (truth & decisions, decisions):
        chosen = first.totals(images)
        sides.append((chosen, images.sum(axis=0) - chosen))
    f1 = [np.where(held > 0, ratio(2 * hits, decided + held), np.nan) for hits, decided in zip(*sides, strict=True)]
    return np.asarray(macro(f1[0]) - macro(f1[1]))


def common_ranks(one: Scored, other: Scored, rng: np.random.Generator) -> FloatArray:
    """(2 N, K) midranks of each label's known images within each recipe, the first recipe's above the other's.

    Images that a recipe gives one probability have one rank still; no rank is in both recipes.
    """
    ranks = np.zeros((2, *one.probs.shape))
    for label in range(one.probs.shape[1]):
        rows = slice(None) if one.known is None else one.known[:, label]
        halves = [(2 * midranks(run.probs[rows, label])).astype(np.int64) for run in (one, other)]
        first_stands_above = rng.random(2 * len(one.probs) + 1) < 0.5
        ranks[0, rows, label] = halves[0] + 0.5 * first_stands_above[halves[0]]
        ranks[1, rows, label] = halves[1] + 0.5 * ~first_stands_above[halves[1]]
    return ranks.reshape(-1, one.probs.shape[1])
