"""How often the 95 % intervals hold the truth, and how often equal recipes are told apart, by simulation.

Run: python benchmarks/coverage.py [--patients 280] [--studies 1000] [--draws 500] [--seeds 3] [--cut 0.9]
     [--save FILE]

With --save the answers so far are kept in FILE after every 20 studies, and a run with the same settings that was
stopped goes on there: every study has random streams of its own, so it makes no difference.

Each study draws new patients, one to eight images each, whose labels and scores resemble each other within a patient;
15 labels with NIH-like prevalences from 40 % down to 1 %. The truth is the metric on 600,000 other patients. Two scores
of one skill, correlated as those of two recipes on the same images are, give the contrast; the second is on another
scale, since recipes are. For the recalls of a diagnosis each score has thresholds from as many validation patients; the
recall that these reach is known exactly. A last part lets the skill vary with the seed, and asks of intervals that
speak of other seeds.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.metrics import auroc, average_precision, f1, macro, precision, ratio, recall
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
from chestxpert.evaluation.uncertainty.shares import f1_of_patients, share_of_patients
from chestxpert.evaluation.uncertainty.smallest import Equivalence, detectable_difference
from chestxpert.evaluation.uncertainty.spread import carriers, mean_move, patients_behind
from chestxpert.evaluation.weighted_ranking import drawn_ranking
from chestxpert.files import write_text
from chestxpert.labels import NIH15
from chestxpert.taxonomy import study_taxonomy

PREVALENCE = (0.40, 0.20, 0.18, 0.13, 0.08, 0.07, 0.07, 0.06, 0.05, 0.04, 0.04, 0.04, 0.03, 0.02, 0.01)
SHOWN = {0: "40 %", 3: "13 %", 8: "5 %", 12: "3 %", 14: "1 %"}
SKILL, SKILL_SD = 1.2, 0.1
LABELS_ONLY = ("recall", "precision")
"""Metrics of which single labels are asked, and not their means."""
POPULATIONS = 4
"""Of 150,000 patients each, whose mean is the truth."""
KEEP_EVERY = 20

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Values = dict[str, Array]
Ends = tuple[float, float]


class Tally:
    """Shares of studies in which something held; kept in a file, if there is one, so that a stopped run goes on.

    Parameters
    ----------
    settings : mapping
        What the answers depend on; a file of other settings is not gone on with.
    path : Path, optional
    """

    def __init__(self, settings: Mapping[str, Any], path: Path | None = None) -> None:
        self.settings, self.path = dict(settings), path
        self.held: dict[str, list[int]] = defaultdict(list)
        self.done: dict[str, int] = defaultdict(int)
        if path is not None and path.exists():
            stored = json.loads(path.read_text())
            if stored["settings"] != self.settings:
                raise SystemExit(f"{path} holds answers to other settings: {stored['settings']}. Name another file.")
            self.held.update(stored["held"])
            self.done.update(stored["done"])

    def intervals(self, what: str, truth: float, kinds: Mapping[str, Ends]) -> None:
        """Count which intervals hold the truth; one that is not defined is left out, and how often is printed."""
        for kind, (low, high) in kinds.items():
            if not np.isnan(low):
                self.add(f"{what}, {kind} interval holds the truth", low <= truth <= high)

    def add(self, what: str, held: bool) -> None:
        """Count one study."""
        self.held[what].append(int(held))

    def over(self, part: str, studies: int, one_study: Callable[[int], None]) -> None:
        """All studies of one part that are not yet done, and what came out of them."""
        for study in range(self.done[part], studies):
            one_study(study)
            self.done[part] = study + 1
            if self.path is not None and ((study + 1) % KEEP_EVERY == 0 or study + 1 == studies):
                kept = {"settings": self.settings, "done": self.done, "held": self.held}
                write_text(self.path, json.dumps(kept))

    def show(self) -> None:
        """Print every share with its standard error and the number of studies."""
        for what, held in self.held.items():
            share = float(np.mean(held))
            error = (share * (1 - share) / len(held)) ** 0.5
            print(f"{share:.3f} (standard error {error:.3f}, {len(held)} studies)  {what}")


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


def point(truth: Bools, scores: Array, cut: float) -> Values:
    """(K,) metrics on the images as they are."""
    decided = scores >= cut
    return {
        "AUROC": auroc(truth, scores),
        "AP": average_precision(truth, scores),
        "F1": f1(truth, decided),
        "recall": recall(truth, decided),
        "precision": precision(truth, decided),
    }


def truths_of(cut: float) -> Values:
    """The metrics on so many patients that they hardly vary: the mean over populations."""
    values = []
    for population in range(POPULATIONS):
        _, truth, scores, _ = sample(150_000, np.random.default_rng([9, population]))
        values.append(point(truth, scores, cut))
    return {name: np.mean([each[name] for each in values], axis=0) for name in values[0]}


def drawn(truth: Bools, scores: Array, draws: PatientDraws, cut: float) -> Values:
    """(D, K) metrics in every draw."""
    area, mean_precision = drawn_ranking(truth, scores, draws, workers=1)
    decided = scores >= cut
    hits, calls, held = (draws.totals(images) for images in (truth & decided, decided, truth))
    shares = {"F1": ratio(2 * hits, calls + held), "recall": ratio(hits, held), "precision": ratio(hits, calls)}
    return {"AUROC": area, "AP": mean_precision} | {
        name: np.where(held > 0, values, np.nan) for name, values in shares.items()
    }


def one_study(truths: Values, patients: int, n_draws: int, cut: float, study: int, tally: Tally) -> None:
    """Count what holds in one study of two recipes of equal skill."""
    owner, truth, *scores = sample(patients, np.random.default_rng([3, study]))
    draws = PatientDraws.draw(owner.astype(str), n_draws, study)
    place, without = draws.patient_of_image, leave_out(draws)
    points = [point(truth, each, cut) for each in scores]
    spreads = [drawn(truth, each, draws, cut) for each in scores]
    left = [drawn(truth, each, without, cut) for each in scores]
    parts = [AurocParts.of(truth, each, place) for each in scores]
    moves = [{name: influences(left[k][name], points[k][name]) for name in truths} for k in (0, 1)]
    other = 3 * scores[1] - 2  # another scale, as recipes have
    runs = [as_run(truth, scores[0], scores[0] >= cut), as_run(truth, other, scores[1] >= cut)]
    permuted = permutation_p(runs[:1], runs[1:], draws, study)
    for name in (name for name in truths if name not in LABELS_ONLY):
        means = [float(macro(points[side][name])) for side in (0, 1)]
        draws_of = [macro(spreads[side][name]) for side in (0, 1)]
        tally.intervals(
            f"macro {name}",
            float(truths[name].mean()),
            macro_intervals(name, means[0], draws_of[0], mean_move(moves[0][name]), parts[0].macro()),
        )
        differences, difference = draws_of[0] - draws_of[1], means[0] - means[1]
        moved = mean_move(moves[0][name] - moves[1][name])
        apart = parts[0].macro().minus(parts[1].macro())
        kinds = macro_intervals(name, difference, differences, moved, apart)
        tally.intervals(f"difference of macro {name}", 0.0, kinds)
        count_claims(f"difference of macro {name}", differences, permuted[f"macro_{name.lower()}"], tally)
    count, behind = carriers(truth, place), patients_behind(truth, scores[0] >= cut, place)
    for name, true_values in truths.items():
        for label, prevalence in SHOWN.items():
            patients_of = int(behind[name.lower()][label]) if name.lower() in behind else 0
            tally.intervals(
                f"{name} of a label of {prevalence}",
                float(true_values[label]),
                label_intervals(
                    name, float(points[0][name][label]), spreads[0][name][:, label], moves[0][name][:, label],
                    int(count[label]), patients_of, parts[0].column(label),
                ),
            )  # fmt: skip


def count_claims(what: str, differences: Array, permuted: float, tally: Tally) -> None:
    """Count the false alarms of a difference that is none, and whether one as large as can be seen is seen."""
    tally.add(f"{what}, bootstrap p below .05 though there is none", two_sided_p(differences) < 0.05)
    tally.add(f"{what}, permutation p below .05 though there is none", permuted <= 0.05)
    error = float(differences.std(ddof=1))
    seen = two_sided_p(differences + detectable_difference(error)) < 0.05
    tally.add(f"{what} as large as can be seen is seen (80 % wanted)", seen)
    equal = Equivalence.of(differences + 3.5 * error, 3.5 * error).shown()
    tally.add(f"{what} at the margin is called equivalent (5 % wanted)", equal)


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
    name: str, value: float, draws: Array, moves: Array, count: int, behind: int, parts: AurocParts
) -> dict[str, Ends]:
    """Every kind of interval of one label's metric; none where it has no value."""
    if np.isnan(value):
        return {}
    error = float(jackknife_error(moves))
    kinds = {"percentile": interval(draws)[:2], "BCa": bca(draws, value, moves)}
    if name in ("AUROC", "AP"):
        kinds["log-odds t"] = logit_t(value, error, count)
        if name == "AP":
            kinds["log-odds t, at least binomial"] = logit_t(value, error, count, binomial=True)
    else:
        kinds["Wilson's"] = (f1_of_patients if name == "F1" else share_of_patients)(value, error, behind, count)
    return kinds | _obuchowski(name, parts)


