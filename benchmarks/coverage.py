"""How often the 95 % intervals hold the truth, and how often equal recipes are told apart, by simulation.

Run: python benchmarks/coverage.py [--patients 280] [--studies 1000] [--draws 500] [--seeds 3]

Each study draws new patients, one to eight images each, whose labels and scores resemble each other within a patient;
15 labels with NIH-like prevalences from 40 % down to 1 %. The truth is the metric on 150,000 other patients. Two scores
of one skill, correlated as those of two recipes on the same images are, give the contrast; the second is on another
scale, since recipes are. For the recalls of a diagnosis each score has thresholds from as many validation patients; the
recall that these reach is known exactly. A last part lets the skill vary with the seed, and asks of intervals that
speak of other seeds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.metrics import auroc, average_precision, f1, macro, ratio
from chestxpert.evaluation.paired_cases import Cases, Outcomes, drawn_alarms, drawn_recall, matched_recall
from chestxpert.evaluation.routing import FOUND
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.thresholds import f1_thresholds
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts
from chestxpert.evaluation.uncertainty.intervals import bca, jackknifed, logit_t
from chestxpert.evaluation.uncertainty.jackknife import influences, jackknife_error, leave_out
from chestxpert.evaluation.uncertainty.paired import analytic
from chestxpert.evaluation.uncertainty.permutation import permutation_p
from chestxpert.evaluation.uncertainty.seeds import SeedVariance, combined_interval
from chestxpert.evaluation.uncertainty.smallest import Equivalence, detectable_difference
from chestxpert.evaluation.uncertainty.spread import carriers, mean_move
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.labels import NIH15
from chestxpert.taxonomy import study_taxonomy

PREVALENCE = (0.40, 0.20, 0.18, 0.13, 0.08, 0.07, 0.07, 0.06, 0.05, 0.04, 0.04, 0.04, 0.03, 0.02, 0.01)
SHOWN = {0: "40 %", 3: "13 %", 8: "5 %", 12: "3 %", 14: "1 %"}
SKILL, SKILL_SD, CUT = 1.2, 0.1, 0.9

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Values = dict[str, Array]
Ends = tuple[float, float]


class Tally:
    """Shares of studies in which something held."""

    def __init__(self) -> None:
        self.held: dict[str, list[bool]] = defaultdict(list)

    def intervals(self, what: str, truth: float, kinds: Mapping[str, Ends]) -> None:
        """Count which intervals hold the truth; one that is not defined is left out, and how often is printed."""
        for kind, (low, high) in kinds.items():
            if not np.isnan(low):
                self.held[f"{what}, {kind} interval holds the truth"].append(low <= truth <= high)

    def show(self) -> None:
        """Print every share with its standard error and the number of studies."""
        for what, held in self.held.items():
            share = float(np.mean(held))
            error = (share * (1 - share) / len(held)) ** 0.5
            print(f"{share:.3f} (standard error {error:.3f}, {len(held)} studies)  {what}")
        self.held.clear()


def owners_of(patients: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The patient of each image; one to eight images a patient."""
    return np.repeat(np.arange(patients), np.minimum(rng.geometric(0.7, patients), 8))


def noise(owner: npt.NDArray[np.int64], shared: float, rng: np.random.Generator) -> Array:
    """Normal (N, K) noise of variance 1, of which images of one patient share `shared` squared."""
    shape = (len(owner), len(PREVALENCE))
    own = (1 - shared**2) ** 0.5 * rng.normal(size=shape)
    return np.asarray(shared * rng.normal(size=(int(owner.max()) + 1, shape[1]))[owner] + own)


def labels_of(owner: npt.NDArray[np.int64], rng: np.random.Generator) -> Bools:
    """Truth of every image."""
    cut = np.array([NormalDist().inv_cdf(1 - share) for share in PREVALENCE])
    return np.asarray(noise(owner, 0.8, rng) > cut)


def sample(patients: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], Bools, Array, Array]:
    """Patient of each image, truth, and two scores of equal skill."""
    owner = owners_of(patients, rng)
    truth = labels_of(owner, rng)
    first = noise(owner, 0.7, rng)
    return owner, truth, SKILL * truth + first, SKILL * truth + 0.6 * first + 0.8 * noise(owner, 0.7, rng)


def point(truth: Bools, scores: Array) -> Values:
    """(K,) metrics on the images as they are."""
    return {
        "AUROC": auroc(truth, scores),
        "AP": average_precision(truth, scores),
        "F1": f1(truth, scores >= CUT),
    }


