"""An invented cohort for tests of pages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.labels import NIH15

# Shares of NIH's train_val images that carry each finding.
_SHARES = {
    "Infiltration": 0.16, "Effusion": 0.10, "Atelectasis": 0.096, "Nodule": 0.054, "Mass": 0.047,
    "Consolidation": 0.033, "Pneumothorax": 0.030, "Pleural_Thickening": 0.026, "Cardiomegaly": 0.020,
    "Emphysema": 0.016, "Edema": 0.016, "Fibrosis": 0.0145, "Pneumonia": 0.010, "Hernia": 0.004,
}  # fmt: skip
_SIZES = {"train": 1600, "val": 400, "test": 900}


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
