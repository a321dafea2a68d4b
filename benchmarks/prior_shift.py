"""How well prior shift is estimated on the scores of stored runs: test images drawn to another share of No Finding.

    python benchmarks/prior_shift.py STUDY RECIPE

Of each run Platt scaling is fitted on val, with the labels; then test images are drawn with replacement so that No
Finding has a given share, which leaves the images of each class what they are: the label shift that the method assumes.
Its estimate reads probabilities alone. Printed are, over all seeds and draws, the mean estimate and its spread, and the
Brier score of No Finding without and with the correction.
"""

import sys
from pathlib import Path

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.posthoc import fit
from chestxpert.evaluation.posthoc.prior_shift import likeliest_prevalence, shift
from chestxpert.evaluation.predictions import Predictions
from chestxpert.recipe import Posthoc

SHARES = (0.1, 0.2, 0.3, 0.39, 0.5, 0.58, 0.7)
DRAWS = 100


def no_finding(predictions: Predictions, cohort: Cohort) -> tuple[np.ndarray, np.ndarray, float]:
    """Truth and calibrated probability of No Finding on test, and the share it is calibrated for."""
    fitted = fit(Posthoc("em"), predictions, cohort)
    probs, given = predictions.align(cohort, "test")
    calibrated = fitted.here(probs if given is None else given)
    truth = cohort.labels(cohort.rows("test"))[:, cohort.label_space.index("No Finding")]
    assert fitted.before is not None
    if given is None:
        column = cohort.label_space.index("No Finding")
        return truth, calibrated[:, column], float(fitted.before[column])
    return truth, 1 - calibrated[:, 0], 1 - float(fitted.before[0])


def main(study: Path, recipe: str) -> None:
    """Print a Markdown table."""
    cohort, rng = Cohort.load(study / "cohort.parquet"), np.random.default_rng(0)
    files = sorted((study / "runs" / recipe).glob("seed-*/predictions.parquet"))
    runs = [no_finding(Predictions.load(file), cohort) for file in files]
    print("| true share | estimated | spread | Brier before | Brier after |")
    print("|--:|--:|--:|--:|--:|")
    for share in SHARES:
        found, before, after = [], [], []
        for truth, probs, prior in runs:
            held, absent = np.flatnonzero(truth), np.flatnonzero(~truth)
            for _ in range(DRAWS):
                n = round(share * len(truth))
                rows = np.concatenate([rng.choice(held, n), rng.choice(absent, len(truth) - n)])
                estimate = likeliest_prevalence(probs[rows], prior)
                found.append(estimate)
                before.append(((probs[rows] - truth[rows]) ** 2).mean())
                after.append(((shift(probs[rows], prior, estimate) - truth[rows]) ** 2).mean())
        cells = [share, np.mean(found), np.std(found), np.mean(before), np.mean(after)]
        print("| " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
