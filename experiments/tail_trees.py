"""Two trees over the simulator's findings: in one siblings look alike, in the other, of the same shape, they do not.

Which signs look alike is known, since they were drawn: the simulator paints those that share structure (patches in the
airspace, round bodies, nets of lines, what lies along the pleura, changed volumes) in one module each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.metrics import macro
from chestxpert.files import write_text
from chestxpert.simulator.signs import SIGNS

Groups = Mapping[str, Sequence[str]]


def matched_groups() -> dict[str, list[str]]:
    """Findings by the module that paints them."""
    groups: dict[str, list[str]] = {}
    for finding, sign in SIGNS.items():
        groups.setdefault(sign.paint.__module__.rpartition(".")[2], []).append(finding)
    return groups


def crossed_groups() -> dict[str, list[str]]:
    """Groups of the same sizes, no two findings of a group from one module."""
    matched = matched_groups()
    dealt = [finding for turn in zip_longest(*matched.values()) for finding in turn if finding is not None]
    sizes = [len(findings) for findings in matched.values()]
    ends = np.cumsum(sizes)
    return {f"mixed {k + 1}": dealt[end - size : end] for k, (size, end) in enumerate(zip(sizes, ends, strict=True))}


def write_tree(path: Path, name: str, groups: Groups) -> Path:
    """Write a taxonomy file: any finding, then the group, then the finding."""
    tree = {"name": name, "tree": {"finding": [{group: list(findings)} for group, findings in groups.items()]}}
    text = yaml.safe_dump(tree, sort_keys=False)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return path


def likeness(features: npt.NDArray[np.float16], cohort: Cohort, groups: Groups) -> float:
    """How alike siblings look to a backbone: the mean cosine between the shifts that two siblings' signs make.

    Parameters
    ----------
    features : (N, D) array
        Of every row of the cohort, unchanged images.
    cohort : Cohort
    groups : mapping of str to sequence of str

    Returns
    -------
    float in [-1, 1], the mean over pairs of siblings
        A finding's shift is the mean of the test images that carry it alone, less that of those without findings; one
        that is never alone has none. NaN without any pair.
    """
    rows, space = cohort.rows("test"), cohort.label_space
    labels, values = cohort.labels(rows), features[rows].astype(np.float64)
    alone = labels.sum(axis=1) == 1
    plain = values[labels[:, space.index("No Finding")]].mean(axis=0)
    pairs = []
    for findings in groups.values():
        carriers = [alone & labels[:, space.index(finding)] for finding in findings]
        shifts = [values[rows].mean(axis=0) - plain for rows in carriers if rows.any()]
        units = [shift / np.linalg.norm(shift) for shift in shifts]
        pairs += [float(a @ b) for a, b in combinations(units, 2)]
    return float(macro(pairs))
