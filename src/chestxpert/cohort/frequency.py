"""Head, medium and tail: findings grouped by how often training shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from chestxpert.cohort.table import Cohort
from chestxpert.errors import UsageError

Group = Literal["head", "medium", "tail"]

GROUPS: tuple[Group, ...] = ("head", "medium", "tail")
HEAD, TAIL = 0.10, 0.01
"""Shares of the training images above which a finding is of the head, and below which of the tail."""


def frequency_groups(
    counts: Mapping[str, int], known: Mapping[str, int], *, head: float = HEAD, tail: float = TAIL
) -> dict[str, Group]:
    """Group findings by their share of the training images.

    Shares and not counts, so that a data set of a thousand images and one of a hundred thousand are cut alike. The
    cut-offs are those by which the CXR-LT challenge reports its multi-label results (Holste et al., Towards
    long-tailed, multi-label disease classification from chest X-ray, Medical Image Analysis 97, 2024). Those of
    NIH-CXR-LT (Holste et al., DALI at MICCAI 2022: more than 1,000 and fewer than 100 of 68,058 training images, each
    with a single label) are ``head=1000 / 68_058, tail=100 / 68_058``; by them ChestX-ray14's own 14 findings have no
    tail.

    Parameters
    ----------
    counts : mapping of str to int
        Training images that carry each finding.
    known : mapping of str to int
        Training images of which it is known whether they carry it. A finding known of none is of the tail.
    head, tail : float
        A share above `head` is head, one below `tail` is tail, both ends are medium; 0 <= tail <= head <= 1.

    Returns
    -------
    dict of str to {"head", "medium", "tail"}
        In the order of `counts`.

    Raises
    ------
    UsageError
        If the cut-offs are out of order or out of range.
    """
    if not 0 <= tail <= head <= 1:
        raise UsageError(f"Cut-offs of the groups must be 0 <= tail <= head <= 1, got tail {tail} and head {head}.")
    shares = {finding: count / max(known[finding], 1) for finding, count in counts.items()}
    return {finding: _group(share, head, tail) for finding, share in shares.items()}


def training_groups(cohort: Cohort) -> dict[str, Group]:
    """Group of each finding of a cohort by its own training images, No Finding left out.

    Augmented copies do not count: they say what a recipe did about a rare finding, not how rare it is.
    """
    rows = cohort.rows("train")
    originals = rows[(cohort.table["origin"].iloc[rows] == "").to_numpy()]
    space = cohort.label_space
    columns = [space.index(finding) for finding in space.findings]
    counts, known = (
        dict(zip(space.findings, np.asarray(labels[:, columns].sum(axis=0)).tolist(), strict=True))
        for labels in (cohort.labels(originals), cohort.known(originals))
    )
    return frequency_groups(counts, known)


def _group(share: float, head: float, tail: float) -> Group:
    if share > head:
        return "head"
    return "tail" if share < tail else "medium"
