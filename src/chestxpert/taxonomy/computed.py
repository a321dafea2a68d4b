"""Taxonomies that follow from how often findings occur in training."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chestxpert.errors import LabelError
from chestxpert.labels import LabelSpace
from chestxpert.taxonomy.decisions import Decision
from chestxpert.taxonomy.tree import Taxonomy

MAJORITY = ("Atelectasis", "Effusion", "Infiltration", "Mass", "Nodule")
"""The five findings that the original study's decision B tells apart from 'minority'."""


def majority_count(name: str) -> int | None:
    """COUNT of a name that reads ``majority-COUNT``; None for any other name."""
    found = re.fullmatch(r"majority-(\d{1,4})", name)
    return int(found[1]) if found else None


def majority_taxonomy(label_space: LabelSpace, counts: Mapping[str, int], count: int) -> Taxonomy:
    """Tree like the study's, its decision B over the `count` most frequent findings and 'minority'.

    Parameters
    ----------
    label_space : LabelSpace
    counts : mapping of finding to the training images known to carry it
        Of two equally frequent findings, the first in label order counts as the more frequent one.
    count : int
        From 1 up to two less than there are findings, so that decision C has something to tell apart.

    Raises
    ------
    LabelError
        If `count` is out of range, or a finding has no count.
    """
    findings = label_space.findings
    if not 1 <= count <= len(findings) - 2:
        raise LabelError(
            f"majority-COUNT takes a count of 1 to {len(findings) - 2} over the {len(findings)} findings of "
            f"'{label_space.name}', so that at least two are left for the minority, but got {count}."
        )
    if uncounted := [finding for finding in findings if finding not in counts]:
        raise LabelError(f"majority-{count} needs a training count of each finding; missing: {', '.join(uncounted)}.")
    frequent = sorted(findings, key=lambda finding: -counts[finding])[:count]
    return split_taxonomy(f"majority-{count}", label_space, frequent)


def split_taxonomy(name: str, label_space: LabelSpace, majority: Sequence[str]) -> Taxonomy:
    """A finding or none (A), one of `majority` or 'minority' (B), the other findings (C); both in label order."""
    return Taxonomy(
        name=name,
        label_space=label_space,
        decisions=(
            Decision("A", None, ("finding",)),
            Decision("B", "finding", (*(f for f in label_space.findings if f in majority), "minority")),
            Decision("C", "minority", tuple(f for f in label_space.findings if f not in majority)),
        ),
    )
