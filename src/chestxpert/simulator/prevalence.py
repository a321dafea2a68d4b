"""How often findings occur together in ChestX-ray14, and how the tail exponent bends that.

`nih_combinations.csv` counts all 801 combinations of findings in NIH's v2020 labels (112,120 images), by official
list and view; `nih_images_a_patient.csv` counts patients by their number of images, by official list. Both are
facts about the public table (Wang et al., CVPR 2017); no image or patient is in them. Findings are written by
two letters, see `CODES`; "-" is No Finding.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from chestxpert.labels import NIH15

CODES = {
    "At": "Atelectasis", "Ca": "Cardiomegaly", "Co": "Consolidation", "Ed": "Edema", "Ef": "Effusion",
    "Em": "Emphysema", "Fi": "Fibrosis", "He": "Hernia", "In": "Infiltration", "Ma": "Mass", "No": "Nodule",
    "PT": "Pleural_Thickening", "Pn": "Pneumonia", "Px": "Pneumothorax",
}  # fmt: skip
SPLITS = ("train_val", "test")
VIEWS = ("PA", "AP")
TEST_SHARE = 25_596 / 112_120
"""NIH's official test list holds 25,596 of 112,120 images."""

_ROUNDS, _CLOSE = 2000, 1e-7


@dataclass(frozen=True)
class Combinations:
    """Joint distribution of split, view and findings.

    Attributes
    ----------
    findings : ndarray of bool
        Shape (C, 14): the findings of each combination, in the order of ``NIH15.findings``.
    weights : ndarray of float64
        Shape (2, 2, C): probability of (split, view, combination), adding up to 1.
    """

    findings: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.float64]

    @property
    def prevalence(self) -> npt.NDArray[np.float64]:
        """Expected share of images with each finding, shape (14,)."""
        return np.asarray(self.weights.sum(axis=(0, 1)) @ self.findings, dtype=np.float64)


def _rows(name: str) -> list[list[str]]:
    text = resources.files("chestxpert.simulator").joinpath(name).read_text(encoding="ascii")
    return list(csv.reader(text.splitlines()))[1:]


@lru_cache(maxsize=1)
def nih_combinations() -> Combinations:
    """The combinations as NIH's table has them."""
    rows = _rows("nih_combinations.csv")
    findings = np.zeros((len(rows), len(NIH15.findings)), dtype=np.bool_)
    for number, (names, *_) in enumerate(rows):
        for code in names.split():
            if code != "-":
                findings[number, NIH15.findings.index(CODES[code])] = True
    counts = np.array([[int(value) for value in row[1:]] for row in rows], dtype=np.float64)
    weights = (counts / counts.sum()).T.reshape(len(SPLITS), len(VIEWS), len(rows))
    return Combinations(findings, weights)


@lru_cache(maxsize=1)
def images_a_patient() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Numbers of images a patient has, shape (S,), and their probabilities by split, shape (2, S)."""
    rows = np.array(_rows("nih_images_a_patient.csv"), dtype=np.int64)
    patients = rows[:, 1:].T.astype(np.float64)
    return rows[:, 0], patients / patients.sum(axis=1, keepdims=True)


def target_prevalence(prevalence: npt.NDArray[np.float64], tail: float) -> npt.NDArray[np.float64]:
    r"""Prevalences after bending the tail.

    .. math:: q_f = S \, p_f^t / \sum_g p_g^t, \quad S = \sum_g p_g

    so the mean number of findings an image carries stays what it is: t = 1 gives NIH's prevalences, t = 0 makes
    all findings equally frequent, t > 1 makes the frequent more frequent and the rare rarer.

    Parameters
    ----------
    prevalence : ndarray of float64
        p, shape (14,), each above 0.
    tail : float
        t, at least 0.

    Returns
    -------
    ndarray of float64
        q, shape (14,).
    """
    powers = prevalence**tail
    return np.asarray(prevalence.sum() * powers / powers.sum(), dtype=np.float64)


@lru_cache(maxsize=8)
def bent_combinations(tail: float) -> Combinations:
    """NIH's combinations re-weighted to the prevalences of `target_prevalence`.

    Iterative proportional fitting (Deming and Stephan 1940): the distribution nearest to NIH's (in relative
    entropy) that has the new prevalences, and NIH's shares of No Finding and of each split and view.

    Parameters
    ----------
    tail : float
        Exponent in [0, 2].

    Returns
    -------
    Combinations
        NIH's own at ``tail=1``.
    """
    nih = nih_combinations()
    if tail == 1.0:
        return nih
    groups = np.column_stack([nih.findings, ~nih.findings.any(axis=1)])
    wanted = np.append(target_prevalence(nih.prevalence, tail), nih.weights.sum(axis=(0, 1)) @ groups[:, -1])
    cells = nih.weights.sum(axis=2, keepdims=True)
    weights = nih.weights.copy()
    for _ in range(_ROUNDS):
        for column, share in enumerate(wanted):
            has = groups[:, column]
            now = float(weights[..., has].sum())
            weights[..., has] *= share / now
            weights[..., ~has] *= (1.0 - share) / (1.0 - now)
        weights *= cells / weights.sum(axis=2, keepdims=True)
        if np.abs(weights.sum(axis=(0, 1)) @ groups - wanted).max() < _CLOSE:
            break
    return Combinations(nih.findings, weights)
