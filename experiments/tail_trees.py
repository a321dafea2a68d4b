"""Two trees over the simulator's findings: in one siblings look alike, in the other, of the same shape, they do not.

How alike two signs look is measured, not asserted: it is the cosine between what the two do to the features that every
recipe learns from. Trees are chosen on one training set; how alike their siblings are is then told on the test images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from chestxpert.cohort.table import Cohort
from chestxpert.files import write_text
from chestxpert.labels import NIH15

FloatArray = npt.NDArray[np.float64]
Groups = Mapping[str, Sequence[str]]

SIZES = (3, 3, 3, 3, 2)
"""Findings of each group of either tree."""


def cosines(features: npt.NDArray[np.float16], cohort: Cohort, splits: Sequence[str]) -> FloatArray:
    """How alike the findings' signs are to a backbone.

    Parameters
    ----------
    features : (N, D) array
        Of every row of the cohort, unchanged images.
    cohort : Cohort
        Over nih15.
    splits : sequence of str
        Whose images count.

    Returns
    -------
    (14, 14) float64 array
        Cosines between the shifts of two findings. A finding's shift is its coefficient in the least-squares fit of the
        features, each divided by its standard deviation, on all findings and the view.
    """
    rows = np.concatenate([cohort.rows(split) for split in splits])
    findings = cohort.labels(rows)[:, [cohort.label_space.index(name) for name in NIH15.findings]]
    front = (cohort.table["view"].iloc[rows] == "AP").to_numpy()
    causes = np.column_stack([np.ones(len(rows)), front, findings]).astype(np.float64)
    values = features[rows].astype(np.float64)
    shifts = np.linalg.lstsq(causes, values / (values.std(axis=0) + 1e-6), rcond=None)[0][2:]
    # A finding that is nowhere has no shift, and is like no other.
    units = shifts / np.maximum(np.linalg.norm(shifts, axis=1, keepdims=True), 1e-12)
    return np.asarray(units @ units.T)


def likeness(alike: FloatArray, groups: Groups) -> float:
    """Mean of `alike` over pairs of siblings."""
    index = {name: k for k, name in enumerate(NIH15.findings)}
    pairs = [(index[a], index[b]) for findings in groups.values() for a, b in combinations(findings, 2)]
    return float(np.mean([alike[pair] for pair in pairs]))


def grouped(alike: FloatArray, starts: int = 200) -> dict[str, list[str]]:
    """Groups of `SIZES` whose pairs add up to the largest sum of `alike`, as far as swaps of two findings find it.

    Parameters
    ----------
    alike : (14, 14) array
        Minus the cosines for groups that look unlike.
    starts : int
        Random groupings that the search starts from.
    """
    rng = np.random.default_rng(0)
    found = [_swapped(alike, np.repeat(np.arange(len(SIZES)), SIZES)[rng.permutation(14)]) for _ in range(starts)]
    best = max(found, key=lambda group_of: _within(alike, group_of))
    groups = [[NIH15.findings[k] for k in np.flatnonzero(best == group)] for group in range(len(SIZES))]
    return {f"group {number}": names for number, names in enumerate(sorted(groups), start=1)}


def _within(alike: FloatArray, group_of: npt.NDArray[np.int64]) -> float:
    return float(alike[group_of[:, None] == group_of].sum())


def _swapped(alike: FloatArray, group_of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A grouping that no swap of two findings improves."""
    now = _within(alike, group_of)
    improved = True
    while improved:
        improved = False
        for a, b in combinations(range(len(group_of)), 2):
            other = group_of.copy()
            other[[a, b]] = other[[b, a]]
            if (then := _within(alike, other)) > now + 1e-12:
                group_of, now, improved = other, then, True
    return group_of


def write_tree(path: Path, groups: Groups) -> Path:
    """Write a taxonomy file: any finding, then the group, then the finding."""
    tree = {"name": path.stem, "tree": {"finding": [{group: list(findings)} for group, findings in groups.items()]}}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, yaml.safe_dump(tree, sort_keys=False))
    return path


def read_groups(path: Path) -> dict[str, list[str]]:
    """The groups of a file that `write_tree` wrote."""
    groups: dict[str, list[str]] = {}
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["tree"]["finding"]:
        groups |= group
    return groups
