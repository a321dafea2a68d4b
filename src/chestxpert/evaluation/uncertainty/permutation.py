"""Permutation test of two recipes on the same images: their predictions are swapped, patient by patient.

If two recipes are alike, it is chance which of the two a patient's predictions come from. So in each permutation a coin
for each patient says whether the predictions for all its images change sides. Probabilities of different recipes have
different scales, and to swap them would mix the scales; so ranks within each recipe are swapped for AUROC and average
precision (Bandos, Rockette and Gur, Statistics in Medicine 24, 2005), which know no more than ranks, and decisions for
F1. Where both recipes have a rank, a coin says whose image stands first: ties that the recipes themselves do not have
would change average precision in permutations alone, and the test would find too much (.070 for .05).

The weights of the bootstrap's kernel do the swapping: both recipes' predictions stand below each other, and a patient's
weigh 1 on one side and 0 on the other. Two things spare time without making a difference look surer than it is:

- Of a label with many positives, `PLACES` places in the common ranking of both recipes are told apart, which hold as
  many positives each; what is in one place counts as equal. A permutation test is exact whatever statistic it takes, as
  long as it takes the same one each time, and this one differs from average precision by little.
- Permutations go on while they may still end in a small p. Once `ENOUGH` of them were as large as the difference seen,
  in every metric, they stop (Besag and Clifford, Sequential Monte Carlo p-values, Biometrika 78, 1991). So a p that is
  large is told less exactly, and a p below (`ENOUGH` + 1) / (half of all permutations) never rests on fewer than all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import IntArray, PatientDraws
from chestxpert.evaluation.measures import Values
from chestxpert.evaluation.metrics import BoolArray, FloatArray, macro, ratio
from chestxpert.evaluation.ranked_label import RankedLabel
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.uncertainty.auroc_parts import midranks
from chestxpert.evaluation.weighted_ranking import rank_labels, split_ranking

METRICS = ("macro_ap", "macro_auroc", "macro_f1")
PERMUTATIONS = 999
"""Most permutations: with the predictions as they are a thousand, so that no p is below .001."""
PLACES = 512
ENOUGH = 50
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
        Of the same images; as many permutations are drawn as there are of these, but no more than `PERMUTATIONS`.
    seed : int
        Of the permutations. All pairs of recipes are permuted alike.

    Returns
    -------
    dict of float
        For each of `METRICS` (b + 1) / (m + 1), where b of m permutations give a difference at least as large as
        the one seen (Phipson and Smyth, Stat Appl Genet Mol Biol 9, 2010); NaN where the metric is undefined.
    """
    patients = draws.counts.shape[1]
    number = min(len(draws), PERMUTATIONS)
    swapped = np.random.default_rng(seed).integers(0, 2, (number + 1, patients), dtype=np.int32)
    swapped[0] = 0  # the recipes as they are, measured in the same way
    pairs = [_Pair(one, other, draws, seed) for one, other in zip(first, second, strict=False)]
    seen = {name: np.empty(0) for name in METRICS}
    for part in _parts(len(swapped)):
        found = [pair.differences(swapped[part]) for pair in pairs]
        seen = {name: np.append(seen[name], sum(values[name] for values in found)) for name in METRICS}
        if all(np.isnan(values[0]) or _as_large(values) > ENOUGH for values in seen.values()):
            break
    return {
        name: float("nan") if np.isnan(values[0]) else _as_large(values) / len(values) for name, values in seen.items()
    }


def _parts(permutations: int) -> Iterator[slice]:
    """An eighth of the permutations, another one, another quarter, and the other half."""
    ends = [0, permutations // 8, permutations // 4, permutations // 2, permutations]
    yield from (slice(start, end) for start, end in pairwise(ends) if end > start)


def _as_large(differences: FloatArray) -> int:
    """How many differences are as large as the first one, itself counted."""
    sizes = np.abs(differences)
    return int((sizes >= sizes[0] - _ROUNDING).sum())


class _Pair:
    """Two runs on the same images, sorted together once."""

    def __init__(self, one: Scored, other: Scored, draws: PatientDraws, seed: int) -> None:
        self._patients = draws.counts.shape[1]
        self._owners = np.concatenate([draws.patient_of_image, draws.patient_of_image + self._patients])
        known = None if one.known is None else np.vstack([one.known, one.known])
        truth, decisions = np.vstack([one.truth, other.truth]), np.vstack([one.decisions, other.decisions])
        self._ranked = self._rank(truth, common_ranks(one, other, np.random.default_rng([seed, 1])), known)
        self._truth = truth if known is None else truth & known
        self._decisions = decisions if known is None else decisions & known

    def _rank(self, truth: BoolArray, ranks: FloatArray, known: BoolArray | None) -> list[RankedLabel]:
        for label in range(truth.shape[1]):
            rows = np.arange(len(truth)) if known is None else np.flatnonzero(known[:, label])
            ranks[rows, label] = places(truth[rows, label], ranks[rows, label])
        return rank_labels(truth, ranks, PatientDraws(self._owners, np.empty((0, 0), dtype=np.int32)), known)

    def differences(self, swapped: npt.NDArray[np.int32]) -> Values:
        """First minus second in every permutation: (m,) arrays."""
        first = PatientDraws(self._owners, np.hstack([1 - swapped, swapped]).astype(np.int32))
        (auroc, precision), (other_auroc, other_precision) = split_ranking(self._ranked, first)
        return {
            "macro_ap": macro(precision) - macro(other_precision),
            "macro_auroc": macro(auroc) - macro(other_auroc),
            "macro_f1": _f1_difference(self._truth, self._decisions, first),
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


def places(truth: BoolArray, ranks: FloatArray) -> FloatArray:
    """(n,) ranks in which at most `PLACES` places hold a positive; unchanged where no more do.

    Parameters
    ----------
    truth : (n,) bool array
    ranks : (n,) float64 array
    """
    positives = int(truth.sum())
    if len(np.unique(ranks[truth])) <= PLACES:
        return ranks
    order = np.argsort(-ranks)
    ranked, held = ranks[order], truth[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    above: IntArray = np.cumsum(held)[starts] - held[starts]
    # Images of one rank stay together, in the highest of their places.
    result = np.empty_like(ranks)
    result[order] = np.repeat(-(above * PLACES // positives), np.diff(np.append(starts, len(order))))
    return result


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