def drawn(truth: Bools, scores: Array, draws: PatientDraws) -> Values:
    """(D, K) metrics in every draw."""
    area, precision = drawn_ranking(truth, scores, draws, workers=1)
    decided = scores >= CUT
    hits, calls, held = (draws.totals(images) for images in (truth & decided, decided, truth))
    return {"AUROC": area, "AP": precision, "F1": np.where(held > 0, ratio(2 * hits, calls + held), np.nan)}


def one_study(truths: Values, patients: int, n_draws: int, study: int, rng: np.random.Generator, tally: Tally) -> None:
    """Count what holds in one study of two recipes of equal skill."""
    owner, truth, *scores = sample(patients, rng)
    draws = PatientDraws.draw(owner.astype(str), n_draws, study)
    place, without = draws.patient_of_image, leave_out(draws)
    points = [point(truth, each) for each in scores]
    spreads = [drawn(truth, each, draws) for each in scores]
    left = [drawn(truth, each, without) for each in scores]
    parts = [AurocParts.of(truth, each, place) for each in scores]
    other = 3 * scores[1] - 2  # another scale, as recipes have
    runs = [as_run(truth, scores[0], scores[0] >= CUT), as_run(truth, other, scores[1] >= CUT)]
    permuted = permutation_p(runs[:1], runs[1:], draws, study)
    for name, true_values in truths.items():
        moves = [influences(left[side][name], points[side][name]) for side in (0, 1)]
        means = [float(macro(points[side][name])) for side in (0, 1)]
        draws_of = [macro(spreads[side][name]) for side in (0, 1)]
        tally.intervals(
            f"macro {name}",
            float(true_values.mean()),
            macro_intervals(name, means[0], draws_of[0], mean_move(moves[0]), parts[0].macro()),
        )
        differences, difference = draws_of[0] - draws_of[1], means[0] - means[1]
        tally.intervals(
            f"difference of macro {name}",
            0.0,
            macro_intervals(
                name, difference, differences, mean_move(moves[0] - moves[1]), parts[0].macro().minus(parts[1].macro())
            ),
        )
        tally.held[f"difference of macro {name}, bootstrap p below .05 though there is none"].append(
            two_sided_p(differences) < 0.05
        )
        tally.held[f"difference of macro {name}, permutation p below .05 though there is none"].append(
            permuted[f"macro_{name.lower()}"] <= 0.05
        )
        error = float(differences.std(ddof=1))
        shift = detectable_difference(error)
        tally.held[f"difference of macro {name} as large as can be seen is seen (80 % wanted)"].append(
            two_sided_p(differences + shift) < 0.05
        )
        tally.held[f"difference of macro {name} at the margin is called equivalent (5 % wanted)"].append(
            Equivalence.of(differences + 3.5 * error, 3.5 * error).shown()
        )
        for label, prevalence in SHOWN.items():
            count = int(carriers(truth[:, [label]], place)[0])
            tally.intervals(
                f"{name} of a label of {prevalence}",
                float(true_values[label]),
                label_intervals(
                    name, float(points[0][name][label]), spreads[0][name][:, label], moves[0][:, label], count,
                    parts[0].column(label),
                ),
            )  # fmt: skip


def as_run(truth: Bools, scores: Array, decisions: Bools) -> Scored:
    """A run whose scores are given."""
    return Scored(study_taxonomy(NIH15), truth, scores, decisions, decisions, None)


def macro_intervals(name: str, mean: float, draws: Array, moves: Array, parts: AurocParts) -> dict[str, Ends]:
    """Every kind of interval of a mean over labels, or of a difference of two; differences may be below 0."""
    low, high, _ = interval(draws)
    shift = 0.5  # `jackknifed` keeps within [0, 1]; a difference is moved there and back
    ends = jackknifed((mean + 1) * shift, moves * shift)
    kinds = {
        "percentile": (low, high),
        "basic": (2 * mean - high, 2 * mean - low),
        "BCa": bca(draws, mean, moves),
        "jackknife": (ends[0] / shift - 1, ends[1] / shift - 1),
    }
    return kinds | _obuchowski(name, parts)


def label_intervals(
    name: str, value: float, draws: Array, moves: Array, count: int, parts: AurocParts
) -> dict[str, Ends]:
    """Every kind of interval of one label's metric."""
    kinds = {
        "percentile": interval(draws)[:2],
        "BCa": bca(draws, value, moves),
        "log-odds t": logit_t(value, float(jackknife_error(moves)), count),
    }
    return kinds | _obuchowski(name, parts)


