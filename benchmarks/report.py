"""How long a study of full size takes to compare and to draw, and in how much memory.

Run: python benchmarks/report.py [--recipes 20] [--seeds 5] [--draws 2000] [--study DIR]

A cohort as large as ChestX-ray14 (112,120 images, of which 25,596 of 2,797 patients are the test images and 11,000
validate; 15 labels about as frequent as there) and invented predictions: recipes and seeds differ by little, as real
ones do. Made once into DIR (a temporary folder by default). Then `chestxpert report DIR` runs as a user would run it,
and its time by the clock, its processors' time and its peak memory are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.evaluation.predictions import Predictions
from chestxpert.files import write_json
from chestxpert.labels import NIH15
from chestxpert.recipe import Recipe
from chestxpert.study.choose import choose_recipes
from chestxpert.study.plan import StudyPlan
from chestxpert.taxonomy import study_taxonomy

IMAGES = {"train": 75_524, "val": 11_000, "test": 25_596}
PATIENTS = {"train": 24_500, "val": 3_508, "test": 2_797}
SHARES = {
    "Infiltration": 0.177, "Effusion": 0.119, "Atelectasis": 0.103, "Nodule": 0.056, "Mass": 0.052,
    "Pneumothorax": 0.047, "Consolidation": 0.042, "Pleural_Thickening": 0.030, "Cardiomegaly": 0.025,
    "Emphysema": 0.022, "Edema": 0.021, "Fibrosis": 0.015, "Pneumonia": 0.013, "Hernia": 0.002,
}  # fmt: skip
RECIPES = (
    "flat-basic", "hierarchical-cascade", "flat-weighted", "hierarchical-shared", "flat-downsampled", "flat-resampled",
    "hierarchical-gated", "flat-asl", "flat-focal", "hierarchical-unconditional", "flat-db", "flat-ral", "flat-aucm",
    "hierarchical-cascade-balanced", "flat-ldam-drw", "flat-class-balanced", "flat-repeat-factor", "flat-square-root",
    "flat-mixup", "flat-ap",
)  # fmt: skip
TREE = study_taxonomy(NIH15)

Array = npt.NDArray[np.float64]


def make_cohort(rng: np.random.Generator) -> Cohort:
    """As many images, patients and findings as ChestX-ray14 has."""
    splits, patients = [], []
    for split, images in IMAGES.items():
        owners = np.concatenate(
            [np.arange(PATIENTS[split]), rng.integers(PATIENTS[split], size=images - PATIENTS[split])]
        )
        patients += [f"{split}-{owner:05d}" for owner in np.sort(owners)]
        splits += [split] * images
    count = len(splits)
    ill = rng.gamma(1.0, size=count)
    labels = np.zeros((count, len(NIH15)), dtype=np.bool_)
    for finding, share in SHARES.items():
        labels[:, NIH15.index(finding)] = rng.random(count) < np.minimum(share * (0.4 + 0.6 * ill), 0.9)
    labels[:, NIH15.index("No Finding")] = ~labels.any(axis=1)
    table = make_table(
        [f"{number:08d}.png" for number in range(count)], patients, labels, NIH15, split=splits, source="simulated",
        view=rng.choice(["PA", "AP"], count), sex=rng.choice(["M", "F"], count), age=rng.integers(18, 90, count),
    )  # fmt: skip
    return Cohort(table, NIH15)


def predict(cohort: Cohort, recipe: Recipe, skill: float, rng: np.random.Generator, shared: Array) -> Predictions:
    """Probabilities of the validation and test images; what makes an image hard is the same for every recipe."""
    rows = np.concatenate([cohort.rows("val"), cohort.rows("test")])
    ids, splits = cohort.image_ids[rows], cohort.table["split"].to_numpy()[rows]
    labels = cohort.labels(rows)
    truth = TREE.targets(labels) if recipe.hierarchical else labels
    width = truth.shape[1]
    logits = skill * truth + 0.9 * shared[:, :width] + 0.45 * rng.normal(size=truth.shape)
    logits += np.log(truth.mean(axis=0) + 0.001) + 0.5
    probs = 1 / (1 + np.exp(-logits))
    if not recipe.hierarchical:
        return Predictions.from_arrays(ids, splits, probs, NIH15)
    return Predictions.from_arrays(ids, splits, TREE.marginals(logits), NIH15, probs, TREE)


def make_study(folder: Path, names: list[str], seeds: int) -> None:
    """A study folder with everything but its comparison and its report."""
    rng = np.random.default_rng(0)
    cohort, recipes = make_cohort(rng), choose_recipes(names, [], True, []).recipes
    plan = StudyPlan(Path("data/none"), tuple(recipes), tuple(range(seeds)), "chestxpert compare", taxonomy="study")
    shared = rng.normal(size=(IMAGES["val"] + IMAGES["test"], max(len(NIH15), len(TREE.nodes))))
    for place, recipe in enumerate(recipes):
        for seed in range(seeds):
            run = folder / "runs" / recipe.name / f"seed-{seed}"
            run.mkdir(parents=True)
            skill = 1.2 + 0.01 * (place % 7) + 0.01 * rng.normal()
            predict(cohort, recipe, skill, rng, shared).save(run / "predictions.parquet")
            (run / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
            networks = ("A", "B", "C") if recipe.architecture == "cascade" else (recipe.architecture,)
            lines = [_epoch(network, epoch) for network in networks for epoch in range(1, 13)]
            (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
            write_json(run / "environment.json", {"schema": 1, "seed": seed, "cohort_fingerprint": cohort.fingerprint})
            write_json(
                run / "cost.json", {"parameters": 4_000_000, "train_seconds": 60.0, "train_image_passes": 900_000}
            )
            write_json(run / "evaluation.json", {"schema": 1})
    cohort.save(folder / "cohort.parquet")
    values = plan.to_dict(cohort) | {"start": {}}
    (folder / "study.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def _epoch(network: str, epoch: int) -> dict[str, object]:
    score = 0.3 * (1 - np.exp(-epoch / 3))
    return {
        "network": network, "epoch": epoch, "train_loss": 0.5 / epoch, "val_loss": 0.5 / epoch, "val_macro_ap": score,
        "val_macro_auroc": 0.5 + score, "lr": 1e-3, "seconds": 5.0,
    }  # fmt: skip


def main() -> None:
    """Print how long `chestxpert report` took, and its memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=int, default=len(RECIPES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--study", type=Path, help="where to make the study, or where it was made before")
    arguments = parser.parse_args()
    names = list(RECIPES[: arguments.recipes])
    with tempfile.TemporaryDirectory() as temporary:
        study = arguments.study or Path(temporary) / "study"
        if not (study / "study.yaml").is_file():
            make_study(study, names, arguments.seeds)
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "chestxpert", "report", str(study), "--draws", str(arguments.draws)],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        page = (study / "report.html").stat().st_size / 1e6
    print(f"{len(names)} recipes x {arguments.seeds} seeds, {IMAGES['test']} test images, {arguments.draws} draws")
    print(
        f"chestxpert report: {seconds:.0f} s by the clock, {used.ru_utime + used.ru_stime:.0f} s of processors' time, "
        f"peak memory {used.ru_maxrss / 1024**2:.2f} GiB, page {page:.1f} MB"
    )


if __name__ == "__main__":
    main()
