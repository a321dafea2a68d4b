"""Predictions of other tools compared with each other in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.cohort.table import Cohort
from chestxpert.cohort.tree import cohort_taxonomy
from chestxpert.evaluation.bootstrap import DRAWS
from chestxpert.evaluation.comparison import compare_runs
from chestxpert.evaluation.external.read import Source, read_external
from chestxpert.evaluation.partitions import DEFAULT
from chestxpert.evaluation.threshold_rules import F1, ThresholdRule


def evaluate_predictions(
    predictions: Mapping[str, Source | Sequence[Source]],
    cohort: Cohort,
    *,
    logits: bool = False,
    allow_missing: bool = False,
    threshold: str = str(F1),
    subgroups: Sequence[str] = DEFAULT,
    margin: float | None = None,
    draws: int = DRAWS,
    taxonomy: str = "study",
) -> dict[str, Any]:
    """Measure predictions on a cohort's test images and hold each against the first.

    Parameters
    ----------
    predictions : mapping of name to a table or to several
        As `read.read_external` takes them; several are seeds.
    cohort : Cohort
        Of a dataset folder: ``Cohort.load("data/nih/cohort.parquet")``.
    logits, allow_missing : bool
        See `read.read_external`.
    threshold : str
        Rule by which thresholds are chosen on validation images; one half for whoever has none.
    subgroups : sequence of str
        What subgroups of the test images are made by.
    margin : float, optional
        Largest difference that would not matter, for tests of equivalence.
    draws : int
        Bootstrap draws over test patients.
    taxonomy : str
        Name or file of the tree that hierarchical metrics are measured on.

    Returns
    -------
    dict
        What ``comparison.json`` holds; docs/statistics.md describes it. ``recipes`` has an entry for each name.

    Raises
    ------
    PredictionsError
        If a table cannot be used, or there is none.
    """
    lines = {
        name: read_external(name, sources, cohort, logits=logits, allow_missing=allow_missing).results
        for name, sources in predictions.items()
    }
    return compare_runs(
        lines,
        cohort,
        cohort_taxonomy(taxonomy, cohort),
        draws=draws,
        margin=margin,
        rule=ThresholdRule.parse(threshold),
        subgroups=subgroups,
    )
