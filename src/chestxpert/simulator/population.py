"""Who is simulated: patients, their images, views, ages, findings, and the noise on their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.labels import NIH15
from chestxpert.simulator.prevalence import (
    SPLITS,
    TEST_SHARE,
    VIEWS,
    Combinations,
    bent_combinations,
    images_a_patient,
)
from chestxpert.simulator.render import Scene

MALE_SHARE = 0.54
_AGE_QUANTILES = (
    (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1.0),
    (1, 8, 18, 23, 34, 49, 59, 67, 72, 79, 95),
)
_AGE_SHIFT = {
    "Hernia": 16, "Fibrosis": 6, "Atelectasis": 4, "Pleural_Thickening": 4, "Emphysema": 3, "Effusion": 3,
    "Nodule": 3, "Mass": 2, "Edema": -2, "Pneumonia": -2,
}  # fmt: skip
"""Mean age of NIH's images with a finding, less the mean age of all, in years (left out where below 1.5)."""

_KEEPS = {
    "Atelectasis": 0.29, "Cardiomegaly": 0.29, "Consolidation": 0.24, "Edema": 0.28, "Effusion": 0.40,
    "Emphysema": 0.42, "Fibrosis": 0.19, "Hernia": 0.46, "Infiltration": 0.23, "Mass": 0.38, "Nodule": 0.28,
    "Pleural_Thickening": 0.21, "Pneumonia": 0.12, "Pneumothorax": 0.53,
}  # fmt: skip
"""How far a finding persists: (P(again on the next image) - P) / (1 - P), measured on NIH's follow-ups."""
_KEEPS_NOTHING = 0.31  # the same for No Finding
_KEEPS_VIEW = 0.8  # where findings are kept, the view is too, with this probability; else it is drawn again


@dataclass(frozen=True)
class Population:
    """Everything about a cohort but its pixels; images ordered by patient, then follow-up.

    Attributes
    ----------
    scenes : tuple of Scene
        What is truly on each image.
    labels : tuple of tuple of str
        What the label table says of it: the truth, but for label noise. Empty for No Finding.
    in_test : tuple of bool
        Whether the image's patient is on the test list.
    """

    scenes: tuple[Scene, ...]
    labels: tuple[tuple[str, ...], ...]
    in_test: tuple[bool, ...]