def _obuchowski(name: str, parts: AurocParts) -> dict[str, Ends]:
    if name != "AUROC":
        return {}
    entry = analytic(parts)
    return {"Obuchowski's": (entry["low"], entry["high"])}


def one_study_of_seeds(
    truth_value: float, patients: int, seeds: int, n_draws: int, study: int, rng: np.random.Generator, tally: Tally
) -> None:
    """Count which intervals of macro AUROC hold its mean over all seeds, for a few seeds whose skill varies."""
    owner = owners_of(patients, rng)
    truth, common = labels_of(owner, rng), noise(owner, 0.7, rng)
    draws = PatientDraws.draw(owner.astype(str), n_draws, study)
    points, spreads = [], []
    for _ in range(seeds):
        skill = SKILL + SKILL_SD * rng.normal()
        scores = skill * truth + 0.8 * common + 0.6 * noise(owner, 0.7, rng)
        points.append(float(macro(auroc(truth, scores))))
        spreads.append(macro(drawn_ranking(truth, scores, draws, workers=1)[0]))
    mean, parts = float(np.mean(points)), SeedVariance.of(points, spreads)
    drawn_seeds = rng.integers(0, seeds, (seeds, n_draws))
    two_level = np.mean([np.stack(spreads)[chosen, np.arange(n_draws)] for chosen in drawn_seeds], axis=0)
    kinds = {
        "patients only": interval(np.mean(spreads, axis=0))[:2],
        "two-level bootstrap": interval(two_level)[:2],
        "patients and seeds": combined_interval(mean, [parts], patients),
    }
    tally.intervals(f"macro AUROC over all seeds, from {seeds}", truth_value, kinds)


def true_over_seeds(rng: np.random.Generator) -> float:
    """Mean of macro AUROC over seeds: its mean over skills, on many patients (Gauss and Hermite's five points)."""
    owner = owners_of(60_000, rng)
    truth = labels_of(owner, rng)
    scores = 0.8 * noise(owner, 0.7, rng) + 0.6 * noise(owner, 0.7, rng)
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    values = [float(macro(auroc(truth, (SKILL + SKILL_SD * node) * truth + scores))) for node in nodes]
    return float(np.average(values, weights=weights))


def one_diagnosis(patients: int, n_draws: int, study: int, tally: Tally) -> None:
    """Count which intervals of a difference of recall hold the truth, at thresholds of other patients of the study."""
    rng = np.random.default_rng([1, study])
    owner, truth, *scores = sample(patients, rng)
    _, val_truth, *val_scores = sample(patients, rng)
    cuts = [f1_thresholds(val_truth, own).values for own in val_scores]
    draws = PatientDraws.draw(owner.astype(str), n_draws, study).after_sample()
    for what, truth_value, ends in recall_intervals(truth, scores, cuts, draws):
        tally.intervals(what, truth_value, {"percentile": ends})


def recall_intervals(
    truth: Bools, scores: list[Array], cuts: list[Array], draws: PatientDraws
) -> Iterator[tuple[str, float, Ends]]:
    """Each difference of recall, what it truly is, and its interval: at own thresholds, and at equal decisions."""
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
        yield f"difference of macro recall {name}", float(true_values[n_cases > 0].mean()), (low, high)
        for k in np.flatnonzero(n_cases):
            size = "under 10" if n_cases[k] < 10 else "10 to 29" if n_cases[k] < 30 else "30 or more"
            low, high, _ = interval(drawn[1:, k])
            yield f"difference of recall {name}, a finding of {size} cases", float(true_values[k]), (low, high)


def main() -> None:
    """Print the share of studies whose interval holds the truth, and of false alarms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=280)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    rng, tally = np.random.default_rng(1), Tally()
    _, truth, scores, _ = sample(150_000, rng)
    truths = point(truth, scores)
    for study in range(arguments.studies):
        one_study(truths, arguments.patients, arguments.draws, study, rng, tally)
    print(f"{arguments.studies} studies of {arguments.patients} patients, {arguments.draws} draws each")
    tally.show()
    for study in range(arguments.studies):
        one_diagnosis(arguments.patients, arguments.draws, study, tally)
    tally.show()
    value = true_over_seeds(rng)
    for study in range(arguments.studies):
        one_study_of_seeds(value, arguments.patients, arguments.seeds, arguments.draws, study, rng, tally)
    tally.show()


if __name__ == "__main__":
    main()
