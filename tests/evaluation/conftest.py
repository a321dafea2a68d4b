"""Made-up cohorts and predictions of known quality; no pixels and no model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.evaluation.predictions import Predictions
from chestxpert.labels import NIH15, LabelSpace
from chestxpert.taxonomy import Taxonomy, study_taxonomy

MakeCohort = Callable[..., Cohort]
MakePredictions = Callable[..., Predictions]

PREVALENCE = np.array([0.2, 0.1, 0.12, 0.08, 0.2, 0.08, 0.06, 0.03, 0.2, 0.12, 0.12, 0.08, 0.15, 0.1])


def _cohort(
    patients: int = 120,
    seed: int = 0,
    source: str = "nih",
    space: LabelSpace = NIH15,
    hide: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Cohort:
    """Cohort of `patients` patients with one to four images each, half of them test, a quarter validation.

    `hide` says of its labels which are known.
    """
    rng = np.random.default_rng(seed)
    images = rng.integers(1, 5, patients)
    owner = np.repeat(np.arange(patients), images)
    split = np.array(["test", "test", "val", "train"])[owner % 4]
    labels = np.zeros((len(owner), len(space)), dtype=bool)
    labels[:, : len(space.findings)] = rng.random((len(owner), len(space.findings))) < PREVALENCE / 1.5
    labels[:, space.index("No Finding")] = ~labels[:, : len(space.findings)].any(axis=1)
    ids = [f"{patient:08d}_{number:03d}.png" for number, patient in enumerate(owner)]
    names = [f"{patient:05d}" for patient in owner]
    known = None if hide is None else hide(labels)
    return Cohort(make_table(ids, names, labels, space, known=known, split=split, source=source), space)


def _predictions(
    cohort: Cohort, skill: float = 1.0, seed: int = 0, tree: Taxonomy | None = None, shift: float = 1.5
) -> Predictions:
    """Predictions whose logits are `skill` apart between positives and negatives, with noise of one."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([cohort.rows("val"), cohort.rows("test")])
    labels = cohort.labels(rows)
    truth = labels if tree is None else tree.targets(labels)
    values = 1 / (1 + np.exp(-(skill * truth + rng.normal(size=truth.shape) - shift)))
    ids, split = cohort.image_ids[rows], cohort.table["split"].to_numpy()[rows]
    if tree is None:
        return Predictions.from_arrays(ids, split, values, cohort.label_space)
    probs = tree.marginals_from_conditionals(values)
    return Predictions.from_arrays(ids, split, probs, cohort.label_space, values, tree)


@pytest.fixture(scope="session")
def make_cohort() -> MakeCohort:
    return _cohort


@pytest.fixture(scope="session")
def make_predictions() -> MakePredictions:
    return _predictions


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    return _cohort()


@pytest.fixture(scope="session")
def tree() -> Taxonomy:
    return study_taxonomy(NIH15)
