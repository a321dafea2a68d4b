"""How fast the patient bootstrap is, against a loop over scikit-learn on the same draws.

Run: python benchmarks/bootstrap.py [--draws 2000] [--loop-draws 3]

A cohort of the official ChestX-ray14 test split's size (25,596 images, 2,797 patients, 15 labels with their counts)
with random scores. AUROC, average precision and F1, per finding and macro, are computed in every draw. The scikit-learn
loop runs over a few draws only, and its time for all of them is extrapolated; those draws are also compared digit by
digit. It is the best of two such loops: with sample weights, and with repeated rows. What else a comparison draws is
timed beside: the jackknife over patients, and a permutation test of two recipes.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import macro, ratio
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.uncertainty.jackknife import leave_out
from chestxpert.evaluation.uncertainty.permutation import permutation_p
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.labels import NIH15
from chestxpert.taxonomy import study_taxonomy

IMAGES, PATIENTS = 25_596, 2_797
POSITIVES = (3279, 1069, 1815, 925, 4658, 1093, 435, 86, 6112, 1748, 1623, 1143, 555, 2665, 9861)

Array = npt.NDArray[np.float64]


def make_scores() -> tuple[npt.NDArray[np.str_], npt.NDArray[np.bool_], Array]:
    """Patients, truth and probabilities of a made-up test set of the official size."""
    rng = np.random.default_rng(0)
    patients = rng.integers(0, PATIENTS, IMAGES).astype(str)
    truth = rng.random((IMAGES, len(POSITIVES))) < np.array(POSITIVES) / IMAGES
    logits = rng.normal(size=truth.shape) + truth - 3
    return patients, truth, 1 / (1 + np.exp(-logits))


def ours(patients: npt.NDArray[np.str_], truth: npt.NDArray[np.bool_], probs: Array, n_draws: int) -> tuple[Array, ...]:
    """AUROC, average precision and F1 of every label in every draw, and their macros."""
    draws = PatientDraws.draw(patients, n_draws, seed=0)
    auroc, precision = drawn_ranking(truth, probs, draws)
    decisions = probs >= 0.2
    hits, decided, held = (draws.totals(images) for images in (truth & decisions, decisions, truth))
    f1 = np.where(held > 0, ratio(2 * hits, decided + held), np.nan)
    return auroc, precision, f1, macro(auroc), macro(precision), macro(f1)


def time_the_rest(truth: npt.NDArray[np.bool_], probs: Array, draws: PatientDraws) -> tuple[float, float]:
    """Seconds of a jackknife, and of a permutation test of two recipes with one seed each."""
    start = time.perf_counter()
    drawn_ranking(truth, probs, leave_out(draws))
    middle = time.perf_counter()
    other = probs + 0.1 * np.random.default_rng(1).normal(size=probs.shape)
    runs = [Scored(study_taxonomy(NIH15), truth, each, each >= 0.2, each >= 0.5, None) for each in (probs, other)]
    permutation_p(runs[:1], runs[1:], draws)
    return middle - start, time.perf_counter() - middle


def one_draw(truth: npt.NDArray[np.bool_], probs: Array, weights: npt.NDArray[np.int32] | None) -> list[Array]:
    """One draw through scikit-learn, a call a label and metric."""
    columns = range(truth.shape[1])
    decisions = probs >= 0.2
    extra = {"sample_weight": weights}
    return [
        np.array([roc_auc_score(truth[:, k], probs[:, k], **extra) for k in columns]),
        np.array([average_precision_score(truth[:, k], probs[:, k], **extra) for k in columns]),
        np.array([f1_score(truth[:, k], decisions[:, k], **extra) for k in columns]),
    ]


def main() -> None:
    """Print both times, their ratio and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--loop-draws", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    patients, truth, probs = make_scores()

    start = time.perf_counter()
    measured = ours(patients, truth, probs, arguments.draws)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    draws = PatientDraws.draw(patients, arguments.draws, seed=0)
    times, worst = {"sample weights": 0.0, "repeated rows": 0.0}, 0.0
    for draw in range(arguments.loop_draws):
        weights = draws.counts[draw][draws.patient_of_image]
        rows = np.repeat(np.arange(IMAGES), weights)
        for way in times:
            start = time.perf_counter()
            arrays = (truth, probs, weights) if way == "sample weights" else (truth[rows], probs[rows], None)
            expected = one_draw(*arrays)
            times[way] += (time.perf_counter() - start) / arguments.loop_draws
            differences = [
                np.abs(values[draw] - wanted).max() for values, wanted in zip(measured, expected, strict=False)
            ]
            worst = max(worst, *differences)
    quickest = min(times, key=lambda way: times[way])
    loop = times[quickest] * arguments.draws

    print(f"{arguments.draws} draws x {truth.shape[1]} labels x {IMAGES} images of {PATIENTS} patients")
    print(f"ChestXpert: {seconds:.1f} s, peak memory {memory:.0f} MiB (scikit-learn's import included)")
    print(
        f"scikit-learn in a loop ({quickest}): {times[quickest]:.2f} s a draw over {arguments.loop_draws} draws, "
        f"extrapolated to {loop:.0f} s"
    )
    print(f"ratio: {loop / seconds:.0f} x; largest difference on those draws: {worst:.1e}")
    jackknife, permutations = time_the_rest(truth, probs, draws)
    print(f"jackknife of AUROC and AP: {jackknife:.1f} s; permutation test of two recipes: {permutations:.1f} s")


if __name__ == "__main__":
    main()