def _obuchowski(name: str, parts: AurocParts) -> dict[str, Ends]:
    if name != "AUROC":
        return {}
    entry = analytic(parts)
    return {"Obuchowski's": (entry["low"], entry["high"])}


def one_study_of_seeds(truth_value: float, patients: int, seeds: int, n_draws: int, study: int, tally: Tally) -> None:
    """Count which intervals of macro AUROC hold its mean over all seeds, for a few seeds whose skill varies."""
    rng = np.random.default_rng([2, study])
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
    parser.add_argument("--cut", type=float, default=0.9, help="threshold of the scores, for F1, recall and precision")
    parser.add_argument("--save", type=Path, help="file that keeps what is done, to go on with")
    asked = parser.parse_args()
    settings = {name: getattr(asked, name) for name in ("patients", "draws", "seeds", "cut")}
    tally, patients, draws = Tally(settings, asked.save), asked.patients, asked.draws
    truths = truths_of(asked.cut)
    over_seeds = float(np.mean([true_over_seeds(np.random.default_rng(10 + k)) for k in range(6)]))
    tally.over("contrasts", asked.studies, lambda k: one_study(truths, patients, draws, asked.cut, k, tally))
    tally.over("diagnosis", asked.studies, lambda k: one_diagnosis(patients, draws, k, tally))
    tally.over("seeds", asked.studies, lambda k: one_study_of_seeds(over_seeds, patients, asked.seeds, draws, k, tally))
    print(f"studies of {patients} patients, {draws} draws each, threshold {asked.cut}")
    tally.show()


if __name__ == "__main__":
    main()