def largest_patient(images: int) -> int:
    """Most images one patient may have: 1 % of all, but 4 at least (NIH's largest has 184 of 112,120)."""
    return max(4, images // 100)


def draw_population(images: int, tail: float, label_noise: float, rng: np.random.Generator) -> Population:
    """Draw patients until there are `images` images.

    Parameters
    ----------
    images : int
        Number of images, at least 2; NIH's share of 22.8 % goes to patients of the test list.
    tail : float
        See `chestxpert.simulator.prevalence.target_prevalence`.
    label_noise : float
        See `flip_labels`.
    rng : numpy.random.Generator
        Source of every draw.

    Returns
    -------
    Population
        Expected prevalences are exactly those of `bent_combinations`, in each split and view.
    """
    test = min(max(1, round(TEST_SHARE * images)), images - 1)
    table = bent_combinations(tail)
    patients: list[tuple[int, int]] = []
    for split, wanted in enumerate((images - test, test)):
        patients += [(split, count) for count in _patient_sizes(split, wanted, largest_patient(images), rng)]
    order = rng.permutation(len(patients))
    chains = [_Chain(table, split) for split in range(len(SPLITS))]
    scenes: list[Scene] = []
    in_test: list[bool] = []
    for number, (split, count) in enumerate((patients[k] for k in order), start=1):
        scenes += _patient(number, count, chains[split], rng)
        in_test += [split == 1] * count
    truth = np.array([NIH15.encode(scene.findings)[: len(NIH15.findings)] for scene in scenes])
    labels = flip_labels(truth, label_noise, rng)
    return Population(tuple(scenes), tuple(_names(row) for row in labels), tuple(in_test))


def _names(row: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(NIH15.findings[k] for k in np.flatnonzero(row))


def _patient_sizes(split: int, wanted: int, cap: int, rng: np.random.Generator) -> list[int]:
    """Numbers of images of the patients of one split, adding up to `wanted`."""
    sizes, shares = images_a_patient()
    counts: list[int] = []
    while wanted > 0:
        count = min(int(rng.choice(sizes, p=shares[split])), cap, wanted)
        counts.append(count)
        wanted -= count
    return counts


class _Chain:
    """Findings and view from one image of a patient to the next.

    A combination of findings c is kept with probability r(c); otherwise a new one is drawn with probability
    proportional to pi(c) (1 - r(c)). So what persists most is drawn anew least, and every image on its own has
    the distribution pi of NIH's table.
    """

    def __init__(self, table: Combinations, split: int) -> None:
        weights = table.weights[split]
        self.keeps = np.array([_keep(_names(row)) for row in table.findings])
        self.names: Sequence[tuple[str, ...]] = [_names(row) for row in table.findings]
        self._first = np.cumsum(weights.ravel()) / weights.sum()
        again = (weights * (1.0 - self.keeps)).ravel()
        self._next = np.cumsum(again) / again.sum()
        self._ap_share = weights[VIEWS.index("AP")] / np.maximum(weights.sum(axis=0), 1e-300)

    def first(self, rng: np.random.Generator) -> tuple[int, int]:
        """View and combination of a first image."""
        return self._pick(self._first, rng)

    def following(self, view: int, combination: int, rng: np.random.Generator) -> tuple[int, int]:
        """View and combination of the image after one with `view` and `combination`."""
        if rng.random() >= self.keeps[combination]:
            return self._pick(self._next, rng)
        if rng.random() < _KEEPS_VIEW:
            return view, combination
        return int(rng.random() < self._ap_share[combination]), combination

    def _pick(self, cumulative: npt.NDArray[np.float64], rng: np.random.Generator) -> tuple[int, int]:
        cell = min(int(np.searchsorted(cumulative, rng.random(), side="right")), len(cumulative) - 1)
        view, combination = divmod(cell, len(self.keeps))
        return view, combination


def _keep(findings: Sequence[str]) -> float:
    return float(np.mean([_KEEPS[name] for name in findings])) if findings else _KEEPS_NOTHING


def _patient(number: int, count: int, chain: _Chain, rng: np.random.Generator) -> list[Scene]:
    """All images of one patient."""
    sex = "M" if rng.random() < MALE_SHARE else "F"
    view, combination = chain.first(rng)
    shift = [_AGE_SHIFT.get(name, 0) for name in chain.names[combination]]
    age = float(np.interp(rng.random(), *_AGE_QUANTILES)) + (float(np.mean(shift)) if shift else 0.0)
    scenes = []
    for follow_up in range(count):
        if follow_up:
            view, combination = chain.following(view, combination, rng)
            age += float(rng.random() < 0.15)
        years = int(min(max(age, 1), 95))
        scenes.append(Scene(number, follow_up, VIEWS[view], sex, years, chain.names[combination]))
    return scenes


def flip_labels(truth: npt.NDArray[np.bool_], label_noise: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Move labels to wrong images, as many of each finding as it loses.

    Each true label is lost with probability `label_noise`; for each lost one, an image that truly has not the
    finding gets it. So counts stay, and a label's positive predictive value and sensitivity both become about
    1 - `label_noise` (were single labels flipped alike on both sides, false Hernias would drown the true ones).

    Parameters
    ----------
    truth : ndarray of bool
        Shape (N, F), without No Finding.
    label_noise : float
        Probability in [0, 1].
    rng : numpy.random.Generator
        Chooses what is lost and where it goes.

    Returns
    -------
    ndarray of bool
        Shape (N, F), with the column sums of `truth` (fewer only where a finding has too few negatives).
    """
    labels = truth.copy()
    for column in range(truth.shape[1]):
        holders = np.flatnonzero(truth[:, column])
        lost = holders[rng.random(len(holders)) < label_noise]
        others = np.flatnonzero(~truth[:, column])
        gained = rng.choice(others, size=min(len(lost), len(others)), replace=False)
        labels[lost, column] = False
        labels[gained, column] = True
    return labels
