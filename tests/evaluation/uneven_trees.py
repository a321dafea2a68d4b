"""Random trees of unequal depths, and what may stand below them, for hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from chestxpert.labels import NO_FINDING, LabelSpace
from chestxpert.taxonomy import Decision, Taxonomy


@st.composite
def uneven_trees(draw: st.DrawFn, no_finding: bool | None = None) -> Taxonomy:
    """A tree of one to five levels: leaves are opened one after the other, the latest again and again or any."""
    whole = draw(st.booleans()) if no_finding is None else no_finding
    root = ("any",) if whole else tuple(f"r{i}" for i in range(draw(st.integers(1, 3))))
    decisions, leaves = [Decision("D0", None, root)], list(root)
    for number in range(1, draw(st.integers(1 if whole else 0, 5)) + 1):
        parent = leaves[-1] if draw(st.booleans()) else draw(st.sampled_from(leaves))
        children = tuple(f"n{number}{i}" for i in range(draw(st.integers(1, 3))))
        decisions.append(Decision(f"D{number}", parent, children))
        leaves = [*(leaf for leaf in leaves if leaf != parent), *children]
    labels = draw(st.permutations([*leaves, NO_FINDING] if whole else leaves))
    return Taxonomy("drawn", LabelSpace("drawn", tuple(labels), NO_FINDING if whole else None), tuple(decisions))


def some_labels(tree: Taxonomy, rows: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """(rows, K) labels as a cohort has them: No Finding exactly where no finding is."""
    space = tree.label_space
    labels = rng.random((rows, len(space))) < share
    if space.no_finding is not None:
        none = space.index(space.no_finding)
        labels[:, none] = ~np.delete(labels, none, axis=1).any(axis=1)
    return labels
