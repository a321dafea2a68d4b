"""How often the 95 % intervals hold the truth, and how often equal recipes are told apart, by simulation.

Run: python benchmarks/coverage.py [--patients 280] [--studies 300]

Each study draws new patients, one to eight images each, whose labels and scores resemble each other within a patient;
15 labels with NIH-like prevalences from 40 % down to 1 %. The truth is the metric on 150,000 other patients. Two scores
of one skill, correlated as those of two recipes on the same images are, give the contrast. For the recalls of a
diagnosis each score has thresholds from as many validation patients; the recall that these reach is known exactly.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.metrics import auroc, average_precision, macro
from chestxpert.evaluation.paired_cases import Cases, Outcomes, drawn_alarms, drawn_recall, matched_recall
from chestxpert.evaluation.routing import FOUND
from chestxpert.evaluation.thresholds import f1_thresholds
from chestxpert.evaluation.weighted_ranking import drawn_ranking

PREVALENCE = (0.40, 0.20, 0.18, 0.13, 0.08, 0.07, 0.07, 0.06, 0.05, 0.04, 0.04, 0.04, 0.03, 0.02, 0.01)
SKILL = 1.2
DRAWS = 500

Array = npt.NDArray[np.float64]


def sample(
    patients: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], Array, Array]:
    """Patient of each image, truth, and two scores of equal skill."""
    owner = np.repeat(np.arange(patients), np.minimum(rng.geometric(0.7, patients), 8))

    def noise(shared: float) -> Array:
        labels = len(PREVALENCE)
        own = (1 - shared**2) ** 0.5 * rng.normal(size=(len(owner), labels))
        return np.asarray(shared * rng.normal(size=(patients, labels))[owner] + own)

    cut = np.array([NormalDist().inv_cdf(1 - share) for share in PREVALENCE])
    truth = noise(0.8) > cut
    first = noise(0.7)
    return owner, truth, SKILL * truth + first, SKILL * truth + 0.6 * first + 0.8 * noise(0.7)


def recall_intervals(
    owner: npt.NDArray[np.int64], truth: npt.NDArray[np.bool_], scores: list[Array], cuts: list[Array], study: int
) -> Iterator[tuple[str, bool]]:
    """Whether each interval of a difference of recall holds the truth: at own thresholds, and at equal decisions."""
    draws = PatientDraws.draw(owner.astype(str), DRAWS, study).after_sample()
    cases = Cases(tuple(map(str, PREVALENCE)), truth, np.ones_like(truth))
    first, second = (
        Outcomes(None, np.where(own >= cut, FOUND, 0).astype(np.int16)[None], own[None])
        for own, cut in zip(scores, cuts, strict=True)
    )
    recall = drawn_recall(cases, first, draws)
    matched = matched_recall(cases, second.scores, drawn_alarms(cases, first, draws), draws)[..., 0]
    reached = [np.array([NormalDist().cdf(SKILL - cut) for cut in own]) for own in cuts]
    sides = {
        "at own thresholds": (recall - drawn_recall(cases, second, draws), reached[0] - reached[1]),
        "at equally many decisions": (recall - matched, np.zeros(len(PREVALENCE))),
    }
    n_cases = truth.sum(axis=0)
    for name, (drawn, true_values) in sides.items():
        low, high, _ = interval(macro(drawn[1:]))
        yield f"difference of macro recall {name}", bool(low <= true_values[n_cases > 0].mean() <= high)
        for k in np.flatnonzero(n_cases):
            size = "under 10" if n_cases[k] < 10 else "10 to 29" if n_cases[k] < 30 else "30 or more"
            low, high, _ = interval(drawn[1:, k])
            yield f"difference of recall {name}, a finding of {size} cases", bool(low <= true_values[k] <= high)


def main() -> None:
    """Print the share of studies whose interval holds the truth, and of false alarms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=280)
    parser.add_argument("--studies", type=int, default=300)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    _, truth, probs, _ = sample(150_000, rng)
    target = {"AUROC": float(macro(auroc(truth, probs))), "AP": float(macro(average_precision(truth, probs)))}
    inside: dict[str, list[bool]] = defaultdict(list)
    for study in range(arguments.studies):
        owner, truth, probs, others = sample(arguments.patients, rng)
        draws = PatientDraws.draw(owner.astype(str), DRAWS, study)
        drawn = dict(zip(target, map(macro, drawn_ranking(truth, probs, draws)), strict=True))
        drawn_others = dict(zip(target, map(macro, drawn_ranking(truth, others, draws)), strict=True))
        estimate = {"AUROC": float(macro(auroc(truth, probs))), "AP": float(macro(average_precision(truth, probs)))}
        for name, true_value in target.items():
            for kind, centre in (("percentile", None), ("basic", estimate[name])):
                low, high, _ = interval(drawn[name], reflect_about=centre)
                inside[f"macro {name}, {kind} interval holds the truth"].append(low <= true_value <= high)
            differences = drawn[name] - drawn_others[name]
            low, high, _ = interval(differences)
            inside[f"difference of macro {name}, percentile interval holds zero"].append(low <= 0 <= high)
            inside[f"difference of macro {name}, p below .05 though there is none"].append(
                two_sided_p(differences) < 0.05
            )
        _, val_truth, *val_scores = sample(arguments.patients, np.random.default_rng([1, study]))
        cuts = [f1_thresholds(val_truth, own).values for own in val_scores]
        for what, holds in recall_intervals(owner, truth, [probs, others], cuts, study):
            inside[f"{what}: interval holds the truth"].append(holds)
    print(f"{arguments.studies} studies of {arguments.patients} patients, {DRAWS} draws each; truth {target}")
    for what, held in inside.items():
        share = float(np.mean(held))
        print(f"{share:.3f} (standard error {(share * (1 - share) / len(held)) ** 0.5:.3f})  {what}")


if __name__ == "__main__":
    main()
